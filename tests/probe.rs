//! The reference system's consumer bears every answer that its contracts declare, whole and broken in every way.

use std::{path::PathBuf, sync::Arc};

use squall::{
    Seed, pacts,
    play::{RUNS, Subject},
    probe::{Ground, Probing, probe, report},
    suite::jobs_by_default,
};
use squall_contract::model;
use squall_engine::{Interrupt, Options, Silent};

#[tokio::test]
async fn order_bears_every_broken_answer() {
    let Subject { system, system_folder, mut loaded, .. } =
        Subject::read(&PathBuf::from("../scenarios/saga/lost-answers.yaml")).unwrap();
    loaded.scenario.name = "probe".to_owned();
    loaded.scenario.load.clear();
    loaded.scenario.faults.clear();
    loaded.scenario.expect.clear();
    loaded.scenario.gate = None;
    let root = system_folder.join(&loaded.system.root);
    let sources = pacts::read(&root.join(loaded.system.contracts.as_ref().unwrap())).unwrap();
    let with = Probing {
        ground: Ground {
            system,
            loaded,
            options: Options::new(root.join(RUNS), system_folder),
            progress: Arc::new(Silent),
            interrupt: Interrupt::new(),
        },
        consumer: "order".to_owned(),
        pacts: sources
            .iter()
            .map(|source| (source.name.clone(), model::read(&source.name, &source.text).unwrap()))
            .collect(),
        only: None,
        seed: Seed(7),
        jobs: jobs_by_default(squall::Backend::Process),
    };
    let probed = probe(&with, &|_| {}).await.unwrap();
    let text = format!("{}\n{}", report::text(&probed), report::tally(&probed));
    assert!(probed.unreached.is_empty(), "{text}");
    assert!(probed.played.len() > 300, "{text}");
    assert!(report::tally(&probed) == format!("{} held", probed.played.len()), "{text}");
}
