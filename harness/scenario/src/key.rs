//! Where a saga's key stands in a call, where its expression is a plain path into it.

use squall_record::KeyPlace;

use crate::model::Expression;

/// The place that a key's expression names: `path.x`, `body.x`, `header['x']` or `answer.body.x`.
/// `None` for anything that has to be evaluated.
pub fn place(key: &Expression) -> Option<KeyPlace> {
    let text = key.0.trim();
    let quoted = text.strip_prefix("header[").and_then(|rest| rest.strip_suffix(']'));
    if let Some(name) = quoted.and_then(unquoted) {
        return Some(KeyPlace::Header(name.to_ascii_lowercase()));
    }
    let names: Vec<&str> = text.split('.').collect();
    if !names.iter().all(|name| is_identifier(name)) {
        return None;
    }
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match names.as_slice() {
        ["path", name] => Some(KeyPlace::Path((*name).to_owned())),
        ["body", rest @ ..] if !rest.is_empty() => Some(KeyPlace::Body(owned(rest))),
        ["answer", "body", rest @ ..] if !rest.is_empty() => Some(KeyPlace::Answer(owned(rest))),
        _ => None,
    }
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = text.trim();
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = inner.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(['\\', '\'', '"'])).then_some(inner)
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_are_places_and_anything_else_is_evaluated() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (text, place) in [
            ("path.order_id", Some(KeyPlace::Path("order_id".to_owned()))),
            ("header['X-Order']", Some(KeyPlace::Header("x-order".to_owned()))),
            ("header[\"x-order\"]", Some(KeyPlace::Header("x-order".to_owned()))),
            ("body.order.id", Some(KeyPlace::Body(names(&["order", "id"])))),
            ("answer.body.id", Some(KeyPlace::Answer(names(&["id"])))),
            ("body", None),
            ("body.items[0].id", None),
            ("body.a + body.b", None),
        ] {
            assert_eq!(super::place(&Expression(text.to_owned())), place, "{text}");
        }
    }
}
