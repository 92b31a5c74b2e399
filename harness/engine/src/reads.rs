//! Final reads: straight to the services, past the proxies.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use squall_record::{Answer, Body, FactSink, OperationId, ReadOf, What};
use squall_scenario::{
    expression::{Compiled, compile},
    model::System as Model,
    template::call::{self, CompiledCall},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    backend::{Failed, System},
    client::{self, Asked},
    journal::Journal,
};

/// How long one read may take.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// How many reads are under way at once.
const AT_ONCE: usize = 16;

/// An operation, as far as reads need it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Which one.
    pub id: OperationId,
    /// Its name in the system file.
    pub name: String,
    /// What it drew, what it kept and what it sent: the names that reads are rendered with.
    pub names: BTreeMap<String, Value>,
}

/// One read that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// What it is for.
    pub of: ReadOf,
    service: String,
    path: String,
}

/// What a read came to.
pub(crate) type Taken = Result<Answer, String>;

/// The reads of a system, compiled, and the way to its services.
pub(crate) struct Reader {
    system: Arc<dyn System>,
    journal: Arc<Journal>,
    reads: Vec<(String, Option<String>, CompiledCall)>,
    ends: Vec<SagaEnd>,
}

struct SagaEnd {
    saga: String,
    started_by: String,
    read: CompiledCall,
    done: Compiled,
    undone: Compiled,
}

impl Reader {
    /// Compiles the system's reads.
    pub(crate) fn new(model: &Model, system: Arc<dyn System>, journal: Arc<Journal>) -> Result<Reader, Failed> {
        let wrong = |name: &str, why: &dyn std::fmt::Display| Failed(format!("read `{name}`: {why}"));
        let mut reads = Vec::new();
        for read in &model.reads {
            let call = call::compile(&read.call).map_err(|why| wrong(&read.name, &why))?;
            reads.push((read.name.clone(), read.each.clone(), call));
        }
        let mut ends = Vec::new();
        for saga in &model.sagas {
            if let Some(of) = &saga.ends {
                let wrong = |why: &dyn std::fmt::Display| wrong(&format!("{}.ends", saga.name), why);
                ends.push(SagaEnd {
                    saga: saga.name.clone(),
                    started_by: saga.started_by.clone(),
                    read: call::compile(&of.read).map_err(|why| wrong(&why))?,
                    done: compile(&of.done).map_err(|why| wrong(&why))?,
                    undone: compile(&of.undone).map_err(|why| wrong(&why))?,
                });
            }
        }
        Ok(Reader { system, journal, reads, ends })
    }

    /// The reads that tell how the sagas of these operations ended.
    pub(crate) fn saga_ends(&self, subjects: &[Subject]) -> Vec<Due> {
        let mut ends = Vec::new();
        for end in &self.ends {
            for subject in subjects.iter().filter(|subject| subject.name == end.started_by) {
                let of = ReadOf::SagaEnd { saga: end.saga.clone(), operation: subject.id };
                ends.extend(due(of, &end.read, &subject.names));
            }
        }
        ends
    }

    /// Every final read: the plain ones, one for each operation of each `each` read, and the sagas' ends.
    pub(crate) fn all(&self, subjects: &[Subject]) -> Vec<Due> {
        let mut all = Vec::new();
        let nothing = BTreeMap::new();
        for (read, each, call) in &self.reads {
            let named = |operation| ReadOf::Named { read: read.clone(), operation };
            match each {
                None => all.extend(due(named(None), call, &nothing)),
                Some(name) => {
                    let of_name = subjects.iter().filter(|subject| &subject.name == name);
                    all.extend(of_name.filter_map(|subject| due(named(Some(subject.id)), call, &subject.names)));
                }
            }
        }
        all.extend(self.saga_ends(subjects));
        all
    }

    /// Whether an answer to the read of a saga's end says that it ended, done or undone.
    pub(crate) fn has_ended(&self, saga: &str, taken: &Taken) -> bool {
        let (Some(end), Ok(answer)) = (self.ends.iter().find(|end| end.saga == saga), taken) else { return false };
        let names = squall_scenario::outcome::keep_names(&Default::default(), Some(answer));
        let holds = |expression: &Compiled| expression.is_true(&names).unwrap_or(false);
        holds(&end.done) || holds(&end.undone)
    }

    /// Takes the reads.
    pub(crate) async fn take(&self, due: &[Due]) -> BTreeMap<ReadOf, Taken> {
        let questions = due.iter().map(|due| (due.of.clone(), due.service.clone(), due.path.clone()));
        self.ask(questions).await
    }

    /// Asks services, several questions at once; equal ones are asked once.
    pub(crate) async fn ask<K: Ord + Clone + Send + 'static>(
        &self,
        questions: impl Iterator<Item = (K, String, String)>,
    ) -> BTreeMap<K, Taken> {
        let mut by_call: BTreeMap<(String, String), Vec<K>> = BTreeMap::new();
        for (key, service, path) in questions {
            by_call.entry((service, path)).or_default().push(key);
        }
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        for ((service, path), keys) in by_call {
            let (system, room) = (Arc::clone(&self.system), Arc::clone(&room));
            asking.spawn(async move {
                // The semaphore is never closed; without a permit the question would only be one too many.
                let _room = room.acquire().await;
                (keys, read(system.as_ref(), &service, &path).await)
            });
        }
        let mut answers = BTreeMap::new();
        while let Some(joined) = asking.join_next().await {
            if let Ok((keys, answer)) = joined {
                answers.extend(keys.into_iter().map(|key| (key, answer.clone())));
            }
        }
        answers
    }

    /// Takes a round of reads and records it.
    pub(crate) async fn round(&self, round: u32, due: &[Due]) -> BTreeMap<ReadOf, Taken> {
        let taken = self.take(due).await;
        for (of, answer) in &taken {
            self.journal.observe(What::ReadTaken {
                round,
                of: of.clone(),
                answer: answer.as_ref().ok().cloned(),
                error: answer.as_ref().err().cloned(),
            });
        }
        taken
    }
}

/// A read that cannot be rendered, because the operation kept no key, is not due.
fn due(of: ReadOf, call: &CompiledCall, names: &BTreeMap<String, Value>) -> Option<Due> {
    Some(Due { of, service: call.service.clone(), path: call.render(names).ok()? })
}

/// Asks the instances of a service in turn, until one answers.
async fn read(system: &dyn System, service: &str, path: &str) -> Taken {
    let mut last = format!("`{service}` has no instance");
    for at in system.addresses(service) {
        match client::call(at, &Asked::get(path), READ_WITHIN).await {
            Ok(answer) => return Ok(answer),
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// The reads in which two rounds do not agree on status and body. Headers hold dates.
pub(crate) fn that_differ(one: &BTreeMap<ReadOf, Taken>, other: &BTreeMap<ReadOf, Taken>) -> Vec<ReadOf> {
    let said = |taken: Option<&Taken>| -> Option<(u16, Body)> {
        let answer = taken?.as_ref().ok()?;
        Some((answer.status, answer.body.clone()))
    };
    let differ = |of: &&ReadOf| said(one.get(of)) != said(other.get(of));
    one.keys().chain(other.keys().filter(|of| !one.contains_key(of))).filter(differ).cloned().collect()
}
