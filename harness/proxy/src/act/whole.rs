//! An answer that is read whole before any of it passes: because a trigger holds it, or its body is damaged.

use std::sync::Arc;

use bytes::Bytes;
use squall_record::Seen;
use tokio::io::AsyncRead;

use super::{break_body, corrupt_body};
use crate::{
    answer_side::{AnswerSide, Answers, Exchange, WasReset},
    connection::End,
    fault::Inject,
    http::{body::Framing, capture::Capture, head::AnswerHead},
    in_force::Active,
    wire::Mark,
};

/// The longest answer that is held whole, in bytes. A longer one passes undamaged.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn pass<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    acting: &[&Arc<Active>],
    head: &AnswerHead,
    mut framing: Framing,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let mut capture = Capture::holding(side.connection.link.config.body_bytes_kept_max, HELD_BYTES_MAX);
    let mut end = head.bytes;
    let mut closes = false;
    loop {
        let is_malformed = match framing.take(&side.buffer[end..], &mut capture) {
            Ok(n) => {
                end += n;
                false
            }
            Err(_) => true,
        };
        if framing.is_done() {
            break;
        }
        if is_malformed || end - head.bytes > HELD_BYTES_MAX {
            let why = if is_malformed { "the body is malformed".to_owned() } else { too_long() };
            acting.iter().for_each(|fault| call.not_applied(fault, &why));
            hold(exchange).await;
            return side.stream(call, head, framing, capture, end).await;
        }
        match side.fill().await {
            Ok(0) if framing == Framing::UntilClose => {
                closes = true;
                break;
            }
            Ok(0) => {
                let bytes = side.buffer.split_to(end).freeze();
                side.push(bytes, call, Mark::Nothing).await;
                return side.cut_short(call, head, &framing, &capture).await.map(Some);
            }
            Ok(_) => {}
            Err(WasReset) => {
                side.answered(call, head, &capture);
                return side.reset().await.map(Some);
            }
        }
    }
    side.answered(call, head, &capture);
    hold(exchange).await;
    let raw = side.buffer.split_to(end).freeze();
    relay(side, exchange, acting, head, &capture, raw, closes).await
}

/// Relays a whole answer, changed as the faults ask.
async fn relay<R: AsyncRead + Unpin>(
    side: &mut AnswerSide<'_, R>,
    exchange: &Exchange,
    acting: &[&Arc<Active>],
    head: &AnswerHead,
    capture: &Capture,
    raw: Bytes,
    closes: bool,
) -> Result<Option<Answers>, End> {
    let call = &exchange.call;
    let changed = change(exchange, acting, head, capture);
    let injected = changed.body.is_some();
    let body = changed.body.as_deref().or(capture.whole()).unwrap_or_default();
    if let Some((fault, after)) = changed.cut {
        let mut bytes = rewritten_head(&raw[..head.bytes], body.len());
        bytes.extend_from_slice(&body[..after]);
        side.push(bytes.into(), call, Mark::Nothing).await;
        side.fin(call, Seen::Closed).await;
        side.connection.closed_to_caller.notified().await;
        return Err(End::closed_by(fault));
    }
    let bytes = if injected {
        let mut bytes = rewritten_head(&raw[..head.bytes], body.len());
        bytes.extend_from_slice(body);
        bytes.into()
    } else {
        raw
    };
    side.push(bytes, call, Mark::Ends(Seen::Answer { status: head.status, injected })).await;
    side.connection.finish();
    if closes {
        side.connection.closed_by("the callee");
        side.fin(call, Seen::Closed).await;
        return Ok(Some(Answers::Closed));
    }
    Ok(None)
}

/// What became of an answer's body.
struct Changed<'a> {
    /// The body, if it was damaged.
    body: Option<Vec<u8>>,
    /// The fault that cuts it, and after how many bytes.
    cut: Option<(&'a Active, usize)>,
}

/// Lets the faults act on the body, in file order.
fn change<'a>(exchange: &Exchange, acting: &[&'a Arc<Active>], head: &AnswerHead, capture: &Capture) -> Changed<'a> {
    let call = &exchange.call;
    let mut changed = Changed { body: None, cut: None };
    for fault in acting {
        let Some(body) = changed.body.as_deref().or(capture.whole()) else {
            call.not_applied(fault, &too_long());
            continue;
        };
        match &fault.fault.inject {
            _ if changed.cut.is_some() => call.not_applied(fault, "a fault before it cut the answer"),
            Inject::CutResponse { after_bytes } => match usize::try_from(*after_bytes) {
                Ok(after) if after < body.len() => {
                    call.applied(fault);
                    changed.cut = Some((fault, after));
                }
                _ => call.not_applied(fault, "the body is not longer than that"),
            },
            Inject::CorruptBody { .. } | Inject::BreakBody { .. } if head.headers.has_encoded_body() => {
                call.not_applied(fault, "the body is compressed");
            }
            Inject::CorruptBody { field, kind } => match corrupt_body::corrupt(body, field.as_deref(), *kind) {
                Ok(body) => {
                    call.applied(fault);
                    changed.body = Some(body);
                }
                Err(why) => call.not_applied(fault, &why),
            },
            Inject::BreakBody { edits } => match break_body::broken(body, head.status, edits) {
                Ok(body) => {
                    call.applied(fault);
                    changed.body = Some(body);
                }
                Err(why) => call.not_applied(fault, &why),
            },
            _ => {}
        }
    }
    changed
}

async fn hold(exchange: &Exchange) {
    if let Some(armed) = &exchange.after_answer {
        armed.hold(&exchange.call).await;
    }
}

fn too_long() -> String {
    format!("the body is longer than {HELD_BYTES_MAX} bytes")
}

/// The head with another length of its body.
fn rewritten_head(head: &[u8], body_bytes: usize) -> Vec<u8> {
    let mut rewritten = Vec::with_capacity(head.len() + 32);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        let is_framing =
            ["content-length", "transfer-encoding", "trailer"].iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()));
        if line == b"\r\n" || line == b"\n" {
            rewritten.extend_from_slice(format!("content-length: {body_bytes}\r\n").as_bytes());
        }
        if !is_framing {
            rewritten.extend_from_slice(line);
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_rewritten_for_its_new_body_only() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n";
        let rewritten = rewritten_head(head, 7);
        assert_eq!(rewritten, b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 7\r\n\r\n");
    }
}
