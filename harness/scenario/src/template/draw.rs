//! Draws by identity: the n-th draw of an operation is a hash of the seed, the operation and n.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Object, ValueKind},
};
use squall_record::{OperationId, Seed, identity};

/// The name under which a context carries its draw.
pub(crate) const HIDDEN: &str = "__draw";

/// The draws of one operation, counted as they are made.
///
/// One for each operation: two renderings with fresh draws of the same operation give the same values.
#[derive(Clone, Debug)]
pub struct Draw(Arc<Drawn>);

#[derive(Debug)]
struct Drawn {
    seed: Seed,
    operation: OperationId,
    ordinal: AtomicU32,
}

impl Object for Drawn {}

impl Draw {
    /// The draws of this operation, from the first.
    pub fn new(seed: Seed, operation: OperationId) -> Draw {
        Draw(Arc::new(Drawn { seed, operation, ordinal: AtomicU32::new(0) }))
    }

    pub(crate) fn as_value(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.0))
    }
}

impl Drawn {
    fn next(&self) -> u64 {
        let ordinal = self.ordinal.fetch_add(1, Ordering::Relaxed);
        identity::choice(self.seed, &["draw", &self.operation.to_string(), &ordinal.to_string()])
    }

    /// A number below `bound`, which is not 0.
    fn below(&self, bound: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }
}

pub(crate) fn add_functions(environment: &mut Environment<'static>) {
    environment.add_function("uuid", uuid);
    environment.add_function("int", int);
    environment.add_function("pick", pick);
    environment.add_function("chance", chance);
    environment.add_function("hex", hex);
    environment.add_function("ordinal", ordinal);
}

fn drawn(state: &State<'_, '_>) -> Result<Arc<Drawn>, Error> {
    let nothing = || Error::new(ErrorKind::InvalidOperation, "nothing can be drawn here: only a request draws");
    state.lookup(HIDDEN).and_then(|value| value.downcast_object::<Drawn>()).ok_or_else(nothing)
}

fn wrong(why: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// 128 bits in the shape of a UUID of version 4.
fn uuid(state: &State<'_, '_>) -> Result<String, Error> {
    let drawn = drawn(state)?;
    let bits = u128::from(drawn.next()) << 64 | u128::from(drawn.next());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// A whole number from `least` to `most`, both included.
fn int(state: &State<'_, '_>, least: i64, most: i64) -> Result<i64, Error> {
    let span = i128::from(most) - i128::from(least) + 1;
    match u64::try_from(span) {
        Ok(span) if span > 0 => {
            let above = drawn(state)?.below(span);
            i64::try_from(i128::from(least) + i128::from(above)).map_err(|error| wrong(error.to_string()))
        }
        _ => Err(wrong(format!("`int({least}, {most})` has no number to draw: write the smaller one first"))),
    }
}

/// One item of a list.
fn pick(state: &State<'_, '_>, list: Value) -> Result<Value, Error> {
    let length = list.len().filter(|n| *n > 0 && list.kind() == ValueKind::Seq);
    let Some(length) = length else {
        return Err(wrong("`pick` takes a list that is not empty".to_owned()));
    };
    let at = drawn(state)?.below(length as u64);
    list.get_item(&Value::from(at))
}

/// True with this probability, from 0 to 1.
fn chance(state: &State<'_, '_>, probability: f64) -> Result<bool, Error> {
    let share = (drawn(state)?.next() >> 11) as f64 / (1u64 << 53) as f64;
    Ok(share < probability)
}

/// So many hex digits, 16 at most.
fn hex(state: &State<'_, '_>, digits: usize) -> Result<String, Error> {
    if !(1..=16).contains(&digits) {
        return Err(wrong(format!("`hex({digits})`: from 1 to 16 digits")));
    }
    Ok(format!("{:016x}", drawn(state)?.next())[..digits].to_owned())
}

/// The operation's number in its stream, from 0. No draw.
fn ordinal(state: &State<'_, '_>) -> Result<u32, Error> {
    Ok(drawn(state)?.operation.ordinal)
}
