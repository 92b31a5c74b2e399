//! The transactions themselves: read, let the domain decide, write. Each function runs inside one
//! immediate transaction of its caller, so nobody else writes between its reads and its writes.

use rusqlite::types::Type;
use rusqlite::{Error, OptionalExtension, Result, Row, Transaction, params};

use crate::domain::{
    Items, OrderId, Quantity, Receipt, Reservation, Sku, Status, Stock, ToCommit, ToRelease, ToReserve, to_commit,
    to_release, to_reserve,
};
use crate::store::{Change, Committed, Consumed, Effect, Event, Received, Released, Reserved};

pub(super) fn receive(
    tx: &Transaction<'_>,
    sku: &Sku,
    receipt: &Receipt,
    quantity: Quantity,
    at_ms: i64,
) -> Result<Received> {
    let known = tx
        .prepare_cached("SELECT quantity FROM receipts WHERE sku = ?1 AND receipt = ?2")?
        .query_row(params![sku.as_str(), receipt.as_str()], |row| quantity_at(row, 0))
        .optional()?;
    match known {
        Some(known) if known == quantity => return Ok(Received::Repeated),
        Some(known) => return Ok(Received::OtherQuantity(known)),
        None => {}
    }
    let before = stock_of(tx, sku)?.unwrap_or_default();
    let Some(after) = before.receive(quantity) else { return Ok(Received::TooMuch) };
    put_stock(tx, sku, after)?;
    tx.prepare_cached("INSERT INTO receipts (sku, receipt, quantity, at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![sku.as_str(), receipt.as_str(), quantity.units(), at_ms])?;
    Ok(Received::New)
}

pub(super) fn stock(tx: &Transaction<'_>) -> Result<Vec<(Sku, Stock)>> {
    tx.prepare_cached("SELECT received, on_hand, reserved, sold, sku FROM stock ORDER BY sku")?
        .query_map([], |row| Ok((sku_at(row, 4)?, stock_row(row)?)))?
        .collect()
}

pub(super) fn stock_of(tx: &Transaction<'_>, sku: &Sku) -> Result<Option<Stock>> {
    tx.prepare_cached("SELECT received, on_hand, reserved, sold FROM stock WHERE sku = ?1")?
        .query_row(params![sku.as_str()], stock_row)
        .optional()
}

pub(super) fn reserve(tx: &Transaction<'_>, order: &OrderId, wanted: &Items, at_ms: i64) -> Result<Reserved> {
    let known = reservation(tx, order)?;
    match (to_reserve(known.as_ref(), wanted), known) {
        (ToReserve::Hold, _) => hold(tx, order, wanted, at_ms),
        (ToReserve::Repeat, known) => Ok(Reserved::Repeated(known.map_or(Status::Held, |known| known.status))),
        (ToReserve::OtherItems, _) => Ok(Reserved::OtherItems),
        (ToReserve::WasReleased, _) => Ok(Reserved::WasReleased),
    }
}

/// Decides for every item before it writes for any, so that a shortage leaves nothing behind.
fn hold(tx: &Transaction<'_>, order: &OrderId, wanted: &Items, at_ms: i64) -> Result<Reserved> {
    let mut held = Vec::new();
    for (sku, quantity) in wanted.iter() {
        let before = stock_of(tx, sku)?.unwrap_or_default();
        match before.hold(quantity) {
            Some(after) => held.push((sku, quantity, after)),
            None => return Ok(Reserved::Short { sku: sku.clone(), wanted: quantity, on_hand: before.on_hand }),
        }
    }
    put_reservation(tx, order, Status::Held, at_ms)?;
    for (sku, quantity, after) in held {
        put_stock(tx, sku, after)?;
        tx.prepare_cached("INSERT INTO reservation_items (order_id, sku, quantity) VALUES (?1, ?2, ?3)")?
            .execute(params![order.as_str(), sku.as_str(), quantity.units()])?;
    }
    Ok(Reserved::Held)
}

pub(super) fn commit(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Committed> {
    let known = reservation(tx, order)?;
    let decision = to_commit(known.as_ref().map(|known| known.status));
    if decision == ToCommit::Sell {
        put_reservation(tx, order, Status::Committed, at_ms)?;
        move_items(tx, known.and_then(|known| known.items), Stock::sell)?;
    }
    Ok(decision.into())
}

pub(super) fn release(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Released> {
    let known = reservation(tx, order)?;
    let decision = to_release(known.as_ref().map(|known| known.status));
    match decision {
        ToRelease::PutBack => {
            put_reservation(tx, order, Status::Released, at_ms)?;
            move_items(tx, known.and_then(|known| known.items), Stock::put_back)?;
        }
        ToRelease::LeaveTombstone => put_reservation(tx, order, Status::Released, at_ms)?,
        ToRelease::Repeat | ToRelease::WasCommitted => {}
    }
    Ok(decision.into())
}

pub(super) fn consume(tx: &Transaction<'_>, event: &Event, at_ms: i64) -> Result<Consumed> {
    let known = tx
        .prepare_cached("SELECT 1 FROM inbox WHERE source = ?1 AND id = ?2")?
        .exists(params![event.source, event.id])?;
    if known {
        return Ok(Consumed::Before);
    }
    let effect: Effect = match event.change {
        Change::Confirmed => commit(tx, &event.order, at_ms)?.into(),
        Change::Cancelled => release(tx, &event.order, at_ms)?.into(),
    };
    let kind = event.change.event_type();
    tx.prepare_cached("INSERT INTO inbox (source, id, type, order_id, effect, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![event.source, event.id, kind, event.order.as_str(), effect.word(), at_ms])?;
    Ok(Consumed::Now(effect))
}

pub(super) fn reservation(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Reservation>> {
    let status = tx
        .prepare_cached("SELECT status FROM reservations WHERE order_id = ?1")?
        .query_row(params![order.as_str()], |row| {
            let word: String = row.get(0)?;
            Status::from_word(&word).ok_or_else(|| unreadable(0, format!("`{word}` is no status")))
        })
        .optional()?;
    let Some(status) = status else { return Ok(None) };
    let listed: Vec<(Sku, Quantity)> = tx
        .prepare_cached("SELECT sku, quantity FROM reservation_items WHERE order_id = ?1 ORDER BY sku")?
        .query_map(params![order.as_str()], |row| Ok((sku_at(row, 0)?, quantity_at(row, 1)?)))?
        .collect::<Result<_>>()?;
    let items = match listed.is_empty() {
        true => None,
        false => Some(Items::new(listed).map_err(|mistake| unreadable(0, mistake.to_string()))?),
    };
    Ok(Some(Reservation { status, items }))
}

/// Moves every item of a reservation by one law of [`Stock`].
fn move_items(tx: &Transaction<'_>, items: Option<Items>, law: fn(Stock, Quantity) -> Option<Stock>) -> Result<()> {
    for (sku, quantity) in items.iter().flat_map(Items::iter) {
        let moved = stock_of(tx, sku)?.and_then(|before| law(before, quantity));
        let after =
            moved.ok_or_else(|| unreadable(0, format!("fewer than {} of `{sku}` are held", quantity.units())))?;
        put_stock(tx, sku, after)?;
    }
    Ok(())
}

fn put_stock(tx: &Transaction<'_>, sku: &Sku, stock: Stock) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO stock (sku, received, on_hand, reserved, sold) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (sku) DO UPDATE SET received = excluded.received, on_hand = excluded.on_hand, \
         reserved = excluded.reserved, sold = excluded.sold",
    )?
    .execute(params![sku.as_str(), stock.received, stock.on_hand, stock.reserved, stock.sold])?;
    Ok(())
}

fn put_reservation(tx: &Transaction<'_>, order: &OrderId, status: Status, at_ms: i64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO reservations (order_id, status, at_ms) VALUES (?1, ?2, ?3) \
         ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, at_ms = excluded.at_ms",
    )?
    .execute(params![order.as_str(), status.word(), at_ms])?;
    Ok(())
}

fn stock_row(row: &Row<'_>) -> Result<Stock> {
    Ok(Stock { received: row.get(0)?, on_hand: row.get(1)?, reserved: row.get(2)?, sold: row.get(3)? })
}

fn sku_at(row: &Row<'_>, column: usize) -> Result<Sku> {
    Sku::new(row.get::<_, String>(column)?).map_err(|mistake| unreadable(column, mistake.to_string()))
}

fn quantity_at(row: &Row<'_>, column: usize) -> Result<Quantity> {
    Quantity::new(row.get(column)?).map_err(|mistake| unreadable(column, mistake.to_string()))
}

/// Something in the database that this code never wrote. The transaction rolls back.
fn unreadable(column: usize, why: String) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, why.into())
}
