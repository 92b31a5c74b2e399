//! Orders: placing one, and reading them.

use chassis::store::postgres::{Row, Transaction};

use super::super::{
    Backlog, Claim, Filter, Lease, NewOrder, Placed, StoreError, Summary,
    rows::{OrderColumns, json, order_columns, status},
};
use crate::domain::{Order, Status};

/// Where several place under one key at once, all but the first wait here until its transaction has ended, and then
/// see its order, or write their own if there is none. Which of an order's unique values they meet on is chance, so the
/// conflict names none.
pub(super) async fn place(tx: &Transaction<'_>, new: &NewOrder, lease: &Lease) -> Result<Placed, StoreError> {
    let claim = Claim { order_id: new.order_id.clone(), number: 1 };
    let written = tx
        .execute(
            "INSERT INTO orders (order_id, idempotency_key, customer_id, request, amount, currency, quantity, status, \
         needs_attention, cancel_asked, traceparent, correlation, owner, life, claim, page, lease_until, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', FALSE, FALSE, $8, $9, $10, $11, $12, 0, $13, $14) \
         ON CONFLICT DO NOTHING",
            &[
                &new.order_id,
                &new.idempotency_key,
                &new.request.customer_id,
                &json(&new.request),
                &new.amount,
                &new.currency,
                &new.request.quantity(),
                &new.context.traceparent.to_string(),
                &new.context.correlation,
                &lease.owner,
                &lease.life,
                &claim.number,
                &lease.until_ms,
                &new.now_ms,
            ],
        )
        .await?;
    if written == 1 {
        return Ok(Placed::now(new.clone(), claim));
    }
    let gone = || StoreError::Bug(format!("the key `{}` is taken and gone", new.idempotency_key));
    let known = by_key(tx, &new.idempotency_key).await?.ok_or_else(gone)?;
    Ok(Placed::before(known, new))
}

pub(super) async fn by_id(tx: &Transaction<'_>, order_id: &str) -> Result<Option<Order>, StoreError> {
    let sql = concat!("SELECT ", order_columns!(), " FROM orders WHERE order_id = $1");
    tx.row(sql, &[&order_id]).await?.map(|row| columns(&row)?.order()).transpose()
}

pub(super) async fn by_key(tx: &Transaction<'_>, key: &str) -> Result<Option<Order>, StoreError> {
    let sql = concat!("SELECT ", order_columns!(), " FROM orders WHERE idempotency_key = $1");
    tx.row(sql, &[&key]).await?.map(|row| columns(&row)?.order()).transpose()
}

/// Newest first by sequence number. Numbers are given at the insert, not at the commit: an order that is still being
/// placed may later appear among those already listed, and a list read page by page while orders are placed may miss
/// it, as it misses those placed later.
pub(super) async fn list(tx: &Transaction<'_>, filter: &Filter) -> Result<Vec<(i64, Order)>, StoreError> {
    // A text for each set of filters, so that each has a plan, and an index, of its own.
    macro_rules! list {
        ($customer:literal, $status:literal) => {
            concat!(
                "SELECT ",
                order_columns!(),
                " FROM orders WHERE ",
                $customer,
                " AND ",
                $status,
                " AND seq < $3 ORDER BY seq DESC LIMIT $4"
            )
        };
    }
    let sql = match (&filter.customer_id, filter.status) {
        (None, None) => list!("$1::TEXT IS NULL", "$2::TEXT IS NULL"),
        (None, Some(_)) => list!("$1::TEXT IS NULL", "status = $2"),
        (Some(_), None) => list!("customer_id = $1", "$2::TEXT IS NULL"),
        (Some(_), Some(_)) => list!("customer_id = $1", "status = $2"),
    };
    let status = filter.status.map(Status::name);
    let (before, limit) = (filter.before.unwrap_or(i64::MAX), i64::from(filter.limit));
    let found = tx.rows(sql, &[&filter.customer_id, &status, &before, &limit]).await?;
    let orders = found.iter().map(|row| {
        let columns = columns(row)?;
        Ok((columns.seq, columns.order()?))
    });
    orders.collect()
}

pub(super) async fn summary(tx: &Transaction<'_>) -> Result<Summary, StoreError> {
    let sql = "SELECT status, COUNT(*), SUM(amount)::BIGINT, SUM(quantity)::BIGINT, \
               COUNT(*) FILTER (WHERE needs_attention) FROM orders GROUP BY status";
    let mut summary = Summary::default();
    for row in tx.rows(sql, &[]).await? {
        match status(row.try_get(0)?)? {
            Status::Pending => (summary.pending, summary.needs_attention) = (row.try_get(1)?, row.try_get(4)?),
            Status::Cancelled => summary.cancelled = row.try_get(1)?,
            Status::Confirmed => {
                summary.confirmed = row.try_get(1)?;
                summary.confirmed_total = row.try_get(2)?;
                summary.confirmed_quantity = row.try_get(3)?;
            }
        }
    }
    Ok(summary)
}

pub(super) async fn backlog(tx: &Transaction<'_>) -> Result<Backlog, StoreError> {
    let sql = "SELECT COUNT(*), COUNT(*) FILTER (WHERE needs_attention), \
               (SELECT COUNT(*) FROM outbox WHERE NOT delivered) FROM orders WHERE status = 'pending'";
    let row = tx.row(sql, &[]).await?.ok_or_else(|| StoreError::Bug("a count has no row".to_owned()))?;
    Ok(Backlog { pending: row.try_get(0)?, needs_attention: row.try_get(1)?, undelivered: row.try_get(2)? })
}

/// The first columns of a row, which are those of an order.
pub(super) fn columns(row: &Row) -> Result<OrderColumns, StoreError> {
    Ok(OrderColumns {
        order_id: row.try_get(0)?,
        idempotency_key: row.try_get(1)?,
        request: row.try_get(2)?,
        amount: row.try_get(3)?,
        currency: row.try_get(4)?,
        status: row.try_get(5)?,
        cause: row.try_get(6)?,
        needs_attention: row.try_get(7)?,
        traceparent: row.try_get(8)?,
        correlation: row.try_get(9)?,
        created_at: row.try_get(10)?,
        ended_at: row.try_get(11)?,
        seq: row.try_get(12)?,
    })
}
