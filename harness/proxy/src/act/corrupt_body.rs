//! The answer's body is damaged.

use serde_json::Value;

use crate::fault::Corruption;

/// The damaged body, or why it cannot be damaged so.
pub(super) fn corrupt(body: &[u8], field: Option<&str>, kind: Corruption) -> Result<Vec<u8>, String> {
    if body.is_empty() {
        return Err("there is no body".to_owned());
    }
    match (field, kind) {
        (_, Corruption::Garble) => {
            // No JSON begins so; the length stays.
            let mut garbled = body.to_vec();
            garbled[0] = b'#';
            Ok(garbled)
        }
        (None, Corruption::Remove) => Ok(Vec::new()),
        (None, Corruption::Null) => Ok(b"null".to_vec()),
        (Some(field), Corruption::Remove | Corruption::Null) => {
            let mut json: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON".to_owned())?;
            if change(&mut json, field, kind) {
                Ok(json.to_string().into_bytes())
            } else {
                Err(format!("the body has no field `{field}`"))
            }
        }
    }
}

/// Changes the field at this path, dots between the levels, numbers for places in lists.
fn change(json: &mut Value, path: &str, kind: Corruption) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if let Some(rest) = rest {
        let inner = match json {
            Value::Object(fields) => fields.get_mut(first),
            Value::Array(items) => first.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
        return inner.is_some_and(|inner| change(inner, rest, kind));
    }
    match json {
        Value::Object(fields) => match (fields.get_mut(first), kind) {
            (None, _) => false,
            (Some(value), Corruption::Null) => {
                *value = Value::Null;
                true
            }
            (Some(_), _) => fields.shift_remove(first).is_some(),
        },
        Value::Array(items) => match (first.parse::<usize>().ok().filter(|index| *index < items.len()), kind) {
            (None, _) => false,
            (Some(index), Corruption::Null) => {
                items[index] = Value::Null;
                true
            }
            (Some(index), _) => {
                items.remove(index);
                true
            }
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_damaged_as_asked() {
        let body = r#"{"id":"7","items":[{"sku":"a"},{"sku":"b"}]}"#;
        for (field, kind, damaged) in [
            (None, Corruption::Remove, ""),
            (None, Corruption::Null, "null"),
            (None, Corruption::Garble, r##"#"id":"7","items":[{"sku":"a"},{"sku":"b"}]}"##),
            (Some("id"), Corruption::Remove, r#"{"items":[{"sku":"a"},{"sku":"b"}]}"#),
            (Some("id"), Corruption::Null, r#"{"id":null,"items":[{"sku":"a"},{"sku":"b"}]}"#),
            (Some("items.1.sku"), Corruption::Null, r#"{"id":"7","items":[{"sku":"a"},{"sku":null}]}"#),
            (Some("items.0"), Corruption::Remove, r#"{"id":"7","items":[{"sku":"b"}]}"#),
        ] {
            let found = corrupt(body.as_bytes(), field, kind).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), damaged, "{field:?} {kind:?}");
        }
    }

    #[test]
    fn what_cannot_be_damaged_says_why() {
        for (body, field, why) in [
            ("", None, "there is no body"),
            ("hello", Some("id"), "the body is not JSON"),
            (r#"{"id":7}"#, Some("name"), "the body has no field `name`"),
            (r#"{"id":7}"#, Some("id.x"), "the body has no field `id.x`"),
        ] {
            assert_eq!(corrupt(body.as_bytes(), field, Corruption::Null).err().as_deref().or(Some("")), {
                // A whole body that is there can always be made null.
                Some(why)
            });
        }
    }
}
