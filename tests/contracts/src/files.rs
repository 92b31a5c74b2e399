//! The contracts as files of the repository.
//!
//! A contract is the same bytes whenever and wherever it is written, so that a file that differs is a contract that
//! changed: the members of every object stand in order, and what the pact crates write about themselves is left out.
//! The versions of the libraries that wrote a contract promise nothing to anybody, and would have every contract
//! change, and be published as changed, whenever one of them is updated. `pactSpecification` stays: it says how the
//! rest is to be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use squall_host::{Env, real::Real};

use crate::{consumer, contract};

/// What writes the contracts anew.
pub const RENEW: &str = "cargo run -p squall-contract-tests --example renew";

/// Contracts by the names of their files.
pub type Texts = BTreeMap<String, String>;

/// Where the contracts stand in the repository.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// The contracts that stand in a folder.
pub fn read(folder: &Path) -> io::Result<Texts> {
    let mut texts = Texts::new();
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(named)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            texts.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(texts)
}

/// The contracts as the consumers write them now: every case is played. The first that fails is the error.
pub async fn write() -> Result<Texts, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let env = Env::new(Real::new());
    for case in consumer::cases() {
        case.play(env.clone(), folder.path()).await.map_err(|why| format!("{}: {why}", case.title()))?;
    }
    let written = read(folder.path()).map_err(|error| error.to_string())?;
    let mut texts = Texts::new();
    for (name, text) in written {
        let contract = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        texts.insert(name, normal(contract));
    }
    Ok(texts)
}

/// The text of a contract.
fn normal(contract: Value) -> String {
    let mut contract = ordered(contract);
    if let Some(metadata) = contract.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| name == "pactSpecification");
    }
    let mut text = serde_json::to_string_pretty(&contract).unwrap_or_default();
    text.push('\n');
    text
}

/// The same with the members of every object in order.
fn ordered(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(ordered).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, ordered(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// What is wrong with the contracts that stand in the repository, if those that the consumers write now are right.
pub fn stale(stand: &Texts, written: &Texts) -> Option<String> {
    let mut wrong = Vec::new();
    for (name, text) in written {
        match stand.get(name) {
            None => wrong.push(format!("contracts/{name} is missing")),
            Some(stands) if stands != text => wrong.extend(differences(name, stands, text)),
            Some(_) => {}
        }
    }
    let nobodys = stand.keys().filter(|name| !written.contains_key(*name));
    wrong.extend(nobodys.map(|name| format!("contracts/{name} is nobody's: no consumer writes it")));
    (!wrong.is_empty()).then(|| format!("{}\nrenew them with `{RENEW}`, and look at what changed", wrong.join("\n")))
}

/// The interactions that no consumer relies on, by their titles.
pub fn orphans(stand: &Texts) -> Result<Vec<String>, String> {
    let relied_on: BTreeSet<String> = consumer::cases().iter().map(consumer::Case::title).collect();
    let mut orphans = Vec::new();
    for (name, text) in stand {
        let interactions = contract::interactions(text).map_err(|error| format!("contracts/{name}: {error}"))?;
        let titles = interactions.iter().map(contract::Interaction::title);
        orphans.extend(titles.filter(|title| !relied_on.contains(title)));
    }
    Ok(orphans)
}

/// The interactions in which two texts of a contract differ; the first line, if they differ in something else.
fn differences(name: &str, stands: &str, written: &str) -> Vec<String> {
    let (stood, now) = (by_description(stands), by_description(written));
    let mut differ = Vec::new();
    for (description, text) in &now {
        match stood.get(description) {
            None => differ.push(format!("contracts/{name} lacks `{description}`")),
            Some(stood) if stood != text => {
                differ.push(format!("contracts/{name} is stale: `{description}`: {}", first_difference(stood, text)))
            }
            Some(_) => {}
        }
    }
    let orphans = stood.keys().filter(|description| !now.contains_key(*description));
    differ.extend(orphans.map(|description| format!("contracts/{name}: nobody relies on `{description}` any more")));
    if differ.is_empty() {
        differ.push(format!("contracts/{name} is stale: {}", first_difference(stands, written)));
    }
    differ
}

/// The interactions of a contract, each by itself; none of a text that is no contract.
fn by_description(text: &str) -> BTreeMap<String, String> {
    let contract: Value = serde_json::from_str(text).unwrap_or_default();
    let interactions = contract["interactions"].as_array().cloned().unwrap_or_default();
    let described = |interaction: Value| {
        let description = interaction["description"].as_str().unwrap_or_default().to_owned();
        (description, serde_json::to_string_pretty(&interaction).unwrap_or_default())
    };
    interactions.into_iter().map(described).collect()
}

/// The first line in which two texts differ.
fn first_difference(stands: &str, written: &str) -> String {
    let (mut old, mut new) = (stands.lines(), written.lines());
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (one, other) if one == other && one.is_some() => line += 1,
            (one, other) => {
                let shown = |text: Option<&str>| text.map_or("the end".to_owned(), |text| format!("`{}`", text.trim()));
                return format!("line {line} is {}, and the consumer writes {}", shown(one), shown(other));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(contracts: &[(&str, &str)]) -> Texts {
        contracts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_text_of_a_contract_does_not_depend_on_who_wrote_it_and_in_which_order() {
        let metadata =
            |version: &str| json!({ "pactRust": { "models": version }, "pactSpecification": { "version": "4.0" } });
        let one = json!({ "metadata": metadata("1.3.17"), "interactions": [{ "a": 1, "b": { "c": 2, "d": [3] } }] });
        let other = json!({ "interactions": [{ "b": { "d": [3], "c": 2 }, "a": 1 }], "metadata": metadata("2.0.0") });
        assert_eq!(normal(one.clone()), normal(other));
        assert_ne!(normal(one), normal(json!({ "metadata": metadata("1"), "interactions": [] })));
    }

    #[test]
    fn a_stale_contract_is_named_with_its_interaction_and_the_remedy() {
        let contract = |interactions: &[(&str, i64)]| {
            let interactions = interactions.iter().map(|(d, status)| json!({ "description": d, "status": status }));
            normal(json!({ "interactions": interactions.collect::<Vec<_>>(), "metadata": {} }))
        };
        let told = |stand: &str, written: &str| stale(&texts(&[("a.json", stand)]), &texts(&[("a.json", written)]));
        let (one, other) = (contract(&[("x", 200), ("y", 201)]), contract(&[("x", 204), ("z", 201)]));
        assert_eq!(told(&one, &one), None);
        let text = told(&one, &other).expect("it is stale");
        let lines = [
            "contracts/a.json is stale: `x`: line 3 is `\"status\": 200`, and the consumer writes `\"status\": 204`",
            "contracts/a.json lacks `z`",
            "contracts/a.json: nobody relies on `y` any more",
            &format!("renew them with `{RENEW}`, and look at what changed"),
        ];
        assert_eq!(text, lines.join("\n"));
        let text = told(&one, &format!("{one}\n")).expect("it is stale");
        assert!(text.starts_with("contracts/a.json is stale: line 14 is the end"), "{text}");
    }

    #[test]
    fn a_contract_is_missed_and_one_that_is_nobodys_is_told() {
        let text = stale(&texts(&[("b.json", "1")]), &texts(&[("a.json", "1")])).expect("they differ");
        assert!(text.starts_with("contracts/a.json is missing\ncontracts/b.json is nobody's"), "{text}");
    }
}
