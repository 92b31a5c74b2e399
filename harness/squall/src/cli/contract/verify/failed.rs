//! Why a verification came to no verdict.

use std::io;

use squall_publish::Error;

use crate::cli::exit::Exit;

/// Why there is no verdict.
pub(super) enum Failed {
    /// Said already, or nothing to say.
    Stopped(Exit),
    /// One sentence that tells what is wrong and what to do.
    Said {
        /// The code that says so.
        exit: Exit,
        /// The sentence.
        why: String,
    },
    /// Pacts that cannot be read: every mistake of theirs, as it is shown.
    Unreadable(String),
    /// Whoever keeps pacts and results refused, or was not reached.
    Exchange(Error),
    /// Nobody reads what is written.
    Output(io::Error),
}

impl From<Error> for Failed {
    fn from(why: Error) -> Failed {
        Failed::Exchange(why)
    }
}

impl From<io::Error> for Failed {
    fn from(why: io::Error) -> Failed {
        Failed::Output(why)
    }
}

pub(super) fn mistake(why: impl ToString) -> Failed {
    Failed::Said { exit: Exit::Mistake, why: why.to_string() }
}

pub(super) fn environment(why: impl ToString) -> Failed {
    Failed::Said { exit: Exit::Environment, why: why.to_string() }
}
