//! What other services are told when an order ends.

use chassis::{log::rfc3339, outbox::CloudEvent};
use serde_json::json;

use crate::{domain::Order, saga::End};

/// The event of this end, which happened at `now_ms` (milliseconds since 1970). It has the same identifier whenever it
/// is made, so that a subscriber knows it again.
pub fn of(order: &Order, end: End, now_ms: i64) -> CloudEvent {
    let kind = match end {
        End::Confirmed => "order.confirmed",
        End::Cancelled => "order.cancelled",
    };
    CloudEvent {
        specversion: "1.0".to_owned(),
        id: format!("{}.{kind}", order.order_id),
        source: "order".to_owned(),
        kind: kind.to_owned(),
        subject: Some(order.order_id.clone()),
        time: Some(rfc3339(now_ms)),
        datacontenttype: Some("application/json".to_owned()),
        data: json!({
            "order_id": order.order_id,
            "customer_id": order.request.customer_id,
            "items": order.request.items,
            "amount": order.amount,
            "currency": order.currency,
        }),
    }
}
