//! What a comparison calls compatible is compatible.

use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Map, Value, json};
use squall_contract::{
    diff::{Effect, compare},
    matching::ExpectedResponse,
    model::Pact,
};
use squall_record::Seed;

use crate::{
    generated::{Case, case, edited, json_value},
    ours, pact,
};

/// The same contract, changed here and there.
fn changed(case: &Case, at: u64, part: &Value, rule: &Value, how: u8) -> Case {
    let mut changed = case.clone();
    let keys: Vec<String> = case.rules.keys().cloned().collect();
    let key = keys.get(at as usize % keys.len().max(1)).cloned();
    match (how % 4, key) {
        (0, _) => changed.example = edited(&case.example, at, part),
        (1, Some(key)) => drop(changed.rules.remove(&key)),
        (2, Some(key)) => drop(changed.rules.insert(key, json!({ "combine": "AND", "matchers": [rule] }))),
        (_, Some(key)) => {
            if let Some(list) = changed.rules[&key]["matchers"].as_array_mut() {
                list.push(rule.clone());
            }
        }
        (_, None) => {
            changed.rules = Map::from_iter([("$".to_owned(), json!({ "combine": "AND", "matchers": [rule] }))]);
        }
    }
    changed
}

fn a_rule() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({ "match": "type" }),
        json!({ "match": "type", "min": 1 }),
        json!({ "match": "number" }),
        json!({ "match": "integer" }),
        json!({ "match": "regex", "regex": "^(a|b)$" }),
        json!({ "match": "regex", "regex": "^(a|b|c)$" }),
        json!({ "match": "notEmpty" }),
        json!({ "match": "values" }),
        json!({ "match": "eachValue", "rules": [{ "match": "type" }] }),
    ])
}

/// Every answer that `from` allows, as far as it is drawn, is allowed by `to`.
fn all_allowed(from: &Pact, to: &Pact, seed: u64) -> Result<(), TestCaseError> {
    let response = ExpectedResponse::new(&from.interactions[0].http().unwrap().response).unwrap();
    let shape = response.shape().unwrap();
    for n in 0..8 {
        let sampled = shape.sample(Seed(seed.wrapping_add(n)));
        // Rules that contradict each other allow nothing.
        if !ours(from, &sampled, false).is_empty() {
            continue;
        }
        let wrong = ours(to, &sampled, false);
        prop_assert!(wrong.is_empty(), "{} was allowed, and is not: {:?}", sampled, wrong);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_has_changed_in_what_is_the_same(case in case()) {
        let pact = [pact(&case)];
        prop_assert_eq!(compare(&pact, &pact).unwrap(), []);
    }

    #[test]
    fn a_change_that_is_compatible_keeps_answers_conforming(
        case in case(),
        at in any::<u64>(),
        part in json_value(1),
        rule in a_rule(),
        how in any::<u8>(),
        seed in any::<u64>(),
    ) {
        let (old, new) = (pact(&case), pact(&changed(&case, at, &part, &rule, how)));
        let changes = compare(std::slice::from_ref(&old), std::slice::from_ref(&new)).unwrap();
        let of_answers = || changes.iter().filter(|change| change.place.starts_with("response"));
        if of_answers().all(|change| change.provider == Effect::Compatible) {
            all_allowed(&old, &new, seed)?;
        }
        if of_answers().all(|change| change.consumer == Effect::Compatible) {
            all_allowed(&new, &old, seed)?;
        }
    }
}
