//! Calls: the up to four facts of each joined into one row.

use std::collections::BTreeMap;

use squall_record::{Answer, Body, CallId, ConnectionId, Decision, Edge, Plan, Seen, TraceId, What};

use super::{At, is_success};

/// One call on one edge, from the caller's sending to what the caller saw.
#[derive(Clone, Debug)]
pub struct Call<'r> {
    /// Its identity.
    pub id: CallId,
    /// The connection it came on.
    pub connection: ConnectionId,
    /// The edge.
    pub edge: &'r Edge,
    /// Which instance of the caller.
    pub caller: u32,
    /// The method.
    pub method: &'r str,
    /// Path and query.
    pub path: &'r str,
    /// The call of the system file that matched.
    pub route: Option<&'r str>,
    /// The trace it carried.
    pub trace: Option<TraceId>,
    /// The caller's span.
    pub span: Option<&'r str>,
    /// The key of its saga that stands for a trace, where none was passed on.
    pub key: Option<&'r str>,
    /// The ordinal of (trace or key, route) on the edge, from 1.
    pub attempt: u32,
    /// Request headers.
    pub headers: &'r BTreeMap<String, String>,
    /// When the caller sent.
    pub started: At,
    /// The request's body, once it was read.
    pub body: Option<&'r Body>,
    /// What the callee said, whether or not the caller learned of it, and which instance said it.
    pub answered: Option<(At, u32, &'r Answer)>,
    /// When the call was over for its caller, and what it saw.
    pub ended: Option<(At, &'r Seen)>,
    /// Whether any of the request was passed to the callee. True while it is not known otherwise.
    pub forwarded: bool,
    /// Faults that were in force and matched.
    pub decisions: &'r [Decision],
}

impl<'r> Call<'r> {
    /// The `Idempotency-Key` it carried.
    pub fn idempotency_key(&self) -> Option<&'r str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }

    /// What tells its attempts from other calls where no trace does: its idempotency key, else its saga's.
    pub fn own_key(&self) -> Option<&'r str> {
        self.idempotency_key().or(self.key)
    }

    /// The status that the callee answered with, seen by the caller or not.
    pub fn status_on_the_wire(&self) -> Option<u16> {
        self.answered.map(|(_, _, answer)| answer.status)
    }

    /// Whether the callee answered 2xx, seen by the caller or not.
    pub fn took_effect(&self) -> bool {
        self.answered.is_some_and(|(_, _, answer)| is_success(answer))
    }

    /// The status that the caller saw, made up by a fault or not.
    pub fn status_seen(&self) -> Option<u16> {
        match self.ended?.1 {
            Seen::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the caller saw a failure: a 5xx, a reset, a close, or its own patience running out.
    pub fn failed(&self) -> bool {
        match self.ended {
            Some((_, Seen::Answer { status, .. })) => *status >= 500,
            Some(_) => true,
            None => false,
        }
    }

    /// Whether the caller was given an answer that is a success.
    pub fn seen_to_succeed(&self) -> bool {
        self.status_seen().is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether this fault acted on the call.
    pub fn hit_by(&self, fault: &str) -> bool {
        self.decisions.iter().any(|decision| decision.applied && decision.fault == fault)
    }

    /// Whether any fault acted on the call.
    pub fn hit(&self) -> bool {
        self.decisions.iter().any(|decision| decision.applied)
    }

    /// Whether it asked for no change: GET, HEAD or OPTIONS.
    pub fn only_reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }
}

/// A call as one line for a reader: `order → payment  POST /api/v1/payments  → 503 (fault payment-down)`.
pub(super) fn told(call: &Call<'_>, remark: &str) -> String {
    let mut text = format!("{} → {}  {} {}", call.edge.from, call.edge.to, call.method, call.path);
    match call.ended {
        Some((_, Seen::Answer { status, .. })) => text += &format!("  → {status}"),
        Some((_, Seen::Reset)) => text += "  → reset",
        Some((_, Seen::Closed)) => text += "  → closed",
        Some((_, Seen::HungUp)) => text += "  → the caller hung up",
        None => text += "  → never ended",
    }
    match call.status_on_the_wire() {
        Some(status) if call.status_seen() != Some(status) => text += &format!(" (answered {status}, lost)"),
        _ => {}
    }
    let acted: Vec<&str> = call.decisions.iter().filter(|d| d.applied).map(|d| d.fault.as_str()).collect();
    if !acted.is_empty() {
        text += &format!(" (fault {})", acted.join(", "));
    }
    if !remark.is_empty() {
        text += "  ";
        text += remark;
    }
    text
}

/// Every call of a record, in the order in which they started.
#[derive(Debug, Default)]
pub struct Calls<'r> {
    rows: Vec<Call<'r>>,
    /// Rows by trace, in the order in which they started.
    by_trace: Vec<(TraceId, u32)>,
    /// For each link, the rows by the ordinal of the call.
    by_link: Vec<Vec<Option<u32>>>,
    /// Which instance of the callee each connection was led to, and what became of the connection.
    connections: BTreeMap<ConnectionId, Connection<'r>>,
}

/// One connection through a proxy.
#[derive(Clone, Debug)]
pub struct Connection<'r> {
    /// When it was opened.
    pub opened: At,
    /// Which instance of the callee it was led to.
    pub callee: Option<u32>,
    /// When it was over, and how.
    pub closed: Option<(At, &'r str)>,
    /// How many calls were seen on it.
    pub calls: u32,
}

impl<'r> Calls<'r> {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Call<'r>> {
        self.rows.iter()
    }

    /// All of them as a slice, so that a check may keep positions.
    pub fn rows(&self) -> &[Call<'r>] {
        &self.rows
    }

    /// The calls of a trace, on every edge.
    pub fn of_trace(&self, trace: TraceId) -> impl Iterator<Item = &Call<'r>> {
        self.rows_of_trace(trace).map(|row| &self.rows[row])
    }

    /// The positions of the calls of a trace.
    pub fn rows_of_trace(&self, trace: TraceId) -> impl Iterator<Item = usize> {
        let from = self.by_trace.partition_point(|(known, _)| *known < trace);
        self.by_trace[from..].iter().take_while(move |(known, _)| *known == trace).map(|(_, row)| *row as usize)
    }

    /// The call of this identity.
    pub fn get(&self, id: CallId) -> Option<&Call<'r>> {
        let row = (*self.by_link.get(id.link as usize)?.get(usize::try_from(id.n).ok()?)?)?;
        Some(&self.rows[row as usize])
    }

    /// Every connection through a proxy.
    pub fn connections(&self) -> impl Iterator<Item = (&ConnectionId, &Connection<'r>)> {
        self.connections.iter()
    }

    /// Which instance of the callee took a call: the one that answered, else the one its connection led to.
    pub fn callee_of(&self, call: &Call<'_>) -> Option<u32> {
        match call.answered {
            Some((_, callee, _)) => Some(callee),
            None => self.connections.get(&call.connection)?.callee,
        }
    }
}

/// Calls while their facts are read.
#[derive(Debug)]
pub(super) struct Joining<'r> {
    calls: Calls<'r>,
}

impl<'r> Joining<'r> {
    pub(super) fn new(plan: &'r Plan) -> Joining<'r> {
        let links = plan.links.iter().map(|link| link.id as usize + 1).max().unwrap_or(0);
        Joining { calls: Calls { by_link: vec![Vec::new(); links], ..Calls::default() } }
    }

    fn row(&mut self, id: CallId) -> Option<&mut Call<'r>> {
        let row = (*self.calls.by_link.get(id.link as usize)?.get(usize::try_from(id.n).ok()?)?)?;
        self.calls.rows.get_mut(row as usize)
    }

    fn index(&mut self, id: CallId, row: usize) {
        let link = id.link as usize;
        if self.calls.by_link.len() <= link {
            self.calls.by_link.resize(link + 1, Vec::new());
        }
        let ordinals = &mut self.calls.by_link[link];
        // Ordinals count from 1 without gaps; a record that leaps far ahead is not worth a huge table.
        let Ok(n) = usize::try_from(id.n) else { return };
        if n < ordinals.len() + 1_000_000 {
            if ordinals.len() <= n {
                ordinals.resize(n + 1, None);
            }
            ordinals[n] = u32::try_from(row).ok();
        }
    }

    /// Takes a fact in, if it is one of a call or a connection.
    pub(super) fn take(&mut self, at: At, what: &'r What) -> bool {
        match what {
            What::CallStarted {
                call,
                connection,
                edge,
                caller,
                method,
                path,
                route,
                trace,
                span,
                key,
                attempt,
                headers,
            } => {
                let row = self.calls.rows.len();
                self.calls.rows.push(Call {
                    id: *call,
                    connection: *connection,
                    edge,
                    caller: *caller,
                    method,
                    path,
                    route: route.as_deref(),
                    trace: *trace,
                    span: span.as_deref(),
                    key: key.as_deref(),
                    attempt: *attempt,
                    headers,
                    started: at,
                    body: None,
                    answered: None,
                    ended: None,
                    forwarded: true,
                    decisions: &[],
                });
                self.index(*call, row);
                if let Some(known) = self.calls.connections.get_mut(connection) {
                    known.calls += 1;
                }
            }
            What::CallSent { call, body } => {
                if let Some(row) = self.row(*call) {
                    row.body = Some(body);
                }
            }
            What::CallAnswered { call, callee, answer } => {
                if let Some(row) = self.row(*call) {
                    row.answered = Some((at, *callee, answer));
                }
            }
            What::CallEnded { call, seen, forwarded, decisions } => {
                if let Some(row) = self.row(*call) {
                    row.ended = Some((at, seen));
                    row.forwarded = *forwarded;
                    row.decisions = decisions;
                }
            }
            What::ConnectionOpened { connection, callee, .. } => {
                let known = self.calls.connections.entry(*connection).or_insert(Connection {
                    opened: at,
                    callee: None,
                    closed: None,
                    calls: 0,
                });
                known.callee = callee.or(known.callee);
            }
            What::ConnectionClosed { connection, how, .. } => {
                if let Some(known) = self.calls.connections.get_mut(connection) {
                    known.closed = Some((at, how));
                }
            }
            _ => return false,
        }
        true
    }

    pub(super) fn done(mut self) -> Calls<'r> {
        let traced = self.calls.rows.iter().enumerate();
        self.calls.by_trace = traced.filter_map(|(row, call)| Some((call.trace?, u32::try_from(row).ok()?))).collect();
        self.calls.by_trace.sort_unstable();
        self.calls
    }
}
