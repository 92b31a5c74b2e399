//! The bodies that this service answers with.

use serde::Serialize;

use crate::{
    domain::{Item, Order},
    saga::{Cause, Entry, Outcome, Refusal, Step},
    store::LogRow,
};

/// An order.
#[derive(Serialize)]
pub(super) struct OrderBody {
    order_id: String,
    status: &'static str,
    customer_id: String,
    items: Vec<Item>,
    payment_method: String,
    amount: i64,
    currency: String,
    /// Why it is being undone, or was.
    cause: Option<CauseBody>,
    needs_attention: bool,
    trace_id: String,
    correlation_id: String,
    created_at_ms: i64,
    ended_at_ms: Option<i64>,
}

#[derive(Serialize)]
struct CauseBody {
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
}

impl OrderBody {
    pub(super) fn of(order: &Order) -> OrderBody {
        let cause = order.progress.cause.as_ref().map(|cause| match cause {
            Cause::Refused(step, refusal) => {
                CauseBody { why: "refused", step: Some(*step), refusal: Some(refusal.clone()) }
            }
            Cause::Unreachable(step) => CauseBody { why: "unreachable", step: Some(*step), refusal: None },
            Cause::Requested => CauseBody { why: "requested", step: None, refusal: None },
        });
        OrderBody {
            order_id: order.order_id.clone(),
            status: order.progress.status.name(),
            customer_id: order.request.customer_id.clone(),
            items: order.request.items.clone(),
            payment_method: order.request.payment_method.clone(),
            amount: order.amount,
            currency: order.currency.clone(),
            cause,
            needs_attention: order.progress.needs_attention,
            trace_id: format!("{:032x}", order.context.traceparent.trace_id),
            correlation_id: order.context.correlation.clone(),
            created_at_ms: order.created_at_ms,
            ended_at_ms: order.ended_at_ms,
        }
    }
}

/// A page of orders, newest first.
#[derive(Serialize)]
pub(super) struct ListBody {
    orders: Vec<OrderBody>,
    next_cursor: Option<String>,
}

impl ListBody {
    /// The first `limit` of `orders`, with a cursor if there are more.
    pub(super) fn of(orders: Vec<(i64, Order)>, limit: usize) -> ListBody {
        let more = orders.len() > limit;
        let last = orders.get(limit.saturating_sub(1)).filter(|_| more);
        let next_cursor = last.map(|(seq, _)| written_cursor(*seq));
        ListBody { orders: orders.iter().take(limit).map(|(_, order)| OrderBody::of(order)).collect(), next_cursor }
    }
}

/// Opaque to clients; the version lets us change what is in it.
fn written_cursor(seq: i64) -> String {
    format!("v1.{seq:x}")
}

/// The sequence number in a cursor of ours.
pub(super) fn read_cursor(cursor: &str) -> Option<i64> {
    let digits = cursor.strip_prefix("v1.")?;
    let seq = i64::from_str_radix(digits, 16).ok()?;
    (written_cursor(seq) == cursor && seq > 0).then_some(seq)
}

/// A saga log.
#[derive(Serialize)]
pub(super) struct SagaBody {
    order_id: String,
    entries: Vec<EntryBody>,
}

#[derive(Serialize)]
struct EntryBody {
    entry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    times: i64,
    first_at_ms: i64,
    last_at_ms: i64,
}

impl SagaBody {
    pub(super) fn of(order_id: &str, rows: &[LogRow]) -> SagaBody {
        SagaBody { order_id: order_id.to_owned(), entries: rows.iter().map(EntryBody::of).collect() }
    }
}

impl EntryBody {
    fn of(row: &LogRow) -> EntryBody {
        let (entry, action, outcome) = match &row.entry {
            Entry::Intent(action) => ("intent", Some(*action), None),
            Entry::Result(action, outcome) => ("result", Some(*action), Some(outcome)),
            Entry::UndoBegan(_) => ("undo_began", None, None),
            Entry::Confirmed => ("confirmed", None, None),
            Entry::Cancelled => ("cancelled", None, None),
        };
        let refusal = match outcome {
            Some(Outcome::Refused(refusal)) => Some(refusal.clone()),
            _ => None,
        };
        EntryBody {
            entry,
            call: action.map(|action| action.name()),
            outcome: outcome.map(Outcome::name),
            refusal,
            idempotency_key: row.key.clone(),
            times: row.times,
            first_at_ms: row.first_at_ms,
            last_at_ms: row.last_at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        for seq in [1, 255, i64::MAX] {
            assert_eq!(read_cursor(&written_cursor(seq)), Some(seq));
        }
        for wrong in ["", "v1.", "v1.0", "v1.-1", "v1.+1", "v1.0f", "v1.F", "v2.1", "1"] {
            assert_eq!(read_cursor(wrong), None, "{wrong}");
        }
    }
}
