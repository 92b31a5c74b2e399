//! Texts to values.

use std::path::PathBuf;

use squall_record::Source;

use crate::{
    Mistakes, check,
    decode::{desk::Desk, fields::Fields, names::Names, scenario, system},
    expression::stack::on_a_deep_stack,
    mistake::{File, Note, Rule, Span},
    model::{Scenario, System},
    shape::scenario::SCENARIO,
};

/// Both files, decoded and checked against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The system.
    pub system: System,
    /// The scenario.
    pub scenario: Scenario,
    /// What is allowed and most likely not meant.
    pub warnings: Mistakes,
}

/// A file that has no part in what is read.
fn no_file() -> Source {
    Source { name: String::new(), text: String::new() }
}

/// A file's bytes as a source: text in UTF-8, without a byte order mark.
///
/// # Errors
/// The place of the first byte that no text holds.
pub fn source(name: &str, bytes: &[u8]) -> Result<Source, Mistakes> {
    let source = |text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(source(text.strip_prefix('\u{feff}').unwrap_or(text))),
        Err(error) => error,
    };
    // What stands before the odd byte is text; the byte itself is shown as a replacement.
    let readable = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
    let at = readable.len();
    let shown = source(&(readable + "\u{fffd}"));
    let span = Span { file: File::Scenario, start: at, end: at + '\u{fffd}'.len_utf8() };
    let message = format!("the byte 0x{:02x} is not UTF-8", bytes[error.valid_up_to()]);
    let note = Note::new(Rule::NotText, span, message).help("save the file as UTF-8, if it is a text file at all");
    Err(Mistakes::of(vec![note], |_| shown.clone()))
}

/// Any such file as JSON, read as both kinds are: for tools that have only the JSON Schemas.
pub fn to_json(file: &Source) -> Result<serde_json::Value, Mistakes> {
    let nothing = no_file();
    let desk = Desk::new(&nothing, file);
    let json = desk.read(File::Scenario).map(|node| node.json());
    match json.filter(|_| desk.is_clear()) {
        Some(json) => Ok(json),
        None => Err(desk.close().0),
    }
}

/// Both texts to both values, or every mistake that was found in them.
pub fn load(system: &Source, scenario: &Source) -> Result<Loaded, Mistakes> {
    on_a_deep_stack(|| load_here(system, scenario))
}

fn load_here(system: &Source, scenario: &Source) -> Result<Loaded, Mistakes> {
    let desk = Desk::new(system, scenario);
    let values = decoded(&desk);
    let (mistakes, warnings) = desk.close();
    match values {
        Some((system, scenario)) if mistakes.is_empty() => Ok(Loaded { system, scenario, warnings }),
        _ => Err(mistakes),
    }
}

fn decoded(desk: &Desk<'_>) -> Option<(System, Scenario)> {
    let system = desk.read(File::System);
    let scenario = desk.read(File::Scenario);
    let names = Names::of(system.as_ref());
    let system = system.as_ref().and_then(|node| system::decode(desk, node, &names));
    let scenario = scenario.as_ref().and_then(|node| scenario::decode(desk, node, &names));
    if let Some(system) = &system {
        check::check_system(desk, &names, system);
    }
    if let (Some(system), Some(scenario)) = (&system, &scenario) {
        check::check_scenario(desk, &names, system, scenario);
    }
    Some((system?.into_system()?, scenario?.into_scenario()?))
}

/// A system file alone, or every mistake that was found in it.
pub fn load_system(system: &Source) -> Result<System, Mistakes> {
    on_a_deep_stack(|| load_system_here(system))
}

fn load_system_here(system: &Source) -> Result<System, Mistakes> {
    let nothing = no_file();
    let desk = Desk::new(system, &nothing);
    let node = desk.read(File::System);
    let names = Names::of(node.as_ref());
    let decoded = node.as_ref().and_then(|node| system::decode(&desk, node, &names));
    if let Some(decoded) = &decoded {
        check::check_system(&desk, &names, decoded);
    }
    let value = decoded.and_then(system::Decoded::into_system);
    let (mistakes, _) = desk.close();
    match value {
        Some(system) if mistakes.is_empty() => Ok(system),
        _ => Err(mistakes),
    }
}

/// What is said of a scenario whose system file cannot be read: that, at its place, and the scenario's own mistakes.
pub fn unreadable_system(scenario: &Source, why: &str) -> Mistakes {
    let nothing = no_file();
    let desk = Desk::new(&nothing, scenario);
    let node = desk.read(File::Scenario);
    if let Some(node) = &node {
        let _ = scenario::decode(&desk, node, &Names::default());
    }
    let span = node.as_ref().map_or(Span { file: File::Scenario, start: 0, end: 0 }, |node| node.place("system"));
    desk.wrong(
        Note::new(Rule::UnknownName, span, why)
            .label("the system file, from this file's folder")
            .help("correct the path"),
    );
    desk.close().0
}

/// The system file that a scenario names, as it is written there: relative to the scenario file's folder.
///
/// # Errors
/// Every mistake that can be found in the scenario without its system.
pub fn system_path_of(scenario: &Source) -> Result<PathBuf, Mistakes> {
    let nothing = no_file();
    let desk = Desk::new(&nothing, scenario);
    let node = desk.read(File::Scenario);
    let named = node.as_ref().and_then(|node| node.get("system")).and_then(|node| node.scalar());
    if let Some(path) = named.filter(|_| desk.is_clear()) {
        return Ok(PathBuf::from(path));
    }
    if let Some(node) = &node {
        // Without its system file, little more can be said; but what can be, is.
        let decoded = scenario::decode(&desk, node, &Names::default());
        if decoded.is_none() && desk.is_clear() {
            Fields::open(&desk, node, &SCENARIO);
        }
        if desk.is_clear() {
            desk.wrong(
                Note::new(Rule::MissingKey, node.place("system"), "this names no system file")
                    .help("add `system: path/to/system.yaml`"),
            );
        }
    }
    Err(desk.close().0)
}
