//! The routes of Toxiproxy's API: what each path is, and what each method does there.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    fields::Fields,
    proxies::{Populated, Proxies},
    refused::Refused,
};

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Proxies,
    Populate,
    Proxy(String),
    Toxics(String),
    Toxic(String, String),
    Reset,
    Version,
}

impl Place {
    /// The place of a path, names in it decoded; `None` if there is none.
    pub(crate) fn of(path: &str) -> Option<Place> {
        let segments = segments(path)?;
        if segments.iter().any(|name| name.is_empty() || name.contains('/')) {
            return None;
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Some(match segments[..] {
            ["proxies"] => Place::Proxies,
            ["populate"] => Place::Populate,
            ["reset"] => Place::Reset,
            ["version"] => Place::Version,
            ["proxies", proxy] => Place::Proxy(proxy.to_owned()),
            ["proxies", proxy, "toxics"] => Place::Toxics(proxy.to_owned()),
            ["proxies", proxy, "toxics", toxic] => Place::Toxic(proxy.to_owned(), toxic.to_owned()),
            _ => return None,
        })
    }

    /// Whether the place knows the method.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        let methods: &[Method] = match self {
            Place::Proxies | Place::Toxics(_) => &[Method::GET, Method::POST],
            Place::Proxy(_) | Place::Toxic(..) => &[Method::GET, Method::POST, Method::PATCH, Method::DELETE],
            Place::Populate | Place::Reset => &[Method::POST],
            Place::Version => &[Method::GET],
        };
        methods.contains(method)
    }
}

/// The segments of a path, decoded; `None` if it is no path.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decoded).collect()
}

/// A segment without its percent signs; `None` if they are none.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

/// What the proxies answer to a request that its place takes.
pub(crate) async fn answer(
    proxies: &mut Proxies,
    version: &str,
    place: &Place,
    method: &Method,
    body: &[u8],
) -> Answer {
    if *place == Place::Populate {
        return populate(proxies, body).await;
    }
    match ask(proxies, version, place, method, body).await {
        Ok(answer) => answer,
        Err(refused) => Answer::refused(&refused),
    }
}

async fn ask(
    proxies: &mut Proxies,
    version: &str,
    place: &Place,
    method: &Method,
    body: &[u8],
) -> Result<Answer, Refused> {
    let read = || Fields::read(body);
    // POST on what exists is Toxiproxy's older word for PATCH.
    let changes = matches!(*method, Method::POST | Method::PATCH);
    Ok(match place {
        Place::Proxies if changes => Answer::json(StatusCode::CREATED, &proxies.create(&read()?).await?),
        Place::Proxies => Answer::json(StatusCode::OK, &proxies.all()),
        Place::Proxy(proxy) if changes => {
            proxies.show(proxy)?;
            Answer::json(StatusCode::OK, &proxies.update(proxy, &read()?).await?)
        }
        Place::Proxy(proxy) if *method == Method::DELETE => {
            proxies.delete(proxy).await?;
            Answer::empty(StatusCode::NO_CONTENT)
        }
        Place::Proxy(proxy) => Answer::json(StatusCode::OK, &proxies.show(proxy)?),
        Place::Toxics(proxy) if changes => {
            proxies.show(proxy)?;
            Answer::json(StatusCode::OK, &proxies.add_toxic(proxy, &read()?).await?)
        }
        Place::Toxics(proxy) => Answer::json(StatusCode::OK, &proxies.toxics(proxy)?),
        Place::Toxic(proxy, toxic) if changes => {
            proxies.toxic(proxy, toxic)?;
            Answer::json(StatusCode::OK, &proxies.update_toxic(proxy, toxic, &read()?).await?)
        }
        Place::Toxic(proxy, toxic) if *method == Method::DELETE => {
            proxies.remove_toxic(proxy, toxic).await?;
            Answer::empty(StatusCode::NO_CONTENT)
        }
        Place::Toxic(proxy, toxic) => Answer::json(StatusCode::OK, &proxies.toxic(proxy, toxic)?),
        Place::Reset => {
            proxies.reset().await?;
            Answer::empty(StatusCode::NO_CONTENT)
        }
        Place::Version => Answer::version(version),
        Place::Populate => Answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    })
}

/// Its errors are JSON by their content type too, and say how far it came.
async fn populate(proxies: &mut Proxies, body: &[u8]) -> Answer {
    let populated = match Fields::read_all(body) {
        Ok(all) => proxies.populate(&all).await,
        Err(refused) => Populated { proxies: Vec::new(), refused: Some(refused) },
    };
    let proxies = Value::Array(populated.proxies);
    match populated.refused {
        None => Answer::json(StatusCode::CREATED, &json!({ "proxies": proxies })),
        Some(refused) => {
            let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let error = refused.to_string();
            Answer::json(status, &json!({ "error": error, "status": status.as_u16(), "proxies": proxies }))
        }
    }
}

/// Whether a request comes from a browser, where any page could send it.
pub(crate) fn is_of_a_browser(headers: &http::HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_place_or_nowhere() {
        for (path, place) in [
            ("/proxies", Some(Place::Proxies)),
            ("/proxies/a%20b", Some(Place::Proxy("a b".into()))),
            ("/proxies/p/toxics", Some(Place::Toxics("p".into()))),
            ("/proxies/p/toxics/t", Some(Place::Toxic("p".into(), "t".into()))),
            ("/populate", Some(Place::Populate)),
            ("/reset", Some(Place::Reset)),
            ("/version", Some(Place::Version)),
            ("/", None),
            ("/proxies/", None),
            ("/proxies//toxics", None),
            ("/proxies/%", None),
            ("/proxies/%+1", None),
            ("/proxies/a%2Fb", None),
            ("/proxies/p/toxics/t/u", None),
            ("/metrics", None),
        ] {
            assert_eq!(Place::of(path), place, "{path}");
        }
    }
}
