//! Against a broker: what is published comes back, and a broker that is none, or is ill, is told by name and in time.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use squall_publish::{
    Auth, Broker, Clauses, Error, Exchange, InteractionResult, Moment, NoticeKind, Pact, Publication,
    VerificationResult, Version, ledger::How,
};
use squall_test_broker::Asks;

fn pact(status: u16) -> Pact {
    let json = json!({
        "consumer": { "name": "order" },
        "provider": { "name": "payment" },
        "interactions": [{ "description": "a charge", "response": { "status": status } }],
    });
    Pact::read("order-payment.json", &json.to_string()).unwrap()
}

fn of_order(version: &str, status: u16) -> Publication {
    let version = Version { build_url: Some("https://ci.example/1".into()), ..Version::new(version).on_branch("main") };
    Publication { participant: "order".into(), version, pacts: vec![pact(status)], clauses: vec![] }
}

fn result(success: bool) -> VerificationResult {
    VerificationResult {
        provider: "payment".into(),
        provider_version: "5".into(),
        consumer: "order".into(),
        content: pact(201).content,
        success,
        verified_at: Moment::now(),
        build_url: None,
        interactions: vec![InteractionResult {
            description: "a charge".into(),
            success,
            mismatches: if success { vec![] } else { vec!["expected status 201 but was 200".into()] },
        }],
    }
}

fn at(url: &str, auth: Option<Auth>) -> Exchange {
    Exchange::Broker(Broker::at(url, auth).unwrap().with_first_gap(Duration::from_millis(1)))
}

fn deployed() -> How {
    How::Deployed { instance: None }
}

#[tokio::test]
async fn from_a_pact_to_a_deployment() {
    let broker = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let exchange = at(&broker.url(), None);
    let notices = exchange.publish(&of_order("1", 201), Moment::now()).await.unwrap();
    assert!(notices.iter().any(|notice| notice.kind == NoticeKind::Success && notice.text.contains("order version 1")));

    let to_verify = exchange.pacts_of_provider("payment", Some("main")).await.unwrap();
    assert_eq!(to_verify.iter().map(|pact| &pact.content).collect::<Vec<_>>(), [&pact(201).content]);

    exchange.record_result(&result(true), &Version::new("5").on_branch("main")).await.unwrap();
    let body = &broker.results()[0];
    assert_eq!(body["providerApplicationVersion"], "5");
    assert!(body["testResults"][0]["interactionId"].is_string(), "{body}");

    let asked = async || exchange.can_deploy("order", "1", "production").await.unwrap();
    assert_eq!(asked().await.deployable, None, "no version of payment is there");
    exchange.record_presence("payment", "5", "production", deployed(), Moment::now()).await.unwrap();
    let answer = asked().await;
    assert_eq!((answer.deployable, answer.rows.len()), (Some(true), 1));
    exchange.record_result(&result(false), &Version::new("5")).await.unwrap();
    assert_eq!(asked().await.deployable, Some(false));
    exchange.record_absence("payment", "5", "production", deployed(), Moment::now()).await.unwrap();
    assert_eq!(asked().await.deployable, None);
}

#[tokio::test]
async fn clauses_are_left_out_and_that_is_told() {
    let broker = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let exchange = at(&broker.url(), None);
    let clauses = vec![Clauses::new("order", "payment", "answers: [503]", &json!({ "answers": [503] }))];
    for pacts in [of_order("1", 201).pacts, vec![]] {
        let publication = Publication { pacts, clauses: clauses.clone(), ..of_order("1", 201) };
        let notices = exchange.publish(&publication, Moment::now()).await.unwrap();
        let warning = notices.iter().find(|notice| notice.kind == NoticeKind::Warning).expect("a warning");
        assert!(warning.text.contains("has no place for what order promises"), "{}", warning.text);
    }
}

#[tokio::test]
async fn a_version_that_changed_is_a_conflict_with_the_brokers_words() {
    let broker = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let exchange = at(&broker.url(), None);
    exchange.publish(&of_order("1", 201), Moment::now()).await.unwrap();
    exchange.publish(&of_order("1", 201), Moment::now()).await.expect("the same again is no change");
    let Err(Error::Conflict { what, notices }) = exchange.publish(&of_order("1", 200), Moment::now()).await else {
        panic!("it is a conflict");
    };
    assert_eq!(what, "Cannot change the content of the pact for order version 1 and provider payment");
    assert!(notices.iter().any(|notice| notice.text.contains("+      \"status\": 200")), "{notices:?}");
}

#[tokio::test]
async fn what_is_unknown_is_told_with_the_remedy() {
    let broker = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let exchange = at(&broker.url(), None);
    let told = exchange.record_presence("order", "1", "production", deployed(), Moment::now()).await.unwrap_err();
    assert!(told.to_string().contains("nothing is known of version 1 of order"), "{told}");
    exchange.publish(&of_order("1", 201), Moment::now()).await.unwrap();
    let told = exchange.record_presence("order", "1", "prod", deployed(), Moment::now()).await.unwrap_err();
    assert!(told.to_string().contains("`prod`") && told.to_string().contains("`production`"), "{told}");
    let told = exchange.can_deploy("order", "1", "prod").await.unwrap_err();
    assert!(told.to_string().contains("environment with name 'prod' does not exist"), "{told}");
    let told = exchange.record_result(&result(true), &Version::new("5")).await;
    assert!(told.is_ok(), "{told:?}");
}

#[tokio::test]
async fn an_environment_is_made_once() {
    let broker = squall_test_broker::Broker::start(Asks::Nothing).await.unwrap();
    let exchange = at(&broker.url(), None);
    for _ in 0..2 {
        exchange.create_environment("staging", false, Moment::now()).await.unwrap();
    }
    assert_eq!(exchange.environments().await.unwrap(), ["production", "staging", "test"]);
}

fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn who_asks_is_told_by_the_environment_and_never_shown() {
    const SECRET: &str = "s3cr3t-t0k3n";
    let broker = squall_test_broker::Broker::start(Asks::Token(SECRET.into())).await.unwrap();
    let nobody = at(&broker.url(), None).environments().await.unwrap_err();
    assert!(nobody.to_string().contains("answers 401: set PACT_BROKER_TOKEN"), "{nobody}");
    let wrong = Auth::from_variables(&variables(&[("PACT_BROKER_TOKEN", "wr0ng")])).unwrap();
    let wrong = at(&broker.url(), wrong).environments().await.unwrap_err();
    assert!(wrong.to_string().contains("is not accepted") && !wrong.to_string().contains("wr0ng"), "{wrong}");
    let right = Auth::from_variables(&variables(&[("PACT_BROKER_TOKEN", SECRET)])).unwrap();
    let right = at(&broker.url(), right);
    assert!(!format!("{right:?}").contains(SECRET));
    right.environments().await.unwrap();

    let broker = squall_test_broker::Broker::start(Asks::Basic("ci".into(), SECRET.into())).await.unwrap();
    let given = variables(&[("PACT_BROKER_USERNAME", "ci"), ("PACT_BROKER_PASSWORD", SECRET)]);
    at(&broker.url(), Auth::from_variables(&given).unwrap()).environments().await.unwrap();

    let both = variables(&[("PACT_BROKER_USERNAME", "ci"), ("PACT_BROKER_TOKEN", SECRET)]);
    let told = Auth::from_variables(&both).unwrap_err().to_string();
    assert!(told.contains("leave one kind out") && !told.contains(SECRET), "{told}");
    let told = Broker::at("https://ci:s3cr3t@broker.example", None).unwrap_err().to_string();
    assert!(told.contains("holds a user or a password") && !told.contains("s3cr3t"), "{told}");
}
