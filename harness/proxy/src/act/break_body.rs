//! The answer's body is made other than its reader was promised.

use serde_json::{Value, json};

use crate::fault::{BodyChange, BodyEdit};

/// The body after the first edit that it takes, or why it takes none.
pub(super) fn broken(body: &[u8], status: u16, edits: &[BodyEdit]) -> Result<Vec<u8>, String> {
    if body.is_empty() {
        return Err("there is no body".to_owned());
    }
    let json = serde_json::from_slice::<Value>(body).ok();
    for edit in edits.iter().filter(|edit| edit.status.is_none_or(|wanted| wanted == status)) {
        if let BodyChange::Replace(text) = &edit.change {
            return Ok(text.clone().into_bytes());
        }
        let Some(mut json) = json.clone() else { return Err("the body is not JSON".to_owned()) };
        if change(&mut json, &edit.field, &edit.change) {
            return Ok(json.to_string().into_bytes());
        }
    }
    Err(format!("an answer {status} has none of the fields to be broken"))
}

/// Changes what is at this path, dots between the levels, numbers for places in lists; says whether it was there.
fn change(json: &mut Value, path: &str, change: &BodyChange) -> bool {
    match change {
        BodyChange::Remove => {
            let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
            match at(json, above) {
                // `shift_remove` keeps the order of the others.
                Some(Value::Object(fields)) => fields.shift_remove(last).is_some(),
                _ => false,
            }
        }
        BodyChange::Retype => with(json, path, |value| *value = of_another_type(value)),
        BodyChange::Set(other) => with(json, path, |value| *value = other.clone()),
        BodyChange::Add { name, value } => match at(json, path) {
            Some(Value::Object(fields)) => fields.insert(name.clone(), value.clone()).is_none(),
            _ => false,
        },
        BodyChange::Replace(_) => false,
    }
}

fn with(json: &mut Value, path: &str, change: impl FnOnce(&mut Value)) -> bool {
    at(json, path).map(change).is_some()
}

fn at<'v>(json: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    if path.is_empty() {
        return Some(json);
    }
    path.split('.').try_fold(json, |value, part| match value {
        Value::Object(fields) => fields.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn of_another_type(value: &Value) -> Value {
    match value {
        Value::Null => json!("not null"),
        Value::Bool(_) => json!("perhaps"),
        Value::Number(_) => json!("a number"),
        Value::String(_) => json!({ "not": "a text" }),
        Value::Array(_) => json!({ "not": "a list" }),
        Value::Object(_) => json!(["not a mapping"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"7","lines":[{"sku":"a"},{"sku":"b"}],"total":5}"#;

    fn edit(status: Option<u16>, field: &str, change: BodyChange) -> BodyEdit {
        BodyEdit { status, field: field.to_owned(), change }
    }

    fn after(body: &str, edits: &[BodyEdit]) -> Result<String, String> {
        broken(body.as_bytes(), 200, edits).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_body_is_broken_as_asked() {
        let add = || BodyChange::Add { name: "more".to_owned(), value: json!(1) };
        for (field, change, expected) in [
            ("id", BodyChange::Remove, r#"{"lines":[{"sku":"a"},{"sku":"b"}],"total":5}"#),
            ("lines.1.sku", BodyChange::Remove, r#"{"id":"7","lines":[{"sku":"a"},{}],"total":5}"#),
            ("total", BodyChange::Retype, r#"{"id":"7","lines":[{"sku":"a"},{"sku":"b"}],"total":"a number"}"#),
            ("", BodyChange::Retype, r#"["not a mapping"]"#),
            ("id", BodyChange::Set(json!(null)), r#"{"id":null,"lines":[{"sku":"a"},{"sku":"b"}],"total":5}"#),
            ("lines.0", add(), r#"{"id":"7","lines":[{"sku":"a","more":1},{"sku":"b"}],"total":5}"#),
            ("", BodyChange::Replace("<html>".to_owned()), "<html>"),
        ] {
            assert_eq!(
                after(BODY, &[edit(None, field, change.clone())]).as_deref(),
                Ok(expected),
                "{field} {change:?}"
            );
        }
    }

    #[test]
    fn the_first_edit_that_is_for_the_status_and_that_the_body_takes_is_made() {
        let edits = [
            edit(Some(402), "id", BodyChange::Remove),
            edit(None, "title", BodyChange::Remove),
            edit(Some(200), "total", BodyChange::Remove),
            edit(None, "id", BodyChange::Remove),
        ];
        assert_eq!(after(BODY, &edits).as_deref(), Ok(r#"{"id":"7","lines":[{"sku":"a"},{"sku":"b"}]}"#));
    }

    #[test]
    fn what_cannot_be_broken_says_why() {
        let edits = [edit(Some(200), "id", BodyChange::Remove)];
        for (body, why) in [
            ("", "there is no body"),
            ("<html>", "the body is not JSON"),
            (r#"{"total":5}"#, "an answer 200 has none of the fields to be broken"),
        ] {
            assert_eq!(after(body, &edits).unwrap_err(), why);
        }
    }
}
