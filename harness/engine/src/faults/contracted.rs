//! Faults that come from contracts, as the proxy plays them: what the pacts of an edge's callee declare, and broken.
//! Pure, so that a scenario is found wrong before anything is started.

use std::collections::BTreeSet;

use serde_json::json;
use squall_contract::{
    example,
    model::{self as pact, Http, Interaction, Pact},
    violation::{self, Violation},
};
use squall_proxy::{BodyChange, BodyEdit, Inject, Respond};
use squall_record::{Edge, Seed, Source, identity::choice};
use squall_scenario::{
    Loaded,
    model::{self, Call, Fault, System},
    route,
};

use crate::plan::edges_of;

/// How many interactions or fields are named to one who asked for another.
const NAMED_MAX: usize = 20;

/// What the proxy injects for a fault that comes from a contract.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contracted {
    pub inject: Inject,
    /// The only call that it is for, where the fault itself names none.
    pub call: Option<Call>,
}

/// Whether every fault of the scenario that comes from a contract can be had from these pacts.
///
/// # Errors
/// With what is wrong with the first that cannot, and its name.
pub fn contracts_suffice(loaded: &Loaded, pacts: &[Source], seed: Seed) -> Result<(), String> {
    let pacts = read(pacts)?;
    for fault in loaded.scenario.faults.iter().filter(|fault| fault.inject.comes_from_contract()) {
        for edge in edges_of(fault, &loaded.system) {
            contracted(fault, &edge, &loaded.system, &pacts, seed)
                .map_err(|why| format!("fault `{}` on `{edge}`: {why}", fault.name))?;
        }
    }
    Ok(())
}

/// The pacts that these texts are.
pub(crate) fn read(pacts: &[Source]) -> Result<Vec<Pact>, String> {
    pacts.iter().map(|source| pact::read(&source.name, &source.text).map_err(|why| why.to_string())).collect()
}

/// What a fault that comes from a contract injects on this edge.
pub(crate) fn contracted(
    fault: &Fault,
    edge: &Edge,
    system: &System,
    pacts: &[Pact],
    seed: Seed,
) -> Result<Contracted, String> {
    let known = interactions(edge, pacts);
    if known.is_empty() {
        return Err(format!("no pact is about `{}`", edge.to));
    }
    match &fault.inject {
        model::Inject::AnswerAs { interaction } => {
            let (interaction, http) = named(&known, interaction, &edge.to)?;
            let call = match &fault.matching.call {
                Some(_) => None,
                None => Some(call_of(http, &edge.to, system).ok_or_else(|| {
                    format!(
                        "the calls that `{interaction}` is for cannot be told from others: add `match: {{ call: … }}`"
                    )
                })?),
            };
            Ok(Contracted { inject: Inject::Respond(answer(http, seed)?), call })
        }
        model::Inject::BreakContract { kind, field } => {
            let asked_for = |http: &Http| match &fault.matching.call {
                Some(call) => route::matches(call, &http.request.method, &edge.to, &http.request.path).is_some(),
                None => true,
            };
            let answers: Vec<&Http> = known.iter().map(|(_, http)| *http).filter(|http| asked_for(http)).collect();
            let edits = edits(&answers, kind.parse()?, field.as_deref(), &fault.name, seed)?;
            Ok(Contracted { inject: Inject::BreakBody { edits }, call: None })
        }
        _ => Err("it comes from no contract".to_owned()),
    }
}

/// What the callee promises: the caller's own pact, or that of others where it has none.
fn interactions<'p>(edge: &Edge, pacts: &'p [Pact]) -> Vec<(&'p Interaction, &'p Http)> {
    let of = |consumer: Option<&str>| -> Vec<(&Interaction, &Http)> {
        let pacts = pacts.iter().filter(|pact| pact.provider == edge.to);
        let pacts = pacts.filter(|pact| consumer.is_none_or(|consumer| pact.consumer == consumer));
        pacts
            .flat_map(|pact| &pact.interactions)
            .filter_map(|interaction| Some((interaction, interaction.http()?)))
            .collect()
    };
    let own = of(Some(&edge.from));
    if own.is_empty() { of(None) } else { own }
}

/// The interaction of this key, description, or description with states.
fn named<'p>(
    known: &[(&'p Interaction, &'p Http)],
    name: &str,
    provider: &str,
) -> Result<(&'p Interaction, &'p Http), String> {
    let is_called = |interaction: &Interaction| {
        interaction.key.as_deref() == Some(name) || interaction.description == name || interaction.to_string() == name
    };
    let found: Vec<_> = known.iter().filter(|(interaction, _)| is_called(interaction)).collect();
    match found.as_slice() {
        [one] => Ok(**one),
        [] => {
            let names = known.iter().map(|(interaction, _)| interaction.description.as_str());
            Err(format!("`{provider}` has no interaction `{name}`; it has {}", listed(names)))
        }
        several => {
            let names: Vec<String> = several.iter().map(|(interaction, _)| interaction.to_string()).collect();
            Err(format!(
                "several interactions are called so: write one of {}",
                listed(names.iter().map(String::as_str))
            ))
        }
    }
}

/// The declared answer.
fn answer(http: &Http, seed: Seed) -> Result<Respond, String> {
    let sent = example::answer(&http.response, seed);
    let body = match sent.body.as_slice() {
        [] => None,
        bytes => Some(serde_json::from_slice(bytes).map_err(|_| "its body is not JSON, which cannot be played yet")?),
    };
    Ok(Respond { status: sent.status, headers: sent.headers, body, text: None })
}

/// The calls that an interaction is for: one that the system file declares, else its own path if it is a plain one.
fn call_of(http: &Http, provider: &str, system: &System) -> Option<Call> {
    let request = &http.request;
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps);
    let of_steps = steps.flat_map(|step| [Some(&step.does), step.undo.as_ref().map(|undo| &undo.call)]).flatten();
    let mut declared = of_steps.chain(system.operations.iter().map(|operation| &operation.call));
    let fits = |call: &&Call| route::matches(call, &request.method, provider, &request.path).is_some();
    if let Some(call) = declared.find(fits) {
        return Some(call.clone());
    }
    let is_plain = request.rules.path.is_none() && request.generators.path.is_none();
    let call = || Call { method: request.method.clone(), service: provider.to_owned(), path: request.path.clone() };
    (is_plain && !request.path.contains(['{', '}'])).then(call)
}

/// Every change that breaks one of these answers so, in an order that the seed chooses.
fn edits(
    answers: &[&Http],
    violation: Violation,
    field: Option<&str>,
    fault: &str,
    seed: Seed,
) -> Result<Vec<BodyEdit>, String> {
    let whole =
        |text: &str| BodyEdit { status: None, field: String::new(), change: BodyChange::Replace(text.to_owned()) };
    match violation {
        Violation::Empty => return Ok(vec![whole("")]),
        Violation::NotJson => return Ok(vec![whole("<html><body><h1>502 Bad Gateway</h1></body></html>")]),
        _ => {}
    }
    let mut places: BTreeSet<(u16, String)> = BTreeSet::new();
    for http in answers {
        let broken = violation::all(&http.response, seed).map_err(|why| why.to_string())?;
        let broken = broken.into_iter().filter(|broken| broken.violation == violation);
        places.extend(broken.filter_map(|broken| Some((http.response.status, dotted(&broken.field?)?))));
    }
    let mut chosen: Vec<(u16, String)> = match field.map(|field| dotted(field).unwrap_or_else(|| field.to_owned())) {
        None => places.iter().cloned().collect(),
        Some(field) => places.iter().filter(|(_, place)| *place == field).cloned().collect(),
    };
    if chosen.is_empty() {
        let places: BTreeSet<&str> =
            places.iter().map(|(_, place)| place.as_str()).filter(|place| !place.is_empty()).collect();
        return Err(match places.is_empty() {
            true => format!("none of the declared answers can be broken by `{violation}`"),
            false => format!(
                "no declared answer can be broken by `{violation}` there; it can at {}",
                listed(places.into_iter())
            ),
        });
    }
    chosen.sort_by_key(|(status, place)| choice(seed, &["break-contract", fault, place, &status.to_string()]));
    let edit = |(status, field)| BodyEdit { status: Some(status), field, change: change(violation) };
    Ok(chosen.into_iter().map(edit).collect())
}

pub(crate) fn change(violation: Violation) -> BodyChange {
    match violation {
        Violation::WrongType => BodyChange::Retype,
        Violation::UnknownEnum => BodyChange::Set(json!("squall-unknown")),
        Violation::ExtraField => {
            BodyChange::Add { name: "squall_extra".to_owned(), value: json!("not in the contract") }
        }
        Violation::MissingField | Violation::Empty | Violation::NotJson => BodyChange::Remove,
    }
}

/// `lines.0.sku` of `$.lines[0].sku`; none for names that only brackets can hold.
pub(crate) fn dotted(path: &str) -> Option<String> {
    let path = path.strip_prefix('$').unwrap_or(path);
    let dotted = path.replace('[', ".").replace(']', "");
    (!path.contains('\'')).then(|| dotted.trim_start_matches('.').to_owned())
}

fn listed<'t>(names: impl Iterator<Item = &'t str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.len() > NAMED_MAX {
        names.truncate(NAMED_MAX);
        names.push("…".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use squall_scenario::model::{Match, Target, When};

    use super::*;

    const PACT: &str = include_str!("../../../../contracts/order-payment.json");
    const CHARGE: &str = "POST /api/v1/payments";

    fn pacts() -> Vec<Pact> {
        read(&[Source { name: "order-payment.json".to_owned(), text: PACT.to_owned() }]).unwrap()
    }

    fn system() -> System {
        let text = include_str!("../../../../services/system.yaml").to_owned();
        squall_scenario::load_system(&Source { name: "system.yaml".to_owned(), text }).unwrap()
    }

    fn of(inject: model::Inject, matching: Match) -> Result<Contracted, String> {
        let edge = Edge::calls("order", "payment");
        let when = When::Times { from: std::time::Duration::ZERO, lasts: None };
        let on = Target::Edges(vec![edge.clone()]);
        let fault = Fault { name: "fault".to_owned(), on, inject, matching, when, keeps_live: false };
        contracted(&fault, &edge, &system(), &pacts(), Seed(7))
    }

    fn answer_as(interaction: &str) -> Result<Contracted, String> {
        of(model::Inject::AnswerAs { interaction: interaction.to_owned() }, Match::default())
    }

    fn broken(kind: &str, field: Option<&str>) -> Result<Vec<BodyEdit>, String> {
        let inject = model::Inject::BreakContract { kind: kind.to_owned(), field: field.map(str::to_owned) };
        match of(inject, Match::default())?.inject {
            Inject::BreakBody { edits } => Ok(edits),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_declared_answer_is_played_to_the_calls_that_it_is_for() {
        let Contracted { inject: Inject::Respond(respond), call } =
            answer_as("a charge of a card that the bank declines").unwrap()
        else {
            panic!()
        };
        assert_eq!(respond.status, 402);
        assert!(respond.body.is_some_and(|body| body.is_object()));
        let call = call.unwrap();
        assert_eq!(format!("{} {}", call.method, call.path), CHARGE);
        // A path with rules is known from the saga's undoing.
        let refund = answer_as("a refund of a charge").unwrap().call.unwrap();
        assert_eq!(refund.path, "/api/v1/payments/{order_id}/refunds");
    }

    #[test]
    fn every_declared_answer_of_the_reference_system_can_be_played() {
        let pacts = pacts();
        for interaction in pacts.iter().flat_map(|pact| &pact.interactions) {
            answer_as(&interaction.to_string()).unwrap_or_else(|why| panic!("{interaction}: {why}"));
        }
    }

    #[test]
    fn an_interaction_that_is_not_there_is_told_with_those_that_are() {
        let why = answer_as("a charge of the moon").unwrap_err();
        assert!(why.contains("`payment` has no interaction `a charge of the moon`"), "{why}");
        assert!(why.contains("`a charge that the bank pays`"), "{why}");
    }

    #[test]
    fn a_contract_is_broken_at_its_own_fields_and_in_the_same_way_for_the_same_seed() {
        let edits = broken("missing-field", None).unwrap();
        assert_eq!(edits, broken("missing-field", None).unwrap());
        assert!(edits.iter().all(|edit| edit.change == BodyChange::Remove && !edit.field.is_empty()), "{edits:?}");
        let captured: Vec<&str> =
            edits.iter().filter(|edit| edit.status == Some(201)).map(|edit| edit.field.as_str()).collect();
        assert!(captured.contains(&"status"), "{captured:?}");
        let only = broken("missing-field", Some("status")).unwrap();
        assert!(!only.is_empty() && only.iter().all(|edit| edit.field == "status"), "{only:?}");
        assert_eq!(only, broken("missing-field", Some("$.status")).unwrap());
    }

    #[test]
    fn a_field_that_no_answer_declares_is_told_with_those_that_do() {
        let why = broken("missing-field", Some("moon")).unwrap_err();
        assert!(why.contains("it can at") && why.contains("`status`"), "{why}");
    }

    #[test]
    fn whole_bodies_are_broken_whatever_they_hold() {
        for kind in ["empty", "not-json"] {
            let [edit] = broken(kind, None).unwrap().try_into().unwrap();
            assert!(matches!(edit.change, BodyChange::Replace(_)) && edit.status.is_none());
        }
        for kind in ["wrong-type", "extra-field"] {
            assert!(!broken(kind, None).unwrap().is_empty(), "{kind}");
        }
    }

    #[test]
    fn a_callee_without_a_pact_has_nothing_to_play() {
        let edge = Edge::calls("order", "moon");
        let when = When::Times { from: std::time::Duration::ZERO, lasts: None };
        let inject = model::Inject::AnswerAs { interaction: "x".to_owned() };
        let on = Target::Edges(vec![edge.clone()]);
        let fault = Fault { name: "fault".to_owned(), on, inject, matching: Match::default(), when, keeps_live: false };
        assert_eq!(contracted(&fault, &edge, &system(), &pacts(), Seed(7)).unwrap_err(), "no pact is about `moon`");
    }
}
