//! `breaker`: a circuit breaker opens with cause, holds while open, tries again carefully, and closes.
//!
//! The edge shows what was let through; what was refused follows from declared [`demand`]. Whether a right breaker
//! could have behaved like this is asked of a [`monitor`] that keeps every state such a breaker may be in:
//!
//! ```text
//! calls of one life ──outcomes──▶ starts and ends ──monitor──▶ Watch: openings, leaks, trials ┐
//! operations ─────────demand────▶ who asked, who was served ────────────────────────────────┴─clauses─▶ verdict
//! ```
//!
//! So a right breaker is never accused: whatever the order in which its calls ended for it, as far as the
//! proxy's lines leave that open, one of the states explains what it did.

pub mod demand;
pub mod outcomes;
pub mod trips;
pub mod monitor;
pub mod clauses;
mod opens_within;
mod while_open;
mod half_open;
mod closes_within;

use std::collections::BTreeMap;

use squall_record::Edge;
use squall_scenario::model::Breaker;

pub use clauses::{Asked, judge};
pub use demand::Demand;
pub use monitor::{LifeWatch, Opening, Trial};

use crate::case::Case;

/// What is known of the breaker on one edge, in every instance and life of the caller.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its parameters.
    pub policy: Breaker,
    /// Each life of each instance that called or could have.
    pub lives: Vec<LifeWatch>,
    /// What was asked of the edge, in order.
    pub demands: Vec<Demand>,
    /// Whether it can be told which of them had its call.
    pub is_told_apart: bool,
}

impl Watch {
    /// Whether some instance's breaker was open at this time, for certain.
    pub fn is_open_at(&self, us: u64) -> bool {
        self.lives.iter().flat_map(|life| &life.openings).any(|o| o.tripped.us <= us && us < o.until_us)
    }

    /// Whether some instance's breaker may have been open or half-open at some time of `[from, until]`.
    pub fn may_refuse_in(&self, from: u64, until: u64) -> bool {
        self.lives.iter().any(|life| life.may_refuse_in(from, until))
    }

    /// How often it opened from closed, for certain.
    pub fn openings(&self) -> usize {
        self.lives.iter().flat_map(|life| &life.openings).filter(|opening| !opening.again).count()
    }
}

/// Watches every breaker that the system file declares.
pub fn watch_all(case: &Case<'_, '_>) -> BTreeMap<Edge, Watch> {
    let mut watches = BTreeMap::new();
    for service in &case.system.services {
        for upstream in &service.calls {
            if let Some(policy) = upstream.breaker {
                let edge = Edge::calls(&service.name, &upstream.to);
                let demands = demand::of(case, &edge);
                let lives = outcomes::lives(case, &edge, &demands);
                let at_most = upstream.attempts.map_or(1, |attempts| attempts.at_most);
                let watch =
                    |life| monitor::watch(life, &policy, case.evidence.tolerance, at_most, case.evidence.last.us);
                let lives = lives.iter().map(watch).collect();
                let is_told_apart = demand::is_told_apart(case, &edge);
                watches.insert(edge, Watch { policy, lives, demands, is_told_apart });
            }
        }
    }
    watches
}
