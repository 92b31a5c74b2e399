//! What is shown while runs last: a line for each on a terminal, plain milestones elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use squall_engine::{Event, Progress};
use squall_record::RunPhase;

/// The screen that all runs of one command share.
#[derive(Clone)]
pub(super) struct Screen {
    bars: MultiProgress,
    live: bool,
    quiet: bool,
}

impl Screen {
    pub(super) fn new(quiet: bool) -> Screen {
        Screen { bars: MultiProgress::new(), live: io::stderr().is_terminal() && !quiet, quiet }
    }

    /// Prints to standard output without tearing the live lines. Output that cannot be written
    /// (the reader has gone) does not stop the runs: their exit code still counts.
    pub(super) fn print(&self, text: &str) {
        self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
    }

    /// Prints to standard error without tearing the live lines.
    pub(super) fn tell(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// A line for one run.
    pub(super) fn watch(&self, name: &str) -> Arc<Watch> {
        let bar = self.live.then(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Arc::new(Watch {
            screen: self.clone(),
            name: name.to_owned(),
            bar,
            faults: Mutex::default(),
            phase: Mutex::default(),
        })
    }
}

/// What one run shows.
pub(super) struct Watch {
    screen: Screen,
    name: String,
    bar: Option<ProgressBar>,
    faults: Mutex<Vec<String>>,
    phase: Mutex<String>,
}

impl Watch {
    /// Takes the line off the screen.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self) {
        let Some(bar) = &self.bar else { return };
        let phase = self.phase.lock().expect("no holder of this lock panics").clone();
        let faults = self.faults.lock().expect("no holder of this lock panics").join(", ");
        bar.set_message(if faults.is_empty() { phase } else { format!("{phase} · {faults}") });
    }

    /// A line of output: shown where there is a live line, in place of the one before.
    pub(super) fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.trim().to_owned());
        }
    }

    /// Something that stays on the screen.
    pub(super) fn note(&self, text: &str) {
        self.screen.tell(&format!("{}: {text}", self.name));
    }

    /// A milestone: shown where there is no live line to show it.
    pub(super) fn milestone(&self, text: &str) {
        match &self.bar {
            Some(_) => {
                *self.phase.lock().expect("no holder of this lock panics") = text.to_owned();
                self.show();
            }
            None if !self.screen.quiet => self.screen.tell(&format!("{}: {text}", self.name)),
            None => {}
        }
    }
}

impl Progress for Watch {
    fn report(&self, event: Event) {
        match event {
            Event::BuildStarted { command } => self.milestone(&format!("building: {command}")),
            Event::BuildLine { line } => self.line(&format!("building: {}", line.trim())),
            Event::BuildEnded { took, .. } => self.milestone(&format!("built in {}", seconds(took))),
            Event::SystemReady { took } => self.milestone(&format!("system ready in {} ms", took.as_millis())),
            Event::PhaseBegan { phase, lasts } => {
                let lasts = lasts.map(|l| format!(" ({})", seconds(l))).unwrap_or_default();
                *self.phase.lock().expect("no holder of this lock panics") = format!("{}{lasts}", word(phase));
                self.show();
            }
            Event::FaultStarted { fault } => {
                self.faults.lock().expect("no holder of this lock panics").push(fault);
                self.show();
            }
            Event::FaultHealed { fault } => {
                self.faults.lock().expect("no holder of this lock panics").retain(|f| *f != fault);
                self.show();
            }
            Event::ServiceDied { service, instance, how } => {
                self.screen.tell(&format!("{}: {service} (instance {instance}) died: {how}", self.name));
            }
            Event::Note { text } => self.note(&text),
            _ => {}
        }
    }
}

fn word(phase: RunPhase) -> &'static str {
    match phase {
        RunPhase::Start => "starting",
        RunPhase::Setup => "setup",
        RunPhase::Gate => "gate",
        RunPhase::Load => "load",
        RunPhase::Settle => "settling",
        RunPhase::Stop => "stopping",
    }
}

/// Seconds to one decimal, as people read them.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
