//! A toxic as Toxiproxy's API knows it, and the fault that it is on a link.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{fields::Fields, refused::Refused};
use crate::fault::{Fault, Inject, Match, Side, TIME_MAX};

/// A type of toxics: its name, and its attributes in the order in which they are shown.
#[derive(Debug)]
pub(crate) struct Kind {
    name: &'static str,
    attributes: &'static [&'static str],
    inject: fn(&[i64], Side) -> Result<Option<Inject>, String>,
}

/// All types. A kB is 1,000 bytes; times are in milliseconds, `slicer`'s delay in microseconds.
static KINDS: [Kind; 8] = [
    Kind { name: "latency", attributes: &["latency", "jitter"], inject: latency },
    Kind { name: "bandwidth", attributes: &["rate"], inject: bandwidth },
    Kind { name: "slow_close", attributes: &["delay"], inject: slow_close },
    Kind { name: "timeout", attributes: &["timeout"], inject: timeout },
    Kind { name: "reset_peer", attributes: &["timeout"], inject: reset_peer },
    Kind { name: "slicer", attributes: &["average_size", "size_variation", "delay"], inject: slicer },
    Kind { name: "limit_data", attributes: &["bytes"], inject: limit_data },
    Kind { name: "noop", attributes: &[], inject: |_, _| Ok(None) },
];

/// One toxic of a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Toxic {
    pub(crate) name: String,
    kind: &'static Kind,
    /// As it was written: its case is kept.
    stream: String,
    pub(crate) side: Side,
    toxicity: f64,
    /// One for each of the kind's.
    attributes: Vec<i64>,
    /// Its place among the toxics of its proxy.
    order: u32,
}

impl Toxic {
    /// Reads a toxic. Its attributes are still to be read: a name that is taken is refused before they are.
    pub(crate) fn read(fields: &Fields, order: u32) -> Result<Toxic, Refused> {
        let stream = fields.text("stream")?.unwrap_or_else(|| "downstream".to_owned());
        let (name, kind) = (fields.text("name")?.unwrap_or_default(), fields.text("type")?.unwrap_or_default());
        let toxicity = fields.number("toxicity")?.unwrap_or(1.0);
        let side = match stream.to_lowercase().as_str() {
            "upstream" => Side::Upstream,
            "downstream" => Side::Downstream,
            _ => return Err(Refused::InvalidStream),
        };
        let name = if name.is_empty() { format!("{kind}_{stream}") } else { name };
        let kind = KINDS.iter().find(|known| known.name == kind).ok_or(Refused::InvalidType)?;
        Ok(Toxic { name, kind, stream, side, toxicity, attributes: vec![0; kind.attributes.len()], order })
    }

    /// Takes over the attributes that are given.
    pub(crate) fn with_attributes(mut self, fields: &Fields) -> Result<Toxic, Refused> {
        let given = fields.object("attributes")?;
        for (name, attribute) in self.kind.attributes.iter().zip(&mut self.attributes) {
            *attribute = given.whole(name)?.unwrap_or(*attribute);
        }
        Ok(self)
    }

    /// The toxic with what an update may change: its attributes and its toxicity.
    pub(crate) fn updated(self, fields: &Fields) -> Result<Toxic, Refused> {
        let toxicity = fields.number("toxicity")?.unwrap_or(self.toxicity);
        Toxic { toxicity, ..self }.with_attributes(fields)
    }

    /// The fault on the link; `None` for a toxic that does nothing.
    pub(crate) fn fault(&self) -> Result<Option<Fault>, Refused> {
        let inject = (self.kind.inject)(&self.attributes, self.side);
        let inject = inject.map_err(|why| Refused::BadBody(format!("{}: {why}", self.kind.name)))?;
        // Toxiproxy takes any number, and rolls below 1 and above 0.
        let probability = (self.toxicity < 1.0).then_some(self.toxicity);
        Ok(inject.map(|inject| Fault {
            order: self.order,
            matching: Match { probability, ..Match::default() },
            ..Fault::new(&self.name, inject)
        }))
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Value {
        let named = self.kind.attributes.iter().zip(&self.attributes);
        let attributes: Map<_, _> = named.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let whole = self.toxicity.fract() == 0.0 && self.toxicity.abs() < 1e9;
        let toxicity = if whole { json!(self.toxicity as i64) } else { json!(self.toxicity) };
        json!({
            "attributes": attributes,
            "name": self.name,
            "type": self.kind.name,
            "stream": self.stream,
            "toxicity": toxicity,
        })
    }
}

fn time(name: &str, value: i64, in_units: fn(u64) -> Duration) -> Result<Duration, String> {
    let time = in_units(u64::try_from(value).map_err(|_| format!("`{name}` must not be negative"))?);
    if time > TIME_MAX {
        return Err(format!("`{name}` must be at most a hundred years"));
    }
    Ok(time)
}

const MS: fn(u64) -> Duration = Duration::from_millis;
const US: fn(u64) -> Duration = Duration::from_micros;

fn latency(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    let (delay, jitter) = (time("latency", attributes[0], MS)?, time("jitter", attributes[1], MS)?);
    Ok(Some(Inject::Latency { delay, jitter, stream }))
}

fn bandwidth(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    match attributes[0] {
        ..0 => Err("`rate` must not be negative".to_owned()),
        0 => Ok(Some(Inject::Stall { stream })),
        rate => Ok(Some(Inject::Bandwidth { bytes_per_second: rate as f64 * 1000.0, stream })),
    }
}

fn slow_close(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    Ok(Some(Inject::SlowClose { delay: time("delay", attributes[0], MS)?, stream }))
}

fn timeout(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    let after = time("timeout", attributes[0], MS)?;
    Ok(Some(Inject::Timeout { after: (!after.is_zero()).then_some(after), stream }))
}

fn reset_peer(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    Ok(Some(Inject::ResetPeer { after: time("timeout", attributes[0], MS)?, stream }))
}

fn slicer(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    let size = |name: &str, value: i64| {
        u32::try_from(value.min(i64::from(u32::MAX))).map_err(|_| format!("`{name}` must not be negative"))
    };
    let average_bytes = size("average_size", attributes[0])?;
    let size_variation_bytes = size("size_variation", attributes[1])?;
    if average_bytes == 0 {
        return Err("`average_size` must be at least 1".to_owned());
    }
    if size_variation_bytes >= average_bytes {
        return Err("`size_variation` must be less than `average_size`".to_owned());
    }
    let delay = time("delay", attributes[2], US)?;
    Ok(Some(Inject::Slice { average_bytes, size_variation_bytes, delay, stream }))
}

fn limit_data(attributes: &[i64], stream: Side) -> Result<Option<Inject>, String> {
    let bytes = u64::try_from(attributes[0]).map_err(|_| "`bytes` must not be negative")?;
    Ok(Some(Inject::LimitData { bytes, stream }))
}
