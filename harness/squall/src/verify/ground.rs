//! The system that an interaction is verified on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use squall_engine::{Held, Holding, Interrupt, NotHeld, Options, Progress, hold};
use squall_record::Source;
use squall_scenario::model::System;

use super::Task;

/// Where systems come from.
#[derive(Clone)]
pub struct Ground {
    /// The system file.
    pub system: Source,
    /// What it says.
    pub model: System,
    /// Where it runs, and where its runs' folders go.
    pub options: Options,
    /// States that are brought about by starting the provider with a variable: the state's name, then the variables.
    pub variables: BTreeMap<String, BTreeMap<String, String>>,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
    /// Stops everything.
    pub interrupt: Interrupt,
}

impl Ground {
    /// Whether some state of a task is brought about by variables, so that the provider must be started for it.
    pub(super) fn needs_variables(&self, task: &Task) -> bool {
        task.states().any(|state| self.variables.contains_key(&state.name))
    }

    /// Starts these services and what they need, with the variables that a task asks for.
    pub(super) async fn hold(
        &self,
        name: &str,
        services: BTreeSet<String>,
        of: Option<&Task>,
    ) -> Result<Held, NotHeld> {
        let mut variables = BTreeMap::new();
        if let Some(task) = of {
            let asked = task.states().filter_map(|state| self.variables.get(&state.name));
            let all: BTreeMap<String, String> = asked.flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
            variables.insert(task.provider.clone(), all);
        }
        let holding = Holding { name: name.to_owned(), services, variables };
        let (system, options) = (self.system.clone(), self.options.clone());
        hold(system, &self.model, holding, options, Arc::clone(&self.progress), self.interrupt.clone()).await
    }
}

/// Takes a system down; one that was lost meanwhile is the environment's failure.
pub(super) async fn let_go(held: Held) -> Result<(), NotHeld> {
    let left = held.stop().await?;
    match left.environment_failed {
        Some(why) => Err(NotHeld::Environment { why, folder: left.folder }),
        None => Ok(()),
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground")
            .field("system", &self.system.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
