//! Which names a template asks for, and which of them it can do without.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{ENVIRONMENT, FUNCTIONS};

/// A name that a template asks for, with the fields it takes of it: `calls.payment.timeout_ms`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    pub(crate) name: String,
    pub(crate) fields: Vec<String>,
    /// Whether the template says what to do without it: `x | default(…)`.
    pub(crate) optional: bool,
}

impl Used {
    pub(crate) fn path(&self) -> String {
        let fields = self.fields.iter().map(String::as_str);
        std::iter::once(self.name.as_str()).chain(fields).collect::<Vec<_>>().join(".")
    }

    /// Whether the values have it, fields included.
    pub(crate) fn is_in(&self, values: &BTreeMap<String, Json>) -> bool {
        let mut value = values.get(&self.name);
        for field in &self.fields {
            value = value.and_then(|value| value.get(field));
        }
        self.optional || value.is_some()
    }
}

/// The names of a template, functions left out; an error's text if it is not a template.
pub(crate) fn of(text: &str) -> Result<BTreeSet<Used>, String> {
    let template = ENVIRONMENT.template_from_str(text).map_err(|error| super::in_words(&error))?;
    let used = template.undeclared_variables(true).into_iter().filter_map(|path| {
        let mut parts = path.split('.').map(str::to_owned);
        let name = parts.next().filter(|name| !FUNCTIONS.contains(&name.as_str()))?;
        let optional = is_optional(text, &name);
        Some(Used { name, fields: parts.collect(), optional })
    });
    // The engine's own functions (`range`, `dict`, `namespace`, `debug`) are no names either.
    Ok(used.filter(|used| !ENVIRONMENT.globals().any(|(global, _)| global == used.name)).collect())
}

/// Whether every place that asks for the name says what to do without it.
fn is_optional(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut places = text.match_indices(name).filter(|(at, _)| {
        let (before, after) = (&text[..*at], &text[at + name.len()..]);
        !before.ends_with(|c: char| is_part(c) || c == '.' || c == '\'' || c == '"') && !after.starts_with(is_part)
    });
    places.all(|(at, _)| {
        let after = text[at + name.len()..].trim_start();
        let filter = after.strip_prefix('|').map(str::trim_start).unwrap_or_default();
        filter.starts_with("default") || filter.starts_with("d(") || after.starts_with("is ")
    })
}
