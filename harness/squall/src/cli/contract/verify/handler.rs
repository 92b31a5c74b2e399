//! Who sets provider states: a program that runs already, or one that is started for this.

use std::{collections::BTreeMap, io, net::TcpListener, path::Path, time::Duration};

use squall_engine::{Beside, Interrupt};
use squall_scenario::{command, model::System};
use tokio::time::{Instant, sleep};

use super::{
    Verify,
    failed::{Failed, environment, mistake},
};
use crate::{cli::exit::Exit, play::RUNS, verify::States};

/// The variable that tells a state handler where to listen.
const STATES_LISTEN: &str = "STATES_LISTEN";
/// How long a state handler may take until it listens: it may be built first.
const STATES_WITHIN: Duration = Duration::from_secs(120);

/// Who sets states; a command is started, and waited for until it listens.
#[expect(clippy::disallowed_methods, reason = "whether a real program listens is seen by connecting to it")]
pub(super) async fn states(
    args: &Verify,
    model: &System,
    interrupt: &Interrupt,
) -> Result<(Option<Beside>, Option<States>), Failed> {
    if let Some(url) = &args.states {
        return Ok((None, Some(States::at(url).map_err(mistake)?)));
    }
    let Some(text) = &args.states_command else { return Ok((None, None)) };
    let words = command::words(text).map_err(|why| mistake(format!("`--states-command`: {why}")))?;
    let address = free_address().map_err(environment)?;
    let folder = args.system.parent().unwrap_or(Path::new("")).join(&model.root).join(RUNS);
    std::fs::create_dir_all(&folder).map_err(environment)?;
    let log = folder.join("states.log");
    let told = BTreeMap::from([(STATES_LISTEN.to_owned(), address.clone())]);
    let cannot = |why: io::Error| mistake(format!("`{text}` could not be started: {why}"));
    let handler = Beside::start(&words, Path::new("."), &told, &log).map_err(cannot)?;
    let began = Instant::now();
    loop {
        if tokio::net::TcpStream::connect(&address).await.is_ok() {
            break;
        }
        let shown = || std::fs::read_to_string(&log).unwrap_or_default();
        if let Some(how) = handler.ended() {
            return Err(environment(format!("`{text}` ended with {how} before it listened\n{}", shown())));
        }
        if began.elapsed() > STATES_WITHIN {
            let why = format!("`{text}` did not listen on {address} ({STATES_LISTEN}) within {STATES_WITHIN:?}");
            return Err(environment(format!("{why}\n{}", shown())));
        }
        if interrupt.is_stopped() {
            return Err(Failed::Stopped(Exit::Interrupted));
        }
        sleep(Duration::from_millis(20)).await;
    }
    let states = States::at(&format!("http://{address}/")).map_err(environment)?;
    Ok((Some(handler), Some(states)))
}

/// An address that was free a moment ago: whoever is told it takes it next.
#[expect(clippy::disallowed_methods, reason = "a real program is told a real port")]
fn free_address() -> io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
