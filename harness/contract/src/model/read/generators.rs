//! Generators. One that is not known is a mistake, as an unknown matcher is.

use serde_json::Value;

use super::{
    Map,
    desk::{At, Desk},
    rules,
};
use crate::model::{Generator, Generators, RulePath, Token, UuidFormat};

const NAMES: &str = "one of `RandomInt`, `RandomDecimal`, `RandomHexadecimal`, `RandomString`, `RandomBoolean`, `Uuid`, \
                     `Regex`, `Date`, `Time`, `DateTime`, `ProviderState`, `MockServerURL`";
/// The most digits or characters that are made up.
const SIZE_MAX: usize = 1000;

type PathAndGenerator = (RulePath, Generator);

/// The `generators` of a part.
pub(super) fn read(desk: &Desk, at: &At<'_>, map: &Map) -> Generators {
    let mut generators = Generators::default();
    let Some(value) = map.get("generators").filter(|value| !value.is_null()) else { return generators };
    let at = at.field("generators");
    for (part, value) in desk.object(&at, value, "`generators`").into_iter().flatten() {
        let at = at.field(part);
        let Some(map) = desk.object(&at, value, "it") else { continue };
        match part.as_str() {
            "path" | "method" => generators.path = generator(desk, &at, map),
            "status" => generators.status = generator(desk, &at, map),
            "header" | "headers" => generators.headers = by(desk, &at, map, named),
            "query" => generators.query = by(desk, &at, map, named),
            "metadata" => generators.metadata = by(desk, &at, map, named),
            "body" | "contents" | "content" => generators.body = by(desk, &at, map, path),
            _ => desk.wrong(
                &at,
                format!("generators for `{part}` are not known"),
                "one of `path`, `status`, `header`, `query`, `body`, `metadata`",
            ),
        }
    }
    generators
}

fn named(_: &Desk, _: &At<'_>, name: &str) -> Option<RulePath> {
    Some(RulePath::field(name))
}

fn path(desk: &Desk, at: &At<'_>, text: &str) -> Option<RulePath> {
    let path = RulePath::parse(text);
    if let Err(why) = &path {
        desk.wrong(at, format!("`{text}` is not a path: {why}"), "write it like `$.lines[*].sku`");
    }
    // Version 3's messages say `$.body.…` for what stands in the contents.
    path.ok().map(|path| match path.tokens() {
        [Token::Field(part), _, ..] if part == "body" && text.starts_with("$.body") => path.without_first(1),
        _ => path,
    })
}

fn by(desk: &Desk, at: &At<'_>, map: &Map, key: fn(&Desk, &At<'_>, &str) -> Option<RulePath>) -> Vec<PathAndGenerator> {
    let read = |(name, value): (&String, &Value)| {
        let at = at.field(name);
        let map = desk.object(&at, value, "a generator")?;
        Some((key(desk, &at, name)?, generator(desk, &at, map)?))
    };
    map.iter().filter_map(read).collect()
}

fn generator(desk: &Desk, at: &At<'_>, map: &Map) -> Option<Generator> {
    if !desk.counts_rule(at) {
        return None;
    }
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let number = |key: &str, default: i64| map.get(key).and_then(Value::as_i64).unwrap_or(default);
    let size = |key: &str| usize::try_from(number(key, 10)).unwrap_or(10).clamp(1, SIZE_MAX);
    Some(match text("type").unwrap_or_default() {
        "RandomInt" => {
            let (min, max) = (number("min", 0), number("max", 10));
            Generator::RandomInt { min: min.min(max), max: max.max(min) }
        }
        "RandomDecimal" => Generator::RandomDecimal { digits: size("digits").min(15) },
        "RandomHexadecimal" => Generator::RandomHexadecimal { digits: size("digits") },
        "RandomString" => Generator::RandomString { size: size("size") },
        "RandomBoolean" => Generator::RandomBoolean,
        "Uuid" => Generator::Uuid(match text("format") {
            Some("simple") => UuidFormat::Simple,
            Some("upper-case-hyphenated") => UuidFormat::UpperHyphenated,
            Some("URN") => UuidFormat::Urn,
            _ => UuidFormat::LowerHyphenated,
        }),
        "Regex" => match text("regex") {
            Some(source) => Generator::Regex(rules::pattern(desk, &at.field("regex"), source)?),
            None => {
                desk.wrong(at, "the generator `Regex` without `regex`", "add `\"regex\": \"…\"`");
                return None;
            }
        },
        kind @ ("Date" | "Time" | "DateTime") => Generator::DateTime(rules::format(desk, at, map, kind)?),
        "ProviderState" => match text("expression") {
            Some(expression) => Generator::ProviderState { expression: expression.to_owned() },
            None => {
                desk.wrong(at, "the generator `ProviderState` without `expression`", "add `\"expression\": \"${id}\"`");
                return None;
            }
        },
        "MockServerURL" => Generator::MockServerUrl { example: text("example").unwrap_or_default().to_owned() },
        "" => {
            desk.wrong(at, "a generator without `type`", NAMES);
            return None;
        }
        other => {
            desk.wrong(at, format!("the generator `{other}` is not known"), NAMES);
            return None;
        }
    })
}
