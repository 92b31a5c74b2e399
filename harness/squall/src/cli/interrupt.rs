//! What Ctrl-C does: the first heals and cleans, the second exits at once.

use std::io::Write;

use squall_engine::Interrupt;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;

/// Watches for SIGINT and SIGTERM until the runtime ends.
#[expect(clippy::disallowed_methods, reason = "the command line runs on real processes only, never in simulation")]
pub(super) fn watch(interrupt: Interrupt) {
    // Registered before anything is started, so that no signal finds the default action.
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return;
    };
    tokio::spawn(async move {
        asked(&mut int, &mut term).await;
        let _ = writeln!(std::io::stderr(), "\ninterrupted: healing and cleaning; once more to exit at once");
        interrupt.stop();
        asked(&mut int, &mut term).await;
        // The supervisor ends every child when this process is gone.
        std::process::exit(Exit::Interrupted.number().into());
    });
}

async fn asked(int: &mut Signal, term: &mut Signal) {
    tokio::select! {
        biased;
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
}
