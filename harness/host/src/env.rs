//! [`Env`]: the handle on a [`Host`] that code clones and passes around.

use std::{fmt, future::Future, io, sync::Arc, time::Duration};

use crate::host::{BoxFuture, BoxStream, Host, Listener, StoreThread};

/// A handle on the host that this code runs on. Clones are the same host.
#[derive(Clone)]
pub struct Env(Arc<dyn Host>);

impl Env {
    /// A handle on `host`.
    pub fn new(host: impl Host) -> Self {
        Env(Arc::new(host))
    }

    /// A handle on a host that others hold too.
    pub fn shared(host: Arc<dyn Host>) -> Self {
        Env(host)
    }

    /// Listens at `host:port`; port 0 stands for any free one.
    pub async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        self.0.listen(address).await
    }

    /// Connects to `host:port`.
    pub async fn connect(&self, address: &str) -> io::Result<BoxStream> {
        self.0.connect(address).await
    }

    /// Runs a task that lives no longer than the host.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Box::pin(task));
    }

    /// Wall-clock time since 1970-01-01 UTC.
    pub fn unix_now(&self) -> Duration {
        self.0.unix_now()
    }

    /// Wall-clock time in whole milliseconds since 1970-01-01 UTC, as it is stored and sent.
    pub fn unix_ms(&self) -> i64 {
        i64::try_from(self.0.unix_now().as_millis()).unwrap_or(i64::MAX)
    }

    /// 64 random bits. Not for secrets.
    pub fn random_u64(&self) -> u64 {
        self.0.random_u64()
    }

    /// A random number below `bound`; 0 if `bound` is 0. Lemire's multiplication, whose bias is below 2⁻³² for any
    /// bound under 2³².
    pub fn random_below(&self, bound: u64) -> u64 {
        ((u128::from(self.0.random_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A new identifier: 26 characters, the first ten from the wall clock, so that later ones sort later (ULID,
    /// <https://github.com/ulid/spec>).
    pub fn new_id(&self) -> String {
        let ms = self.0.unix_now().as_millis() & 0xffff_ffff_ffff;
        let random = (u128::from(self.0.random_u64()) << 16) | u128::from(self.0.random_u64() & 0xffff);
        crockford((ms << 80) | random)
    }

    /// A thread for the blocking work of the store called `name`.
    pub fn store_thread(&self, name: &str) -> Box<dyn StoreThread> {
        self.0.store_thread(name)
    }

    /// Completes when this process is asked to stop in order. Requests count from this call on, not from the first
    /// poll, so it is called before anybody could know that the process is up.
    pub fn stop_requested(&self) -> BoxFuture<'static, ()> {
        self.0.stop_requested()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

/// 128 bits in Crockford's base 32, most significant first.
fn crockford(bits: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).rev().map(|place| char::from(DIGITS[(bits >> (place * 5)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::Real;

    #[test]
    fn an_identifier_is_a_ulid() {
        // The specification's example: the 48 bits of 1469922850259 ms, then 80 bits.
        let ms = 1_469_922_850_259_u128;
        assert!(crockford(ms << 80).starts_with("01ARZ3NDEK"), "{}", crockford(ms << 80));
        assert_eq!(crockford(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn identifiers_differ() {
        let env = Env::new(Real::seeded(1));
        let ids: std::collections::BTreeSet<_> = (0..1_000).map(|_| env.new_id()).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn a_draw_stays_below_its_bound() {
        let env = Env::new(Real::seeded(2));
        assert_eq!(env.random_below(0), 0);
        let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|_| env.random_below(6)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    }
}
