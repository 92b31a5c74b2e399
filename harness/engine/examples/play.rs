//! Plays one scenario file and says each event on a line of its own: `play RUNS SYSTEM SCENARIO`.
//!
//! The crash-safety test kills it at moments that it tells.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{env, fs, io::Write, path::Path, sync::Arc};

use squall_engine::{Event, Interrupt, Options, Progress, run};
use squall_record::Source;

/// One line an event, at once.
struct Lines;

impl Progress for Lines {
    fn report(&self, event: Event) {
        println!("{event:?}");
        // A reader that is gone does not matter to the run.
        let _ = std::io::stdout().flush();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [runs, system, scenario] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("RUNS SYSTEM SCENARIO");
    let source =
        |name: &str| Source { name: name.to_owned(), text: fs::read_to_string(name).expect("the file is there") };
    let folder = Path::new(&system).parent().expect("a file lies in a folder").to_owned();
    let (system, scenario) = (source(&system), source(&scenario));
    let loaded = squall_scenario::load(&system, &scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    // It is run beside everything else, and nobody judges its times.
    let options = Options { tolerate_late_starts: true, ..Options::new(runs, folder) };
    let left = run(system, scenario, loaded, options, Arc::new(Lines), Interrupt::new()).await;
    println!("{left:?}");
}
