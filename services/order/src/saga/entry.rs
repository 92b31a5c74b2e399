//! The words of the saga log.

use serde::{Deserialize, Serialize};

/// A step of the saga, in the order in which the steps go forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Inventory sets the goods aside.
    Reserve = 0,
    /// Payment takes the money.
    Charge = 1,
}

impl Step {
    /// All steps, forward order.
    pub const ALL: [Step; 2] = [Step::Reserve, Step::Charge];
}

/// A call to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Forward.
    Do(Step),
    /// Its compensation: a release, a refund.
    Undo(Step),
}

impl Action {
    /// Every call that a saga can make.
    pub const ALL: [Action; 4] =
        [Action::Do(Step::Reserve), Action::Do(Step::Charge), Action::Undo(Step::Charge), Action::Undo(Step::Reserve)];

    /// The step that is done or undone.
    pub fn step(self) -> Step {
        match self {
            Action::Do(step) | Action::Undo(step) => step,
        }
    }

    /// Its name in the log: `reserve`, `charge`, `refund` or `release`.
    pub fn name(self) -> &'static str {
        match self {
            Action::Do(Step::Reserve) => "reserve",
            Action::Do(Step::Charge) => "charge",
            Action::Undo(Step::Charge) => "refund",
            Action::Undo(Step::Reserve) => "release",
        }
    }

    /// The action of this name.
    pub fn named(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// What the caller learned of one call, all its attempts together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The callee said that it is so.
    Done,
    /// The callee said no, and that nothing was done.
    Refused(Refusal),
    /// No byte of it left: the breaker was open, or nobody accepted a connection.
    NothingSent,
    /// It was sent and no usable answer came. It may have happened, and may yet happen.
    Indeterminate,
}

impl Outcome {
    /// Its name in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused(_) => "refused",
            Outcome::NothingSent => "nothing_sent",
            Outcome::Indeterminate => "indeterminate",
        }
    }
}

/// A callee's definite no, as its problem body told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The last part of the problem's type, for example `card-declined`.
    pub problem: String,
    /// Text for people.
    pub detail: String,
    /// The SKU that was short, where the callee named one.
    pub sku: Option<String>,
    /// Whether an earlier attempt of the same call is of unknown fate. It may yet arrive and be let in.
    pub after_doubt: bool,
}

/// Why a saga went backwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A participant refused this step.
    Refused(Step, Refusal),
    /// This step could not be sent, or its answer never came.
    Unreachable(Step),
    /// Somebody asked for the cancellation.
    Requested,
}

/// One row of the saga log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The call is about to be sent.
    Intent(Action),
    /// The call came back.
    Result(Action, Outcome),
    /// From here on only undo.
    UndoBegan(Cause),
    /// The end: every step stands.
    Confirmed,
    /// The end: no step stands.
    Cancelled,
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Action::Do(*self).name())
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Step, D::Error> {
        let name = String::deserialize(deserializer)?;
        match Action::named(&name) {
            Some(Action::Do(step)) => Ok(step),
            _ => Err(serde::de::Error::custom(format!("`{name}` is no step: expected `reserve` or `charge`"))),
        }
    }
}
