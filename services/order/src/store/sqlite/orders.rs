//! Orders: placing one, and reading them.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::super::{
    Backlog, Claim, Filter, Lease, NewOrder, Placed, StoreError, Summary,
    rows::{OrderColumns, json, order_columns},
};
use crate::domain::{Order, Status};

pub(super) fn place(tx: &Transaction<'_>, new: NewOrder, lease: &Lease) -> Result<Placed, StoreError> {
    if let Some(known) = by_key(tx, &new.idempotency_key)? {
        return Ok(Placed::before(known, &new));
    }
    let claim = Claim { order_id: new.order_id.clone(), number: 1 };
    tx.prepare_cached(
        "INSERT INTO orders (order_id, idempotency_key, customer_id, request, amount, currency, quantity, status, \
         needs_attention, cancel_asked, traceparent, correlation, owner, life, claim, page, lease_until, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', 0, 0, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14)",
    )?
    .execute(params![
        new.order_id,
        new.idempotency_key,
        new.request.customer_id,
        json(&new.request),
        new.amount,
        new.currency,
        new.request.quantity(),
        new.context.traceparent.to_string(),
        new.context.correlation,
        lease.owner,
        lease.life,
        claim.number,
        lease.until_ms,
        new.now_ms,
    ])?;
    Ok(Placed::now(new, claim))
}

pub(super) fn by_id(tx: &Transaction<'_>, order_id: &str) -> Result<Option<Order>, StoreError> {
    one(tx, concat!("SELECT ", order_columns!(), " FROM orders WHERE order_id = ?1"), order_id)
}

pub(super) fn by_key(tx: &Transaction<'_>, key: &str) -> Result<Option<Order>, StoreError> {
    one(tx, concat!("SELECT ", order_columns!(), " FROM orders WHERE idempotency_key = ?1"), key)
}

fn one(tx: &Transaction<'_>, sql: &str, value: &str) -> Result<Option<Order>, StoreError> {
    let raw = tx.prepare_cached(sql)?.query_row([value], columns).optional()?;
    raw.map(OrderColumns::order).transpose()
}

pub(super) fn list(tx: &Transaction<'_>, filter: &Filter) -> Result<Vec<(i64, Order)>, StoreError> {
    // An absent filter is written as a value that every row passes, so that the text is one for all.
    let sql = concat!(
        "SELECT ",
        order_columns!(),
        " FROM orders WHERE (?1 IS NULL OR customer_id = ?1) AND (?2 IS NULL OR status = ?2) AND seq < ?3 \
         ORDER BY seq DESC LIMIT ?4"
    );
    let mut statement = tx.prepare_cached(sql)?;
    let raws = statement.query_map(
        params![filter.customer_id, filter.status.map(Status::name), filter.before.unwrap_or(i64::MAX), filter.limit,],
        columns,
    )?;
    raws.map(|raw| raw.map_err(StoreError::from).and_then(|raw| Ok((raw.seq, raw.order()?)))).collect()
}

pub(super) fn summary(tx: &Transaction<'_>) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let mut statement = tx.prepare_cached(
        "SELECT status, COUNT(*), CAST(SUM(amount) AS BIGINT), CAST(SUM(quantity) AS BIGINT), \
         CAST(SUM(needs_attention) AS BIGINT) FROM orders GROUP BY status",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        match Status::named(&name) {
            Some(Status::Pending) => (summary.pending, summary.needs_attention) = (row.get(1)?, row.get(4)?),
            Some(Status::Cancelled) => summary.cancelled = row.get(1)?,
            Some(Status::Confirmed) => {
                summary.confirmed = row.get(1)?;
                summary.confirmed_total = row.get(2)?;
                summary.confirmed_quantity = row.get(3)?;
            }
            None => return Err(StoreError::Bug(format!("`{name}` is no status of an order"))),
        }
    }
    Ok(summary)
}

pub(super) fn backlog(tx: &Transaction<'_>) -> Result<Backlog, StoreError> {
    let open =
        "SELECT COUNT(*), CAST(COALESCE(SUM(needs_attention), 0) AS BIGINT) FROM orders WHERE status = 'pending'";
    let (pending, needs_attention) = tx.prepare_cached(open)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let undelivered = "SELECT COUNT(*) FROM outbox WHERE delivered = 0";
    let undelivered = tx.prepare_cached(undelivered)?.query_row([], |row| row.get(0))?;
    Ok(Backlog { pending, needs_attention, undelivered })
}

fn columns(row: &Row<'_>) -> rusqlite::Result<OrderColumns> {
    Ok(OrderColumns {
        order_id: row.get(0)?,
        idempotency_key: row.get(1)?,
        request: row.get(2)?,
        amount: row.get(3)?,
        currency: row.get(4)?,
        status: row.get(5)?,
        cause: row.get(6)?,
        needs_attention: row.get(7)?,
        traceparent: row.get(8)?,
        correlation: row.get(9)?,
        created_at: row.get(10)?,
        ended_at: row.get(11)?,
        seq: row.get(12)?,
    })
}
