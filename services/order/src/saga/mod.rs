//! The saga of one order as a pure machine: log entries in, the next thing to do out.
//!
//! ```text
//!            Do(Reserve) ──▶ Do(Charge) ──▶ Confirm
//!                 │               │
//!       refused, not sent, indeterminate, or a cancellation asked for
//!                 ▼               ▼
//!              Undo(Reserve) ◀── Undo(Charge) ◀── BeginUndo
//!                 └──▶ Cancel
//! ```
//!
//! Nothing here sends, waits or stores. Whoever drives the machine writes an [`Entry::Intent`]
//! before each send and an [`Entry::Result`] after it; a machine rebuilt from the entries that
//! reached the disk therefore knows everything that may have happened in the world.
//!
//! One rule carries the rest: **a step that was intended and whose result is not a first-hand
//! "no" may have happened.** It is either sent again under the same key, or undone. It is never
//! assumed either way.

mod entry;
#[cfg(test)]
mod laws;

pub use entry::{Action, Cause, Entry, Outcome, Refusal, Step};

/// What the machine wants done next. See [`Saga::next`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write the intent, send the call, write the result.
    Send(Action),
    /// Write that the saga goes backwards from here on, and why.
    BeginUndo(Cause),
    /// Every step stands: write the end `confirmed` together with its event.
    Confirm,
    /// No step stands: write the end `cancelled` together with its event.
    Cancel,
    /// The end is written.
    Ended(End),
}

/// How a saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every step's effect stands once.
    Confirmed,
    /// No step's effect stands.
    Cancelled,
}

/// An entry that this saga's log cannot hold at this place. The log was damaged, or we are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saga log cannot hold `{entry:?}` here: {why}")]
pub struct Misplaced {
    /// The entry that does not fit.
    pub entry: Entry,
    /// Which law it breaks.
    pub why: &'static str,
}

/// What is known of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Track {
    /// A send was intended and its result is not written (yet, or ever).
    in_flight: bool,
    /// Some send of it may have had, or may yet have, an effect that no answer told us of.
    in_doubt: bool,
    known: Known,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    Done,
    Undone,
}

impl Track {
    fn may_stand(self) -> bool {
        match self.known {
            Known::Done => true,
            Known::Undone => false,
            Known::Nothing => self.in_flight || self.in_doubt,
        }
    }
}

/// One order's saga, as far as its log tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saga {
    tracks: [Track; Step::ALL.len()],
    failed: Option<Cause>,
    undoing: Option<Cause>,
    end: Option<End>,
    fruitless: u32,
    undo_refused: bool,
}

impl Saga {
    /// The machine after all of `entries`, oldest first.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Saga, Misplaced> {
        let mut saga = Saga::default();
        for entry in entries {
            saga.apply(entry)?;
        }
        Ok(saga)
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        if let Some(end) = self.end {
            return Next::Ended(end);
        }
        if self.undoing.is_some() {
            let standing = Step::ALL.into_iter().rev().find(|step| self.track(*step).may_stand());
            return standing.map_or(Next::Cancel, |step| Next::Send(Action::Undo(step)));
        }
        if let Some(cause) = &self.failed {
            return Next::BeginUndo(cause.clone());
        }
        let due = Step::ALL.into_iter().find(|step| self.track(*step).known != Known::Done);
        due.map_or(Next::Confirm, |step| Next::Send(Action::Do(step)))
    }

    /// Takes one written entry in.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Misplaced> {
        let misplaced = |why| Err(Misplaced { entry: entry.clone(), why });
        if self.end.is_some() {
            return misplaced("the saga has ended");
        }
        match entry {
            Entry::Intent(action) => {
                if self.next() != Next::Send(*action) {
                    return misplaced("this call is not due");
                }
                let track = self.track_mut(action.step());
                // A second intent without a result between them: a crash swallowed the first.
                // Of an undo that changes nothing, for it is repeated until it is done.
                track.in_doubt |= track.in_flight;
                track.in_flight = true;
            }
            Entry::Result(action, outcome) => {
                if !self.track(action.step()).in_flight || self.next() != Next::Send(*action) {
                    return misplaced("this call was not intended");
                }
                match action {
                    Action::Do(step) => self.did(*step, outcome),
                    Action::Undo(step) => self.undid(*step, outcome),
                }
            }
            Entry::UndoBegan(cause) => {
                if self.undoing.is_some() {
                    return misplaced("the undoing had begun already");
                }
                self.undoing = Some(cause.clone());
                // Whatever is in flight now will never be waited for.
                for track in &mut self.tracks {
                    track.in_doubt |= std::mem::take(&mut track.in_flight);
                }
            }
            Entry::Confirmed => {
                if self.next() != Next::Confirm {
                    return misplaced("not every step is done");
                }
                self.end = Some(End::Confirmed);
            }
            Entry::Cancelled => {
                if self.next() != Next::Cancel {
                    return misplaced("some step may still stand");
                }
                self.end = Some(End::Cancelled);
            }
        }
        Ok(())
    }

    fn did(&mut self, step: Step, outcome: &Outcome) {
        let track = self.track_mut(step);
        track.in_flight = false;
        match outcome {
            Outcome::Done => track.known = Known::Done,
            // The callee said no to *this* attempt. An earlier one of doubtful fate may still arrive and be let in, so
            // the doubt stays, and with it the undo.
            Outcome::Refused(refusal) => {
                track.in_doubt |= refusal.after_doubt;
                self.failed = Some(Cause::Refused(step, refusal.clone()));
            }
            Outcome::NothingSent => self.failed = Some(Cause::Unreachable(step)),
            Outcome::Indeterminate => {
                track.in_doubt = true;
                self.failed = Some(Cause::Unreachable(step));
            }
        }
    }

    fn undid(&mut self, step: Step, outcome: &Outcome) {
        match outcome {
            Outcome::Done => {
                *self.track_mut(step) = Track { known: Known::Undone, ..Track::default() };
                self.fruitless = 0;
                self.undo_refused = false;
            }
            Outcome::Refused(_) => {
                self.undo_refused = true;
                self.fruitless += 1;
            }
            Outcome::NothingSent | Outcome::Indeterminate => self.fruitless += 1,
        }
        // An undo is due until it is done: what may stand must not be forgotten with the flight.
        let track = self.track_mut(step);
        if track.known == Known::Nothing {
            track.in_doubt = true;
        }
        track.in_flight = false;
    }

    /// Why the saga goes backwards, once it does.
    pub fn undoing(&self) -> Option<&Cause> {
        self.undoing.as_ref()
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Calls of the present undo that brought nothing, in a row.
    pub fn fruitless(&self) -> u32 {
        self.fruitless
    }

    /// Whether a person should look: an undo was refused outright, or came to nothing
    /// `patience` times in a row.
    pub fn needs_attention(&self, patience: u32) -> bool {
        self.end.is_none() && (self.undo_refused || self.fruitless >= patience.max(1))
    }

    /// Whether the answer to this step's send is unknown and it would be sent again as it was.
    pub fn is_in_doubt(&self, step: Step) -> bool {
        let track = self.track(step);
        track.known == Known::Nothing && (track.in_doubt || track.in_flight)
    }

    fn track(&self, step: Step) -> Track {
        self.tracks[step as usize]
    }

    fn track_mut(&mut self, step: Step) -> &mut Track {
        &mut self.tracks[step as usize]
    }
}
