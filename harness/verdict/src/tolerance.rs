//! How exactly each backend can be measured: the one place where a check's patience is written.

use squall_record::Backend;

/// What may pass between an event and the line that tells of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Between a decision of a service and the proxy's line for it, or the other way round, in microseconds.
    ///
    /// A caller decides to call before the proxy reads the request's head, and learns of an answer after
    /// the proxy wrote it: connecting, scheduling and the proxy's own work lie between.
    pub tick_us: u64,
    /// Within this, the order in which two calls of one caller ended for it may not be that of their lines, in
    /// microseconds. Smaller than a tick: what delays the caller's reading delays it for both.
    pub order_us: u64,
    /// Added to a bound that counts from healing when connects had hung: a connect that was lost is sent again
    /// after one SYN retransmission (RFC 6298 section 2, one second at first), in microseconds.
    pub reconnect_us: u64,
    /// The share of a bound in time by which it may be missed.
    pub bound_share: f64,
}

impl Tolerance {
    /// The tolerance of a backend.
    ///
    /// *Simulation* has virtual time and only rounding to forgive. *Process* shares its cores with the services
    /// under test and whatever else the machine does. *Container* adds a virtual network.
    pub fn of(backend: Backend) -> Tolerance {
        let (tick_us, order_us, bound_share) = match backend {
            Backend::Simulation => (1_000, 1_000, 0.0),
            Backend::Process => (50_000, 20_000, 0.02),
            Backend::Container => (100_000, 40_000, 0.05),
        };
        Tolerance { tick_us, order_us, reconnect_us: 1_100_000, bound_share }
    }

    /// A bound on a duration with what this backend may miss it by, in microseconds.
    pub fn of_bound(&self, bound_us: u64) -> u64 {
        bound_us + self.tick_us + (bound_us as f64 * self.bound_share) as u64
    }
}
