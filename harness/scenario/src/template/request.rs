//! An operation's request: everything drawn and put in, in one fixed order.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Draw, RenderError,
    call::{Part, encode, parts, push_encoded},
};
use crate::model::{JsonTemplate, Operation};

/// A request ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The callee.
    pub service: String,
    /// Path and query.
    pub path_and_query: String,
    /// Headers by name as the file has them. `content-type` is the sender's affair.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub json: Option<Json>,
    /// The values that the operation was given and drew, for the record.
    pub with: BTreeMap<String, Json>,
}

/// Renders an operation's request.
///
/// `vars` are the system's; `bound` is what a setup's `each` binds; `given` what the scenario gives.
/// Drawn in this order: `given`, then the operation's `with`, `query`, `headers`, each by name, then its body
/// in file order. `given` and `with` see `vars` and `bound`; everything else sees all of them.
pub fn render(
    operation: &Operation,
    vars: &BTreeMap<String, Json>,
    bound: &BTreeMap<String, Json>,
    given: &BTreeMap<String, JsonTemplate>,
    draw: &Draw,
) -> Result<Request, RenderError> {
    let draw = Some(draw);
    let mut seen = vars.clone();
    seen.extend(bound.clone());
    let mut with = bound.clone();
    for (name, template) in given {
        with.insert(name.clone(), super::render_json(template, &seen, draw)?);
    }
    seen.extend(with.clone());
    for (name, template) in &operation.with {
        with.insert(name.clone(), super::value(template, &seen, draw)?);
    }
    seen.extend(with.clone());

    let mut path_and_query = path(operation, &seen)?;
    for (ordinal, (name, template)) in operation.query.iter().enumerate() {
        path_and_query.push(if ordinal == 0 && !path_and_query.contains('?') { '?' } else { '&' });
        encode(&mut path_and_query, name);
        path_and_query.push('=');
        let value = super::render(template, &seen, draw)?;
        encode(&mut path_and_query, &value);
    }
    let header = |(name, template)| Ok((String::clone(name), super::render(template, &seen, draw)?));
    let headers = operation.headers.iter().map(header).collect::<Result<_, RenderError>>()?;
    let json = operation.json.as_ref().map(|template| super::render_json(template, &seen, draw)).transpose()?;
    let (method, service) = (operation.call.method.clone(), operation.call.service.clone());
    Ok(Request { method, service, path_and_query, headers, json, with })
}

fn path(operation: &Operation, values: &BTreeMap<String, Json>) -> Result<String, RenderError> {
    let template = operation.call.path.as_str();
    let wrong = |why: String| RenderError::new(template, why);
    let mut path = String::new();
    for part in parts(template).map_err(|_| wrong("a brace has no partner".to_owned()))? {
        match part {
            Part::Text(text) => path.push_str(text),
            Part::Braces(name, _) => {
                let value = values.get(name).ok_or_else(|| wrong(format!("there is no `{name}`")))?;
                push_encoded(&mut path, name, value).map_err(wrong)?;
            }
        }
    }
    Ok(path)
}
