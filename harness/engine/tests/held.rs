//! Systems that are held up without a scenario.

#![expect(clippy::disallowed_methods, reason = "these tests ask real processes")]

mod ledger;

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use squall_engine::{Beside, Held, Holding, Interrupt, NotHeld, Options, Silent, hold};
use squall_record::{Record, Source, What};

async fn held(runs: &Path, process: &str, services: &[&str], interrupt: Interrupt) -> Result<Held, NotHeld> {
    let text = ledger::system(process);
    let system = Source { name: "system.yaml".to_owned(), text };
    let model = squall_scenario::load_system(&system).unwrap();
    let mut options = Options::new(runs, runs);
    options.ready_within = Duration::from_secs(10);
    let holding = Holding {
        name: "held".to_owned(),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
        variables: [("back".to_owned(), [("BRACES".to_owned(), "{{ as }} they are".to_owned())].into())].into(),
    };
    hold(system, &model, holding, options, Arc::new(Silent), interrupt).await
}

fn front() -> String {
    format!("run: [{}]", ledger::program("ledger").display())
}

fn status(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: ledger\r\n\r\n").unwrap();
    // The ledger keeps its connections open.
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn a_system_is_up_until_it_is_let_go_and_leaves_its_record_and_logs() {
    let runs = tempfile::tempdir().unwrap();
    let held = held(runs.path(), &front(), &[], Interrupt::new()).await.unwrap();
    assert_eq!(held.addresses().keys().collect::<Vec<_>>(), ["back", "front"]);
    for at in held.addresses().values() {
        assert_eq!(status(*at, "/entries"), "HTTP/1.1 200 .");
    }
    let folder = std::fs::canonicalize(runs.path().join("latest")).unwrap();
    let back = ledger::processes_of(&folder).into_iter().find(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains("BRACES={{ as }} they are")
    });
    assert!(back.is_some(), "no process has the variable");
    let left = held.stop().await.unwrap();
    assert!(!left.interrupted && left.environment_failed.is_none(), "{left:?}");
    assert_eq!(ledger::processes_of(&left.folder), [0u32; 0]);
    let record = Record::parse(&std::fs::read_to_string(&left.record).unwrap()).unwrap();
    assert!(matches!(record.facts.last().unwrap().what, What::RunEnded { interrupted: false, .. }));
    assert!(left.folder.join("logs/front.log").exists());
}

#[tokio::test]
async fn only_what_is_asked_for_is_started_with_what_it_needs() {
    let runs = tempfile::tempdir().unwrap();
    let back = held(runs.path(), &front(), &["back"], Interrupt::new()).await.unwrap();
    assert_eq!(back.addresses().keys().collect::<Vec<_>>(), ["back"]);
    back.stop().await.unwrap();
    let front = held(runs.path(), &front(), &["front"], Interrupt::new()).await.unwrap();
    assert_eq!(front.addresses().keys().collect::<Vec<_>>(), ["back", "front"]);
    front.stop().await.unwrap();
}

#[tokio::test]
async fn a_system_that_nobody_holds_any_more_comes_down_by_itself() {
    let runs = tempfile::tempdir().unwrap();
    drop(held(runs.path(), &front(), &[], Interrupt::new()).await.unwrap());
    let folder = std::fs::canonicalize(runs.path().join("latest")).unwrap();
    while !ledger::processes_of(&folder).is_empty() || folder.join("owner.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_does_not_come_up_is_told() {
    let runs = tempfile::tempdir().unwrap();
    let broken = "run: [/bin/sh, -c, 'echo the config is wrong; exit 7']";
    match held(runs.path(), broken, &[], Interrupt::new()).await {
        Err(NotHeld::Environment { why, folder }) => {
            assert!(why.contains("exit status 7") && why.contains("the config is wrong"), "{why}");
            assert_eq!(ledger::processes_of(&folder), [0u32; 0]);
        }
        other => panic!("{other:?}"),
    }
    let interrupt = Interrupt::new();
    interrupt.stop();
    let waits = "run: [/bin/sh, -c, 'exec sleep 600']";
    assert!(matches!(held(runs.path(), waits, &[], interrupt).await, Err(NotHeld::Interrupted)));
}

#[tokio::test]
async fn a_program_beside_dies_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["/bin/sh", "-c", "echo $GREETING; exec sleep 600"].map(str::to_owned);
    let variables = [("GREETING".to_owned(), "hello".to_owned())].into();
    let log = folder.path().join("beside.log");
    let beside = Beside::start(&words, folder.path(), &variables, &log).unwrap();
    while std::fs::read_to_string(&log).unwrap() != "hello\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(beside.ended(), None);
    let label = "GREETING=hello";
    let lives = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("environ")).ok())
            .any(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == label.as_bytes()))
    };
    assert!(lives());
    drop(beside);
    while lives() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
