//! The log: one JSON object a line on standard error, with the trace and correlation id of the work it tells of.
//!
//! Services log by `tracing`'s macros. This subscriber is all there is behind them: it knows levels and events, and no
//! spans, because what a line belongs to is its [`Context`].

use std::{fmt, io::Write};

use serde_json::{Map, Value};
use squall_host::Env;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::{config::Value as VariableValue, context::Context};

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub LevelFilter);

impl VariableValue for Level {
    fn parse(text: &str) -> Result<Self, String> {
        let remedy = || "write `off`, `error`, `warn`, `info`, `debug` or `trace`".to_owned();
        let named = text.bytes().all(|byte| byte.is_ascii_lowercase());
        text.parse().ok().filter(|_| named).map(Level).ok_or_else(remedy)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Where lines go; each call is given one whole line.
pub trait Sink: Send + Sync + 'static {
    /// Writes one line, its end included.
    fn write(&self, line: &str);
}

/// Standard error.
#[derive(Clone, Copy, Debug)]
pub struct StandardError;

impl Sink for StandardError {
    fn write(&self, line: &str) {
        // There is nowhere to report to that the log cannot be written.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// A subscriber that writes JSON lines.
pub struct Log<S> {
    env: Env,
    service: &'static str,
    level: LevelFilter,
    sink: S,
}

impl<S: Sink> Log<S> {
    /// The log of `service`, whose lines are stamped by the host's wall clock.
    pub fn new(env: &Env, service: &'static str, level: Level, sink: S) -> Self {
        Log { env: env.clone(), service, level: level.0, sink }
    }

    fn line(&self, event: &Event<'_>) -> String {
        let mut line = Map::new();
        line.insert("time".to_owned(), rfc3339(self.env.unix_ms()).into());
        line.insert("level".to_owned(), event.metadata().level().to_string().into());
        line.insert("service".to_owned(), self.service.into());
        Context::with_current(|context| {
            line.insert("trace_id".to_owned(), format!("{:032x}", context.trace.trace_id).into());
            line.insert("span_id".to_owned(), format!("{:016x}", context.trace.span_id).into());
            line.insert("correlation_id".to_owned(), context.correlation.clone().into());
        });
        line.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut Fields(&mut line));
        format!("{}\n", Value::Object(line))
    }
}

impl<S: Sink> Subscriber for Log<S> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        self.sink.write(&self.line(event));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Makes `log` the log of this process. The first one stays.
pub(crate) fn install(log: Log<StandardError>) {
    let _ = tracing::subscriber::set_global_default(log);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let what = panic.payload_as_str().unwrap_or("not text");
        tracing::error!(place, "panicked: {what}");
    }));
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string());
    }
}

/// Milliseconds since 1970 as RFC 3339 in UTC: `2026-11-20T13:25:30.000Z`.
///
/// The date is worked out as in H. Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `civil_from_days`.
pub fn rfc3339(unix_ms: i64) -> String {
    let (days, ms) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use squall_host::real::Real;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Sink for Kept {
        fn write(&self, line: &str) {
            self.0.lock().unwrap().push_str(line);
        }
    }

    #[test]
    fn known_moments_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }

    #[tokio::test]
    async fn a_line_carries_what_its_work_belongs_to() {
        let (env, kept) = (Env::new(Real::seeded(1)), Kept::default());
        let log = Log::new(&env, "order", Level(LevelFilter::INFO), kept.clone());
        let context = Context::start(&env);
        let guard = tracing::subscriber::set_default(log);
        context.clone().scope(async { tracing::warn!(to = "payment", attempts = 3, "gave up") }).await;
        tracing::debug!("not wanted");
        tracing::info!("of nobody");
        drop(guard);
        let lines: Vec<Value> =
            kept.0.lock().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["trace_id"], format!("{:032x}", context.trace.trace_id));
        assert_eq!(lines[0]["correlation_id"], context.correlation);
        assert_eq!((&lines[0]["message"], &lines[0]["attempts"]), (&"gave up".into(), &3.into()));
        assert_eq!((&lines[0]["level"], &lines[0]["service"]), (&"WARN".into(), &"order".into()));
        assert!(lines[1].get("trace_id").is_none());
    }
}
