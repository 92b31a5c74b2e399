//! What an error of the server, or of the connection to it, means to a store.

use std::error::Error as _;

use tokio_postgres::{Error, error::SqlState};

use super::connect::Refused;
use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = text(&error);
        let Some(code) = error.code() else {
            // No word from the server: the connection broke, or the fault is in what was asked or how the answer was read.
            let broken = is_broken(&error);
            return if broken { StoreError::Unavailable(text) } else { StoreError::Bug(text) };
        };
        // The classes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        match (&code.code()[..2], code.code()) {
            // Rolled back: serialization failures and deadlocks; a lock that was not had in time.
            ("40", _) | (_, "55P03") => StoreError::Conflict(text),
            // Connections, resources, operators and time limits, the system, damaged files, configuration, logging in, a
            // database that is not there; and a server that only reads, or ended a transaction that sat idle.
            ("08" | "53" | "57" | "58" | "XX" | "F0" | "28" | "3D", _) | (_, "25006" | "25P03") => {
                StoreError::Unavailable(text)
            }
            _ => StoreError::Bug(text),
        }
    }
}

/// Whether this says that the connection is of no more use, rather than that a statement was wrong.
pub(super) fn is_broken(error: &Error) -> bool {
    match error.code() {
        // FATAL: the server says so as it hangs up.
        Some(code) => matches!(&code.code()[..2], "08" | "57" | "58") && *code != SqlState::QUERY_CANCELED,
        None => {
            let by_io = error.source().is_some_and(|source| source.is::<std::io::Error>());
            // An answer that is none is told from other mistakes by its words alone.
            error.is_closed() || by_io || error.to_string().starts_with("unexpected message")
        }
    }
}

/// What an attempt to log in says: whether trying again would cure it.
pub(super) fn refused(error: Error) -> Refused {
    let lasting = remedy(&error).is_some();
    let error = StoreError::Unavailable(text(&error));
    if lasting { Refused::Lasting(error) } else { Refused::Passing(error) }
}

/// What somebody has to do about it, where the server waits for that.
fn remedy(error: &Error) -> Option<&'static str> {
    Some(match error.code() {
        Some(&SqlState::INVALID_PASSWORD) => "give the right user and password in `DATABASE_URL`",
        Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "give a user in `DATABASE_URL` that the server knows and its `pg_hba.conf` lets in"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "make it with `createdb`, or name another one in `DATABASE_URL`",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            "let the user of `DATABASE_URL` use that database and make tables in it"
        }
        Some(&SqlState::UNDEFINED_OBJECT | &SqlState::CANT_CHANGE_RUNTIME_PARAM) => {
            "give a PostgreSQL server of version 14 or later, with nothing before it that refuses settings"
        }
        Some(_) => return None,
        None => match error.to_string().as_str() {
            "invalid configuration" => "give the user's password in `DATABASE_URL`",
            "authentication error" => "let the server ask for a password in `pg_hba.conf`, say `scram-sha-256`",
            _ => return None,
        },
    })
}

/// The server's words and code, or the connection's and its cause; and the remedy.
fn text(error: &Error) -> String {
    let text = match (error.as_db_error(), error.source()) {
        (Some(said), _) => {
            let detail = said.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
            format!("{} ({}){detail}", said.message(), said.code().code())
        }
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    };
    match remedy(error) {
        Some(remedy) => format!("{text}: {remedy}"),
        None => text,
    }
}
