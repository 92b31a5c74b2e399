//! The side that reads a callee: it follows the answers, records them, and lets the faults on calls act on them.

use std::sync::{Arc, atomic::Ordering};

use bytes::{Bytes, BytesMut};
use squall_record::{Answer, Seen};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
};

use crate::{
    act,
    call::Call,
    connection::{Connection, End},
    http::{
        body::Framing,
        capture::Capture,
        head::{self, AnswerBody, AnswerHead, Parsed},
    },
    in_force::Active,
    leg::Leg,
    trigger::Armed,
    wire::{Chunk, Input, Mark, Payload},
};

/// A call whose answer is due, and what is to become of the answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) call: Arc<Call>,
    /// Faults that act on the answer, in file order.
    pub(crate) on_answer: Vec<Arc<Active>>,
    /// The fault that loses the answer.
    pub(crate) loses: Option<Arc<Active>>,
    /// The trigger that holds the call once its answer is read.
    pub(crate) after_answer: Option<Arc<Armed>>,
    /// Whether the answer may pass: not before a trigger let it.
    pub(crate) gate: watch::Sender<bool>,
}

/// The callee reset its stream.
pub(crate) struct WasReset;

/// How the callee's direction came to its end.
pub(crate) enum Answers {
    /// The caller was told.
    Closed,
    /// It closed between two calls to a gateway, of which the caller need not know.
    Idle,
}

/// Reads one callee.
pub(crate) struct AnswerSide<'a, R> {
    pub(crate) connection: Arc<Connection>,
    pub(crate) leg: &'a Leg,
    reader: R,
    pub(crate) buffer: BytesMut,
    down: Input,
}

/// How much is read at once.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// How much is read at once while bulk flows.
pub(crate) const READ_BYTES_BULK: usize = 128 * 1024;

impl<'a, R: AsyncRead + Unpin> AnswerSide<'a, R> {
    pub(crate) fn new(connection: Arc<Connection>, leg: &'a Leg, reader: R, down: Input) -> Self {
        AnswerSide { connection, leg, reader, buffer: BytesMut::new(), down }
    }

    /// Reads until the callee's direction ends.
    pub(crate) async fn run(mut self) -> Result<Answers, End> {
        loop {
            if self.buffer.is_empty() {
                match self.fill().await {
                    Ok(0) => return self.closed().await,
                    Ok(_) => {}
                    Err(WasReset) => return self.reset().await,
                }
            }
            let exchange = match self.connection.exchange() {
                Some(exchange) if !self.connection.is_opaque() => exchange,
                // The callee speaks unasked: another protocol, or an answer of despair such as 408.
                _ => return self.pass_bytes().await,
            };
            // The sender lives in the exchange.
            let _ = exchange.gate.subscribe().wait_for(|is_open| *is_open).await;
            if let Some(end) = self.answer(&exchange).await? {
                return Ok(end);
            }
        }
    }

    /// One answer, with the interim ones before it. `Some` if the direction came to its end with it.
    async fn answer(&mut self, exchange: &Exchange) -> Result<Option<Answers>, End> {
        let call = &exchange.call;
        loop {
            match head::answer(&self.buffer, &call.method) {
                Parsed::NotHttp => return self.pass_bytes().await.map(Some),
                Parsed::Partial => match self.fill().await {
                    Ok(0) => return self.closed().await.map(Some),
                    Ok(_) => {}
                    Err(WasReset) => return self.reset().await.map(Some),
                },
                Parsed::Head(head) => match &head.body {
                    AnswerBody::Interim => {
                        let bytes = self.buffer.split_to(head.bytes).freeze();
                        self.push(bytes, call, Mark::Nothing).await;
                    }
                    AnswerBody::Tunnel => return self.tunnel(call, head).await.map(Some),
                    AnswerBody::Framed(framing) => {
                        let framing = framing.clone();
                        return act::answer(self, exchange, &head, framing).await;
                    }
                },
            }
        }
    }

    /// The answer passes as it comes. `from` is where its body begins in the buffer.
    pub(crate) async fn stream(
        &mut self,
        call: &Arc<Call>,
        head: &AnswerHead,
        mut framing: Framing,
        mut capture: Capture,
        mut from: usize,
    ) -> Result<Option<Answers>, End> {
        loop {
            let Ok(n) = framing.take(&self.buffer[from..], &mut capture) else {
                self.answered(call, head, &capture);
                return self.pass_bytes().await.map(Some);
            };
            let bytes = self.buffer.split_to(from + n).freeze();
            from = 0;
            if framing.is_done() {
                self.answered(call, head, &capture);
                self.push(bytes, call, Mark::Ends(Seen::Answer { status: head.status, injected: false })).await;
                self.connection.finish();
                return Ok(None);
            }
            if !bytes.is_empty() {
                self.push(bytes, call, Mark::Nothing).await;
            }
            match self.fill().await {
                Ok(0) => return self.cut_short(call, head, &framing, &capture).await.map(Some),
                Ok(_) => {}
                Err(WasReset) => {
                    self.answered(call, head, &capture);
                    return self.reset().await.map(Some);
                }
            }
        }
    }

    /// The callee closed within an answer, or at the end of one that ends with the connection.
    pub(crate) async fn cut_short(
        &mut self,
        call: &Arc<Call>,
        head: &AnswerHead,
        framing: &Framing,
        capture: &Capture,
    ) -> Result<Answers, End> {
        self.answered(call, head, capture);
        if self.leg.is_broken.load(Ordering::Acquire) {
            return self.reset().await;
        }
        let seen = match framing {
            Framing::UntilClose => Seen::Answer { status: head.status, injected: false },
            _ => Seen::Closed,
        };
        self.connection.closed_by("the callee");
        self.fin(call, seen).await;
        Ok(Answers::Closed)
    }

    /// An upgrade or a tunnel: the call is answered, and what follows is not HTTP.
    async fn tunnel(&mut self, call: &Arc<Call>, head: AnswerHead) -> Result<Answers, End> {
        self.answered(call, &head, &Capture::new(0));
        let bytes = self.buffer.split_to(head.bytes).freeze();
        self.push(bytes, call, Mark::Ends(Seen::Answer { status: head.status, injected: false })).await;
        self.connection.turn_opaque();
        self.connection.finish();
        self.pass_bytes().await
    }

    /// Bytes pass without being looked at, until the callee closes.
    async fn pass_bytes(&mut self) -> Result<Answers, End> {
        self.connection.turn_opaque();
        loop {
            let bytes = self.buffer.split().freeze();
            if !bytes.is_empty() {
                let call = self.connection.exchange().map(|exchange| exchange.call.clone());
                self.chunk(Payload::Data(bytes), call, Mark::Nothing).await;
            }
            match self.fill().await {
                Ok(0) => return self.closed().await,
                Ok(_) => {}
                Err(WasReset) => return self.reset().await,
            }
        }
    }

    /// The callee closed in order.
    async fn closed(&mut self) -> Result<Answers, End> {
        if self.leg.is_broken.load(Ordering::Acquire) {
            return self.reset().await;
        }
        let exchange = self.connection.exchange();
        if exchange.is_none() && self.connection.is_gateway() && !self.connection.is_opaque() {
            return Ok(Answers::Idle);
        }
        self.connection.closed_by("the callee");
        let rest = self.buffer.split().freeze();
        match exchange {
            Some(exchange) => {
                if !rest.is_empty() {
                    self.push(rest, &exchange.call, Mark::Nothing).await;
                }
                self.fin(&exchange.call, Seen::Closed).await;
            }
            None => self.chunk(Payload::Fin, None, Mark::Nothing).await,
        }
        Ok(Answers::Closed)
    }

    /// The callee reset: so is the caller, after what came before.
    pub(crate) async fn reset(&mut self) -> Result<Answers, End> {
        self.chunk(Payload::End(End::callee_reset()), None, Mark::Nothing).await;
        std::future::pending().await
    }

    /// Records what the callee said, as far as it was read.
    pub(crate) fn answered(&self, call: &Call, head: &AnswerHead, capture: &Capture) {
        let body = capture.recorded(&head.headers);
        call.answered(self.leg.callee, Answer { status: head.status, headers: head.headers.recorded(), body });
    }

    /// Reads more; 0 is the callee's end.
    pub(crate) async fn fill(&mut self) -> Result<usize, WasReset> {
        let filled = self.buffer.capacity() > 0 && self.buffer.len() == self.buffer.capacity();
        self.buffer.reserve(if filled { READ_BYTES_BULK } else { READ_BYTES });
        self.reader.read_buf(&mut self.buffer).await.map_err(|_| WasReset)
    }

    pub(crate) async fn push(&self, bytes: Bytes, call: &Arc<Call>, mark: Mark) {
        self.chunk(Payload::Data(bytes), Some(call.clone()), mark).await;
    }

    /// Closes the caller's direction; the call ends with it.
    pub(crate) async fn fin(&self, call: &Arc<Call>, seen: Seen) {
        self.chunk(Payload::Fin, Some(call.clone()), Mark::Ends(seen)).await;
    }

    pub(crate) async fn chunk(&self, payload: Payload, call: Option<Arc<Call>>, mark: Mark) {
        let arrived = self.connection.link.timer.now();
        self.down.push(Chunk { payload, arrived, call, mark }).await;
    }
}
