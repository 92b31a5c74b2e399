//! The transactions themselves: read, let the domain decide, write. Each function runs inside one transaction of its
//! caller.
//!
//! Locks are taken in one order, so that nobody waits in a circle: the row of the order, then the row of the key.

use chassis::store::postgres::{Row, Transaction};

use crate::domain::{
    Account, Capture, Charge, Currency, Key, Method, Mistake, Money, OrderId, Outcome, PaymentId, Summary, outcome,
};
use crate::store::{Charged, Refunded, StoreError};

pub(super) async fn charge(
    tx: &Transaction<'_>,
    key: &Key,
    charge: &Charge,
    payment_id: &PaymentId,
    at_ms: i64,
) -> Result<Charged, StoreError> {
    if let Some((asked, payment_id, outcome)) = charge_under(tx, key).await? {
        return Ok(if asked == *charge { Charged::Before(payment_id, outcome) } else { Charged::KeyReused });
    }
    // The lock that keeps a charge and a void of the same order apart.
    let sql = "INSERT INTO orders (order_id, closed, at_ms) VALUES ($1, FALSE, $2) \
               ON CONFLICT (order_id) DO UPDATE SET closed = orders.closed RETURNING closed";
    let order = tx.row(sql, &[&charge.order_id.as_str(), &at_ms]).await?;
    let closed = order.map_or(Ok(false), |order| order.try_get(0))?;
    let ended = outcome(charge, closed);
    let sql = "INSERT INTO charges (idempotency_key, payment_id, order_id, amount, currency, payment_method, outcome, \
               refunded, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, $8) ON CONFLICT (idempotency_key) DO NOTHING";
    let written = tx
        .execute(
            sql,
            &[
                &key.as_str(),
                &payment_id.as_str(),
                &charge.order_id.as_str(),
                &charge.money.amount(),
                &charge.money.currency().code(),
                &charge.method.word(),
                &ended.word(),
                &at_ms,
            ],
        )
        .await?;
    match written {
        // The next attempt finds it.
        0 => Err(StoreError::Conflict("another charge came first under the same key".to_owned())),
        _ => Ok(Charged::Now(payment_id.clone(), ended)),
    }
}

async fn charge_under(tx: &Transaction<'_>, key: &Key) -> Result<Option<(Charge, PaymentId, Outcome)>, StoreError> {
    let sql = "SELECT order_id, amount, currency, payment_method, payment_id, outcome FROM charges \
               WHERE idempotency_key = $1";
    let Some(row) = tx.row(sql, &[&key.as_str()]).await? else { return Ok(None) };
    let order_id = OrderId::new(row.try_get::<_, String>(0)?).map_err(unreadable)?;
    let money = money_at(&row, 1, 2)?;
    let method = Method::new(row.try_get(3)?).map_err(unreadable)?;
    let payment_id = PaymentId::new(row.try_get(4)?);
    let word = row.try_get(5)?;
    let outcome = Outcome::from_word(word).ok_or_else(|| StoreError::Bug(format!("`{word}` is no outcome")))?;
    Ok(Some((Charge { order_id, money, method }, payment_id, outcome)))
}

pub(super) async fn refund(tx: &Transaction<'_>, order: &OrderId, at_ms: i64) -> Result<Refunded, StoreError> {
    let sql = "INSERT INTO orders (order_id, closed, at_ms) VALUES ($1, TRUE, $2) \
               ON CONFLICT (order_id) DO UPDATE SET closed = TRUE";
    tx.execute(sql, &[&order.as_str(), &at_ms]).await?;
    let sql = "UPDATE charges SET refunded = TRUE WHERE order_id = $1 AND outcome = 'captured' AND NOT refunded";
    tx.execute(sql, &[&order.as_str()]).await?;
    let captures = captures(tx, order).await?;
    Ok(Refunded { amount: captures.iter().map(|capture| capture.money.amount()).sum(), captures: captures.len() })
}

pub(super) async fn account(tx: &Transaction<'_>, order: &OrderId) -> Result<Option<Account>, StoreError> {
    let known = tx.row("SELECT closed FROM orders WHERE order_id = $1", &[&order.as_str()]).await?;
    let Some(known) = known else { return Ok(None) };
    Ok(Some(Account { closed: known.try_get(0)?, captures: captures(tx, order).await? }))
}

async fn captures(tx: &Transaction<'_>, order: &OrderId) -> Result<Vec<Capture>, StoreError> {
    let sql = "SELECT payment_id, amount, currency, refunded FROM charges \
               WHERE order_id = $1 AND outcome = 'captured' ORDER BY at_ms, payment_id";
    let rows = tx.rows(sql, &[&order.as_str()]).await?;
    let capture = |row: &Row| {
        let payment_id = PaymentId::new(row.try_get(0)?);
        Ok(Capture { payment_id, money: money_at(row, 1, 2)?, refunded: row.try_get(3)? })
    };
    rows.iter().map(capture).collect()
}

pub(super) async fn summary(tx: &Transaction<'_>) -> Result<Summary, StoreError> {
    let sql = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT), \
               CAST(COALESCE(SUM(amount) FILTER (WHERE refunded), 0) AS BIGINT), COUNT(*) \
               FROM charges WHERE outcome = 'captured'";
    let Some(sums) = tx.row(sql, &[]).await? else { return Ok(Summary::default()) };
    let sql = "SELECT COUNT(*) FROM orders WHERE closed AND NOT EXISTS \
               (SELECT 1 FROM charges WHERE charges.order_id = orders.order_id AND charges.outcome = 'captured')";
    let voided = tx.row(sql, &[]).await?.map_or(Ok(0), |row| row.try_get(0))?;
    Ok(Summary { captured: sums.try_get(0)?, refunded: sums.try_get(1)?, payments: sums.try_get(2)?, voided })
}

fn money_at(row: &Row, amount: usize, currency: usize) -> Result<Money, StoreError> {
    let currency = Currency::new(row.try_get(currency)?).map_err(unreadable)?;
    Money::new(row.try_get(amount)?, currency).map_err(unreadable)
}

/// Something in the database that this code never wrote. The transaction rolls back.
fn unreadable(mistake: impl Into<Mistake>) -> StoreError {
    StoreError::Bug(mistake.into().to_string())
}
