//! How a saga ended, by the final read that the system file names.

use squall_scenario::model::{Saga, SagaEnds};

use super::instance::Instance;
use crate::{ask::Question, case::Case, evidence::At};

/// How a saga ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Done: every effect stands.
    Done(At),
    /// Undone: none stands.
    Undone(At),
    /// Neither: stuck.
    Neither(At),
    /// Its service does not know of it.
    NotFound(At),
    /// The system file does not say how to tell; the wire must do.
    Unasked,
    /// It cannot be known, and why.
    Unknown(String),
}

/// The question of how sagas end, compiled.
#[derive(Debug)]
pub struct Ends {
    done: Question,
    undone: Question,
}

impl Ends {
    /// Compiles it.
    pub fn new(ends: &SagaEnds) -> Result<Ends, String> {
        Ok(Ends { done: Question::new(&ends.done)?, undone: Question::new(&ends.undone)? })
    }
}

/// Asks how one saga ended.
pub fn of(case: &Case<'_, '_>, saga: &Saga, ends: Option<&Ends>, instance: &Instance<'_, '_>) -> Ending {
    let Some(ends) = ends else { return Ending::Unasked };
    let Some(taken) = case.evidence.reads.saga_end(&saga.name, instance.operation.id) else {
        return Ending::Unknown("how it ended was not read: its keys were not learned".to_owned());
    };
    let Some(answer) = taken.answer else {
        let why = taken.error.unwrap_or("no answer came");
        return Ending::Unknown(format!("how it ended could not be read: {why}"));
    };
    match answer.status {
        200..300 => {}
        404 | 410 => return Ending::NotFound(taken.at),
        status => return Ending::Unknown(format!("how it ended could not be read: the answer was {status}")),
    }
    match (ends.done.is_true_of_answer(answer), ends.undone.is_true_of_answer(answer)) {
        (Ok(true), Ok(false)) => Ending::Done(taken.at),
        (Ok(false), Ok(true)) => Ending::Undone(taken.at),
        (Ok(false), Ok(false)) => Ending::Neither(taken.at),
        (Ok(true), Ok(true)) => Ending::Unknown("it is done and undone by the same read".to_owned()),
        (Err(why), _) | (_, Err(why)) => Ending::Unknown(why),
    }
}
