//! What a folder must hold.

use serde_json::json;

use super::*;
use crate::pact::ContentId;

fn pact(provider: &str, status: u16) -> Pact {
    let json = json!({
        "consumer": { "name": "order" },
        "provider": { "name": provider },
        "interactions": [{ "description": "a charge", "response": { "status": status } }],
    });
    Pact::read("order.json", &json.to_string()).unwrap()
}

fn at(n: u64) -> Moment {
    Moment::of(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n))
}

fn of_order(number: &str, pacts: Vec<Pact>) -> Publication {
    Publication {
        participant: "order".to_owned(),
        version: Version::new(number).on_branch("main"),
        pacts,
        clauses: vec![],
    }
}

fn result(version: &str, content: &ContentId, success: bool) -> VerificationResult {
    VerificationResult {
        provider: "payment".to_owned(),
        provider_version: version.to_owned(),
        consumer: "order".to_owned(),
        content: content.clone(),
        success,
        verified_at: at(5),
        build_url: None,
        interactions: Vec::new(),
    }
}

fn deployed() -> How {
    How::Deployed { instance: None }
}

#[test]
fn an_empty_folder_knows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Folder::at(folder.path().join("none")).ledger().unwrap(), Ledger::default());
    assert!(!folder.path().join("none").exists(), "asking makes nothing");
}

#[test]
fn from_a_pact_to_a_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    let pact = pact("payment", 201);
    folder.publish(&of_order("1", vec![pact.clone()]), &at(1)).unwrap();
    folder.create_environment("production", true, &at(1)).unwrap();
    folder.record_result(&result("5", &pact.content, true), &Version::new("5")).unwrap();
    let asked = |version: &str| folder.ledger().unwrap().can_deploy("order", version, "production").unwrap().deployable;
    assert_eq!(asked("1"), None);
    folder.record_presence("payment", "5", "production", deployed(), &at(2)).unwrap();
    assert_eq!(asked("1"), Some(true));
    folder.record_result(&result("6", &pact.content, false), &Version::new("6")).unwrap();
    folder.record_presence("payment", "6", "production", deployed(), &at(3)).unwrap();
    assert_eq!(asked("1"), Some(false), "6 took the place of 5");
    folder.record_absence("payment", "6", "production", deployed(), &at(4)).unwrap();
    assert_eq!(asked("1"), None);
    assert_eq!(folder.pacts_of_provider("payment").unwrap()[0].content, pact.content);
}

#[test]
fn a_released_version_stays_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    let pact = pact("payment", 201);
    folder.create_environment("stores", true, &at(1)).unwrap();
    for version in ["5", "6"] {
        folder.record_result(&result(version, &pact.content, true), &Version::new(version)).unwrap();
        folder.record_presence("payment", version, "stores", How::Released, &at(2)).unwrap();
    }
    assert_eq!(folder.ledger().unwrap().present.len(), 2);
}

fn promising(status: u16) -> Publication {
    let text = format!("answers: [{status}]");
    let clauses = vec![Clauses::new("order", "payment", &text, &json!({ "answers": [status] }))];
    Publication { clauses, ..of_order("1", vec![pact("payment", 201)]) }
}

fn came_to(clauses: &Clauses, success: Option<bool>) -> ClauseResult {
    ClauseResult {
        consumer: clauses.consumer.clone(),
        consumer_version: "1".to_owned(),
        provider: clauses.provider.clone(),
        content: Some(clauses.content.clone()),
        success,
        recorded_at: at(5),
        summary: String::new(),
    }
}

#[test]
fn clauses_that_were_published_are_unknown_until_they_were_tried() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    let published = promising(503);
    let pact = published.pacts[0].content.clone();
    folder.publish(&published, &at(1)).unwrap();
    folder.create_environment("production", true, &at(1)).unwrap();
    folder.record_result(&result("5", &pact, true), &Version::new("5")).unwrap();
    folder.record_presence("payment", "5", "production", deployed(), &at(2)).unwrap();
    let asked = || folder.ledger().unwrap().can_deploy("order", "1", "production").unwrap();
    assert_eq!(asked().deployable, None);
    assert!(asked().reason.starts_with("Nobody has tried whether version 1 of order bears"), "{}", asked().reason);
    // What other clauses came to says nothing of these.
    folder.record_clause(&came_to(&promising(500).clauses[0], Some(true)), &Version::new("1")).unwrap();
    assert_eq!(asked().deployable, None);
    for (success, said) in [(Some(true), "1 of order bears"), (Some(false), "does not bear"), (None, "not seen to")] {
        let notices = folder.record_clause(&came_to(&published.clauses[0], success), &Version::new("1")).unwrap();
        assert!(notices[0].text.contains(said), "{}", notices[0].text);
        assert_eq!(asked().deployable, success);
    }
    // Whoever is a provider only has nothing to do with it.
    let of_payment = folder.ledger().unwrap().can_deploy("payment", "5", "production").unwrap();
    assert_eq!(of_payment.deployable, Some(true));
}

#[test]
fn a_version_never_changes_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    folder.publish(&promising(503), &at(1)).unwrap();
    folder.publish(&promising(503), &at(2)).expect("the same content may come again");
    let before = folder.ledger().unwrap();
    let mut changed = promising(500);
    changed.pacts.push(pact("inventory", 201));
    let refused = folder.publish(&changed, &at(3)).unwrap_err();
    assert_eq!(folder.ledger().unwrap(), before, "nothing of it was written");
    let Error::Conflict { notices, .. } = refused else { panic!("it is a conflict: {refused}") };
    assert!(notices[1].text.contains("-answers: [503]\n+answers: [500]"), "{}", notices[1].text);
}

#[test]
fn a_version_never_changes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    folder.publish(&of_order("1", vec![pact("payment", 201)]), &at(1)).unwrap();
    folder.publish(&of_order("1", vec![pact("payment", 201)]), &at(2)).expect("the same content may come again");
    let before = folder.ledger().unwrap();
    // The first would be new; the second changes. Neither is written.
    let refused =
        folder.publish(&of_order("1", vec![pact("inventory", 201), pact("payment", 200)]), &at(3)).unwrap_err();
    assert_eq!(folder.ledger().unwrap(), before);
    let Error::Conflict { what, notices } = refused else { panic!("it is a conflict: {refused}") };
    assert_eq!(what, "version 1 of order stands for other content already");
    assert!(notices[1].text.contains("-        \"status\": 201\n+        \"status\": 200"), "{}", notices[1].text);
}

#[test]
fn what_is_unknown_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::at(folder.path());
    let told = |what: Result<Vec<Notice>, Error>| what.unwrap_err().to_string();
    let no_environment = told(folder.record_presence("order", "1", "production", deployed(), &at(1)));
    assert!(no_environment.contains("squall contract create-environment"), "{no_environment}");
    folder.create_environment("production", true, &at(1)).unwrap();
    let no_version = told(folder.record_presence("order", "1", "production", deployed(), &at(1)));
    assert!(no_version.contains("publish its pacts"), "{no_version}");
    folder.publish(&of_order("1", vec![pact("payment", 201)]), &at(1)).unwrap();
    let not_there = told(folder.record_absence("order", "1", "production", deployed(), &at(1)));
    assert!(not_there.contains("nothing to end"), "{not_there}");
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let of = Folder::at(folder.path());
    of.publish(&of_order("1", vec![pact("payment", 201)]), &at(1)).unwrap();
    let path = of.layout.pact("order", "1", "payment");
    std::fs::write(&path, "<<<<<<< HEAD").unwrap();
    let told = of.ledger().unwrap_err().to_string();
    assert!(told.contains("payment.json` is damaged") && told.contains("restore it"), "{told}");
}

#[test]
fn what_cannot_be_written_is_told_with_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let of = Folder::at(folder.path());
    // A file where a folder is due.
    std::fs::create_dir_all(of.layout.version_folder("order", "1").join("pacts")).unwrap();
    std::fs::create_dir(of.layout.pact("order", "1", "payment").with_extension("json.new")).unwrap();
    let told = of.publish(&of_order("1", vec![pact("inventory", 201), pact("payment", 201)]), &at(1)).unwrap_err();
    let told = told.to_string();
    assert!(
        told.contains("payment.json`") && told.contains("written before that") && told.contains("inventory.json"),
        "{told}"
    );
}

#[test]
fn several_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let of = Folder::at(folder.path());
    std::thread::scope(|scope| {
        for n in 0..8u64 {
            let of = &of;
            scope.spawn(move || {
                let number = n.to_string();
                of.publish(&of_order(&number, vec![pact("payment", 201)]), &at(n)).unwrap();
                of.publish(
                    &Publication { version: Version::new("same").on_branch(number), ..of_order("", vec![]) },
                    &at(n),
                )
                .unwrap();
            });
        }
    });
    assert_eq!(of.ledger().unwrap().versions.len(), 9);
    let same: VersionFile = files::read_json(&of.layout.version("order", "same")).unwrap().unwrap();
    assert_eq!(same.branches.len(), 8);
}
