//! The work is done, the answer lost: it is read to its end and recorded, then the caller is given something else.

use std::sync::Arc;

use squall_record::Seen;
use tokio::io::AsyncRead;

use super::respond;
use crate::{
    answer_side::{AnswerSide, Answers, Exchange, WasReset},
    connection::End,
    fault::{Inject, Then},
    http::{body::Framing, capture::Capture, head::AnswerHead},
    in_force::{Active, healed},
    wire::{Mark, Payload},
};

pub(super) async fn lose<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    fault: &Arc<Active>,
    head: &AnswerHead,
    mut framing: Framing,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let mut capture = Capture::new(side.connection.link.config.body_bytes_kept_max);
    let mut from = head.bytes;
    loop {
        let taken = framing.take(&side.buffer[from..], &mut capture);
        let n = taken.unwrap_or(side.buffer.len() - from);
        let _ = side.buffer.split_to(from + n);
        from = 0;
        if framing.is_done() || taken.is_err() {
            break;
        }
        match side.fill().await {
            Ok(0) if framing == Framing::UntilClose => break,
            Ok(0) => {
                call.not_applied(fault, "the callee broke off its answer");
                return side.cut_short(call, head, &framing, &capture).await.map(Some);
            }
            Ok(_) => {}
            Err(WasReset) => {
                call.not_applied(fault, "the callee broke off its answer");
                side.answered(call, head, &capture);
                return side.reset().await.map(Some);
            }
        }
    }
    side.answered(call, head, &capture);
    if let Some(armed) = &exchange.after_answer {
        armed.hold(call).await;
    }
    for other in &exchange.on_answer {
        call.not_applied(other, "the answer was lost");
    }
    call.applied(fault);
    give(side, exchange, fault).await
}

/// Gives the caller what comes in the answer's place.
async fn give<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    fault: &Arc<Active>,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let Inject::LoseResponse { then } = &fault.fault.inject else { return Ok(None) };
    match then {
        Then::Reset => {
            side.chunk(Payload::End(End::reset_by(fault)), None, Mark::Nothing).await;
            std::future::pending().await
        }
        Then::Close => {
            side.fin(call, Seen::Closed).await;
            side.connection.closed_to_caller.notified().await;
            Err(End::closed_by(fault))
        }
        Then::Hang => {
            let hung_up = side.connection.caller_closed.notified();
            tokio::select! {
                biased;
                () = hung_up => Err(End::caller_closed()),
                () = healed(side.connection.link.watch(), fault.serial) => Err(End::closed_by(fault)),
            }
        }
        Then::Respond(respond) => {
            let bytes = respond::bytes(respond, &call.method, false);
            side.push(bytes, call, Mark::Ends(Seen::Answer { status: respond.status, injected: true })).await;
            side.connection.finish();
            Ok(None)
        }
    }
}
