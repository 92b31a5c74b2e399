//! Two ledgers as a system, played by the engine.

#![allow(dead_code, reason = "each test program uses its part of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use squall_engine::{Event, Interrupt, Options, Progress, RunLeft, Silent, run};
use squall_record::{Fact, Record, Source, What};

/// The program: an example of this crate, built beside its tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let debug = test.ancestors().nth(2).expect("it lies in `deps`");
    debug.join("examples").join(name)
}

/// A run that is over.
pub(crate) struct Ran {
    /// What it left.
    pub(crate) left: RunLeft,
    record: Record,
    _runs: tempfile::TempDir,
}

impl Ran {
    /// The facts.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.record.facts
    }

    /// How many facts are such.
    pub(crate) fn count(&self, seen: impl Fn(&What) -> bool) -> usize {
        self.facts().iter().filter(|fact| seen(&fact.what)).count()
    }

    /// Where the first such fact stands.
    pub(crate) fn position(&self, seen: impl Fn(&What) -> bool) -> usize {
        self.facts()
            .iter()
            .position(|fact| seen(&fact.what))
            .unwrap_or_else(|| panic!("it is not in the record; the environment: {:?}", self.left.environment_failed))
    }

    /// The names in the run's folder.
    pub(crate) fn names_left(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.left.folder).expect("the folder stays");
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Processes that carry the run's label.
    pub(crate) fn processes_left(&self) -> Vec<u32> {
        processes_of(&self.left.folder)
    }
}

/// Processes that carry the label of a run, zombies left out.
pub(crate) fn processes_of(folder: &Path) -> Vec<u32> {
    let label = format!("SQUALL_RUN={}", folder.display());
    let numbers =
        fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let labelled = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == label.as_bytes())
    };
    numbers.filter(labelled).collect()
}

/// The system file, with this as the `process` of `front`.
pub(crate) fn system(front: &str) -> String {
    let ledger = program("ledger");
    format!(
        "
schema: 1
system: ledgers
services:
  front:
    process:
      {front}
    listen: LISTEN
    ready: GET /readyz
    calls: {{ back: {{ variable: UPSTREAM, timeout: 1s }} }}
    database: {{ variables: {{ FILE: '{{{{ database.path }}}}' }}, process: sqlite }}
  back:
    process: {{ run: [{ledger}] }}
    listen: LISTEN
    ready: GET /readyz
    database: {{ variables: {{ FILE: '{{{{ database.path }}}}' }}, process: sqlite }}
operations:
  put-entry:
    call: PUT front /entries/{{entry}}
    with: {{ entry: '{{{{ uuid() }}}}' }}
    json: {{ amount: '{{{{ int(1, 9) }}}}' }}
    succeeded: status in [200, 201]
    keep: {{ entry: answer.body.id }}
    find: 'GET front /entries/{{path.entry}}'
  end-it:
    call: PUT back /end
    succeeded: status == 200
sagas:
  put-entry:
    started_by: put-entry
    steps:
      - pass-on: {{ do: 'PUT back /entries/{{id}}', key: path.id }}
    ends:
      read: 'GET front /entries/{{entry}}'
      done: answer.body.status == 'done'
      undone: answer.body.status == 'undone'
reads:
  front: GET front /entries
  back: GET back /entries
  kept: {{ each: put-entry, call: 'GET front /entries/{{entry}}' }}
invariants:
  nothing-is-lost: front.count <= back.count
",
        ledger = ledger.display()
    )
}

/// The scenario file, with this as its body.
pub(crate) fn scenario(name: &str, body: &str) -> String {
    format!(
        "schema: 1\nscenario: {name}\ntitle: A test\nsystem: system.yaml\nseed: 7\n{body}\nexpect:\n  - invariant: nothing-is-lost\n"
    )
}

/// Plays a scenario of the two ledgers.
pub(crate) async fn play(name: &str, body: &str) -> Ran {
    play_with(name, body, |_| {}, None).await
}

/// Plays a scenario in which `front` runs like this.
pub(crate) async fn play_process(name: &str, front: &str, body: &str, choose: impl FnOnce(&mut Options)) -> Ran {
    play_texts(&system(front), &scenario(name, body), choose, None).await
}

/// Plays a scenario with other options, and interrupts it when this phase begins.
pub(crate) async fn play_with(name: &str, body: &str, choose: impl FnOnce(&mut Options), until: Option<&str>) -> Ran {
    let front = format!("run: [{}]", program("ledger").display());
    play_texts(&system(&front), &scenario(name, body), choose, until).await
}

async fn play_texts(system: &str, scenario: &str, choose: impl FnOnce(&mut Options), until: Option<&str>) -> Ran {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let (system, scenario) = (source("system.yaml", system), source("scenario.yaml", scenario));
    let loaded = squall_scenario::load(&system, &scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let runs = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(runs.path().join("runs"), runs.path());
    // What these tests ask does not hang on the time, and every other test runs beside them.
    options.tolerate_late_starts = true;
    choose(&mut options);
    let interrupt = Interrupt::new();
    let progress: Arc<dyn Progress> = match until {
        Some(phase) => Arc::new(StopsAt { phase: phase.to_owned(), interrupt: Mutex::new(interrupt.clone()) }),
        None => Arc::new(Silent),
    };
    let left = run(system, scenario, loaded, options, progress, interrupt).await.expect("a run leaves a record");
    let text = fs::read_to_string(&left.record).expect("the record is there");
    Ran { left, record: Record::parse(&text).expect("it is a record"), _runs: runs }
}

/// Plays two texts as they are.
pub(crate) async fn play_system(system: &str, scenario: &str) -> Ran {
    play_texts(system, scenario, |_| {}, None).await
}

/// Starts a run, drops its future when this phase begins, and says where the run is.
pub(crate) async fn drop_at(name: &str, body: &str, phase: &str) -> (PathBuf, tempfile::TempDir) {
    let source = |name: &str, text: String| Source { name: name.to_owned(), text };
    let front = format!("run: [{}]", program("ledger").display());
    let (system, scenario) = (source("system.yaml", system(&front)), source("scenario.yaml", scenario(name, body)));
    let loaded = squall_scenario::load(&system, &scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let runs = tempfile::tempdir().expect("a folder");
    let options = Options::new(runs.path().join("runs"), runs.path());
    let reached = Interrupt::new();
    let progress = Arc::new(StopsAt { phase: phase.to_owned(), interrupt: Mutex::new(reached.clone()) });
    tokio::select! {
        left = run(system, scenario, loaded, options, progress, Interrupt::new()) => panic!("it ended before: {left:?}"),
        () = reached.stopped() => {}
    }
    (fs::canonicalize(runs.path().join("runs/latest")).expect("it has a folder"), runs)
}

/// Interrupts the run when a phase begins.
struct StopsAt {
    phase: String,
    interrupt: Mutex<Interrupt>,
}

impl Progress for StopsAt {
    fn report(&self, event: Event) {
        if let Event::PhaseBegan { phase, .. } = event
            && format!("{phase:?}") == self.phase
        {
            self.interrupt.lock().expect("held briefly").stop();
        }
    }
}
