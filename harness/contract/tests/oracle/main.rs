//! The matcher beside Pact's own, on generated examples, rules and bodies; and what is built upon the matcher.

mod generated;
mod diff;

use std::collections::BTreeMap;

use pact_matching::{CoreMatchingContext, DiffConfig, json::compare_json};
use pact_models::{matchingrules::matchers_from_json, path_exp::DocPath};
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Value, json};
use squall_contract::{
    matching::{Answer, Call, ExpectedRequest, ExpectedResponse, Found},
    model::{Pact, SpecVersion, read_as},
};
use squall_record::Seed;

use generated::{Case, case, edited, json_value};

pub(crate) fn pact(case: &Case) -> Pact {
    let body = json!({ "contentType": "application/json", "encoded": false, "content": case.example });
    let rules = json!({ "body": case.rules });
    let root = json!({
        "consumer": { "name": "c" }, "provider": { "name": "p" },
        "interactions": [{
            "type": "Synchronous/HTTP", "description": "i",
            "request": { "method": "POST", "path": "/", "body": body, "matchingRules": rules },
            "response": { "status": 200, "body": body, "matchingRules": rules },
        }],
    });
    read_as("generated", &root, SpecVersion::V4).unwrap_or_else(|mistakes| panic!("{mistakes}\n{case:?}"))
}

fn ours(pact: &Pact, actual: &Value, strict: bool) -> Vec<String> {
    let http = pact.interactions[0].http().unwrap();
    let (headers, body) = (BTreeMap::new(), Found::Json(actual));
    let checked = if strict {
        let call = Call { method: "POST", target: "/" };
        ExpectedRequest::new(&http.request).unwrap().check(&call, &headers, body)
    } else {
        ExpectedResponse::new(&http.response).unwrap().check(&Answer { status: 200, headers: &headers, body })
    };
    checked.mismatches.iter().map(ToString::to_string).collect()
}

fn theirs(case: &Case, actual: &Value, strict: bool) -> Vec<String> {
    let rules = json!({ "matchingRules": { "body": case.rules } });
    let rules = matchers_from_json(&rules, &None).unwrap();
    let config = if strict { DiffConfig::NoUnexpectedKeys } else { DiffConfig::AllowUnexpectedKeys };
    let context = CoreMatchingContext::new(config, &rules.rules_for_category("body").unwrap_or_default());
    match compare_json(&DocPath::root(), &case.example, actual, &context) {
        Ok(()) => Vec::new(),
        Err(mismatches) => mismatches.iter().map(|mismatch| format!("{mismatch:?}")).collect(),
    }
}

/// Rules put together with `OR` at a mapping: documented to differ.
fn differs_by_intent(case: &Case) -> bool {
    case.rules
        .values()
        .any(|list| list["combine"] == "OR" && list["matchers"].as_array().is_some_and(|matchers| matchers.len() > 1))
}

fn agree(case: &Case, pact: &Pact, actual: &Value) -> Result<(), TestCaseError> {
    for strict in [false, true] {
        let (ours, theirs) = (ours(pact, actual, strict), theirs(case, actual, strict));
        prop_assert_eq!(
            ours.is_empty(),
            theirs.is_empty(),
            "strict: {}\nexample {}\nrules {}\nactual {}\nours {:#?}\ntheirs {:#?}",
            strict,
            case.example,
            json!(case.rules),
            actual,
            ours,
            theirs
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_matcher_agrees_with_pacts_own(
        case in case(),
        other in json_value(0),
        edits in prop::collection::vec((any::<u64>(), json_value(0)), 4),
        seed in any::<u64>(),
    ) {
        prop_assume!(!differs_by_intent(&case));
        let pact = pact(&case);
        agree(&case, &pact, &case.example)?;
        agree(&case, &pact, &other)?;
        for (at, part) in edits {
            agree(&case, &pact, &edited(&case.example, at, &part))?;
        }
        let response = ExpectedResponse::new(&pact.interactions[0].http().unwrap().response).unwrap();
        let sampled = response.shape().unwrap().sample(Seed(seed));
        agree(&case, &pact, &sampled)?;
    }
}
