//! Faults on calls: what each does to a request or to an answer. One file each.

use std::sync::Arc;

use tokio::io::AsyncRead;

use crate::{
    answer_side::{AnswerSide, Answers, Exchange},
    connection::End,
    fault::Inject,
    http::{body::Framing, capture::Capture, head::AnswerHead},
    in_force::Active,
};

pub(crate) mod course;
pub(crate) mod respond;
mod lose_response;
mod cut_response;
mod corrupt_body;
mod break_body;
mod whole;

/// Passes one answer whose head is read, as the faults in force let it. `Some` if the direction ended with it.
pub(crate) async fn answer<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    head: &AnswerHead,
    framing: Framing,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let in_force = side.connection.link.in_force();
    let still = |fault: &&Arc<Active>| {
        let is_in_force = in_force.has(fault.serial);
        if !is_in_force {
            call.not_applied(fault, "it was healed before the answer came");
        }
        is_in_force
    };
    if let Some(fault) = exchange.loses.as_ref().filter(still) {
        return lose_response::lose(side, exchange, fault, head, framing).await;
    }
    let acting: Vec<&Arc<Active>> = exchange.on_answer.iter().filter(still).collect();
    let capture = Capture::new(side.connection.link.config.body_bytes_kept_max);
    match (&acting[..], &exchange.after_answer) {
        ([], None) => side.stream(call, head, framing, capture, head.bytes).await,
        ([fault], None) if let Inject::CutResponse { after_bytes } = fault.fault.inject => {
            cut_response::stream(side, exchange, fault, after_bytes, head, framing, capture).await
        }
        _ => whole::pass(side, exchange, &acting, head, framing).await,
    }
}
