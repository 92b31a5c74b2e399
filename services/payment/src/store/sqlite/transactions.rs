//! The transactions themselves: read, let the domain decide, write. Each function runs inside one
//! immediate transaction of its caller, so nobody else writes between its reads and its writes.

use rusqlite::types::Type;
use rusqlite::{Error, OptionalExtension, Result, Row, Transaction, params};

use crate::domain::{
    Account, Capture, Charge, Currency, Key, Method, Mistake, Money, OrderId, Outcome, PaymentId, Summary, outcome,
};
use crate::store::{Charged, Refunded};

pub(super) fn charge(
    tx: &Transaction<'_>,
    key: &Key,
    charge: &Charge,
    payment_id: &PaymentId,
    at_ms: i64,
) -> Result<Charged> {
    if let Some((asked, payment_id, outcome)) = charge_under(tx, key)? {
        return Ok(if asked == *charge { Charged::Before(payment_id, outcome) } else { Charged::KeyReused });
    }
    let closed = tx
        .prepare_cached(
            "INSERT INTO orders (order_id, closed, at_ms) VALUES (?1, 0, ?2) \
             ON CONFLICT (order_id) DO UPDATE SET closed = orders.closed RETURNING closed",
        )?
        .query_row(params![charge.order_id.as_str(), at_ms], |row| Ok(row.get::<_, i64>(0)? != 0))?;
    let ended = outcome(charge, closed);
    tx.prepare_cached(
        "INSERT INTO charges (idempotency_key, payment_id, order_id, amount, currency, payment_method, outcome, refunded, \
         at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
    )?
    .execute(params![
        key.as_str(),
        payment_id.as_str(),
        charge.order_id.as_str(),
        charge.money.amount(),
        charge.money.currency().code(),
        charge.method.word(),
        ended.word(),
        at_ms,
    ])?;
    Ok(Charged::Now(payment_id.clone(), ended))
}

fn charge_under(tx: &Transaction<'_>, key: &Key) -> Result<Option<(Charge, PaymentId, Outcome)>> {
    tx.prepare_cached(
        "SELECT order_id, amount, currency, payment_method, payment_id, outcome FROM charges WHERE idempotency_key = ?1",
    )?
    .query_row(params![key.as_str()], |row| {
        let order_id = OrderId::new(row.get::<_, String>(0)?).map_err(unreadable)?;
        let money = money_at(row, 1, 2)?;
        let method = Method::new(&row.get::<_, String>(3)?).map_err(unreadable)?;
        let payment_id = PaymentId::new(row.get(4)?);
        let word: String = row.get(5)?;
        let outcome = Outcome::from_word(&word).ok_or_else(|| wrong(format!("`{word}` is no outcome")))?;
        Ok((Charge { order_id, money, method }, payment_id, outcome))
    })
    .optional()
}

pub(super) fn refund(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Refunded> {
    tx.prepare_cached(
        "INSERT INTO orders (order_id, closed, at_ms) VALUES (?1, 1, ?2) \
         ON CONFLICT (order_id) DO UPDATE SET closed = 1",
    )?
    .execute(params![order.as_str(), at_ms])?;
    tx.prepare_cached("UPDATE charges SET refunded = 1 WHERE order_id = ?1 AND outcome = 'captured' AND refunded = 0")?
        .execute(params![order.as_str()])?;
    let captures = captures(tx, order)?;
    Ok(Refunded { amount: captures.iter().map(|capture| capture.money.amount()).sum(), captures: captures.len() })
}

pub(super) fn account(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Account>> {
    let closed = tx
        .prepare_cached("SELECT closed FROM orders WHERE order_id = ?1")?
        .query_row(params![order.as_str()], |row| Ok(row.get::<_, i64>(0)? != 0))
        .optional()?;
    let Some(closed) = closed else { return Ok(None) };
    Ok(Some(Account { closed, captures: captures(tx, order)? }))
}

fn captures(tx: &Transaction<'_>, order: &OrderId) -> Result<Vec<Capture>> {
    tx.prepare_cached(
        "SELECT payment_id, amount, currency, refunded FROM charges \
         WHERE order_id = ?1 AND outcome = 'captured' ORDER BY at_ms, payment_id",
    )?
    .query_map(params![order.as_str()], |row| {
        let refunded = row.get::<_, i64>(3)? != 0;
        Ok(Capture { payment_id: PaymentId::new(row.get(0)?), money: money_at(row, 1, 2)?, refunded })
    })?
    .collect()
}

pub(super) fn summary(tx: &Transaction<'_>) -> Result<Summary> {
    let (captured, refunded, payments) = tx
        .prepare_cached(
            "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT), \
             CAST(COALESCE(SUM(amount * refunded), 0) AS BIGINT), COUNT(*) \
             FROM charges WHERE outcome = 'captured'",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let voided = tx
        .prepare_cached(
            "SELECT COUNT(*) FROM orders WHERE closed = 1 AND NOT EXISTS \
             (SELECT 1 FROM charges WHERE charges.order_id = orders.order_id AND charges.outcome = 'captured')",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(Summary { captured, refunded, payments, voided })
}

fn money_at(row: &Row<'_>, amount: usize, currency: usize) -> Result<Money> {
    let currency = Currency::new(&row.get::<_, String>(currency)?).map_err(unreadable)?;
    Money::new(row.get(amount)?, currency).map_err(unreadable)
}

/// Something in the database that this code never wrote. The transaction rolls back.
fn unreadable(mistake: impl Into<Mistake>) -> Error {
    wrong(mistake.into().to_string())
}

fn wrong(why: String) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, why.into())
}
