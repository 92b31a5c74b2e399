//! Orders: placing one, and reading them.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::super::{
    Backlog, Claim, Filter, Lease, NewOrder, OpenSaga, Placed, StoreError, Summary,
    rows::{json, parsed},
};
use crate::domain::{Order, Progress, Status};

const COLUMNS: &str = "order_id, idempotency_key, request, amount, currency, status, cause, needs_attention, \
                       traceparent, correlation, created_at, ended_at, seq";

pub(super) fn place(tx: &Transaction<'_>, new: NewOrder, lease: &Lease) -> Result<Placed, StoreError> {
    if let Some(known) = by_key(tx, &new.idempotency_key)? {
        let equal = known.request == new.request;
        return Ok(if equal { Placed::Known(Box::new(known)) } else { Placed::KeyReused });
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
    let order = Order {
        order_id: new.order_id,
        idempotency_key: new.idempotency_key,
        request: new.request,
        amount: new.amount,
        currency: new.currency,
        progress: Progress { status: Status::Pending, cause: None, needs_attention: false },
        context: new.context,
        created_at_ms: new.now_ms,
        ended_at_ms: None,
    };
    Ok(Placed::New(Box::new(OpenSaga { order, claim, log: Vec::new() })))
}

pub(super) fn by_id(tx: &Transaction<'_>, order_id: &str) -> Result<Option<Order>, StoreError> {
    one(tx, &format!("SELECT {COLUMNS} FROM orders WHERE order_id = ?1"), order_id)
}

pub(super) fn by_key(tx: &Transaction<'_>, key: &str) -> Result<Option<Order>, StoreError> {
    one(tx, &format!("SELECT {COLUMNS} FROM orders WHERE idempotency_key = ?1"), key)
}

fn one(tx: &Transaction<'_>, sql: &str, value: &str) -> Result<Option<Order>, StoreError> {
    let raw = tx.prepare_cached(sql)?.query_row([value], RawOrder::of).optional()?;
    raw.map(RawOrder::order).transpose()
}

pub(super) fn list(tx: &Transaction<'_>, filter: &Filter) -> Result<Vec<(i64, Order)>, StoreError> {
    // An absent filter is written as a value that every row passes, so that the text is one for all.
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE (?1 IS NULL OR customer_id = ?1) AND (?2 IS NULL OR status = ?2) \
         AND seq < ?3 ORDER BY seq DESC LIMIT ?4"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    let raws = statement.query_map(
        params![filter.customer_id, filter.status.map(Status::name), filter.before.unwrap_or(i64::MAX), filter.limit,],
        RawOrder::of,
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

/// A row as SQLite hands it out, before its texts are read.
struct RawOrder {
    order_id: String,
    idempotency_key: String,
    request: String,
    amount: i64,
    currency: String,
    status: String,
    cause: Option<String>,
    needs_attention: i64,
    traceparent: String,
    correlation: String,
    created_at: i64,
    ended_at: Option<i64>,
    seq: i64,
}

impl RawOrder {
    fn of(row: &Row<'_>) -> rusqlite::Result<RawOrder> {
        Ok(RawOrder {
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

    fn order(self) -> Result<Order, StoreError> {
        let status = Status::named(&self.status);
        let progress = Progress {
            status: status.ok_or_else(|| StoreError::Bug(format!("`{}` is no status of an order", self.status)))?,
            cause: self.cause.as_deref().map(|cause| parsed(Some(cause))).transpose()?,
            needs_attention: self.needs_attention != 0,
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

/// A stored context from its two columns.
pub(super) fn context(traceparent: &str, correlation: String) -> Result<chassis::context::StoredContext, StoreError> {
    let traceparent = traceparent.parse();
    let traceparent =
        traceparent.map_err(|error: chassis::context::NotATraceParent| StoreError::Bug(error.to_string()))?;
    Ok(chassis::context::StoredContext { traceparent, correlation })
}
