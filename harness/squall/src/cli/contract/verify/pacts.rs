//! The pacts that providers are held to: published ones, or files.

use std::{collections::BTreeSet, path::PathBuf};

use squall_contract::model;
use squall_publish::{Exchange, Pact};
use squall_scenario::model::System;

use super::{
    Verify,
    failed::{Failed, mistake},
};
use crate::{files, verify::Task};

/// The pacts with the providers that are meant.
pub(super) async fn of(args: &Verify, published: Option<&Exchange>, system: &System) -> Result<Vec<Pact>, Failed> {
    let meant = meant(args, system)?;
    let mut pacts = Vec::new();
    match published {
        Some(exchange) => {
            for provider in &meant {
                pacts.extend(exchange.pacts_of_provider(provider, args.branch.as_deref()).await?);
            }
        }
        None => {
            pacts = read(args)?;
            pacts.retain(|pact| meant.contains(pact.provider.as_str()));
        }
    }
    if pacts.is_empty() {
        let meant: Vec<&str> = meant.into_iter().collect();
        return Err(mistake(format!(
            "there is no pact with `{}`: is the provider's name in it a service's?",
            meant.join("`, `")
        )));
    }
    Ok(pacts)
}

/// The providers that are named, each a service; all services if none is.
fn meant<'a>(args: &'a Verify, system: &'a System) -> Result<BTreeSet<&'a str>, Failed> {
    let services: BTreeSet<&str> = system.services.iter().map(|service| service.name.as_str()).collect();
    let named: BTreeSet<&str> = args.providers.iter().map(String::as_str).collect();
    if let Some(unknown) = args.providers.iter().find(|named| !services.contains(named.as_str())) {
        let known: Vec<&str> = system.services.iter().map(|service| service.name.as_str()).collect();
        return Err(mistake(format!("`{unknown}` is no service of the system, which has `{}`", known.join("`, `"))));
    }
    Ok(if named.is_empty() { services } else { named })
}

fn read(args: &Verify) -> Result<Vec<Pact>, Failed> {
    let default = [PathBuf::from("contracts")];
    let mut pacts = Vec::new();
    for path in if args.pacts.is_empty() { &default[..] } else { &args.pacts } {
        for file in files::pacts(path).map_err(mistake)? {
            let source = files::read_pact(&file).map_err(mistake)?;
            pacts.push(Pact::read(&source.name, &source.text)?);
        }
    }
    Ok(pacts)
}

/// Every interaction of these pacts that is asked for.
pub(super) fn tasks(args: &Verify, pacts: &[Pact]) -> Result<Vec<Task>, Failed> {
    let (mut tasks, mut unreadable) = (Vec::new(), Vec::new());
    for pact in pacts {
        match model::read(&pact.file, &pact.text) {
            Ok(read) => tasks.extend(Task::all_of(&read)),
            Err(mistakes) => unreadable.push(mistakes.to_string()),
        }
    }
    if !unreadable.is_empty() {
        return Err(Failed::Unreadable(unreadable.join("\n")));
    }
    if let Some(text) = &args.only {
        tasks.retain(|task| task.interaction.to_string().contains(text));
        if tasks.is_empty() {
            return Err(mistake(format!("no interaction has `{text}` in its description or its states")));
        }
    }
    Ok(tasks)
}
