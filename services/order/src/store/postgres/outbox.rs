//! The outbox: events written with the end that they tell of.
//!
//! **Order.** Sequence numbers are drawn at the insert, and transactions commit in another order. Nothing here reads on
//! from the last number it saw, so none is passed over: an event is due until it is marked. And the events of one order
//! are written under the lock on its row, one transaction after another, so that among them the numbers are in the
//! order of the commits.

use chassis::{
    outbox::{CloudEvent, Pending},
    store::postgres::Transaction,
};

use super::super::{
    StoreError,
    rows::{context, json, parsed},
};
use crate::domain::Order;

/// The caller holds the lock on the order's row.
pub(super) async fn add(tx: &Transaction<'_>, order: &Order, event: &CloudEvent) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO outbox (order_id, event, traceparent, correlation, delivered) VALUES ($1, $2, $3, $4, FALSE)",
        &[&order.order_id, &json(event), &order.context.traceparent.to_string(), &order.context.correlation],
    )
    .await?;
    Ok(())
}

pub(super) async fn pending(tx: &Transaction<'_>, limit: u32) -> Result<Vec<Pending>, StoreError> {
    let found = tx
        .rows(
            "SELECT seq, event, traceparent, correlation FROM outbox AS this WHERE NOT delivered AND NOT EXISTS \
         (SELECT 1 FROM outbox AS earlier WHERE earlier.order_id = this.order_id AND NOT earlier.delivered \
         AND earlier.seq < this.seq) ORDER BY seq LIMIT $1",
            &[&i64::from(limit)],
        )
        .await?;
    let events = found.iter().map(|row| {
        Ok(Pending {
            position: row.try_get(0)?,
            event: parsed(Some(row.try_get(1)?))?,
            context: context(row.try_get(2)?, row.try_get(3)?)?,
        })
    });
    events.collect()
}

pub(super) async fn delivered(tx: &Transaction<'_>, position: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE outbox SET delivered = TRUE WHERE seq = $1 AND NOT delivered", &[&position]).await?;
    Ok(())
}
