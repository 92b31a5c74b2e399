//! A folder and a broker are told the same history, drawn at random: they answer alike.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use squall_publish::{Broker, Exchange, Folder, Moment, Pact, Publication, VerificationResult, Version, ledger::How};
use squall_test_broker::Asks;

/// One thing that happened, in small numbers: three participants, three versions, two contents.
#[derive(Clone, Debug)]
enum Step {
    Publish { consumer: usize, provider: usize, version: u8, content: u8 },
    Verify { consumer: usize, provider: usize, version: u8, content: u8, success: bool },
    Come { who: usize, version: u8, released: bool },
    Go { who: usize, version: u8, released: bool },
}

const WHO: [&str; 3] = ["storefront", "order", "payment"];

fn step() -> impl Strategy<Value = Step> {
    let (who, version, content) = (0..3usize, 0..3u8, 0..2u8);
    let pair = (0..3usize, 0..3usize).prop_filter("nobody has a pact with itself", |(one, other)| one != other);
    prop_oneof![
        3 => (pair.clone(), version.clone(), content.clone()).prop_map(|((consumer, provider), version, content)| {
            Step::Publish { consumer, provider, version, content }
        }),
        3 => (pair, version.clone(), content, any::<bool>()).prop_map(|((consumer, provider), version, content, success)| {
            Step::Verify { consumer, provider, version, content, success }
        }),
        2 => (who.clone(), version.clone(), any::<bool>()).prop_map(|(who, version, released)| Step::Come { who, version, released }),
        1 => (who, version, any::<bool>()).prop_map(|(who, version, released)| Step::Go { who, version, released }),
    ]
}

fn pact(consumer: usize, provider: usize, content: u8) -> Pact {
    let json = json!({
        "consumer": { "name": WHO[consumer] },
        "provider": { "name": WHO[provider] },
        "interactions": [{ "description": format!("{content}") }],
    });
    Pact::read("drawn", &json.to_string()).unwrap()
}

fn how(released: bool) -> How {
    if released { How::Released } else { How::Deployed { instance: None } }
}

/// Whether the exchange took it.
async fn take(exchange: &Exchange, step: &Step, at: Moment) -> bool {
    match *step {
        Step::Publish { consumer, provider, version, content } => {
            let pacts = vec![pact(consumer, provider, content)];
            let version = Version::new(version.to_string());
            let publication = Publication { participant: WHO[consumer].into(), version, pacts, clauses: vec![] };
            exchange.publish(&publication, at).await.is_ok()
        }
        Step::Verify { consumer, provider, version, content, success } => {
            let result = VerificationResult {
                provider: WHO[provider].into(),
                provider_version: version.to_string(),
                consumer: WHO[consumer].into(),
                content: pact(consumer, provider, content).content,
                success,
                verified_at: at,
                build_url: None,
                interactions: Vec::new(),
            };
            exchange.record_result(&result, &Version::new(version.to_string())).await.is_ok()
        }
        Step::Come { who, version, released } => {
            exchange.record_presence(WHO[who], &version.to_string(), "production", how(released), at).await.is_ok()
        }
        Step::Go { who, version, released } => {
            exchange.record_absence(WHO[who], &version.to_string(), "production", how(released), at).await.is_ok()
        }
    }
}

async fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    let double = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let broker = Broker::at(&double.url(), None).unwrap().with_first_gap(Duration::from_millis(1));
    let place = tempfile::tempdir().unwrap();
    let (broker, folder) = (Exchange::Broker(broker), Exchange::Folder(Folder::at(place.path())));
    folder.create_environment("production", true, Moment::now()).await.unwrap();
    for step in steps {
        let by_broker = take(&broker, step, Moment::now()).await;
        // A broker takes results only for content that it can still find; a folder need not refuse what it will not use.
        if !by_broker && matches!(step, Step::Verify { .. }) {
            continue;
        }
        prop_assert_eq!(by_broker, take(&folder, step, Moment::now()).await, "{:?}", step);
    }
    for who in WHO {
        for version in ["0", "1", "2"] {
            let one = broker.can_deploy(who, version, "production").await.unwrap();
            let other = folder.can_deploy(who, version, "production").await.unwrap();
            prop_assert_eq!(one.deployable, other.deployable, "{} {}: {} / {}", who, version, one.reason, other.reason);
            let mut rows = one.rows;
            rows.sort();
            prop_assert_eq!(rows, other.rows);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_answers_as_a_broker_does(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(&steps))?;
    }
}
