//! Saga logs: writing under a claim, taking over, cancelling.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{
    super::{
        Cancellation, Claim, Lease, LogRow, OpenSaga, Page, StoreError, Whose, Written,
        page::{Standing, Turned},
        rows::{Columns, is_counted, written_out},
    },
    orders, outbox,
};
use crate::{
    domain::{Order, Status},
    saga::Entry,
};

pub(super) fn write(tx: &Transaction<'_>, claim: &Claim, page: &Page) -> Result<Written, StoreError> {
    let standing = tx
        .prepare_cached("SELECT claim, page, cancel_asked, status FROM orders WHERE order_id = ?1")?
        .query_row([&claim.order_id], |row| {
            Ok(Standing { claim: row.get(0)?, page: row.get(1)?, cancel_asked: row.get(2)?, status: row.get(3)? })
        })
        .optional()?;
    let Some(standing) = standing else { return Ok(Written::ClaimLost) };
    if let Some(answer) = standing.answers(claim, page) {
        return Ok(answer);
    }
    let order = order_of(tx, &claim.order_id)?;
    for entry in &page.entries {
        append(tx, &order, entry, page.now_ms)?;
    }
    let turned = Turned::by(page);
    tx.prepare_cached(
        "UPDATE orders SET status = ?2, cause = COALESCE(?3, cause), needs_attention = ?4, lease_until = ?5, \
         ended_at = ?6, page = ?7 WHERE order_id = ?1",
    )?
    .execute(params![
        claim.order_id,
        turned.status.name(),
        turned.cause,
        i64::from(page.needs_attention),
        page.lease_until_ms,
        turned.ended_at,
        page.number,
    ])?;
    if let Some(event) = &page.event {
        outbox::add(tx, &order, event)?;
    }
    Ok(Written::Yes)
}

fn append(tx: &Transaction<'_>, order: &Order, entry: &Entry, now_ms: i64) -> Result<(), StoreError> {
    let columns = Columns::of(entry);
    if is_counted(entry) {
        let counted = tx
            .prepare_cached(
                "UPDATE saga_log SET times = times + 1, last_at = ?5, detail = ?6 \
                 WHERE order_id = ?1 AND kind = ?2 AND action = ?3 AND COALESCE(outcome, '') = COALESCE(?4, '')",
            )?
            .execute(params![order.order_id, columns.kind, columns.action, columns.outcome, now_ms, columns.detail])?;
        if counted > 0 {
            return Ok(());
        }
    }
    let key = match entry {
        Entry::Intent(action) => Some(order.call_key(*action)),
        _ => None,
    };
    tx.prepare_cached(
        "INSERT INTO saga_log (order_id, n, kind, action, outcome, detail, call_key, times, first_at, last_at) \
         VALUES (?1, (SELECT COALESCE(MAX(n), 0) + 1 FROM saga_log WHERE order_id = ?1), ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7)",
    )?
    .execute(params![
        order.order_id,
        columns.kind,
        columns.action,
        columns.outcome,
        columns.detail,
        key,
        now_ms
    ])?;
    Ok(())
}

pub(super) fn rows(tx: &Transaction<'_>, order_id: &str) -> Result<Vec<LogRow>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT kind, action, outcome, detail, call_key, times, first_at, last_at \
         FROM saga_log WHERE order_id = ?1 ORDER BY n",
    )?;
    let read = |row: &Row<'_>| {
        let columns = Columns { kind: row.get(0)?, action: row.get(1)?, outcome: row.get(2)?, detail: row.get(3)? };
        Ok((columns, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
    };
    let rows = statement.query_map([order_id], read)?;
    rows.map(|row| {
        let (columns, key, times, first_at_ms, last_at_ms) = row?;
        Ok(LogRow { entry: columns.entry()?, key, times, first_at_ms, last_at_ms })
    })
    .collect()
}

pub(super) fn request_cancellation(tx: &Transaction<'_>, order_id: &str) -> Result<Cancellation, StoreError> {
    let Some(order) = orders::by_id(tx, order_id)? else { return Ok(Cancellation::Unknown) };
    Ok(match order.progress.status {
        Status::Confirmed => Cancellation::Confirmed(Box::new(order)),
        Status::Cancelled => Cancellation::Cancelled(Box::new(order)),
        Status::Pending => {
            tx.prepare_cached("UPDATE orders SET cancel_asked = 1 WHERE order_id = ?1")?.execute([order_id])?;
            Cancellation::Accepted(Box::new(order))
        }
    })
}

pub(super) fn take_over(
    tx: &Transaction<'_>,
    lease: &Lease,
    whose: &Whose,
    limit: u32,
) -> Result<Vec<OpenSaga>, StoreError> {
    let found = match whose {
        Whose::OwnOfEarlierLives => {
            pending(tx, "owner = ?1 AND life <> ?2 ORDER BY seq LIMIT ?3", params![lease.owner, lease.life, limit])
        }
        Whose::Expired { now_ms } => {
            pending(tx, "lease_until < ?1 AND life <> ?2 ORDER BY seq LIMIT ?3", params![now_ms, lease.life, limit])
        }
        Whose::Orphan { order_id } => {
            pending(tx, "order_id = ?1 AND life = ?2 LIMIT ?3", params![order_id, lease.life, limit])
        }
    }?;
    let mut open = Vec::with_capacity(found.len());
    for (order_id, claim) in found {
        let number = claim + 1;
        tx.prepare_cached(
            "UPDATE orders SET owner = ?2, life = ?3, lease_until = ?4, claim = ?5, page = 0 WHERE order_id = ?1",
        )?
        .execute(params![order_id, lease.owner, lease.life, lease.until_ms, number])?;
        let order = order_of(tx, &order_id)?;
        let log = written_out(&rows(tx, &order_id)?);
        open.push(OpenSaga { order, claim: Claim { order_id, number }, log });
    }
    Ok(open)
}

fn pending(
    tx: &Transaction<'_>,
    which: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = format!("SELECT order_id, claim FROM orders WHERE status = 'pending' AND {which}");
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn prolong(tx: &Transaction<'_>, lease: &Lease) -> Result<Vec<String>, StoreError> {
    tx.prepare_cached("UPDATE orders SET lease_until = ?1 WHERE owner = ?2 AND life = ?3 AND status = 'pending'")?
        .execute(params![lease.until_ms, lease.owner, lease.life])?;
    let held = pending(tx, "owner = ?1 AND life = ?2 ORDER BY seq", params![lease.owner, lease.life])?;
    Ok(held.into_iter().map(|(order_id, _)| order_id).collect())
}

fn order_of(tx: &Transaction<'_>, order_id: &str) -> Result<Order, StoreError> {
    let gone = || StoreError::Bug(format!("the order `{order_id}` is gone, and nothing deletes orders"));
    orders::by_id(tx, order_id)?.ok_or_else(gone)
}
