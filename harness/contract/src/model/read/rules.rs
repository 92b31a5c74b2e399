//! Matching rules. One that is not known is a mistake: a rule that is passed over would let anything through.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Map,
    desk::{At, Desk, kind},
};
use crate::{
    datetime::{DATE, DATE_TIME, Format, TIME},
    media::Media,
    model::{Body, Combine, Pattern, Rule, RuleList, RulePath, Rules, SpecVersion, StatusClass, Variant},
};

/// How deep rules may stand in rules (`eachValue` in `eachValue`).
const NESTING_MAX: usize = 8;
/// The largest bound of a length.
const LENGTH_MAX: u64 = 1_000_000;

const NAMES: &str = "one of `equality`, `type`, `regex`, `include`, `integer`, `decimal`, `number`, `boolean`, `null`, `date`, \
                     `time`, `datetime`, `notEmpty`, `semver`, `contentType`, `statusCode`, `values`, `eachKey`, \
                     `eachValue`, `arrayContains`; other matchers come from plugins, which are not supported";

type PathAndRules = (RulePath, Arc<RuleList>);

/// The `matchingRules` of a part. `body` is the part's body, for rules on what is neither JSON nor text are refused.
pub(super) fn read(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion, body: &Body) -> Rules {
    let key = ["matchingRules", "matching_rules"].into_iter().find(|key| map.contains_key(*key));
    let Some(key) = key.filter(|key| !map[*key].is_null()) else { return Rules::default() };
    let at = at.field(key);
    let Some(map) = desk.object(&at, &map[key], "`matchingRules`") else { return Rules::default() };
    // A file of version 3 or 4 groups rules by part; paths from `$` are version 2's, whatever the file says.
    let by_path = version == SpecVersion::V2 || map.keys().any(|key| key.starts_with('$'));
    let rules = if by_path { read_v2(desk, &at, map) } else { read_parts(desk, &at, map) };
    let media = body.content_type.as_deref().map(Media::parse);
    if let Some(media) = media.filter(Media::is_structured_otherwise)
        && rules.body.iter().any(|(_, list)| !list.rules.iter().all(|rule| matches!(rule, Rule::ContentType(_))))
    {
        let message = format!("rules for a body of type `{}` are not supported", media.essence);
        desk.wrong(&at, message, "rules work on JSON and plain text; without rules the body is compared as text");
    }
    rules
}

fn read_parts(desk: &Desk, at: &At<'_>, map: &Map) -> Rules {
    let mut rules = Rules::default();
    for (part, value) in map {
        let at = at.field(part);
        match part.as_str() {
            "path" | "method" => rules.path = lone(desk, &at, value),
            "status" => rules.status = lone(desk, &at, value),
            "header" | "headers" => rules.headers = named(desk, &at, value),
            "query" => rules.query = named(desk, &at, value),
            "metadata" => rules.metadata = named(desk, &at, value),
            "body" | "contents" | "content" => rules.body.extend(by_path(desk, &at, value)),
            _ => desk.wrong(
                &at,
                format!("rules for `{part}` are not known"),
                "one of `path`, `status`, `header`, `query`, `body`, `metadata`",
            ),
        }
    }
    lower(&mut rules.headers);
    rules
}

/// Header names have no case.
fn lower(headers: &mut [PathAndRules]) {
    for (path, _) in headers {
        if let [crate::model::Token::Field(name)] = path.tokens() {
            *path = RulePath::field(&name.to_lowercase());
        }
    }
}

fn read_v2(desk: &Desk, at: &At<'_>, map: &Map) -> Rules {
    let mut rules = Rules::default();
    for (key, value) in map {
        let at = at.field(key);
        let Some(path) = path(desk, &at, key) else { continue };
        let Some(rule) = rule(desk, &at, value, 0) else { continue };
        let list = Arc::new(RuleList { combine: Combine::And, rules: vec![rule] });
        let below = path.without_first(1);
        match path.tokens().first() {
            Some(crate::model::Token::Field(part)) => match part.as_str() {
                "body" => rules.body.push((below, list)),
                "headers" | "header" => rules.headers.push((below, list)),
                "query" => rules.query.push((below, list)),
                "path" => rules.path = Some(list),
                "status" => rules.status = Some(list),
                other => desk.wrong(
                    &at,
                    format!("rules for `{other}` are not known"),
                    "a path of version 2 begins with `$.body`, `$.headers`, `$.query`, `$.path` or `$.status`",
                ),
            },
            _ => desk.wrong(
                &at,
                "the rule does not say what it is for",
                "begin the path with `$.body`, `$.headers`, `$.query` or `$.path`",
            ),
        }
    }
    lower(&mut rules.headers);
    rules
}

fn path(desk: &Desk, at: &At<'_>, text: &str) -> Option<RulePath> {
    match RulePath::parse(text) {
        Ok(path) => Some(path),
        Err(why) => {
            desk.wrong(at, format!("`{text}` is not a path: {why}"), "write it like `$.lines[*].sku` or `$['a key']`");
            None
        }
    }
}

/// Rules of a part that has no parts itself.
fn lone(desk: &Desk, at: &At<'_>, value: &Value) -> Option<Arc<RuleList>> {
    let map = desk.object(at, value, "it")?;
    if map.is_empty() {
        return None;
    }
    // Some writers put the list under an empty path.
    match map.get("").or_else(|| map.get("$")) {
        Some(value) => list(desk, at, value, 0),
        None => list(desk, at, value, 0),
    }
}

/// Rules by name, whatever characters a name has.
fn named(desk: &Desk, at: &At<'_>, value: &Value) -> Vec<PathAndRules> {
    let map = desk.object(at, value, "it").into_iter().flatten();
    map.filter_map(|(name, value)| Some((RulePath::field(name), list(desk, &at.field(name), value, 0)?))).collect()
}

fn by_path(desk: &Desk, at: &At<'_>, value: &Value) -> Vec<PathAndRules> {
    let Some(map) = desk.object(at, value, "it") else { return Vec::new() };
    if map.contains_key("matchers") {
        return list(desk, at, value, 0).map(|list| (RulePath::root(), list)).into_iter().collect();
    }
    map.iter()
        .filter_map(|(key, value)| {
            let at = at.field(key);
            Some((path(desk, &at, key)?, list(desk, &at, value, 0)?))
        })
        .collect()
}

fn list(desk: &Desk, at: &At<'_>, value: &Value, nested: usize) -> Option<Arc<RuleList>> {
    let map = desk.object(at, value, "a list of rules")?;
    let combine = match map.get("combine").map(|value| value.as_str().unwrap_or_default().to_uppercase()) {
        None => Combine::And,
        Some(word) if word == "AND" => Combine::And,
        Some(word) if word == "OR" => Combine::Or,
        Some(_) => {
            desk.wrong(&at.field("combine"), format!("`combine` cannot be {}", map["combine"]), "one of `AND`, `OR`");
            return None;
        }
    };
    let Some(matchers) = map.get("matchers") else {
        desk.wrong(at, "a list of rules without `matchers`", "write `{ \"combine\": \"AND\", \"matchers\": [ … ] }`");
        return None;
    };
    let items = desk.array(&at.field("matchers"), matchers, "a list of matchers")?;
    let rules = rules(desk, &at.field("matchers"), items, nested);
    (!rules.is_empty()).then(|| Arc::new(RuleList { combine, rules }))
}

fn rules(desk: &Desk, at: &At<'_>, items: &[Value], nested: usize) -> Vec<Rule> {
    items.iter().enumerate().filter_map(|(n, item)| rule(desk, &at.index(n), item, nested)).collect()
}

fn rule(desk: &Desk, at: &At<'_>, value: &Value, nested: usize) -> Option<Rule> {
    if !desk.counts_rule(at) {
        return None;
    }
    if nested > NESTING_MAX {
        desk.wrong(at, format!("rules nest more than {NESTING_MAX} deep"), "is this the right file?");
        return None;
    }
    let map = desk.object(at, value, "a matching rule")?;
    let name = match map.get("match").or_else(|| map.get("pact:matcher:type")) {
        Some(Value::String(name)) => name.as_str(),
        Some(other) => {
            desk.wrong(&at.field("match"), format!("`match` is a text, and this is {}", kind(other)), NAMES);
            return None;
        }
        // Version 2 may leave `match` out.
        None => ["regex", "min", "max", "timestamp", "datetime", "time", "date"]
            .into_iter()
            .find(|key| map.contains_key(*key))
            .or_else(|| {
                desk.wrong(at, "a matching rule without `match`", NAMES);
                None
            })?,
    };
    let needs = |key: &str| {
        let value = map.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if value.is_none() {
            desk.wrong(at, format!("the matcher `{name}` without `{key}`"), format!("add `\"{key}\": …`"));
        }
        value
    };
    Some(match name {
        "equality" => Rule::Equality,
        "type" | "min" | "max" | "min-type" | "max-type" => {
            Rule::Type { min: length(desk, at, map, "min")?, max: length(desk, at, map, "max")? }
        }
        "regex" => Rule::Regex(pattern(desk, &at.field("regex"), &needs("regex")?)?),
        "include" => Rule::Include(needs("value")?),
        "integer" => Rule::Integer,
        "decimal" | "real" => Rule::Decimal,
        "number" => Rule::Number,
        "boolean" => Rule::Boolean,
        "null" => Rule::Null,
        "date" | "time" | "datetime" | "timestamp" => Rule::DateTime(format(desk, at, map, name)?),
        "notEmpty" | "not-empty" => Rule::NotEmpty,
        "semver" => Rule::Semver,
        "contentType" | "content-type" => Rule::ContentType(media(desk, at, &needs("value")?)?),
        "statusCode" | "status-code" => Rule::Status(status(desk, at, map.get("status"))?),
        "values" => Rule::Values,
        "eachKey" | "each-key" => Rule::EachKey(inner(desk, at, map, nested)?),
        "eachValue" | "each-value" => {
            Rule::EachValue(Arc::new(RuleList { combine: Combine::And, rules: inner(desk, at, map, nested)? }))
        }
        "arrayContains" | "array-contains" => Rule::ArrayContains(variants(desk, at, map, nested)?),
        other => {
            desk.wrong(at, format!("the matcher `{other}` is not known"), NAMES);
            return None;
        }
    })
}

/// A bound of a length; `Some(None)` where there is none.
fn length(desk: &Desk, at: &At<'_>, map: &Map, key: &str) -> Option<Option<usize>> {
    let Some(value) = map.get(key) else { return Some(None) };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|n| *n <= LENGTH_MAX);
    match number.and_then(|n| usize::try_from(n).ok()) {
        Some(n) => Some(Some(n)),
        None => {
            desk.wrong(&at.field(key), format!("{value} is no length"), format!("a whole number up to {LENGTH_MAX}"));
            None
        }
    }
}

pub(super) fn pattern(desk: &Desk, at: &At<'_>, source: &str) -> Option<Pattern> {
    match Pattern::new(source) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            let remedy = "look-around and back-references are not supported; write the alternatives out";
            desk.wrong(at, format!("`{source}` is not a regular expression: {why}"), remedy);
            None
        }
    }
}

/// The format of a date or time, or the one that is meant where none is given.
pub(super) fn format(desk: &Desk, at: &At<'_>, map: &Map, name: &str) -> Option<Format> {
    let given = map.get("format").or_else(|| map.get(name)).and_then(Value::as_str).filter(|text| !text.is_empty());
    let source = given.unwrap_or(match name.to_lowercase().as_str() {
        "date" => DATE,
        "time" => TIME,
        _ => DATE_TIME,
    });
    match Format::parse(source) {
        Ok(format) => Some(format),
        Err(why) => {
            let remedy = "years, months, days, hours, minutes, seconds, fractions, AM/PM and offsets are supported: \
                          `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`; use a regular expression for anything else";
            desk.wrong(at, format!("the format `{source}` cannot be matched: {why}"), remedy);
            None
        }
    }
}

/// A media type that data can be told to be without guessing.
fn media(desk: &Desk, at: &At<'_>, text: &str) -> Option<String> {
    let media = Media::parse(text);
    if crate::matching::recognises(&media) {
        return Some(media.essence);
    }
    let remedy =
        "JSON, XML, plain text, PNG, JPEG, GIF and PDF can be told apart; give the part a rule of another kind";
    desk.wrong(at, format!("data of type `{text}` cannot be recognised"), remedy);
    None
}

fn status(desk: &Desk, at: &At<'_>, value: Option<&Value>) -> Option<StatusClass> {
    let class = match value {
        None => Some(StatusClass::Success),
        Some(Value::String(word)) => match word.as_str() {
            "info" => Some(StatusClass::Information),
            "success" => Some(StatusClass::Success),
            "redirect" => Some(StatusClass::Redirect),
            "clientError" => Some(StatusClass::ClientError),
            "serverError" => Some(StatusClass::ServerError),
            "nonError" => Some(StatusClass::NonError),
            "error" => Some(StatusClass::Error),
            _ => None,
        },
        Some(Value::Array(codes)) => {
            let codes: Option<Vec<u16>> = codes.iter().map(|code| code.as_u64()?.try_into().ok()).collect();
            codes.filter(|codes| !codes.is_empty()).map(StatusClass::Codes)
        }
        Some(_) => None,
    };
    if class.is_none() {
        let remedy = "one of `info`, `success`, `redirect`, `clientError`, `serverError`, `nonError`, `error`, or a list of numbers";
        desk.wrong(&at.field("status"), "the class of statuses is not known", remedy);
    }
    class
}

/// The `rules` of a matcher for keys or values.
fn inner(desk: &Desk, at: &At<'_>, map: &Map, nested: usize) -> Option<Vec<Rule>> {
    let Some(value) = map.get("rules") else {
        desk.wrong(at, "a matcher for each key or value without `rules`", "add `\"rules\": [{ \"match\": … }]`");
        return None;
    };
    let at = at.field("rules");
    let items = desk.array(&at, value, "a list of rules")?;
    Some(rules(desk, &at, items, nested + 1))
}

fn variants(desk: &Desk, at: &At<'_>, map: &Map, nested: usize) -> Option<Vec<Variant>> {
    let Some(value) = map.get("variants") else {
        desk.wrong(at, "the matcher `arrayContains` without `variants`", "add `\"variants\": […]`");
        return None;
    };
    let at = at.field("variants");
    let mut variants = Vec::new();
    for (n, value) in desk.array(&at, value, "a list of variants")?.iter().enumerate() {
        let at = at.index(n);
        let map = desk.object(&at, value, "a variant")?;
        let index = map.get("index").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let equal =
            || vec![(RulePath::root(), Arc::new(RuleList { combine: Combine::And, rules: vec![Rule::Equality] }))];
        let rules = match map.get("rules") {
            None => equal(),
            Some(value) => {
                let at = at.field("rules");
                let map = desk.object(&at, value, "the rules of a variant")?;
                let read = |(key, value): (&String, &Value)| {
                    let at = at.field(key);
                    Some((path(desk, &at, key)?, list(desk, &at, value, nested + 1)?))
                };
                map.iter().filter_map(read).collect()
            }
        };
        variants.push(Variant { index, rules });
    }
    Some(variants)
}
