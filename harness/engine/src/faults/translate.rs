//! The scenario's words for faults in the proxy's own.

use squall_proxy as proxy;
use squall_scenario::model;

/// What the proxy injects; `None` for what acts on a service, or comes from a contract.
pub(super) fn inject(of: &model::Inject) -> Option<proxy::Inject> {
    use model::Inject as From;
    use proxy::Inject as To;
    Some(match of {
        From::Latency { delay, jitter, stream } => {
            To::Latency { delay: *delay, jitter: *jitter, stream: side(*stream) }
        }
        From::Bandwidth { bytes_per_second, stream } => {
            To::Bandwidth { bytes_per_second: *bytes_per_second, stream: side(*stream) }
        }
        From::SlowClose { delay, stream } => To::SlowClose { delay: *delay, stream: side(*stream) },
        From::Slice { average_bytes, size_variation_bytes, delay, stream } => To::Slice {
            average_bytes: *average_bytes,
            size_variation_bytes: *size_variation_bytes,
            delay: *delay,
            stream: side(*stream),
        },
        From::LimitData { bytes, stream } => To::LimitData { bytes: *bytes, stream: side(*stream) },
        From::BlackHole => To::BlackHole,
        From::Reset { after } => To::Reset { after: *after },
        From::Refuse => To::Refuse,
        From::HangConnect => To::HangConnect,
        From::Partition { one_way } => To::Partition { one_way: *one_way },
        From::Respond(answer) => To::Respond(respond(answer)),
        From::Delay { delay } => To::Delay { delay: *delay },
        From::CutResponse { after_bytes } => To::CutResponse { after_bytes: *after_bytes },
        From::CorruptBody { field, kind } => To::CorruptBody { field: field.clone(), kind: corruption(*kind) },
        From::LoseResponse { then } => To::LoseResponse { then: instead(then) },
        // What these inject stands in a pact.
        From::AnswerAs { .. } | From::BreakContract { .. } => return None,
        From::Kill { .. }
        | From::Pause
        | From::Restart { .. }
        | From::Cpu { .. }
        | From::Memory { .. }
        | From::NotYet { .. } => return None,
    })
}

fn side(of: model::StreamSide) -> proxy::Side {
    match of {
        model::StreamSide::Upstream => proxy::Side::Upstream,
        model::StreamSide::Downstream => proxy::Side::Downstream,
    }
}

fn corruption(of: model::Corruption) -> proxy::Corruption {
    match of {
        model::Corruption::Remove => proxy::Corruption::Remove,
        model::Corruption::Null => proxy::Corruption::Null,
        model::Corruption::Garble => proxy::Corruption::Garble,
    }
}

fn instead(of: &model::Then) -> proxy::Then {
    match of {
        model::Then::Reset => proxy::Then::Reset,
        model::Then::Close => proxy::Then::Close,
        model::Then::Hang => proxy::Then::Hang,
        model::Then::Respond(answer) => proxy::Then::Respond(respond(answer)),
    }
}

fn respond(of: &model::Respond) -> proxy::Respond {
    proxy::Respond { status: of.status, headers: of.headers.clone(), body: of.body.clone(), text: None }
}

/// Which calls a fault acts on.
pub(super) fn matching(of: &model::Match) -> proxy::Match {
    proxy::Match {
        call: of.call.as_ref().map(call),
        header: of.header.clone(),
        nth: of.nth,
        every: of.every,
        probability: of.probability.map(|share| share.0),
    }
}

/// The n-th distinct operation that makes this call.
pub(super) fn nth_call(of: &model::Call, nth: u32) -> proxy::Match {
    proxy::Match { call: Some(call(of)), nth: Some(nth), ..proxy::Match::default() }
}

pub(super) fn call(of: &model::Call) -> proxy::CallMatch {
    proxy::CallMatch { method: of.method.clone(), path: of.path.clone() }
}

/// The point at which a triggering call is held.
pub(super) fn call_point(of: model::CallPoint) -> proxy::CallPoint {
    match of {
        model::CallPoint::BeforeForward => proxy::CallPoint::BeforeForward,
        model::CallPoint::AfterForward => proxy::CallPoint::AfterForward,
        model::CallPoint::AfterAnswer => proxy::CallPoint::AfterAnswer,
    }
}
