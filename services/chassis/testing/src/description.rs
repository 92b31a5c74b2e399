//! A service's OpenAPI document against itself, its router and the running service.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::client::Service;

/// Asserts that the document has exactly these paths, and for each exactly the methods that `router` serves there.
pub async fn assert_lists_what_is_served(document: &Value, router: &Router, paths: impl IntoIterator<Item = &str>) {
    let listed = document["paths"].as_object().expect("paths");
    let listed: BTreeMap<_, _> = listed.iter().map(|(path, methods)| (path.clone(), members(methods))).collect();
    let mut served = BTreeMap::new();
    for path in paths {
        served.insert(path.to_owned(), methods(router, path).await);
    }
    assert_eq!(listed, served);
}

/// Every method that the router serves at a path, found by asking: all others are 405.
async fn methods(router: &Router, path: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for method in [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
        let request = Request::builder().method(&method).uri(path.replace(['{', '}'], "x"));
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
            methods.insert(method.as_str().to_lowercase());
        }
    }
    methods
}

/// Asserts that every reference leads to a schema, every schema is referred to, and every parameter of a path is
/// declared.
#[track_caller]
pub fn assert_refers_to_what_it_has(document: &Value) {
    let schemas = members(&document["components"]["schemas"]);
    let text = document.to_string();
    let referred = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let referred: BTreeSet<String> = referred.map(str::to_owned).collect();
    assert_eq!(referred, schemas, "each is referred to, and each is there");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let needed: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in methods.as_object().expect("methods") {
            let listed = operation["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "path");
            let listed: BTreeSet<&str> = listed.filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(listed, needed, "{method} {path}");
        }
    }
}

/// Asserts that the routes that every service has answer and are described, and that one that there is not is a problem.
pub async fn assert_has_what_every_service_has(service: &Service, title: &str) {
    let document = service.call("GET /openapi.json").await;
    assert_eq!((document.status, document.body["info"]["title"].as_str()), (200, Some(title)));
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(service.call(&format!("GET {path}")).await.status, 200, "{path}");
        assert!(document.body["paths"][path]["get"].is_object(), "{path}");
    }
    service.call("GET /api/v1/nothing").await.assert_problem(404, "no-such-route");
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
}
