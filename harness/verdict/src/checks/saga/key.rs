//! The saga's key in a call: most are a plain path into it, and a million calls are worth not asking CEL for those.

use squall_record::KeyPlace;
use squall_scenario::{
    expression::{self, Compiled},
    key,
    model::{Call as Pattern, Expression},
    outcome::{self, Sent},
    route,
};

use crate::evidence::Call;

/// How a call's key is found.
#[derive(Debug)]
pub enum Key {
    /// A plain path into it.
    At(KeyPlace),
    /// Anything else.
    Cel(Box<Compiled>),
}

impl Key {
    /// Reads a key's expression.
    pub fn new(expression: &Expression) -> Result<Key, String> {
        if let Some(place) = key::place(expression) {
            return Ok(Key::At(place));
        }
        let compiled = expression::compile(expression).map_err(|error| error.to_string())?;
        Ok(Key::Cel(Box::new(compiled)))
    }

    /// The key in this call, if it carries one. Numbers and strings are keys; their text is compared.
    pub fn of(&self, pattern: &Pattern, call: &Call<'_>) -> Option<String> {
        match self {
            Key::At(KeyPlace::Path(name)) => route::path_matches(&pattern.path, call.path)?.remove(name),
            Key::At(KeyPlace::Header(name)) => call.headers.get(name).cloned(),
            Key::At(KeyPlace::Body(names)) => KeyPlace::in_json(call.body?.json.as_ref()?, names),
            Key::At(KeyPlace::Answer(names)) => KeyPlace::in_json(call.answered?.2.body.json.as_ref()?, names),
            Key::Cel(compiled) => {
                let sent = Sent {
                    headers: call.headers.clone(),
                    body: call.body.and_then(|body| body.json.clone()).unwrap_or_default(),
                    path: route::path_matches(&pattern.path, call.path)?,
                };
                let names = outcome::key_names(&sent, call.answered.map(|(.., answer)| answer));
                KeyPlace::text(&compiled.eval(&names).ok()?)
            }
        }
    }
}
