//! The target of a request: `/api/v1/orders?status=open`.

use indexmap::IndexMap;

/// Splits a target into its path and its query.
pub(crate) fn split(target: &str) -> (&str, &str) {
    let target = target.split('#').next().unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

/// The values of a query by name, decoded, in order.
pub(crate) fn query(text: &str) -> IndexMap<String, Vec<String>> {
    let mut values: IndexMap<String, Vec<String>> = IndexMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        values.entry(decode(name)).or_default().push(decode(value));
    }
    values
}

/// Percent-decoding with `+` for a space; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (b'+', _) => {
                decoded.push(b' ');
                at += 1;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let query = query("q=a%20b+c&tag=x&tag=y&flag&bad=%zz");
        assert_eq!(query["q"], ["a b c"]);
        assert_eq!(query["tag"], ["x", "y"]);
        assert_eq!(query["flag"], [""]);
        assert_eq!(query["bad"], ["%zz"]);
    }
}
