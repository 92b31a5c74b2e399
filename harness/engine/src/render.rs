//! Templates of the two files, rendered for the run.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_scenario::{model::Template, template};

/// Renders a text in which nothing is drawn.
pub(crate) fn text(template: &Template, names: &BTreeMap<String, Value>) -> Result<String, String> {
    template::render(template, names, None).map_err(|why| why.to_string())
}
