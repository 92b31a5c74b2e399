//! Saga logs: writing under a claim, taking over, cancelling.

use std::collections::BTreeMap;

use chassis::store::postgres::{Row, ToSql, Transaction};

use super::{
    super::{
        Cancellation, Claim, Lease, LogRow, OpenSaga, Page, StoreError, Whose, Written,
        page::{Standing, Turned},
        rows::{Columns, is_counted, order_columns, written_out},
    },
    orders, outbox,
};
use crate::{
    domain::{Order, Status},
    saga::Entry,
};

pub(super) async fn write(tx: &Transaction<'_>, claim: &Claim, page: &Page) -> Result<Written, StoreError> {
    let Some((order, standing)) = locked(tx, &claim.order_id).await? else { return Ok(Written::ClaimLost) };
    if let Some(answer) = standing.answers(claim, page) {
        return Ok(answer);
    }
    // Three tables, and what goes into one does not depend on the others: asked at once, they cost one wait.
    tokio::try_join!(append_all(tx, &order, page), turn(tx, claim, page), tell(tx, &order, page))?;
    Ok(Written::Yes)
}

async fn append_all(tx: &Transaction<'_>, order: &Order, page: &Page) -> Result<(), StoreError> {
    for entry in &page.entries {
        append(tx, order, entry, page.now_ms).await?;
    }
    Ok(())
}

async fn turn(tx: &Transaction<'_>, claim: &Claim, page: &Page) -> Result<(), StoreError> {
    let turned = Turned::by(page);
    tx.execute(
        "UPDATE orders SET status = $2, cause = COALESCE($3, cause), needs_attention = $4, lease_until = $5, \
         ended_at = $6, page = $7 WHERE order_id = $1",
        &[
            &claim.order_id,
            &turned.status.name(),
            &turned.cause,
            &page.needs_attention,
            &page.lease_until_ms,
            &turned.ended_at,
            &page.number,
        ],
    )
    .await?;
    Ok(())
}

async fn tell(tx: &Transaction<'_>, order: &Order, page: &Page) -> Result<(), StoreError> {
    match &page.event {
        Some(event) => outbox::add(tx, order, event).await,
        None => Ok(()),
    }
}

/// An order with its row locked until the transaction ends. What is decided by it still holds when it is written.
async fn locked(tx: &Transaction<'_>, order_id: &str) -> Result<Option<(Order, Standing)>, StoreError> {
    // Nothing of another table may be asked for in this statement: after a wait for the lock it would be of the moment
    // before the wait.
    let sql =
        concat!("SELECT ", order_columns!(), ", claim, page, cancel_asked FROM orders WHERE order_id = $1 FOR UPDATE");
    let Some(row) = tx.row(sql, &[&order_id]).await? else { return Ok(None) };
    let columns = orders::columns(&row)?;
    let standing = Standing {
        claim: row.try_get("claim")?,
        page: row.try_get("page")?,
        cancel_asked: row.try_get("cancel_asked")?,
        status: columns.status.clone(),
    };
    Ok(Some((columns.order()?, standing)))
}

/// The caller holds the lock on the order's row.
async fn append(tx: &Transaction<'_>, order: &Order, entry: &Entry, now_ms: i64) -> Result<(), StoreError> {
    let columns = Columns::of(entry);
    if is_counted(entry) {
        let counted = tx
            .execute(
                "UPDATE saga_log SET times = times + 1, last_at = $5, detail = $6 \
             WHERE order_id = $1 AND kind = $2 AND action = $3 AND outcome IS NOT DISTINCT FROM $4",
                &[&order.order_id, &columns.kind, &columns.action, &columns.outcome, &now_ms, &columns.detail],
            )
            .await?;
        if counted > 0 {
            return Ok(());
        }
    }
    let key = match entry {
        Entry::Intent(action) => Some(order.call_key(*action)),
        _ => None,
    };
    tx.execute(
        "INSERT INTO saga_log (order_id, n, kind, action, outcome, detail, call_key, times, first_at, last_at) \
         VALUES ($1, (SELECT COALESCE(MAX(n), 0) + 1 FROM saga_log WHERE order_id = $1), $2, $3, $4, $5, $6, 1, $7, $7)",
        &[&order.order_id, &columns.kind, &columns.action, &columns.outcome, &columns.detail, &key, &now_ms],
    )
    .await?;
    Ok(())
}

pub(super) async fn log_of(tx: &Transaction<'_>, order_id: &str) -> Result<Option<Vec<LogRow>>, StoreError> {
    if orders::by_id(tx, order_id).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(logs(tx, &[order_id]).await?.remove(order_id).unwrap_or_default()))
}

async fn logs(tx: &Transaction<'_>, order_ids: &[&str]) -> Result<BTreeMap<String, Vec<LogRow>>, StoreError> {
    let sql = "SELECT kind, action, outcome, detail, call_key, times, first_at, last_at, order_id \
               FROM saga_log WHERE order_id = ANY($1) ORDER BY order_id, n";
    let mut logs: BTreeMap<String, Vec<LogRow>> = BTreeMap::new();
    for row in tx.rows(sql, &[&order_ids]).await? {
        logs.entry(row.try_get(8)?).or_default().push(log_row(&row)?);
    }
    Ok(logs)
}

fn log_row(row: &Row) -> Result<LogRow, StoreError> {
    let columns =
        Columns { kind: row.try_get(0)?, action: row.try_get(1)?, outcome: row.try_get(2)?, detail: row.try_get(3)? };
    Ok(LogRow {
        entry: columns.entry()?,
        key: row.try_get(4)?,
        times: row.try_get(5)?,
        first_at_ms: row.try_get(6)?,
        last_at_ms: row.try_get(7)?,
    })
}

pub(super) async fn request_cancellation(tx: &Transaction<'_>, order_id: &str) -> Result<Cancellation, StoreError> {
    let Some((order, _)) = locked(tx, order_id).await? else { return Ok(Cancellation::Unknown) };
    Ok(match order.progress.status {
        Status::Confirmed => Cancellation::Confirmed(Box::new(order)),
        Status::Cancelled => Cancellation::Cancelled(Box::new(order)),
        Status::Pending => {
            tx.execute("UPDATE orders SET cancel_asked = TRUE WHERE order_id = $1", &[&order_id]).await?;
            Cancellation::Accepted(Box::new(order))
        }
    })
}

/// Rows are locked in the order of their sequence numbers, here and everywhere where it is more than one, and whoever
/// locks more than one of others' does not wait: there is no circle to wait in.
pub(super) async fn take_over(
    tx: &Transaction<'_>,
    lease: &Lease,
    whose: &Whose,
    limit: u32,
) -> Result<Vec<OpenSaga>, StoreError> {
    macro_rules! take_over {
        ($which:literal) => {
            concat!(
                "WITH due AS (SELECT order_id FROM orders WHERE status = 'pending' AND ",
                $which,
                ") UPDATE orders SET owner = $1, life = $2, lease_until = $3, claim = claim + 1, page = 0 \
                 FROM due WHERE orders.order_id = due.order_id RETURNING ",
                order_columns!(),
                ", claim"
            )
        };
    }
    let limit = i64::from(limit);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&lease.owner, &lease.life, &lease.until_ms, &limit];
    let sql = match whose {
        // What a dead life still has under way at the server is over in a moment: worth the wait.
        Whose::OwnOfEarlierLives => take_over!("owner = $1 AND life <> $2 ORDER BY seq LIMIT $4 FOR UPDATE"),
        // Whoever holds the row is at work on it, or takes it over itself.
        Whose::Expired { now_ms } => {
            values.push(now_ms);
            take_over!("lease_until < $5 AND life <> $2 ORDER BY seq LIMIT $4 FOR UPDATE SKIP LOCKED")
        }
        Whose::Orphan { order_id } => {
            values.push(order_id);
            take_over!("order_id = $5 AND life = $2 LIMIT $4 FOR UPDATE")
        }
    };
    let mut taken = Vec::new();
    for row in tx.rows(sql, &values).await? {
        let columns = orders::columns(&row)?;
        let number = row.try_get("claim")?;
        taken.push((columns.seq, number, columns.order()?));
    }
    taken.sort_unstable_by_key(|(seq, ..)| *seq);
    let order_ids: Vec<&str> = taken.iter().map(|(_, _, order)| order.order_id.as_str()).collect();
    let mut logs = logs(tx, &order_ids).await?;
    let open = taken.into_iter().map(|(_, number, order)| {
        let log = written_out(&logs.remove(&order.order_id).unwrap_or_default());
        OpenSaga { claim: Claim { order_id: order.order_id.clone(), number }, order, log }
    });
    Ok(open.collect())
}

/// An order whose row is locked is passed over and still listed: a page under way prolongs its lease itself, and a lease
/// outlasts more than one round.
pub(super) async fn prolong(tx: &Transaction<'_>, lease: &Lease) -> Result<Vec<String>, StoreError> {
    tx.execute(
        "WITH held AS (SELECT order_id FROM orders WHERE status = 'pending' AND owner = $1 AND life = $2 \
         ORDER BY seq FOR UPDATE SKIP LOCKED) \
         UPDATE orders SET lease_until = $3 FROM held WHERE orders.order_id = held.order_id",
        &[&lease.owner, &lease.life, &lease.until_ms],
    )
    .await?;
    let sql = "SELECT order_id FROM orders WHERE status = 'pending' AND owner = $1 AND life = $2 ORDER BY seq";
    let held = tx.rows(sql, &[&lease.owner, &lease.life]).await?;
    held.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
