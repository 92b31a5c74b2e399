//! What this service reads from its environment.

use std::time::Duration;

use chassis::{
    CallPolicy, Configuration, Variables,
    config::{Database, Milliseconds, Value},
};

use crate::{catalogue::Catalogue, driver::Pacing};

/// What this service reads from its environment, beside what every service does.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where orders are kept.
    pub database: Database,
    /// This instance's name.
    pub instance: String,
    /// How inventory is called.
    pub inventory: CallPolicy,
    /// How payment is called.
    pub payment: CallPolicy,
    /// How inventory is told of events.
    pub events: CallPolicy,
    /// How long an answer waits for the end of its saga.
    pub wait: Duration,
    /// How patiently sagas are undone.
    pub pacing: Pacing,
    /// What is for sale.
    pub catalogue: Catalogue,
}

impl Value for Catalogue {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::catalogue::NotACatalogue| error.to_string())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Configuration for Config {
    fn read(variables: &mut Variables) -> Option<Self> {
        let database = Database::read(variables, "sqlite:order.db", "where orders are kept");
        let instance = variables.optional(
            "INSTANCE",
            "0".to_owned(),
            "this instance's name; those that share a database must differ, and keep theirs over a restart",
        );
        let inventory = CallPolicy::read(variables, "INVENTORY", &"inventory");
        let payment = CallPolicy::read(variables, "PAYMENT", &"payment");
        let events = variables.required(
            "INVENTORY_EVENTS_URL",
            "http://127.0.0.1:4711",
            "where inventory is reached with events",
        );
        let events_timeout = variables.optional(
            "INVENTORY_EVENTS_TIMEOUT_MS",
            Milliseconds(800),
            "how long one delivery of an event may take",
        );
        let wait =
            variables.optional("ORDER_WAIT_MS", Milliseconds(3_000), "how long placing an order waits for its end");
        let first_gap = variables.optional(
            "UNDO_FIRST_GAP_MS",
            Milliseconds(100),
            "the pause after an undo that came to nothing; it doubles from there",
        );
        let longest_gap = variables.optional("UNDO_LONGEST_GAP_MS", Milliseconds(1_000), "the longest such pause");
        let patience = variables.optional(
            "UNDO_PATIENCE",
            10,
            "after how many rounds that came to nothing an order is reported as needing attention",
        );
        let lease = variables.optional(
            "LEASE_MS",
            Milliseconds(10_000),
            "after how long without a sign of life other instances take an order over",
        );
        let catalogue = variables.optional("CATALOGUE", Catalogue::default(), "what is for sale, in minor units");
        let pacing = Pacing {
            first_gap: first_gap?.duration(),
            longest_gap: longest_gap?.duration(),
            patience: patience?,
            lease: lease?.duration(),
        };
        if pacing.longest_gap < pacing.first_gap {
            variables.mistake("`UNDO_LONGEST_GAP_MS` is shorter than `UNDO_FIRST_GAP_MS`: make it at least as long");
        }
        if !(1..=PATIENCE_MAX).contains(&pacing.patience) {
            let patience = pacing.patience;
            variables.mistake(format!("`UNDO_PATIENCE` is `{patience}`: write a number from 1 to {PATIENCE_MAX}"));
        }
        if pacing.lease < LEASE_MIN {
            variables.mistake("`LEASE_MS` is under 1000: a lease must outlast a slow commit, so write at least `1000`");
        }
        Some(Config {
            database: database?,
            instance: instance?,
            inventory: inventory?,
            payment: payment?,
            // The relay tries without end and pauses in between; more of either here would only blur its order.
            events: CallPolicy::once(events?, events_timeout?.duration()),
            wait: wait?.duration(),
            pacing,
            catalogue: catalogue?,
        })
    }
}

/// The saga log keeps no more rounds apart than this; see `store::rows`.
const PATIENCE_MAX: u32 = 64;
const LEASE_MIN: Duration = Duration::from_secs(1);
