//! One interaction to be verified, and what came of it.

use std::time::Duration;

use squall_contract::{
    matching::Mismatch,
    model::{Interaction, Pact, ProviderState},
};

/// One interaction to be verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Who relies on it.
    pub consumer: String,
    /// Who is held to it: a service of the system.
    pub provider: String,
    /// What it is.
    pub interaction: Interaction,
}

/// What came of an interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Who relies on it.
    pub consumer: String,
    /// Who is held to it.
    pub provider: String,
    /// What the consumer calls it.
    pub description: String,
    /// The provider states, in words.
    pub given: Vec<String>,
    /// Whether the contract lets the provider fail it for now.
    pub pending: bool,
    /// What was found.
    pub finding: Finding,
    /// From its first state to the answer.
    pub took: Duration,
}

/// What was found of an interaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The provider keeps it.
    Held,
    /// It does not.
    Violated(Vec<Broken>),
    /// It could not be put to the test.
    Inconclusive {
        /// Why not.
        why: String,
        /// Code to begin with, where some is lacking.
        paste: Option<String>,
    },
}

/// One difference between what was promised and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where: `status`, `header NAME`, a path in the body, or `answer` where there was none.
    pub place: String,
    /// What was promised, or an example of it.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// What is wrong, in words.
    pub text: String,
}

impl Task {
    /// Every interaction of a pact.
    pub fn all_of(pact: &Pact) -> impl Iterator<Item = Task> + '_ {
        pact.interactions.iter().map(|interaction| Task {
            consumer: pact.consumer.clone(),
            provider: pact.provider.clone(),
            interaction: interaction.clone(),
        })
    }

    /// The states that must hold; one without a name asks for nothing.
    pub fn states(&self) -> impl DoubleEndedIterator<Item = &ProviderState> {
        self.interaction.states.iter().filter(|state| !state.name.trim().is_empty())
    }

    pub(crate) fn came_to(&self, finding: Finding, took: Duration) -> Outcome {
        Outcome {
            consumer: self.consumer.clone(),
            provider: self.provider.clone(),
            description: self.interaction.description.clone(),
            given: self.states().map(ToString::to_string).collect(),
            pending: self.interaction.pending,
            finding,
            took,
        }
    }
}

impl Outcome {
    /// Whether it counts against the provider: it is violated, and not one that may be.
    pub fn counts_as_violated(&self) -> bool {
        matches!(self.finding, Finding::Violated(_)) && !self.pending
    }

    /// Whether nobody knows.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self.finding, Finding::Inconclusive { .. })
    }
}

impl From<&Mismatch> for Broken {
    fn from(mismatch: &Mismatch) -> Broken {
        Broken {
            place: mismatch.place.to_string(),
            expected: mismatch.expected.clone(),
            actual: mismatch.actual.clone(),
            text: mismatch.text.clone(),
        }
    }
}
