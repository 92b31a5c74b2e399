//! The matchers that several contracts share. Each has an example, so that a contract is the same bytes each time.

use std::collections::HashMap;

use chassis::problem::TYPE_BASE;
use pact_consumer::{
    builders::{RequestBuilder, ResponseBuilder},
    prelude::*,
};
use pact_models::{
    matchingrules::{MatchingRule, MatchingRuleCategory, RuleLogic},
    path_exp::DocPath,
};
use serde_json::Value;

/// The order of the examples.
pub const ORDER: &str = "order-1";
/// The goods of the examples.
pub const SKU: &str = "widget";

/// The title of every example of a problem.
pub const TITLE: &str = "What went wrong, for people";

/// What the services call a name: visible ASCII, at most 255 characters.
const NAME: &str = "^[!-~]{1,255}$";

/// An order's name: of this form, and not this one.
pub fn order_id() -> JsonPattern {
    text(NAME, ORDER)
}

/// A text in a body that the regular expression matches.
pub fn text(regex: &str, example: impl Into<String>) -> JsonPattern {
    JsonPattern::pattern(Text { regex: regex.to_owned(), example: example.into() })
}

/// The expression alone would match a number of fitting digits, too, which no consumer reads as a text.
#[derive(Debug)]
struct Text {
    regex: String,
    example: String,
}

impl Pattern for Text {
    type Matches = Value;

    fn to_example(&self) -> Value {
        self.example.clone().into()
    }

    fn to_example_bytes(&self) -> Vec<u8> {
        self.example.clone().into_bytes()
    }

    fn extract_matching_rules(&self, path: DocPath, rules: &mut MatchingRuleCategory) {
        rules.add_rule(path.clone(), MatchingRule::Type, RuleLogic::And);
        rules.add_rule(path, MatchingRule::Regex(self.regex.clone()), RuleLogic::And);
    }
}

/// A path in which an order's name stands between `before` and `after`.
pub fn order_path(before: &str, after: &str) -> Term<StringPattern> {
    let escaped = |text: &str| text.replace('.', "\\.");
    term!(&format!("^{}[^/]+{}$", escaped(before), escaped(after)), format!("{before}{ORDER}{after}"))
}

/// What the chassis's client sends with every call: the trace goes on.
pub fn traced(request: &mut RequestBuilder) {
    let example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.header("traceparent", term!("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", example));
}

/// A key that makes repeating the request harmless.
pub fn keyed(request: &mut RequestBuilder, example: &str) {
    request.header("Idempotency-Key", term!(NAME, example));
}

/// A JSON request or answer.
pub fn json(part: &mut impl HttpPartBuilder, body: impl Into<JsonPattern>) {
    json_as(part, "application/json", body);
}

/// The same of another content type, whose header and body the contract must both tell.
pub fn json_as(part: &mut impl HttpPartBuilder, content_type: &str, body: impl Into<JsonPattern>) {
    let body = body.into();
    let example = body.to_example().to_string();
    part.content_type(content_type).json_body(body).body2(example.as_str(), content_type);
}

/// A problem of RFC 9457 of one of these kinds (`a|b`), with these members beside the standard ones.
///
/// Consumers branch on the status and on the type; titles and details are for people, and may change.
pub fn problem(response: &mut ResponseBuilder, status: u16, kinds: &str, members: JsonPattern) {
    let example = kinds.split('|').next().unwrap_or_default();
    let regex = format!("^{}({kinds})$", TYPE_BASE.replace('.', "\\."));
    let kind: JsonPattern = match kinds.contains('|') {
        true => text(&regex, format!("{TYPE_BASE}{example}")),
        false => format!("{TYPE_BASE}{kinds}").into(),
    };
    let mut body: HashMap<String, JsonPattern> = match members {
        JsonPattern::Object(members) => members,
        _ => HashMap::new(),
    };
    body.insert("type".to_owned(), kind);
    body.insert("title".to_owned(), like!(TITLE).into());
    body.insert("status".to_owned(), i64::from(status).into());
    json_as(response.status(status), "application/problem+json", JsonPattern::Object(body));
}
