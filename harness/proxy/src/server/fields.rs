//! A request's JSON object as its handlers read it: a field that is missing or null is left as it was,
//! unknown ones are ignored, and one of the wrong kind is refused.

use serde_json::{Map, Value};

use super::refused::Refused;

/// The fields of one object.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

fn bad(why: String) -> Refused {
    Refused::BadBody(why)
}

/// Reads a body as JSON.
pub(crate) fn json(body: &[u8]) -> Result<Value, Refused> {
    if body.is_empty() {
        return Err(bad("EOF".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

impl Fields {
    /// Reads a body that is an object.
    pub(crate) fn read(body: &[u8]) -> Result<Fields, Refused> {
        Fields::of(json(body)?, "the body")
    }

    /// Reads a body that is an array of objects.
    pub(crate) fn read_all(body: &[u8]) -> Result<Vec<Fields>, Refused> {
        match json(body)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(all) => all.into_iter().map(|one| Fields::of(one, "each proxy")).collect(),
            _ => Err(bad("the body must be an array of proxies".to_owned())),
        }
    }

    fn of(value: Value, what: &str) -> Result<Fields, Refused> {
        match value {
            Value::Null => Ok(Fields::default()),
            Value::Object(fields) => Ok(Fields(fields)),
            _ => Err(bad(format!("{what} must be an object"))),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(bad(format!("`{name}` must be a string"))),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(bad(format!("`{name}` must be true or false"))),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Refused> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_f64().filter(|_| value.is_number());
        number.map(Some).ok_or_else(|| bad(format!("`{name}` must be a number")))
    }

    pub(crate) fn whole(&self, name: &str) -> Result<Option<i64>, Refused> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| bad(format!("`{name}` must be a whole number")))
    }

    pub(crate) fn object(&self, name: &str) -> Result<Fields, Refused> {
        Fields::of(self.get(name).cloned().unwrap_or_default(), &format!("`{name}`"))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}
