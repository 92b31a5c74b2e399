//! Identity: what makes operation 17 of a load the same operation on every backend.
//!
//! Every random choice of a run is a hash of names, never a draw from a stream, so that
//! taking one operation away changes nothing for the others. The hash is SipHash-2-4
//! (Aumasson and Bernstein, 2012), whose output is fixed by its definition.

use std::{fmt, hash::Hasher, str::FromStr};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

/// The seed of a run. Everything that is drawn in a run is drawn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// Which of a run's loads an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Preparing the system's data.
    Setup,
    /// The load that shows the system well before the faults.
    Gate,
    /// The load that the faults meet.
    Load,
}

/// One operation of a run: its phase, which of that phase's streams, and its ordinal there.
///
/// Shown and serialised as `load.0.17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationId {
    /// Setup, gate or load.
    pub phase: Phase,
    /// The position of the stream in the scenario file, from 0.
    pub stream: u32,
    /// The ordinal of the operation in its stream, from 0.
    pub ordinal: u32,
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Setup => "setup",
            Phase::Gate => "gate",
            Phase::Load => "load",
        };
        write!(f, "{phase}.{}.{}", self.stream, self.ordinal)
    }
}

/// The text was not an operation's identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an operation: write it as `load.0.17`")]
pub struct NotAnOperation(pub String);

impl FromStr for OperationId {
    type Err = NotAnOperation;

    fn from_str(text: &str) -> Result<Self, NotAnOperation> {
        let wrong = || NotAnOperation(text.to_owned());
        let mut parts = text.split('.');
        let phase = match parts.next() {
            Some("setup") => Phase::Setup,
            Some("gate") => Phase::Gate,
            Some("load") => Phase::Load,
            _ => return Err(wrong()),
        };
        let mut number = || parts.next().and_then(|p| p.parse().ok());
        let (Some(stream), Some(ordinal)) = (number(), number()) else { return Err(wrong()) };
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(OperationId { phase, stream, ordinal })
    }
}

impl TryFrom<String> for OperationId {
    type Error = NotAnOperation;
    fn try_from(text: String) -> Result<Self, NotAnOperation> {
        text.parse()
    }
}

impl From<OperationId> for String {
    fn from(id: OperationId) -> String {
        id.to_string()
    }
}

/// The trace id of W3C Trace Context: 16 bytes, never all zero, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(pub u128);

impl TraceId {
    /// The trace that operation `id` of a run with this seed carries, on every backend.
    pub fn of(seed: Seed, id: OperationId) -> TraceId {
        let name = id.to_string();
        let high = choice(seed, &["trace.high", &name]);
        let low = choice(seed, &["trace.low", &name]);
        TraceId((u128::from(high) << 64 | u128::from(low)).max(1))
    }

    /// Reads the trace id out of a `traceparent` header (version 00 or later).
    /// A malformed header is no trace, as the specification asks.
    pub fn of_traceparent(header: &str) -> Option<TraceId> {
        let mut parts = header.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        if version.len() != 2 || version == "ff" || parts.next()?.len() != 16 {
            return None;
        }
        trace.parse().ok()
    }

    /// What stands for the trace of calls that carry none, but this key of a saga: never the trace of an operation.
    pub fn of_key(key: &str) -> TraceId {
        let half = |side| u128::from(choice(Seed(0), &["key", side, key]));
        TraceId((half("high") << 64 | half("low")).max(1))
    }

    /// The `traceparent` header for this trace under the given parent span (sampled).
    pub fn traceparent(self, span: u64) -> String {
        format!("00-{self}-{:016x}-01", span.max(1))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// The text was not a trace id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a trace id: 32 hex digits, not all zero")]
pub struct NotATrace(pub String);

impl FromStr for TraceId {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let wrong = || NotATrace(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        match u128::from_str_radix(text, 16) {
            Ok(0) | Err(_) => Err(wrong()),
            Ok(id) => Ok(TraceId(id)),
        }
    }
}

impl TryFrom<String> for TraceId {
    type Error = NotATrace;
    fn try_from(text: String) -> Result<Self, NotATrace> {
        text.parse()
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> String {
        id.to_string()
    }
}

/// Where a call carries the key of its saga.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// A parameter of its path, by name.
    Path(String),
    /// A request header, by its name in lower case.
    Header(String),
    /// A field of the request's JSON body, by the names that lead to it.
    Body(Vec<String>),
    /// A field of the answer's JSON body: too late to identify the call by.
    Answer(Vec<String>),
}

impl KeyPlace {
    /// The key as text, from the JSON value in its place. Texts and numbers are keys.
    pub fn text(value: &serde_json::Value) -> Option<String> {
        match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The key at the end of these names in a JSON body.
    pub fn in_json(body: &serde_json::Value, names: &[String]) -> Option<String> {
        KeyPlace::text(names.iter().try_fold(body, |value, name| value.get(name))?)
    }
}

/// A 64-bit choice named by its parts: the same seed and names give the same number for ever.
///
/// The parts are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
pub fn choice(seed: Seed, names: &[&str]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(seed.0, 0x7371_7561_6c6c);
    for name in names {
        hasher.write(&(name.len() as u64).to_le_bytes());
        hasher.write(name.as_bytes());
    }
    hasher.finish()
}

/// A choice as a share of one, in `[0, 1)`, from the upper 53 bits.
pub fn share(seed: Seed, names: &[&str]) -> f64 {
    (choice(seed, names) >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether a rule of the given probability strikes this attempt of this call.
///
/// Depends on the operation (through its trace), the route and the attempt, never on arrival.
pub fn strikes(seed: Seed, rule: &str, trace: TraceId, route: &str, attempt: u32, probability: f64) -> bool {
    share(seed, &["strike", rule, &trace.to_string(), route, &attempt.to_string()]) < probability
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(ordinal: u32) -> OperationId {
        OperationId { phase: Phase::Load, stream: 0, ordinal }
    }

    #[test]
    fn identities_are_fixed_for_ever() {
        // A change here breaks the replay of every seed that anyone wrote down.
        assert_eq!(TraceId::of(Seed(7), load(17)).to_string(), "550cb00199a70f7dd72f400419c72ddc");
    }

    #[test]
    fn a_key_stands_for_one_operation_and_for_no_trace() {
        assert_eq!(TraceId::of_key("a"), TraceId::of_key("a"));
        assert_ne!(TraceId::of_key("a"), TraceId::of_key("b"));
        let body = serde_json::json!({ "order": { "id": 7, "lines": [] } });
        let at = |names: &[&str]| KeyPlace::in_json(&body, &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(at(&["order", "id"]), Some("7".to_owned()));
        assert_eq!(at(&["order", "lines"]), None);
        assert_eq!(at(&["order", "no"]), None);
    }

    #[test]
    fn a_malformed_traceparent_is_no_trace() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(TraceId::of_traceparent(good).is_some());
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f35-00f067aa0ba902b7-01",
        ] {
            assert!(TraceId::of_traceparent(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_operation_reads_back_as_it_is_written(stream: u32, ordinal: u32) {
            let id = OperationId { phase: Phase::Gate, stream, ordinal };
            prop_assert_eq!(id.to_string().parse::<OperationId>().unwrap(), id);
        }

        #[test]
        fn a_traceparent_carries_its_trace(seed: u64, n: u32, span: u64) {
            let trace = TraceId::of(Seed(seed), load(n));
            prop_assert_eq!(TraceId::of_traceparent(&trace.traceparent(span)), Some(trace));
        }

        #[test]
        fn a_likelier_rule_strikes_whatever_a_rarer_one_strikes(seed: u64, n: u32, p in 0.0f64..1.0, q in 0.0f64..1.0) {
            let trace = TraceId::of(Seed(seed), load(n));
            let (low, high) = (p.min(q), p.max(q));
            if strikes(Seed(seed), "r", trace, "POST /x", 1, low) {
                prop_assert!(strikes(Seed(seed), "r", trace, "POST /x", 1, high));
            }
        }

        #[test]
        fn names_do_not_run_into_each_other(seed: u64, a in "[a-z]{1,5}", b in "[a-z]{1,5}") {
            prop_assert_ne!(choice(Seed(seed), &[&a, &b]), choice(Seed(seed), &[&format!("{a}{b}"), ""]));
        }
    }

    #[test]
    fn a_share_of_ten_percent_strikes_about_one_in_ten() {
        let hits =
            (0..10_000).filter(|n| strikes(Seed(1), "r", TraceId::of(Seed(1), load(*n)), "GET /", 1, 0.1)).count();
        assert!((850..1150).contains(&hits), "{hits}");
    }
}
