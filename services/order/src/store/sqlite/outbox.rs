//! The outbox: events written with the end that they tell of.

use chassis::outbox::{CloudEvent, Pending};
use rusqlite::{Transaction, params};

use super::super::{
    StoreError,
    rows::{context, json, parsed},
};
use crate::domain::Order;

pub(super) fn add(tx: &Transaction<'_>, order: &Order, event: &CloudEvent) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO outbox (order_id, event, traceparent, correlation, delivered) VALUES (?1, ?2, ?3, ?4, 0)",
    )?
    .execute(params![
        order.order_id,
        json(event),
        order.context.traceparent.to_string(),
        order.context.correlation
    ])?;
    Ok(())
}

pub(super) fn pending(tx: &Transaction<'_>, limit: u32) -> Result<Vec<Pending>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT seq, event, traceparent, correlation FROM outbox AS this WHERE delivered = 0 AND NOT EXISTS \
         (SELECT 1 FROM outbox AS earlier WHERE earlier.order_id = this.order_id AND earlier.delivered = 0 \
         AND earlier.seq < this.seq) ORDER BY seq LIMIT ?1",
    )?;
    let mut rows = statement.query([limit])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let event: String = row.get(1)?;
        let traceparent: String = row.get(2)?;
        events.push(Pending {
            position: row.get(0)?,
            event: parsed(Some(&event))?,
            context: context(&traceparent, row.get(3)?)?,
        });
    }
    Ok(events)
}

pub(super) fn delivered(tx: &Transaction<'_>, position: i64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE outbox SET delivered = 1 WHERE seq = ?1")?.execute([position])?;
    Ok(())
}
