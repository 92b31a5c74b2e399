//! HAL links: found by their relation, their templates filled in.

use serde_json::Value;

use crate::error::Error;

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) name: Option<String>,
}

/// Where the relation leads, with these names filled in.
pub(crate) fn of(resource: &Value, rel: &str, names: &[(&str, &str)]) -> Result<String, Error> {
    let missing = || Error::NotABroker {
        url: href(&resource["_links"]["self"]).unwrap_or("the broker").to_owned(),
        why: format!("there is no link `{rel}`: is it a Pact Broker, and one that is recent enough?"),
    };
    let found = all(resource, rel).into_iter().next().ok_or_else(missing)?;
    filled(&found.href, names).ok_or_else(missing)
}

/// Every link of the relation: one, or a list.
pub(crate) fn all(resource: &Value, rel: &str) -> Vec<Link> {
    let read = |link: &Value| {
        let name = link.get("name").and_then(Value::as_str).map(str::to_owned);
        Some(Link { href: href(link)?.to_owned(), name })
    };
    match resource.get("_links").and_then(|links| links.get(rel)) {
        Some(Value::Array(links)) => links.iter().filter_map(read).collect(),
        Some(link) => read(link).into_iter().collect(),
        None => Vec::new(),
    }
}

fn href(link: &Value) -> Option<&str> {
    link.get("href").and_then(Value::as_str)
}

/// The template with each `{name}` in its place, percent-encoded; `None` where a name is not given.
fn filled(template: &str, names: &[(&str, &str)]) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        let (_, value) = names.iter().find(|(known, _)| *known == name)?;
        filled.push_str(&encoded(value));
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// A value as one segment of a path or one value of a query.
pub(crate) fn encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_filled_or_refused() {
        let index = json!({ "_links": {
            "self": { "href": "http://broker.example" },
            "pb:v": { "href": "http://broker.example/p/{pacticipant}/v/{version}", "templated": true },
        } });
        let names = [("pacticipant", "Order Service"), ("version", "1/2?x")];
        assert_eq!(of(&index, "pb:v", &names).unwrap(), "http://broker.example/p/Order%20Service/v/1%2F2%3Fx");
        assert!(of(&index, "pb:v", &names[..1]).is_err());
        let missing = of(&index, "pb:w", &[]).unwrap_err().to_string();
        assert!(missing.contains("http://broker.example") && missing.contains("`pb:w`"), "{missing}");
    }
}
