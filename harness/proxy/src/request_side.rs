//! The side that reads the caller: it follows the requests, one after the other, records them, and
//! lets the faults on calls act before anything is forwarded.
//!
//! A caller that closes its stream while an answer is due counts as having hung up: HTTP clients
//! do not close one direction only. One that does is still given its answer.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use squall_record::{KeyPlace, Seen};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
};

use crate::{
    act::{
        course::{self, Course, Holds, Step},
        respond,
    },
    answer_side::{Exchange, READ_BYTES, READ_BYTES_BULK},
    call::Call,
    connection::{Connection, End},
    fault::{Inject, Respond},
    http::{
        body::Framing,
        capture::Capture,
        head::{self, Parsed, RequestHead},
    },
    in_force::{Active, healed},
    leg::Leg,
    wire::{Chunk, Input, Mark, Payload},
};

/// How long nothing may follow first bytes that look like the beginning of a request without being
/// one, before they are passed: a protocol that waits for an answer to them must not wait for ever.
const DOUBT: Duration = Duration::from_millis(100);
/// How much of the next requests is read while an answer is due.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Reads one caller.
pub(crate) struct RequestSide<R> {
    connection: Arc<Connection>,
    reader: R,
    buffer: BytesMut,
    /// Whether the caller has closed its direction.
    is_closed: bool,
    legs: Arc<[Leg]>,
    down: Input,
}

/// What the buffer turned out to begin with.
enum Next {
    Request(RequestHead),
    Bytes,
    Closed,
}

/// What came of a request's body.
enum Sent {
    /// It was read to its end.
    Whole,
    /// The caller closed within it.
    Closed,
    /// It is not what its head said.
    Malformed,
}

impl<R: AsyncRead + Unpin> RequestSide<R> {
    pub(crate) fn new(connection: Arc<Connection>, reader: R, legs: Arc<[Leg]>, down: Input) -> Self {
        RequestSide { connection, reader, buffer: BytesMut::new(), is_closed: false, legs, down }
    }

    /// Reads until the caller's direction ends.
    pub(crate) async fn run(mut self) -> Result<(), End> {
        let mut upstream = 0;
        loop {
            match self.next().await? {
                Next::Request(head) => {
                    upstream = self.connection.link.upstream_of(&head.target);
                    if !self.exchange(&head, upstream).await? {
                        return self.close().await;
                    }
                }
                Next::Bytes => return self.pass_bytes(upstream).await,
                Next::Closed => return self.close().await,
            }
        }
    }

    /// Waits for the next request.
    async fn next(&mut self) -> Result<Next, End> {
        let mut doubt = None;
        loop {
            if self.connection.is_opaque() {
                return Ok(Next::Bytes);
            }
            if !self.buffer.is_empty() {
                match head::request(&self.buffer) {
                    Parsed::Head(head) => {
                        self.connection.turn_http();
                        return Ok(Next::Request(head));
                    }
                    Parsed::NotHttp => return Ok(Next::Bytes),
                    Parsed::Partial if self.is_closed => return Ok(Next::Bytes),
                    Parsed::Partial => {}
                }
                let is_in_doubt = !self.connection.is_http() && !head::is_surely_a_request(&self.buffer);
                let timer = &self.connection.link.timer;
                doubt = is_in_doubt.then(|| timer.sleep_until(timer.now() + DOUBT));
            } else if self.is_closed {
                return Ok(Next::Closed);
            }
            let connection = self.connection.clone();
            tokio::select! {
                biased;
                () = connection.turned_opaque.notified() => {}
                filled = self.fill() => {
                    filled?;
                }
                () = async { match doubt.as_mut() { Some(doubt) => doubt.await, None => std::future::pending().await } } => {
                    return Ok(Next::Bytes);
                }
            }
        }
    }

    /// One call from its head on. `false` if nothing more comes of the connection.
    async fn exchange(&mut self, head: &RequestHead, upstream: usize) -> Result<bool, End> {
        let connection = self.connection.clone();
        let known = self.read_key(head, upstream).await?;
        let body = self.buffer.get(head.bytes..head.bytes + known).unwrap_or_default();
        let call = Call::start(&connection.link, connection.id, upstream, head, body);
        call.led_to(Some(self.legs[upstream].callee));
        let holds = course::holds(&connection, &call, upstream, head);
        if let Some(armed) = &holds.before_forward {
            self.watching(&call, armed.hold(&call)).await?;
            if self.is_closed {
                return Ok(false);
            }
        }
        let course = course::plot(&connection, &call, upstream, head);
        let mut due = connection.link.timer.now();
        for step in &course.steps {
            match step {
                Step::Wait(fault, delay) => {
                    due += *delay;
                    let due = connection.link.timer.sleep_until(due);
                    let healed = healed(connection.link.watch(), fault.serial);
                    let wait = async {
                        tokio::select! { biased; () = due => {} () = healed => {} }
                    };
                    self.watching(&call, wait).await?;
                }
                Step::ResetLater(fault, after) => connection.strike_at(connection.link.timer.now() + *after, fault),
                Step::Reset(fault) => return Err(End::reset_by(fault)),
                Step::Respond(respond) => return self.respond(&call, head, respond).await,
                Step::Swallow(fault) => return self.swallow(&call, head, fault).await,
            }
        }
        self.forward(&call, head, upstream, course, holds).await
    }

    /// Reads the whole of a body in which stands what the call is known by, where nothing else tells.
    /// Says how long it is; 0 where there is nothing to look for in it.
    async fn read_key(&mut self, head: &RequestHead, upstream: usize) -> Result<usize, End> {
        let config = &self.connection.link.config;
        let mut routes = config.upstreams[upstream].routes.iter();
        let route = routes.find(|route| route.matches(&head.method, &head.target));
        let in_body = route.is_some_and(|route| matches!(route.key, Some(KeyPlace::Body(_))));
        let length = match head.framing {
            Framing::Length(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
            Framing::Chunked(_) | Framing::UntilClose => return Ok(0),
        };
        let tells = in_body && !head.awaits_continue && head.headers.get("traceparent").is_none();
        if !tells || length > config.body_bytes_kept_max {
            return Ok(0);
        }
        while self.buffer.len() < head.bytes + length && !self.is_closed {
            self.fill().await?;
        }
        Ok(length)
    }

    /// The request goes to the callee; the answer is the other side's.
    async fn forward(
        &mut self,
        call: &Arc<Call>,
        head: &RequestHead,
        upstream: usize,
        course: Course,
        holds: Holds,
    ) -> Result<bool, End> {
        let mark = holds.after_forward.map_or(Mark::Nothing, Mark::Holds);
        self.connection.begin(Arc::new(Exchange {
            call: call.clone(),
            on_answer: course.on_answer,
            loses: course.loses,
            after_answer: holds.after_answer,
            gate: watch::Sender::new(matches!(mark, Mark::Nothing)),
        }));
        match self.pass_body(call, head, Some(upstream), mark).await? {
            Sent::Malformed => {
                self.connection.turn_opaque();
                return Ok(true);
            }
            Sent::Closed => return Ok(false),
            Sent::Whole => {}
        }
        // What was read ahead is still answered: half of a stream may be closed.
        loop {
            if self.is_closed && self.buffer.is_empty() {
                return Ok(false);
            }
            let reads_ahead = !self.is_closed && self.buffer.len() < READ_AHEAD_BYTES_MAX;
            tokio::select! {
                biased;
                () = call.over.notified() => return Ok(true),
                filled = self.fill(), if reads_ahead => {
                    if filled? == 0 {
                        self.hung_up(call);
                    }
                }
            }
        }
    }

    /// The request is read to its end and answered by us.
    async fn respond(&mut self, call: &Arc<Call>, head: &RequestHead, respond: &Respond) -> Result<bool, End> {
        // Who waits to be asked for its body is answered without it, and cannot be understood after that.
        let closes = head.closes || head.awaits_continue;
        if !head.awaits_continue && !matches!(self.pass_body(call, head, None, Mark::Nothing).await?, Sent::Whole) {
            return Ok(false);
        }
        let bytes = respond::bytes(respond, &call.method, closes);
        let seen = Seen::Answer { status: respond.status, injected: true };
        self.tell_caller(Payload::Data(bytes), Some(call), Mark::Ends(seen)).await;
        if closes {
            self.tell_caller(Payload::Fin, None, Mark::Nothing).await;
            self.buffer.clear();
            self.connection.closed_by("the proxy");
            return Ok(false);
        }
        Ok(true)
    }

    /// The request vanishes. The connection closes as the fault heals, if its caller waits so long.
    async fn swallow(&mut self, call: &Arc<Call>, head: &RequestHead, fault: &Arc<Active>) -> Result<bool, End> {
        let healed = healed(self.connection.link.watch(), fault.serial);
        if matches!(self.pass_body(call, head, None, Mark::Nothing).await?, Sent::Whole) {
            let connection = self.connection.clone();
            let hung_up = connection.caller_closed.notified();
            let wait = async {
                tokio::select! { biased; () = hung_up => false, () = healed => true }
            };
            if self.watching(call, wait).await? {
                return Err(End::closed_by(fault));
            }
        }
        Ok(false)
    }

    /// Follows a request to its end, records it, and pushes it to a callee if it is to go there.
    async fn pass_body(
        &mut self,
        call: &Arc<Call>,
        head: &RequestHead,
        to: Option<usize>,
        mut mark: Mark,
    ) -> Result<Sent, End> {
        let mut framing = head.framing.clone();
        let mut capture = Capture::new(self.connection.link.config.body_bytes_kept_max);
        let mut from = head.bytes;
        loop {
            let Ok(n) = framing.take(&self.buffer[from..], &mut capture) else {
                if let Some(to) = to {
                    let bytes = self.buffer.split_to(from).freeze();
                    self.push(to, bytes, Some(call), Mark::Nothing).await;
                }
                return Ok(Sent::Malformed);
            };
            let bytes = self.buffer.split_to(from + n).freeze();
            from = 0;
            let is_done = framing.is_done();
            if is_done {
                call.sent(capture.recorded(&head.headers));
            }
            if let Some(to) = to
                && !bytes.is_empty()
            {
                let mark = if is_done { std::mem::take(&mut mark) } else { Mark::Nothing };
                self.push(to, bytes, Some(call), mark).await;
            }
            if is_done {
                return Ok(Sent::Whole);
            }
            if self.is_closed || self.fill().await? == 0 {
                self.hung_up(call);
                return Ok(Sent::Closed);
            }
        }
    }

    /// Waits for something, and notices meanwhile when the caller hangs up.
    async fn watching<T>(&mut self, call: &Call, what: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(what);
        loop {
            let reads_ahead = !self.is_closed && self.buffer.len() < READ_AHEAD_BYTES_MAX;
            tokio::select! {
                biased;
                done = &mut what => return Ok(done),
                filled = self.fill(), if reads_ahead => {
                    if filled? == 0 {
                        self.hung_up(call);
                    }
                }
            }
        }
    }

    fn hung_up(&self, call: &Call) {
        call.end(Seen::HungUp);
        self.connection.caller_closed.notify_one();
    }

    /// What is not HTTP, or no longer, passes as it is.
    async fn pass_bytes(&mut self, upstream: usize) -> Result<(), End> {
        self.connection.turn_opaque();
        loop {
            let bytes = self.buffer.split().freeze();
            if !bytes.is_empty() {
                self.strike()?;
                self.push(upstream, bytes, None, Mark::Nothing).await;
            }
            if self.is_closed || self.fill().await? == 0 {
                return self.close().await;
            }
        }
    }

    /// Bytes that belong to no call arm a `reset` fault.
    fn strike(&self) -> Result<(), End> {
        let in_force = self.connection.link.in_force();
        let Some(fault) = in_force.on_connections(|inject| matches!(inject, Inject::Reset { .. })) else {
            return Ok(());
        };
        match fault.fault.inject {
            Inject::Reset { after } if after > Duration::ZERO => {
                self.connection.eligible(fault);
                self.connection.strike_at(self.connection.link.timer.now() + after, fault);
                Ok(())
            }
            _ => {
                self.connection.applied(fault);
                Err(End::reset_by(fault))
            }
        }
    }

    /// The caller's direction is at its end: so are those to the callees.
    async fn close(&mut self) -> Result<(), End> {
        for upstream in 0..self.legs.len() {
            let arrived = self.connection.link.timer.now();
            let fin = Chunk { payload: Payload::Fin, arrived, call: None, mark: Mark::Nothing };
            self.legs[upstream].input.push(fin).await;
        }
        Ok(())
    }

    /// Reads more; 0 is the caller's end. After a reset this never returns.
    async fn fill(&mut self) -> Result<usize, End> {
        let filled = self.buffer.capacity() > 0 && self.buffer.len() == self.buffer.capacity();
        self.buffer.reserve(if filled { READ_BYTES_BULK } else { READ_BYTES });
        match self.reader.read_buf(&mut self.buffer).await {
            Ok(n) => {
                if n == 0 {
                    self.is_closed = true;
                    self.connection.closed_by("the caller");
                }
                Ok(n)
            }
            Err(_) => self.was_reset().await,
        }
    }

    /// The caller reset: its calls are over at once, the callees learn of it after what came before.
    async fn was_reset(&mut self) -> Result<usize, End> {
        self.is_closed = true;
        for call in self.connection.link.open_on(self.connection.id) {
            self.hung_up(&call);
        }
        for leg in self.legs.iter() {
            let arrived = self.connection.link.timer.now();
            let payload = Payload::End(End::caller_reset());
            leg.input.push(Chunk { payload, arrived, call: None, mark: Mark::Nothing }).await;
        }
        std::future::pending().await
    }

    async fn push(&self, upstream: usize, bytes: Bytes, call: Option<&Arc<Call>>, mark: Mark) {
        let arrived = self.connection.link.timer.now();
        let chunk = Chunk { payload: Payload::Data(bytes), arrived, call: call.cloned(), mark };
        self.legs[upstream].input.push(chunk).await;
    }

    async fn tell_caller(&self, payload: Payload, call: Option<&Arc<Call>>, mark: Mark) {
        let arrived = self.connection.link.timer.now();
        self.down.push(Chunk { payload, arrived, call: call.cloned(), mark }).await;
    }
}
