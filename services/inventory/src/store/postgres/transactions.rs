//! The transactions themselves: read, let the domain decide, write. Each function runs inside one transaction of its
//! caller.
//!
//! Locks are taken in one order, so that nobody waits in a circle: the row of the order, then the rows of the stock by
//! name, then the row of the inbox. A row that two transactions would insert is inserted by one; the other one begins
//! anew and finds it.

use std::collections::BTreeMap;

use chassis::store::postgres::{Row, Transaction};

use crate::domain::{
    Items, OrderId, Quantity, Receipt, Reservation, Sku, Status, Stock, ToCommit, ToRelease, ToReserve, to_commit,
    to_release, to_reserve,
};
use crate::store::{Change, Committed, Consumed, Effect, Event, Received, Released, Reserved, StoreError};

pub(super) async fn receive(
    tx: &Transaction<'_>,
    sku: &Sku,
    receipt: &Receipt,
    quantity: Quantity,
    at_ms: i64,
) -> Result<Received, StoreError> {
    // A SKU has a row from its first receipt on, and the row is the lock of its receipts.
    let sql = "INSERT INTO stock (sku, received, on_hand, reserved, sold) VALUES ($1, 0, 0, 0, 0) \
               ON CONFLICT (sku) DO UPDATE SET sku = excluded.sku RETURNING received, on_hand, reserved, sold";
    let before = tx.row(sql, &[&sku.as_str()]).await?;
    let before = before.as_ref().map_or(Ok(Stock::default()), stock_row)?;
    let sql = "SELECT quantity FROM receipts WHERE sku = $1 AND receipt = $2";
    if let Some(known) = tx.row(sql, &[&sku.as_str(), &receipt.as_str()]).await? {
        let known = quantity_at(&known, 0)?;
        return Ok(if known == quantity { Received::Repeated } else { Received::OtherQuantity(known) });
    }
    let Some(after) = before.receive(quantity) else { return Ok(Received::TooMuch) };
    put_stock(tx, &[(sku, after)]).await?;
    let sql = "INSERT INTO receipts (sku, receipt, quantity, at_ms) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, &[&sku.as_str(), &receipt.as_str(), &quantity.units(), &at_ms]).await?;
    Ok(Received::New)
}

pub(super) async fn stock(tx: &Transaction<'_>) -> Result<Vec<(Sku, Stock)>, StoreError> {
    let rows = tx.rows("SELECT received, on_hand, reserved, sold, sku FROM stock ORDER BY sku", &[]).await?;
    rows.iter().map(|row| Ok((sku_at(row, 4)?, stock_row(row)?))).collect()
}

pub(super) async fn stock_of(tx: &Transaction<'_>, sku: &Sku) -> Result<Option<Stock>, StoreError> {
    let row = tx.row("SELECT received, on_hand, reserved, sold FROM stock WHERE sku = $1", &[&sku.as_str()]).await?;
    row.as_ref().map(stock_row).transpose()
}

pub(super) async fn reserve(
    tx: &Transaction<'_>,
    order: &OrderId,
    wanted: &Items,
    at_ms: i64,
) -> Result<Reserved, StoreError> {
    let known = match claim(tx, order, Status::Held, at_ms).await? {
        true => None,
        false => Some(reservation(tx, order).await?.ok_or_else(came_or_went)?),
    };
    match (to_reserve(known.as_ref(), wanted), known) {
        (ToReserve::Hold, _) => hold(tx, order, wanted).await,
        (ToReserve::Repeat, known) => Ok(Reserved::Repeated(known.map_or(Status::Held, |known| known.status))),
        (ToReserve::OtherItems, _) => Ok(Reserved::OtherItems),
        (ToReserve::WasReleased, _) => Ok(Reserved::WasReleased),
    }
}

/// Decides for every item before it writes for any; a shortage takes back the claim, and so leaves nothing behind.
async fn hold(tx: &Transaction<'_>, order: &OrderId, wanted: &Items) -> Result<Reserved, StoreError> {
    let before = locked_stock(tx, wanted).await?;
    let mut held = Vec::new();
    for (sku, quantity) in wanted.iter() {
        let before = before.get(sku).copied().unwrap_or_default();
        match before.hold(quantity) {
            Some(after) => held.push((sku, after)),
            None => {
                tx.execute("DELETE FROM reservations WHERE order_id = $1", &[&order.as_str()]).await?;
                return Ok(Reserved::Short { sku: sku.clone(), wanted: quantity, on_hand: before.on_hand });
            }
        }
    }
    put_stock(tx, &held).await?;
    let (skus, units): (Vec<&str>, Vec<i64>) =
        wanted.iter().map(|(sku, quantity)| (sku.as_str(), quantity.units())).unzip();
    let sql = "INSERT INTO reservation_items (order_id, sku, quantity) \
               SELECT $1, item.sku, item.quantity FROM unnest($2::TEXT[], $3::BIGINT[]) AS item (sku, quantity)";
    tx.execute(sql, &[&order.as_str(), &skus, &units]).await?;
    Ok(Reserved::Held)
}

pub(super) async fn commit(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Committed, StoreError> {
    let known = locked_status(tx, order).await?;
    let decision = to_commit(known);
    if decision == ToCommit::Sell {
        put_status(tx, order, Status::Committed, at_ms).await?;
        move_items(tx, order, Stock::sell).await?;
    }
    Ok(decision.into())
}

pub(super) async fn release(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Released, StoreError> {
    let known = locked_status(tx, order).await?;
    let decision = to_release(known);
    match decision {
        ToRelease::PutBack => {
            put_status(tx, order, Status::Released, at_ms).await?;
            move_items(tx, order, Stock::put_back).await?;
        }
        ToRelease::LeaveTombstone => {
            if !claim(tx, order, Status::Released, at_ms).await? {
                return Err(came_or_went());
            }
        }
        ToRelease::Repeat | ToRelease::WasCommitted => {}
    }
    Ok(decision.into())
}

pub(super) async fn consume(tx: &Transaction<'_>, event: &Event, at_ms: i64) -> Result<Consumed, StoreError> {
    let sql = "SELECT 1 FROM inbox WHERE source = $1 AND id = $2";
    if tx.row(sql, &[&event.source, &event.id]).await?.is_some() {
        return Ok(Consumed::Before);
    }
    let effect: Effect = match event.change {
        Change::Confirmed => commit(tx, &event.order, at_ms).await?.into(),
        Change::Cancelled => release(tx, &event.order, at_ms).await?.into(),
    };
    let kind = event.change.event_type();
    let sql = "INSERT INTO inbox (source, id, type, order_id, effect, at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (source, id) DO NOTHING";
    let order = event.order.as_str();
    match tx.execute(sql, &[&event.source, &event.id, &kind, &order, &effect.word(), &at_ms]).await? {
        0 => Err(StoreError::Conflict("the event was consumed meanwhile".to_owned())),
        _ => Ok(Consumed::Now(effect)),
    }
}

pub(super) async fn reservation(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Reservation>, StoreError> {
    let row = tx.row("SELECT status FROM reservations WHERE order_id = $1", &[&order.as_str()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Reservation { status: status_at(&row)?, items: items(tx, order).await? }))
}

/// Inserts the row of an order, and says whether there was none. Whoever inserts it holds its lock.
async fn claim(tx: &Transaction<'_>, order: &OrderId, status: Status, at_ms: i64) -> Result<bool, StoreError> {
    let sql =
        "INSERT INTO reservations (order_id, status, at_ms) VALUES ($1, $2, $3) ON CONFLICT (order_id) DO NOTHING";
    Ok(tx.execute(sql, &[&order.as_str(), &status.word(), &at_ms]).await? == 1)
}

/// An order's row was there in one statement and not in another; the next attempt sees either.
fn came_or_went() -> StoreError {
    StoreError::Conflict("the order came to be known meanwhile".to_owned())
}

/// Where an order stands, which nobody else changes until this transaction ends.
async fn locked_status(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Status>, StoreError> {
    let row = tx.row("SELECT status FROM reservations WHERE order_id = $1 FOR UPDATE", &[&order.as_str()]).await?;
    row.as_ref().map(status_at).transpose()
}

async fn put_status(tx: &Transaction<'_>, order: &OrderId, status: Status, at_ms: i64) -> Result<(), StoreError> {
    let sql = "UPDATE reservations SET status = $2, at_ms = $3 WHERE order_id = $1";
    tx.execute(sql, &[&order.as_str(), &status.word(), &at_ms]).await.map(drop)
}

/// The items of an order, which never change once they are there.
async fn items(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Items>, StoreError> {
    let sql = "SELECT sku, quantity FROM reservation_items WHERE order_id = $1 ORDER BY sku";
    let rows = tx.rows(sql, &[&order.as_str()]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let listed = rows.iter().map(|row| Ok((sku_at(row, 0)?, quantity_at(row, 1)?)));
    Items::new(listed.collect::<Result<Vec<_>, StoreError>>()?).map(Some).map_err(unreadable)
}

/// Moves every item of a reservation by one law of [`Stock`].
async fn move_items(
    tx: &Transaction<'_>,
    order: &OrderId,
    law: fn(Stock, Quantity) -> Option<Stock>,
) -> Result<(), StoreError> {
    let Some(items) = items(tx, order).await? else { return Ok(()) };
    let before = locked_stock(tx, &items).await?;
    let moved = items.iter().map(|(sku, quantity)| {
        let after = before.get(sku).and_then(|before| law(*before, quantity));
        let units = quantity.units();
        after
            .map(|after| (sku, after))
            .ok_or_else(|| StoreError::Bug(format!("fewer than {units} of `{sku}` are held")))
    });
    put_stock(tx, &moved.collect::<Result<Vec<_>, StoreError>>()?).await
}

/// The stock of some SKUs, which nobody else changes until this transaction ends. Sorted before they are locked.
async fn locked_stock(tx: &Transaction<'_>, items: &Items) -> Result<BTreeMap<Sku, Stock>, StoreError> {
    let skus: Vec<&str> = items.iter().map(|(sku, _)| sku.as_str()).collect();
    let sql = "SELECT received, on_hand, reserved, sold, sku FROM stock WHERE sku = ANY ($1) ORDER BY sku FOR UPDATE";
    let rows = tx.rows(sql, &[&skus]).await?;
    rows.iter().map(|row| Ok((sku_at(row, 4)?, stock_row(row)?))).collect()
}

/// Writes the stock of SKUs that have a row.
async fn put_stock(tx: &Transaction<'_>, stock: &[(&Sku, Stock)]) -> Result<(), StoreError> {
    let skus: Vec<&str> = stock.iter().map(|(sku, _)| sku.as_str()).collect();
    let column = |units: fn(&Stock) -> i64| stock.iter().map(|(_, stock)| units(stock)).collect::<Vec<i64>>();
    let (received, on_hand) = (column(|stock| stock.received), column(|stock| stock.on_hand));
    let (reserved, sold) = (column(|stock| stock.reserved), column(|stock| stock.sold));
    let sql = "UPDATE stock SET received = after.received, on_hand = after.on_hand, reserved = after.reserved, \
               sold = after.sold FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[]) \
               AS after (sku, received, on_hand, reserved, sold) WHERE stock.sku = after.sku";
    tx.execute(sql, &[&skus, &received, &on_hand, &reserved, &sold]).await.map(drop)
}

fn stock_row(row: &Row) -> Result<Stock, StoreError> {
    Ok(Stock { received: row.try_get(0)?, on_hand: row.try_get(1)?, reserved: row.try_get(2)?, sold: row.try_get(3)? })
}

fn status_at(row: &Row) -> Result<Status, StoreError> {
    let word = row.try_get(0)?;
    Status::from_word(word).ok_or_else(|| StoreError::Bug(format!("`{word}` is no status")))
}

fn sku_at(row: &Row, column: usize) -> Result<Sku, StoreError> {
    Sku::new(row.try_get::<_, String>(column)?).map_err(unreadable)
}

fn quantity_at(row: &Row, column: usize) -> Result<Quantity, StoreError> {
    Quantity::new(row.try_get(column)?).map_err(unreadable)
}

/// Something in the database that this code never wrote. The transaction rolls back.
fn unreadable(mistake: impl ToString) -> StoreError {
    StoreError::Bug(mistake.to_string())
}
