//! The page that describes the language: prose by hand, tables of keys from the tables that the decoder reads by.

use crate::shape::{Form, Kind, Shape, expectation, fault, scenario, system};

/// The language page, `LANGUAGE.md` beside this crate.
pub fn page() -> String {
    let mut page = String::new();
    for line in include_str!("page.md").lines() {
        match line.strip_prefix("<!-- keys: ").and_then(|rest| rest.strip_suffix(" -->")) {
            Some(names) => names.split(", ").for_each(|name| push_table(&mut page, name)),
            None => page.push_str(line),
        }
        page.push('\n');
    }
    page
}

fn push_table(page: &mut String, name: &str) {
    let kinds = match name {
        "inject" => Some(fault::INJECTS),
        "expect" => Some(expectation::EXPECTATIONS),
        _ => None,
    };
    if let Some(kinds) = kinds {
        return push_kinds(page, kinds);
    }
    let shapes: [(&str, &'static Shape); 27] = [
        ("system", &system::SYSTEM),
        ("service", &system::SERVICE),
        ("process", &system::PROCESS),
        ("file", &system::FILE),
        ("container", &system::CONTAINER),
        ("build-without-a-registry", &system::WITHOUT_REGISTRY),
        ("listen", &system::LISTEN),
        ("database", &system::DATABASE),
        ("callee", &system::UPSTREAM),
        ("attempts", &system::ATTEMPTS),
        ("breaker", &system::BREAKER),
        ("event-route", &system::EVENT_ROUTE),
        ("backing", &system::BACKING),
        ("operation", &system::OPERATION),
        ("saga", &system::SAGA),
        ("step", &system::STEP),
        ("undo", &system::UNDO),
        ("ends", &system::ENDS),
        ("read", &system::READ),
        ("invariant", &system::INVARIANT),
        ("scenario", &scenario::SCENARIO),
        ("setup", &scenario::SETUP),
        ("gate", &scenario::GATE),
        ("load", &scenario::STREAM),
        ("fault", &fault::FAULT),
        ("match", &fault::MATCH),
        ("when", &fault::WHEN),
    ];
    let shape = shapes.iter().find(|(known, _)| *known == name).map(|(_, shape)| shape);
    // A name that is not there would leave its marker in the page, where the page's test sees it.
    match shape {
        Some(shape) => push_shape(page, shape),
        None => page.push_str(&format!("<!-- keys: {name} -->")),
    }
}

fn push_shape(page: &mut String, shape: &Shape) {
    page.push_str("| key | what stands there | meaning |\n|---|---|---|\n");
    for key in shape.keys {
        let name = if key.required { format!("**`{}`**", key.name) } else { format!("`{}`", key.name) };
        page.push_str(&format!("| {name} | {} | {} |\n", form(&key.form), cell(key.about)));
    }
    if shape.more.has_percentiles() {
        page.push_str(
            "| `p50`, `p99`, `p99.9`, … | a bound on a duration | A bound on this percentile of the latency. |\n",
        );
    }
    if shape.more.has_values() {
        page.push_str(
            "| any name the operation asks for | a value or a template | A value for the operation's templates. |\n",
        );
    }
}

fn push_kinds(page: &mut String, kinds: &[Kind]) {
    page.push_str("| kind | parameters | meaning |\n|---|---|---|\n");
    for kind in kinds {
        let parameters = match &kind.form {
            Form::Shape(shape) => parameters(shape),
            Form::Any => String::new(),
            other => form(other),
        };
        let later = kind.not_yet.map_or_else(String::new, |missing| format!(" *Not yet: {missing}.*"));
        page.push_str(&format!("| `{}` | {parameters} | {}{later} |\n", kind.name, cell(kind.about)));
    }
}

fn parameters(shape: &Shape) -> String {
    if shape.keys.is_empty() && !shape.more.has_percentiles() {
        return "none".to_owned();
    }
    let key = |key: &crate::shape::Key| {
        let name = if key.required { format!("**`{}`**", key.name) } else { format!("`{}`", key.name) };
        format!("{name} ({}): {}", form(&key.form), cell(key.about))
    };
    let mut keys: Vec<String> = shape.keys.iter().map(key).collect();
    if shape.more.has_percentiles() {
        keys.push("`p99`, … (a bound on a duration)".to_owned());
    }
    keys.join("<br>")
}

/// What stands under a key, in words.
fn form(form: &Form) -> String {
    match form {
        Form::Version => "`1`".to_owned(),
        Form::Text => "text".to_owned(),
        Form::Name => "name".to_owned(),
        Form::Path => "path".to_owned(),
        Form::Boolean => "`true`, `false`".to_owned(),
        Form::Whole { least, most: u64::MAX } => format!("whole number from {least}"),
        Form::Whole { least, most } => format!("whole number, {least} to {most}"),
        Form::Duration => "duration".to_owned(),
        Form::Rate => "rate".to_owned(),
        Form::Share => "share".to_owned(),
        Form::ByteRate => "rate of bytes".to_owned(),
        Form::ByteSize => "bytes".to_owned(),
        Form::ShareBound => "bound on a share".to_owned(),
        Form::DurationBound => "bound on a duration".to_owned(),
        Form::NumberBound => "bound on a number".to_owned(),
        Form::Template => "template".to_owned(),
        Form::JsonTemplate => "JSON of templates".to_owned(),
        Form::Any => "any value".to_owned(),
        Form::Expression => "expression".to_owned(),
        Form::Call => "call".to_owned(),
        Form::CallTemplate => "call with values".to_owned(),
        Form::Edge => "edge".to_owned(),
        Form::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Form::Shape(shape) => format!("*{}*", shape.name),
        Form::Map(inner) => format!("name → {}", self::form(inner)),
        Form::List(inner) => format!("list: {}", self::form(inner)),
        Form::Either(forms) => forms.iter().map(self::form).collect::<Vec<_>>().join(" or "),
        Form::Kinds(kinds) if kinds.len() == 1 => format!("`{}: …`", kinds[0].name),
        Form::Kinds(_) => "one of the kinds below".to_owned(),
    }
}

/// Text that may stand in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
