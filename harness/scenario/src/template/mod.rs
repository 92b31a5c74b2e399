//! Templates: minijinja that builds requests, environments and files.
//!
//! A name that nothing declares is a mistake, never an empty text. Inside a request these functions draw,
//! by identity, so that operation n of a seed draws the same values on every backend:
//! `uuid()`, `int(a, b)` with both ends, `pick(list)`, `chance(0.1)`, `hex(n)`, and `ordinal()`, the operation's own number.

pub mod call;
pub mod draw;
pub mod request;
pub(crate) mod names;

use std::{collections::BTreeMap, sync::LazyLock};

use minijinja::{Environment, UndefinedBehavior, Value, value::Serde};
use serde_json::Value as Json;

use crate::model::{JsonTemplate, Template};
pub use draw::Draw;

/// A template could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be rendered: {why}")]
pub struct RenderError {
    /// The template.
    pub text: String,
    /// Why.
    pub why: String,
}

impl RenderError {
    pub(crate) fn new(text: &str, why: impl Into<String>) -> RenderError {
        let text = match text.char_indices().nth(80) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text.to_owned(),
        };
        RenderError { text, why: why.into() }
    }

    fn of(text: &str, error: &minijinja::Error, values: &BTreeMap<String, Json>) -> RenderError {
        if error.kind() == minijinja::ErrorKind::UndefinedError {
            let missing = names::of(text).unwrap_or_default().into_iter().find(|used| !used.is_in(values));
            if let Some(missing) = missing {
                return RenderError::new(text, format!("there is no `{}`", missing.path()));
            }
        }
        RenderError::new(text, in_words(error))
    }
}

/// What the template engine has to say, without its own idea of a file's name.
fn in_words(error: &minijinja::Error) -> String {
    if error.kind() == minijinja::ErrorKind::OutOfFuel {
        return format!("it takes more than {STEPS_MAX} steps");
    }
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// How many steps a rendering may take: requests, variables and settings need some hundred.
const STEPS_MAX: u64 = 100_000;

pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = minijinja::syntax::SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the standard syntax is a syntax"));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(STEPS_MAX));
    draw::add_functions(&mut environment);
    environment
});

/// The names of the functions that draw.
pub(crate) const FUNCTIONS: &[&str] = &["uuid", "int", "pick", "chance", "hex", "ordinal"];

/// Renders a text. Without a draw, the functions that draw are errors.
pub fn render(
    template: &Template,
    values: &BTreeMap<String, Json>,
    draw: Option<&Draw>,
) -> Result<String, RenderError> {
    render_text(&template.0, values, draw)
}

fn render_text(text: &str, values: &BTreeMap<String, Json>, draw: Option<&Draw>) -> Result<String, RenderError> {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(text.to_owned());
    }
    let compiled = ENVIRONMENT.template_from_str(text).map_err(|error| RenderError::of(text, &error, values))?;
    compiled.render(context(values, draw)).map_err(|error| RenderError::of(text, &error, values))
}

/// The value of a template: a text that is one whole `{{ expression }}` keeps the expression's type.
pub fn value(template: &Template, values: &BTreeMap<String, Json>, draw: Option<&Draw>) -> Result<Json, RenderError> {
    value_of_text(&template.0, values, draw)
}

fn value_of_text(text: &str, values: &BTreeMap<String, Json>, draw: Option<&Draw>) -> Result<Json, RenderError> {
    let Some(inside) = whole_expression(text) else {
        return render_text(text, values, draw).map(Json::String);
    };
    let Ok(expression) = ENVIRONMENT.compile_expression(inside) else {
        // `{{ a }} and {{ b }}` begins and ends like one, and is a text.
        return render_text(text, values, draw).map(Json::String);
    };
    let value = expression.eval(context(values, draw)).map_err(|error| RenderError::of(text, &error, values))?;
    if value.is_undefined() {
        let missing = names::of(text).unwrap_or_default().into_iter().find(|used| !used.is_in(values));
        let name = missing.map_or_else(|| inside.trim().to_owned(), |used| used.path());
        return Err(RenderError::new(text, format!("there is no `{name}`")));
    }
    serde_json::to_value(&value).map_err(|error| RenderError::new(text, error.to_string()))
}

/// Renders a JSON value whose strings are templates.
pub fn render_json(
    template: &JsonTemplate,
    values: &BTreeMap<String, Json>,
    draw: Option<&Draw>,
) -> Result<Json, RenderError> {
    render_json_value(&template.0, values, draw)
}

fn render_json_value(json: &Json, values: &BTreeMap<String, Json>, draw: Option<&Draw>) -> Result<Json, RenderError> {
    Ok(match json {
        Json::String(text) => value_of_text(text, values, draw)?,
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| render_json_value(item, values, draw)).collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => {
            let field = |(name, value): (&String, &Json)| Ok((name.clone(), render_json_value(value, values, draw)?));
            Json::Object(fields.iter().map(field).collect::<Result<_, RenderError>>()?)
        }
        other => other.clone(),
    })
}

/// What stands inside of a text that begins with `{{` and ends with `}}`.
pub(crate) fn whole_expression(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inside.trim().is_empty()).then_some(inside)
}

fn context(values: &BTreeMap<String, Json>, draw: Option<&Draw>) -> Value {
    let values = values.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value))));
    let draw = draw.map(|draw| (draw::HIDDEN.to_owned(), draw.as_value()));
    Value::from_pairs(values.chain(draw))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_rendered_with_its_values() {
        let values = BTreeMap::from([("data".to_owned(), json!("/d")), ("n".to_owned(), json!({ "port": 3 }))]);
        let text = |text: &str| render(&Template(text.to_owned()), &values, None).unwrap();
        assert_eq!(text("{{ data }}/entries on {{ n.port }}"), "/d/entries on 3");
        assert_eq!(text("{{ n | tojson }}"), r#"{"port": 3}"#);
        assert_eq!(value(&Template("{{ n.port }}".to_owned()), &values, None).unwrap(), json!(3));
    }
}
