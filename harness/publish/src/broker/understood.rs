//! The broker's shapes, read and written.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Notice, NoticeKind, Row, RowOf},
    error::Error,
    ledger::{InteractionResult, VerificationResult},
};

/// The notices of an answer.
pub(crate) fn notices(of: &Value) -> Vec<Notice> {
    let read = |notice: &Value| {
        let kind = notice.get("type").and_then(Value::as_str).map_or(NoticeKind::Info, NoticeKind::of);
        Some(Notice::new(kind, notice.get("text")?.as_str()?))
    };
    of.get("notices").and_then(Value::as_array).into_iter().flatten().filter_map(read).collect()
}

/// What a status of 4xx means, by its body.
pub(crate) fn refusal(status: u16, body: &Value) -> Error {
    let told = errors(body);
    match status {
        409 => {
            let what = told.first().map_or("the version stands for other content already", |text| first_sentence(text));
            Error::Conflict { what: what.to_owned(), notices: notices(body) }
        }
        404 => Error::Unknown(told.into_iter().next().unwrap_or_else(|| "the broker knows no such thing".to_owned())),
        _ if told.is_empty() => Error::Refused(format!("{status} {body}")),
        _ => Error::Refused(told.join("; ")),
    }
}

fn first_sentence(text: &str) -> &str {
    text.split_once(", as ").map_or(text, |(first, _)| first)
}

/// `{"error": "text"}`, or `{"errors": {"field": ["what"]}}`.
fn errors(body: &Value) -> Vec<String> {
    if let Some(error) = body.get("error").and_then(Value::as_str) {
        return vec![error.to_owned()];
    }
    let Some(fields) = body.get("errors").and_then(Value::as_object) else { return Vec::new() };
    let of_field = |(field, what): (&String, &Value)| -> Vec<String> {
        let texts = what.as_array().cloned().unwrap_or_else(|| vec![what.clone()]);
        let text = |text: &Value| text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        texts.iter().map(|of| if field == "contracts" { text(of) } else { format!("{field} {}", text(of)) }).collect()
    };
    fields.iter().flat_map(of_field).collect()
}

/// The answer to whether a version may be deployed. Anything but `true` and `false` is that nobody knows.
pub(crate) fn answer(body: &Value, url: &str) -> Result<Answer, Error> {
    let Some(summary) = body.get("summary") else {
        let why = "there is no `summary` in its answer".to_owned();
        return Err(Error::NotABroker { url: url.to_owned(), why });
    };
    let rows = body.get("matrix").and_then(Value::as_array).into_iter().flatten().filter_map(row).collect();
    Ok(Answer {
        deployable: summary.get("deployable").and_then(Value::as_bool),
        reason: summary.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned(),
        rows,
        notices: notices(body),
    })
}

fn row(of: &Value) -> Option<Row> {
    let text = |at: &str| of.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Some(Row {
        consumer: text("/consumer/name")?,
        consumer_version: text("/consumer/version/number")?,
        provider: text("/provider/name")?,
        provider_version: text("/provider/version/number"),
        of: RowOf::Pact,
        success: of.pointer("/verificationResult/success").and_then(Value::as_bool),
    })
}

/// A result as the broker takes it; interactions go by the ids that the broker gave them.
pub(crate) fn result_as_json(result: &VerificationResult, pact: &Value) -> Value {
    let interactions = pact.get("interactions").and_then(Value::as_array);
    let id_of = |description: &str| {
        let found =
            interactions?.iter().find(|of| of.get("description").and_then(Value::as_str) == Some(description))?;
        found.get("_id").cloned()
    };
    let of_interaction = |of: &InteractionResult| {
        let mismatches: Vec<Value> = of.mismatches.iter().map(|text| json!({ "description": text })).collect();
        let mut entry = json!({ "description": of.description, "success": of.success, "mismatches": mismatches });
        if let Some(id) = id_of(&of.description) {
            entry["interactionId"] = id;
        }
        entry
    };
    let mut body = json!({
        "success": result.success,
        "providerApplicationVersion": result.provider_version,
        "verifiedBy": { "implementation": "squall", "version": env!("CARGO_PKG_VERSION") },
        "testResults": result.interactions.iter().map(of_interaction).collect::<Vec<_>>(),
    });
    if let Some(build) = &result.build_url {
        body["buildUrl"] = json!(build);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_unknown_and_so_is_nonsense() {
        for (deployable, understood) in
            [(json!(true), Some(true)), (json!(false), Some(false)), (Value::Null, None), (json!("yes"), None)]
        {
            let body = json!({ "summary": { "deployable": deployable, "reason": "r" }, "matrix": [] });
            assert_eq!(answer(&body, "http://b").unwrap().deployable, understood);
        }
        assert!(answer(&json!({}), "http://b").is_err());
    }

    #[test]
    fn refusals_are_told_in_the_brokers_words() {
        let fields = json!({ "errors": { "pacticipantVersionNumber": ["is missing"], "contracts": ["content is missing (at index 0)"] } });
        assert_eq!(
            refusal(400, &fields).to_string(),
            "the broker refused: pacticipantVersionNumber is missing; content is missing (at index 0)"
        );
        assert_eq!(refusal(404, &json!({ "error": "No such pacticipant" })).to_string(), "No such pacticipant");
    }
}
