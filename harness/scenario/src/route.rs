//! Routes: which declared call a request on the wire is.

use std::collections::BTreeMap;

use crate::{
    model::Call,
    template::call::{Part, parts},
};

/// The path's parameters, decoded, if a request is this call; the query is not looked at.
///
/// A parameter stands for at least one character of one segment.
pub fn matches(call: &Call, method: &str, service: &str, path_and_query: &str) -> Option<BTreeMap<String, String>> {
    if call.method != method || call.service != service {
        return None;
    }
    path_matches(&call.path, path_and_query)
}

/// The path's parameters, decoded, if a path is this template.
pub fn path_matches(template: &str, path_and_query: &str) -> Option<BTreeMap<String, String>> {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
    let mut parameters = BTreeMap::new();
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(found)) if segment_matches(wanted, found, &mut parameters) => {}
            _ => return None,
        }
    }
}

fn segment_matches(wanted: &str, found: &str, parameters: &mut BTreeMap<String, String>) -> bool {
    let Ok(parts) = parts(wanted) else { return wanted == found };
    let mut left = found;
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) => match left.strip_prefix(text) {
                Some(rest) => left = rest,
                None => return false,
            },
            Part::Braces(name, _) => {
                // The value reaches to the next literal part, the last one to the segment's end.
                let end = match parts.peek() {
                    None => left.len(),
                    Some(Part::Text(text)) => {
                        match left.char_indices().skip(1).find(|(at, _)| left[*at..].starts_with(text)) {
                            Some((at, _)) => at,
                            None => return false,
                        }
                    }
                    Some(Part::Braces(..)) => left.chars().next().map_or(0, char::len_utf8),
                };
                if end == 0 {
                    return false;
                }
                parameters.insert(name.to_owned(), decoded(&left[..end]));
                left = &left[end..];
            }
        }
    }
    left.is_empty()
}

/// A path's segment without its percent-encoding; what is no encoding stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The most specific of the calls that a request is: the one with the most literal text.
pub fn find<'c>(
    calls: impl IntoIterator<Item = &'c Call>,
    method: &str,
    service: &str,
    path_and_query: &str,
) -> Option<&'c Call> {
    let literal = |call: &Call| -> usize {
        let parts = parts(&call.path).unwrap_or_default();
        parts.iter().map(|part| if let Part::Text(text) = part { text.len() } else { 0 }).sum()
    };
    let matching = calls.into_iter().filter(|call| matches(call, method, service, path_and_query).is_some());
    // `max_by_key` keeps the last of equals; the first declared is to win.
    matching.fold(None, |best: Option<&Call>, call| match best {
        Some(best) if literal(best) >= literal(call) => Some(best),
        _ => Some(call),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, path: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|pairs| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        assert_eq!(path_matches(template, path), expected, "{template} {path}");
    }

    #[test]
    fn a_path_matches_its_template() {
        check("/orders", "/orders", Some(&[]));
        check("/orders", "/orders?status=open", Some(&[]));
        check("/orders/{id}", "/orders/42", Some(&[("id", "42")]));
        check("/orders/{id}/saga", "/orders/a%20b/saga", Some(&[("id", "a b")]));
        check("/stock/{sku}/receipts/{receipt}", "/stock/w/receipts/r", Some(&[("sku", "w"), ("receipt", "r")]));
        check("/v{version}/x-{name}.json", "/v2/x-y.z.json", Some(&[("version", "2"), ("name", "y.z")]));
    }

    #[test]
    fn another_path_does_not() {
        for (template, path) in [
            ("/orders", "/orders/"),
            ("/orders", "/orders/42"),
            ("/orders/{id}", "/orders"),
            ("/orders/{id}", "/orders/"),
            ("/orders/{id}", "/orders/42/saga"),
            ("/v{version}", "/v"),
            ("/x-{a}.json", "/x-y.xml"),
        ] {
            check(template, path, None);
        }
    }

    #[test]
    fn the_most_literal_call_wins() {
        let call = |path: &str| Call { method: "GET".into(), service: "order".into(), path: path.into() };
        let calls = [call("/orders/{id}"), call("/orders/summary")];
        assert_eq!(find(&calls, "GET", "order", "/orders/summary").unwrap().path, "/orders/summary");
        assert_eq!(find(&calls, "GET", "order", "/orders/42").unwrap().path, "/orders/{id}");
        assert_eq!(find(&calls, "POST", "order", "/orders/42"), None);
    }
}
