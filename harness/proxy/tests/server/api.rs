//! Routes, shapes and errors, as Toxiproxy's clients know them.

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::*;

const TEXT: &str = "text/plain; charset=utf-8";

fn error(error: &str, status: u16) -> String {
    format!("{{\"error\":\"{error}\",\"status\":{status}}}\n")
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_toxiproxys_words() {
    let api = api().await;
    api.proxy("127.0.0.1:1".parse().unwrap()).await;
    api.toxic("latency", "downstream", json!({})).await;
    let (no_proxy, no_toxic) = (error("proxy not found", 404), error("toxic not found", 404));
    let stream = error("stream was invalid, can be either upstream or downstream", 400);
    for (method, path, body, status, text) in [
        ("POST", "/proxies", "{}", 400, error("missing required field: name", 400)),
        ("POST", "/proxies", "null", 400, error("missing required field: name", 400)),
        ("POST", "/proxies", r#"{"name":"x"}"#, 400, error("missing required field: upstream", 400)),
        ("POST", "/proxies", r#"{"name":"p","upstream":"a:1"}"#, 409, error("proxy already exists", 409)),
        ("POST", "/proxies", "", 400, error("bad request body: EOF", 400)),
        ("POST", "/proxies", "[]", 400, error("bad request body: the body must be an object", 400)),
        ("POST", "/proxies", r#"{"name":1}"#, 400, error("bad request body: `name` must be a string", 400)),
        (
            "PATCH",
            "/proxies/p",
            r#"{"enabled":1}"#,
            400,
            error("bad request body: `enabled` must be true or false", 400),
        ),
        ("GET", "/proxies/none", "", 404, no_proxy.clone()),
        ("POST", "/proxies/none", "{", 404, no_proxy.clone()),
        ("PATCH", "/proxies/none", "{}", 404, no_proxy.clone()),
        ("DELETE", "/proxies/none", "", 404, no_proxy.clone()),
        ("GET", "/proxies/none/toxics", "", 404, no_proxy.clone()),
        ("POST", "/proxies/none/toxics", "{}", 404, no_proxy.clone()),
        ("GET", "/proxies/none/toxics/t", "", 404, no_proxy),
        ("GET", "/proxies/p/toxics/none", "", 404, no_toxic.clone()),
        ("PATCH", "/proxies/p/toxics/none", "{", 404, no_toxic.clone()),
        ("POST", "/proxies/p/toxics/none", "{}", 404, no_toxic.clone()),
        ("DELETE", "/proxies/p/toxics/none", "", 404, no_toxic),
        ("POST", "/proxies/p/toxics", r#"{"type":"latency","stream":"sideways"}"#, 400, stream),
        ("POST", "/proxies/p/toxics", r#"{"type":"teapot"}"#, 400, error("invalid toxic type", 400)),
        ("POST", "/proxies/p/toxics", "{}", 400, error("invalid toxic type", 400)),
        ("POST", "/proxies/p/toxics", r#"{"type":"noop","name":"t"}"#, 409, error("toxic already exists", 409)),
        ("GET", "/", "", 404, "404 page not found\n".into()),
        ("GET", "/proxies/", "", 404, "404 page not found\n".into()),
        ("GET", "/metrics", "", 404, "404 page not found\n".into()),
    ] {
        let answer = api.send(method, path, "", body).await;
        assert_eq!((answer.status, &answer.body), (status, &text), "{method} {path} {body}");
        assert_eq!(answer.header("content-type"), Some(TEXT), "{method} {path} {body}");
        assert_eq!(answer.header("x-toxiproxy-request-id").is_some(), !text.starts_with("404 page"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_answered_empty() {
    let api = api().await;
    for (method, path) in [
        ("DELETE", "/proxies"),
        ("HEAD", "/proxies"),
        ("PUT", "/proxies/p"),
        ("DELETE", "/proxies/p/toxics"),
        ("PUT", "/proxies/p/toxics/t"),
        ("GET", "/populate"),
        ("GET", "/reset"),
        ("POST", "/version"),
    ] {
        let answer = api.send(method, path, "", "").await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("content-type")), (405, "", None), "{path}");
    }
}

#[tokio::test]
async fn browsers_are_kept_out_and_other_content_types_are_not() {
    let api = api().await;
    let answer = api.send("GET", "/proxies", "user-agent: Mozilla/5.0 (X11)\r\n", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "User agent not allowed\n"));
    let body = r#"{"name":"p","upstream":"127.0.0.1:1"}"#;
    let answer = api.send("POST", "/proxies", "content-type: text/html\r\n", body).await;
    assert_eq!((answer.status, answer.header("content-type")), (201, Some("application/json")));
}

#[tokio::test]
async fn the_version_is_written_to_the_byte() {
    let answer = api().await.send("GET", "/version", "", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"version\": \"git\"}\n"));
    assert_eq!(answer.header("content-type"), Some("application/json;charset=utf-8"));
}

#[tokio::test]
async fn a_proxy_has_its_shape_from_its_making_to_its_end() {
    let api = api().await;
    let made = json!({"name": "p", "listen": "localhost:0", "upstream": "127.0.0.1:1", "toxics": [1], "other": 1});
    let made = api.sent("POST", "/proxies", made, 201).await;
    let listen = made["listen"].as_str().unwrap().to_owned();
    assert!(listen.starts_with("127.0.0.1:") && !listen.ends_with(":0"), "{listen}");
    let shape = format!(
        r#"{{"name":"p","listen":"{listen}","upstream":"127.0.0.1:1","enabled":true,"Logger":{{}},"toxics":[]}}"#
    );
    assert_eq!(made.to_string(), shape);
    assert_eq!(api.get("/proxies/p").await, made);
    assert_eq!(api.get("/proxies").await, json!({ "p": made }));
    let gone = api.send("DELETE", "/proxies/p", "", "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(api.get("/proxies").await, json!({}));

    let disabled = json!({"name": "d", "listen": "localhost:0", "upstream": "u:1", "enabled": false});
    let disabled = api.sent("POST", "/proxies", disabled, 201).await;
    assert_eq!((&disabled["listen"], &disabled["enabled"]), (&json!("localhost:0"), &json!(false)));
    let changed = api.sent("PATCH", "/proxies/d", json!({"name": "e", "upstream": ""}), 200).await;
    assert_eq!((&changed["name"], &changed["upstream"]), (&json!("d"), &json!("")));
}

#[tokio::test]
async fn a_proxy_without_a_listen_address_takes_any() {
    let made = api().await.sent("POST", "/proxies", json!({"name": "p", "upstream": "u:1"}), 201).await;
    let listen = made["listen"].as_str().unwrap().to_owned();
    assert!(listen.starts_with("[::]:") || listen.starts_with("0.0.0.0:"), "{listen}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_in_toxiproxys_words() {
    let api = api().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let text = format!("listen tcp {listen}: bind: address already in use");
    let made = api.sent("POST", "/proxies", json!({"name": "p", "upstream": "u:1", "listen": listen}), 500).await;
    assert_eq!(made, json!({"error": text, "status": 500}));
    assert_eq!(api.get("/proxies").await, json!({}));
    let nowhere = json!({"name": "p", "upstream": "u:1", "listen": "nowhere"});
    let text = api.sent("POST", "/proxies", nowhere, 500).await["error"].clone();
    assert_eq!(text, "listen tcp: address nowhere: missing port in address");
}

#[tokio::test]
async fn every_toxic_has_its_shape_and_its_defaults() {
    let api = api().await;
    api.proxy("127.0.0.1:1".parse().unwrap()).await;
    for (kind, given, attributes) in [
        ("latency", json!(null), r#"{"latency":0,"jitter":0}"#),
        ("bandwidth", json!({"rate": null, "other": "x"}), r#"{"rate":0}"#),
        ("slow_close", json!({"delay": 7}), r#"{"delay":7}"#),
        ("timeout", json!({}), r#"{"timeout":0}"#),
        ("reset_peer", json!({"timeout": 9}), r#"{"timeout":9}"#),
        ("slicer", json!({"average_size": 3}), r#"{"average_size":3,"size_variation":0,"delay":0}"#),
        ("limit_data", json!({"bytes": 5}), r#"{"bytes":5}"#),
        ("noop", json!({}), "{}"),
    ] {
        let made = api.sent("POST", "/proxies/p/toxics", json!({"type": kind, "attributes": given}), 200).await;
        let name = format!("{kind}_downstream");
        let shape = format!(
            r#"{{"attributes":{attributes},"name":"{name}","type":"{kind}","stream":"downstream","toxicity":1}}"#
        );
        assert_eq!(made.to_string(), shape);
        assert_eq!(api.get(&format!("/proxies/p/toxics/{name}")).await, made);
    }
    let made = json!({"type": "noop", "stream": "UPSTREAM", "toxicity": 0.25});
    let made = api.sent("POST", "/proxies/p/toxics", made, 200).await;
    assert_eq!((&made["name"], &made["stream"]), (&json!("noop_UPSTREAM"), &json!("UPSTREAM")));
    assert_eq!(made["toxicity"], json!(0.25));
    let all = api.get("/proxies/p/toxics").await;
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|toxic| toxic["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names[0], names[1]), (9, "noop_UPSTREAM", "latency_downstream"), "upstream first");
    assert_eq!(api.get("/proxies/p").await["toxics"], all);
}

#[tokio::test]
async fn attributes_that_make_no_sense_are_refused_and_change_nothing() {
    let api = api().await;
    api.proxy("127.0.0.1:1".parse().unwrap()).await;
    for (kind, attributes) in [
        ("latency", json!({"latency": 1.5})),
        ("latency", json!({"latency": "x"})),
        ("latency", json!({"latency": -1})),
        ("latency", json!({"jitter": 1i64 << 62})),
        ("latency", json!(["latency"])),
        ("bandwidth", json!({"rate": -1})),
        ("slicer", json!({})),
        ("slicer", json!({"average_size": 4, "size_variation": 4})),
        ("limit_data", json!({"bytes": -1})),
        ("timeout", json!({"timeout": u64::MAX})),
    ] {
        let made = json!({"type": kind, "attributes": attributes});
        let text = api.sent("POST", "/proxies/p/toxics", made, 400).await["error"].clone();
        assert!(text.as_str().unwrap().starts_with("bad request body: "), "{text}");
    }
    assert_eq!(api.get("/proxies/p/toxics").await, json!([]));
    api.toxic("slicer", "upstream", json!({"average_size": 4})).await;
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"average_size": 0}}), 400).await;
    assert_eq!(api.get("/proxies/p/toxics/t").await["attributes"]["average_size"], 4);
}

#[tokio::test]
async fn an_update_of_a_toxic_merges_attributes_and_leaves_what_it_is() {
    let api = api().await;
    api.proxy("127.0.0.1:1".parse().unwrap()).await;
    api.toxic("latency", "upstream", json!({"latency": 100, "jitter": 10})).await;
    for method in ["POST", "PATCH"] {
        let update = json!({"name": "n", "type": "noop", "stream": "x", "attributes": {"jitter": 5}, "toxicity": 7});
        let updated = api.sent(method, "/proxies/p/toxics/t", update, 200).await;
        let attributes = json!({"latency": 100, "jitter": 5});
        let whole = json!(
            {"attributes": attributes, "name": "t", "type": "latency", "stream": "upstream", "toxicity": 7}
        );
        assert_eq!(updated, whole);
    }
    api.remove().await;
    assert_eq!(api.get("/proxies/p/toxics").await, json!([]));
}

#[tokio::test]
async fn populate_keeps_what_is_alike_and_replaces_what_is_not() {
    let api = api().await;
    let wanted = |upstream: &str, listen: &Value| json!([{"name": "p", "upstream": upstream, "listen": listen}]);
    let answer = api.send("POST", "/populate", "", &wanted("u:1", &json!("127.0.0.1:0")).to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (201, Some("application/json")));
    let listen = answer.json()["proxies"][0]["listen"].clone();
    api.toxic("noop", "upstream", json!({})).await;
    let kept = api.sent("POST", "/populate", wanted("u:1", &listen), 201).await;
    assert_eq!(kept, json!({"proxies": [api.get("/proxies/p").await]}));
    assert_eq!(kept["proxies"][0]["toxics"][0]["name"], "t");
    let replaced = api.sent("POST", "/populate", wanted("u:2", &listen), 201).await;
    assert_eq!(replaced["proxies"][0]["toxics"], json!([]));
    assert_eq!(replaced["proxies"][0]["listen"], listen, "the port was free again");
    assert_eq!(api.sent("POST", "/populate", json!([]), 201).await, json!({"proxies": []}));
}

#[tokio::test]
async fn populate_checks_all_first_and_then_stops_at_the_first_that_fails() {
    let api = api().await;
    let fine = |name: &str| json!({"name": name, "upstream": "u:1", "listen": "127.0.0.1:0"});
    let nameless = json!([fine("a"), {"upstream": "u:1"}]).to_string();
    let answer = api.send("POST", "/populate", "", &nameless).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
    assert_eq!(answer.json()["error"], "missing required field: name at proxy 2");
    assert_eq!(api.get("/proxies").await, json!({}));
    api.sent("POST", "/populate", fine("a"), 400).await;

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let failing = json!([fine("a"), {"name": "b", "upstream": "u:1", "listen": listen}, fine("c")]);
    let stopped = api.sent("POST", "/populate", failing, 500).await;
    assert_eq!(stopped["error"], format!("listen tcp {listen}: bind: address already in use"));
    assert_eq!((&stopped["status"], stopped["proxies"].as_array().unwrap().len()), (&json!(500), 1));
    assert_eq!(api.get("/proxies").await.as_object().unwrap().keys().collect::<Vec<_>>(), ["a"]);
}
