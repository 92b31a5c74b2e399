//! What every container, network and volume of a run carries, so that a sweep can tell whose it is.

use std::collections::HashMap;

use crate::owner::Owner;

/// The label with the run: the name of its folder.
pub const RUN: &str = "squall.run";

/// The labels of one run of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    run: String,
    owner: Owner,
}

impl Labels {
    /// The labels of a run that this process plays.
    pub fn of(run: &str) -> Labels {
        Labels { run: run.to_owned(), owner: Owner::this_process() }
    }

    /// As the engine takes them: `squall.run`, and the process by `squall.process`, `squall.started`, `squall.boot`
    /// and `squall.pid-namespace`.
    pub fn map(&self) -> HashMap<String, String> {
        let owner = self.owner.labels().map(|(name, value)| (name.to_owned(), value));
        owner.into_iter().chain([(RUN.to_owned(), self.run.clone())]).collect()
    }
}
