//! The answer breaks off after so many bytes of its body.

use std::{sync::Arc, time::Duration};

use squall_record::Seen;
use tokio::io::AsyncRead;

use crate::{
    answer_side::{AnswerSide, Answers, Exchange, WasReset},
    connection::End,
    http::{body::Framing, capture::Capture, head::AnswerHead},
    in_force::Active,
    wire::Mark,
};

/// How long the rest of a cut answer is read for the record.
const REST_WAIT: Duration = Duration::from_secs(1);

/// Passes the answer as it comes, up to the cut.
pub(super) async fn stream<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    fault: &Arc<Active>,
    after_bytes: u64,
    head: &AnswerHead,
    mut framing: Framing,
    mut capture: Capture,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let mut from = head.bytes;
    loop {
        // One byte at a time, since the cut is counted in content and framing may lie between.
        let mut end = from;
        while end < side.buffer.len() && capture.bytes() < after_bytes && !framing.is_done() {
            if framing.take(&side.buffer[end..=end], &mut capture).is_err() {
                call.not_applied(fault, "the body is malformed");
                return side.stream(call, head, framing, capture, from).await;
            }
            end += 1;
        }
        if framing.is_done() {
            call.not_applied(fault, "the body is not longer than that");
            return side.stream(call, head, framing, capture, end).await;
        }
        let bytes = side.buffer.split_to(end).freeze();
        from = 0;
        if !bytes.is_empty() {
            side.push(bytes, call, Mark::Nothing).await;
        }
        if capture.bytes() >= after_bytes {
            call.applied(fault);
            side.fin(call, Seen::Closed).await;
            read_rest(side, &mut framing, &mut capture).await;
            side.answered(call, head, &capture);
            side.connection.closed_to_caller.notified().await;
            return Err(End::closed_by(fault));
        }
        match side.fill().await {
            Ok(0) => return side.cut_short(call, head, &framing, &capture).await.map(Some),
            Ok(_) => {}
            Err(WasReset) => {
                side.answered(call, head, &capture);
                return side.reset().await.map(Some);
            }
        }
    }
}

/// Reads the rest of an answer, so that the record has what the callee said.
pub(super) async fn read_rest<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    framing: &mut Framing,
    capture: &mut Capture,
) {
    let link = side.connection.link.clone();
    let patience = link.timer.sleep_until(link.timer.now() + REST_WAIT);
    let rest = async {
        loop {
            let Ok(n) = framing.take(&side.buffer, capture) else { return };
            let _ = side.buffer.split_to(n);
            if framing.is_done() || !matches!(side.fill().await, Ok(1..)) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = rest => {}
        () = patience => {}
    }
}
