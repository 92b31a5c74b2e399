//! How a callee is called: timeout, attempts and breaker, in the shapes in which the environment holds them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::config::{BaseUrl, Milliseconds, Value, Variables};

/// How often one call may be tried, and how far apart. `{"at_most":3,"first_gap_at_least_ms":25,"longest_gap_ms":1000}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AttemptsText")]
pub struct Attempts {
    /// The most attempts at one call, the first included; at least 1.
    pub at_most: u32,
    /// The shortest time between the end of one attempt and the start of the next, in milliseconds.
    pub first_gap_at_least_ms: u64,
    /// The longest such time, in milliseconds.
    pub longest_gap_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptsText {
    at_most: u32,
    first_gap_at_least_ms: Option<u64>,
    longest_gap_ms: Option<u64>,
}

impl TryFrom<AttemptsText> for Attempts {
    type Error = String;

    fn try_from(text: AttemptsText) -> Result<Self, String> {
        let first_gap_at_least_ms = text.first_gap_at_least_ms.unwrap_or(25);
        let longest_gap_ms = text.longest_gap_ms.unwrap_or(first_gap_at_least_ms.max(1_000));
        if text.at_most == 0 {
            return Err("`at_most` is 0, and the first attempt counts: write at least 1".to_owned());
        }
        if longest_gap_ms < first_gap_at_least_ms {
            return Err("`longest_gap_ms` is shorter than `first_gap_at_least_ms`".to_owned());
        }
        Ok(Attempts { at_most: text.at_most, first_gap_at_least_ms, longest_gap_ms })
    }
}

impl Attempts {
    /// One attempt and no more.
    pub const ONCE: Attempts = Attempts { at_most: 1, first_gap_at_least_ms: 0, longest_gap_ms: 0 };
}

impl Default for Attempts {
    /// Three attempts, 25 ms to 1 s apart.
    fn default() -> Self {
        Attempts { at_most: 3, first_gap_at_least_ms: 25, longest_gap_ms: 1_000 }
    }
}

/// What a breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Whole calls, all attempts of one as one.
    Calls,
    /// Each attempt.
    Attempts,
}

/// What trips a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trips {
    /// This many failures in a row.
    Consecutive(u32),
    /// A share of failures.
    Share {
        /// The share, over 0 and up to 1.
        share: f64,
        /// Over how long.
        window: Duration,
        /// The least number of results in the window; with fewer nothing trips.
        minimum: u32,
    },
}

/// A circuit breaker's parameters. `{"counts":"attempts","consecutive":5,"cool_down_ms":2000,"trials":1}` or
/// `{"counts":"calls","share":0.5,"window_ms":10000,"minimum":10,"cool_down_ms":5000,"trials":3}`; with `slow_ms`, a
/// success that took at least so long counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BreakerText", into = "BreakerText")]
pub struct BreakerPolicy {
    /// Calls or attempts.
    pub counts: Counts,
    /// What trips it.
    pub trips: Trips,
    /// How long it stays open before it lets trials through.
    pub cool_down: Duration,
    /// How many trials at once in half-open, and how many of them must succeed to close it; at least 1.
    pub trials: u32,
    /// From which duration on a success counts as a failure; `None` never.
    pub slow: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerText {
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    cool_down_ms: u64,
    trials: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_ms: Option<u64>,
}

impl TryFrom<BreakerText> for BreakerPolicy {
    type Error = String;

    fn try_from(text: BreakerText) -> Result<Self, String> {
        let trips = match (text.consecutive, text.share, text.window_ms, text.minimum) {
            (Some(n), None, None, None) if n > 0 => Trips::Consecutive(n),
            (Some(_), None, None, None) => return Err("`consecutive` is 0: write at least 1".to_owned()),
            (None, Some(share), Some(window_ms), Some(minimum)) => {
                if !(share > 0.0 && share <= 1.0) {
                    return Err(format!("`share` is {share}: write a number over 0 and up to 1"));
                }
                if window_ms == 0 || minimum == 0 {
                    return Err("`window_ms` and `minimum` must be at least 1".to_owned());
                }
                Trips::Share { share, window: Duration::from_millis(window_ms), minimum }
            }
            _ => return Err("write either `consecutive`, or `share`, `window_ms` and `minimum`".to_owned()),
        };
        if text.trials == 0 {
            return Err("`trials` is 0, and then it could never close: write at least 1".to_owned());
        }
        Ok(BreakerPolicy {
            counts: text.counts,
            trips,
            cool_down: Duration::from_millis(text.cool_down_ms),
            trials: text.trials,
            slow: text.slow_ms.map(Duration::from_millis),
        })
    }
}

impl From<BreakerPolicy> for BreakerText {
    fn from(policy: BreakerPolicy) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (consecutive, share, window_ms, minimum) = match policy.trips {
            Trips::Consecutive(n) => (Some(n), None, None, None),
            Trips::Share { share, window, minimum } => (None, Some(share), Some(ms(window)), Some(minimum)),
        };
        BreakerText {
            counts: policy.counts,
            consecutive,
            share,
            window_ms,
            minimum,
            cool_down_ms: ms(policy.cool_down),
            trials: policy.trials,
            slow_ms: policy.slow.map(ms),
        }
    }
}

impl Default for BreakerPolicy {
    /// Five failed attempts in a row open it for 2 s; one trial closes it.
    fn default() -> Self {
        BreakerPolicy {
            counts: Counts::Attempts,
            trips: Trips::Consecutive(5),
            cool_down: Duration::from_secs(2),
            trials: 1,
            slow: None,
        }
    }
}

impl Value for Attempts {
    fn parse(text: &str) -> Result<Self, String> {
        json(text, &Attempts::default())
    }
    fn text(&self) -> String {
        in_json(self)
    }
}

impl Value for BreakerPolicy {
    fn parse(text: &str) -> Result<Self, String> {
        json(text, &BreakerPolicy::default())
    }
    fn text(&self) -> String {
        in_json(self)
    }
}

fn json<T: DeserializeOwned + Serialize>(text: &str, example: &T) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}; say `{}`", in_json(example)))
}

fn in_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Everything about how one callee is called.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPolicy {
    /// Where it is.
    pub base: BaseUrl,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a call may be tried.
    pub attempts: Attempts,
    /// Its breaker; `None` for none.
    pub breaker: Option<BreakerPolicy>,
    /// How many calls to it may be under way at once, so that a slow callee does not hold everything its caller has.
    pub calls_max: u32,
}

impl CallPolicy {
    /// The limit on calls under way where none is given.
    pub const CALLS_MAX: u32 = 128;

    /// One attempt a call and no breaker, for callers that pace themselves.
    pub fn once(base: BaseUrl, timeout: Duration) -> Self {
        CallPolicy { base, timeout, attempts: Attempts::ONCE, breaker: None, calls_max: Self::CALLS_MAX }
    }

    /// Reads `PREFIX_URL`, `PREFIX_TIMEOUT_MS`, `PREFIX_ATTEMPTS`, `PREFIX_BREAKER` and `PREFIX_CALLS_MAX` for the callee called `name`.
    pub fn read(variables: &mut Variables, prefix: &str, name: &dyn fmt::Display) -> Option<Self> {
        let variable = |suffix: &str| format!("{prefix}_{suffix}");
        let base = variables.required(&variable("URL"), "http://127.0.0.1:4711", &format!("where {name} is reached"));
        let timeout = variables.optional(
            &variable("TIMEOUT_MS"),
            Milliseconds(800),
            &format!("how long one attempt at a call to {name} may take"),
        );
        let attempts = variables.optional(
            &variable("ATTEMPTS"),
            Attempts::default(),
            &format!("how often a call to {name} is tried, and how far apart"),
        );
        let breaker = variables.optional(
            &variable("BREAKER"),
            BreakerPolicy::default(),
            &format!("the circuit breaker for {name}"),
        );
        let calls_max = variables.optional(
            &variable("CALLS_MAX"),
            CallPolicy::CALLS_MAX,
            &format!("how many calls to {name} may be under way; more are refused at once"),
        );
        Some(CallPolicy {
            base: base?,
            timeout: timeout?.duration(),
            attempts: attempts?,
            breaker: Some(breaker?),
            calls_max: calls_max?,
        })
    }
}
