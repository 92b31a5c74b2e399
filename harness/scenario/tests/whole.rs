//! The whole language, each form once: what is written is what is read.

use squall_scenario::{
    Loaded, Source, load,
    model::{Expectation, FileText, Given, Inject, Listen, ListenForm, Target},
};

fn whole() -> Loaded {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let system = source("system.yaml", include_str!("whole/system.yaml"));
    let scenario = source("scenario.yaml", include_str!("whole/scenario.yaml"));
    load(&system, &scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn every_form_of_a_system_is_read() {
    let system = whole().system;
    insta::assert_debug_snapshot!(system);
    let web = system.service("web").unwrap();
    assert_eq!(web.listen, Listen::InTemplate);
    assert_eq!(web.calls[0].given, Given::InTemplate);
    assert!(matches!(web.process.as_ref().unwrap().files[2].from, FileText::Inline(_)));
    let search = system.service("search").unwrap();
    assert_eq!(search.listen, Listen::Variable { name: "PORT".to_owned(), holds: ListenForm::Port });
    assert_eq!(system.edges().len(), 9);
}

#[test]
fn every_form_of_a_scenario_is_read() {
    let loaded = whole();
    let scenario = loaded.scenario;
    insta::assert_debug_snapshot!(scenario);
    assert_eq!(scenario.faults.len(), 35);
    assert!(scenario.faults.iter().all(|fault| !matches!(fault.inject, Inject::NotYet { .. })));
    assert!(scenario.expect.iter().all(|expectation| !matches!(expectation, Expectation::NotYet { .. })));
    let Target::Edges(edges) = &scenario.fault("f13").unwrap().on else { panic!() };
    assert_eq!(edges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web -> legacy", "api -> legacy"]);
}

#[test]
fn a_fixed_address_is_a_warning() {
    let warnings = whole().warnings;
    let messages: Vec<&str> = warnings.list().iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, ["runs of this system cannot go side by side"], "{warnings}");
}
