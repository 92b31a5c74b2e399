//! How entries become columns and come back, the same for every SQL database.

use chassis::context::{NotATraceParent, StoredContext};

use crate::{
    domain::{Order, Progress, Status},
    saga::{Action, Cause, Entry, Outcome, Refusal},
    store::{LogRow, StoreError},
};

/// The columns of an order that [`OrderColumns`] holds, in its order, as part of a literal.
macro_rules! order_columns {
    () => {
        "orders.order_id, idempotency_key, request, amount, currency, status, cause, needs_attention, traceparent, \
         correlation, created_at, ended_at, seq"
    };
}
pub(super) use order_columns;

/// An order as a database hands it out, before its texts are read.
pub(super) struct OrderColumns {
    pub(super) order_id: String,
    pub(super) idempotency_key: String,
    pub(super) request: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: String,
    pub(super) cause: Option<String>,
    pub(super) needs_attention: bool,
    pub(super) traceparent: String,
    pub(super) correlation: String,
    pub(super) created_at: i64,
    pub(super) ended_at: Option<i64>,
    pub(super) seq: i64,
}

impl OrderColumns {
    pub(super) fn order(self) -> Result<Order, StoreError> {
        let progress = Progress {
            status: status(&self.status)?,
            cause: self.cause.as_deref().map(|cause| parsed(Some(cause))).transpose()?,
            needs_attention: self.needs_attention,
        };
        Ok(Order {
            request: parsed(Some(&self.request))?,
            order_id: self.order_id,
            idempotency_key: self.idempotency_key,
            amount: self.amount,
            currency: self.currency,
            progress,
            context: context(&self.traceparent, self.correlation)?,
            created_at_ms: self.created_at,
            ended_at_ms: self.ended_at,
        })
    }
}

/// The status of this name.
pub(super) fn status(name: &str) -> Result<Status, StoreError> {
    Status::named(name).ok_or_else(|| StoreError::Bug(format!("`{name}` is no status of an order")))
}

/// A stored context from its two columns.
pub(super) fn context(traceparent: &str, correlation: String) -> Result<StoredContext, StoreError> {
    let traceparent = traceparent.parse().map_err(|error: NotATraceParent| StoreError::Bug(error.to_string()))?;
    Ok(StoredContext { traceparent, correlation })
}

/// The columns of one entry of a saga log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) kind: String,
    pub(super) action: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) detail: Option<String>,
}

impl Columns {
    pub(super) fn of(entry: &Entry) -> Columns {
        let columns = |kind: &str, action: Option<Action>, outcome: Option<&Outcome>, detail: Option<String>| Columns {
            kind: kind.to_owned(),
            action: action.map(|action| action.name().to_owned()),
            outcome: outcome.map(|outcome| outcome.name().to_owned()),
            detail,
        };
        match entry {
            Entry::Intent(action) => columns("intent", Some(*action), None, None),
            Entry::Result(action, outcome) => {
                let detail = match outcome {
                    Outcome::Refused(refusal) => Some(json(refusal)),
                    Outcome::Done | Outcome::NothingSent | Outcome::Indeterminate => None,
                };
                columns("result", Some(*action), Some(outcome), detail)
            }
            Entry::UndoBegan(cause) => columns("undo_began", None, None, Some(json(cause))),
            Entry::Confirmed => columns("confirmed", None, None, None),
            Entry::Cancelled => columns("cancelled", None, None, None),
        }
    }

    pub(super) fn entry(&self) -> Result<Entry, StoreError> {
        let damaged = || StoreError::Bug(format!("the saga log holds a row that nobody writes: `{self:?}`"));
        let action = || self.action.as_deref().and_then(Action::named).ok_or_else(damaged);
        match (self.kind.as_str(), self.outcome.as_deref()) {
            ("intent", None) => Ok(Entry::Intent(action()?)),
            ("result", Some(outcome)) => {
                let outcome = match outcome {
                    "done" => Outcome::Done,
                    "refused" => Outcome::Refused(parsed::<Refusal>(self.detail.as_deref())?),
                    "nothing_sent" => Outcome::NothingSent,
                    "indeterminate" => Outcome::Indeterminate,
                    _ => return Err(damaged()),
                };
                Ok(Entry::Result(action()?, outcome))
            }
            ("undo_began", None) => Ok(Entry::UndoBegan(parsed::<Cause>(self.detail.as_deref())?)),
            ("confirmed", None) => Ok(Entry::Confirmed),
            ("cancelled", None) => Ok(Entry::Cancelled),
            _ => Err(damaged()),
        }
    }
}

/// Whether a repetition of this entry is counted on the row of the first. Undo rounds have no bound; their log has.
pub(super) fn is_counted(entry: &Entry) -> bool {
    matches!(entry, Entry::Intent(Action::Undo(_)) | Entry::Result(Action::Undo(_), _))
}

/// More repetitions than this tell the machine nothing: any patience has ended by then.
const REPEATS_MAX: i64 = 64;

/// The entries that the rows stand for, rounds of an undo written out again as intent, result, intent, result.
/// In which order unlike results of one undo came is not kept; the machine does not ask.
pub(super) fn written_out(rows: &[LogRow]) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(rows.len());
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        let Entry::Intent(action @ Action::Undo(_)) = row.entry else {
            entries.push(row.entry.clone());
            continue;
        };
        let mut results = Vec::new();
        let mut intents = row.times;
        while let Some(next) = rows.next_if(|next| belongs_to(action, &next.entry)) {
            if matches!(next.entry, Entry::Intent(_)) {
                intents += next.times;
            } else {
                results.extend((0..next.times.min(REPEATS_MAX)).map(|_| next.entry.clone()));
            }
        }
        // `Done` was the last, or the undo would not have ended.
        results.sort_by_key(|result| matches!(result, Entry::Result(_, Outcome::Done)));
        let lost = intents.min(REPEATS_MAX).saturating_sub(i64::try_from(results.len()).unwrap_or(i64::MAX));
        for result in results {
            entries.extend([Entry::Intent(action), result]);
        }
        let ended = matches!(entries.last(), Some(Entry::Result(_, Outcome::Done)));
        if lost > 0 && !ended {
            entries.push(Entry::Intent(action));
        }
    }
    entries
}

fn belongs_to(undo: Action, entry: &Entry) -> bool {
    match entry {
        Entry::Intent(action) | Entry::Result(action, _) => *action == undo,
        Entry::UndoBegan(_) | Entry::Confirmed | Entry::Cancelled => false,
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers have a JSON form")
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<T, StoreError> {
    let text = text.ok_or_else(|| StoreError::Bug("a JSON column is empty".to_owned()))?;
    serde_json::from_str(text).map_err(|error| StoreError::Bug(format!("a JSON column holds `{text}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saga::{Saga, Step};

    fn row(entry: Entry, times: i64) -> LogRow {
        LogRow { entry, key: None, times, first_at_ms: 0, last_at_ms: 0 }
    }

    #[test]
    fn every_entry_reads_back_as_it_was_written() {
        let refusal = Refusal {
            status: 409,
            problem: "out-of-stock".into(),
            detail: "short".into(),
            sku: Some("widget".into()),
            after_doubt: true,
        };
        let mut entries = vec![Entry::Confirmed, Entry::Cancelled, Entry::UndoBegan(Cause::Requested)];
        entries.extend(Step::ALL.map(|step| Entry::UndoBegan(Cause::Unreachable(step))));
        entries.push(Entry::UndoBegan(Cause::Refused(Step::Charge, refusal.clone())));
        for action in Action::ALL {
            entries.push(Entry::Intent(action));
            for outcome in
                [Outcome::Done, Outcome::Refused(refusal.clone()), Outcome::NothingSent, Outcome::Indeterminate]
            {
                entries.push(Entry::Result(action, outcome));
            }
        }
        for entry in entries {
            assert_eq!(Columns::of(&entry).entry().unwrap(), entry);
        }
    }

    #[test]
    fn counted_rounds_are_a_log_that_the_machine_accepts() {
        let release = Action::Undo(Step::Reserve);
        let rows = [
            row(Entry::Intent(Action::Do(Step::Reserve)), 1),
            row(Entry::UndoBegan(Cause::Requested), 1),
            row(Entry::Intent(release), 1_000_000),
            row(Entry::Result(release, Outcome::NothingSent), 999_990),
            row(Entry::Result(release, Outcome::Indeterminate), 5),
        ];
        let saga = Saga::replay(&written_out(&rows)).unwrap();
        assert!(saga.needs_attention(20));
        let mut rows = rows.to_vec();
        rows.push(row(Entry::Result(release, Outcome::Done), 1));
        rows.push(row(Entry::Cancelled, 1));
        assert!(Saga::replay(&written_out(&rows)).unwrap().end().is_some());
    }
}
