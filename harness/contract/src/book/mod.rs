//! All pacts of a system, by provider, and what they say of an answer that was recorded.
//!
//! An answer belongs to the interactions whose method and path fit its call; their answers taken together are what
//! is allowed. Which paths are of one kind is learned from the rules: where one interaction has the path
//! `/orders/ord_1` with the rule `/orders/\w+`, another one's literal `/orders/none` is of the same kind, and its 404
//! is allowed for every order.

mod route;
mod paste;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use self::paste::uncovered;
use self::route::Route;
use crate::{
    matching::{Answer, Call, ExpectedRequest, ExpectedResponse, Mismatch},
    mistake::{Mistake, Mistakes},
    model::{Interaction, Pact},
    target,
};

/// All pacts of a system. A clone shares everything.
#[derive(Clone, Debug, Default)]
pub struct Book {
    providers: Arc<BTreeMap<String, Vec<Entry>>>,
}

/// One interaction of a pact, compiled.
#[derive(Debug)]
pub struct Promise {
    /// Who expects it.
    pub consumer: String,
    /// Who promises it.
    pub provider: String,
    /// As the pact has it.
    pub interaction: Interaction,
    /// What the consumer sends.
    pub request: ExpectedRequest,
    /// What the provider may answer.
    pub response: ExpectedResponse,
}

#[derive(Debug)]
struct Entry {
    promise: Arc<Promise>,
    method: String,
    route: Route,
    /// Others of this provider, by position, whose example's path is of the kind that this one's rules describe.
    alike: Vec<usize>,
}

/// What a book says of an answer.
#[derive(Clone, Debug)]
pub enum Judged {
    /// It is as an interaction promises it.
    Held(Arc<Promise>),
    /// It is as none of the interactions for such a call promises it.
    Broken {
        /// The interaction that it comes closest to.
        closest: Arc<Promise>,
        /// What is other than that one promises.
        mismatches: Vec<Mismatch>,
    },
    /// As far as it could be seen it is as an interaction promises it, but its body was not kept whole.
    NotSeen(Arc<Promise>),
    /// No interaction is for such a call: [`uncovered`] writes one.
    Uncovered,
}

/// `order/payment: a charge is captured (given …)`.
impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}: {}", self.consumer, self.provider, self.interaction)
    }
}

impl Book {
    /// Compiles pacts; each with its file's name for messages. Messages are passed over: they are no answers.
    ///
    /// # Errors
    /// When an interaction's rules multiply beyond what can be compiled.
    pub fn new<'p>(pacts: impl IntoIterator<Item = (&'p str, &'p Pact)>) -> Result<Book, Mistakes> {
        let mut providers: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (file, pact) in pacts {
            for (n, interaction) in pact.interactions.iter().enumerate() {
                let Some(http) = interaction.http() else { continue };
                let compiled = ExpectedRequest::new(&http.request)
                    .and_then(|request| Ok((request, ExpectedResponse::new(&http.response)?)));
                let (request, response) = compiled.map_err(|why| Mistakes {
                    file: file.to_owned(),
                    list: vec![Mistake {
                        place: format!("$.interactions[{n}]"),
                        message: why.to_string(),
                        remedy: Some("use fewer rules that name single elements of lists".to_owned()),
                    }],
                })?;
                let promise = Arc::new(Promise {
                    consumer: pact.consumer.clone(),
                    provider: pact.provider.clone(),
                    interaction: interaction.clone(),
                    request,
                    response,
                });
                let (method, route) = (http.request.method.clone(), Route::of(&http.request));
                let entry = Entry { promise, method, route, alike: Vec::new() };
                providers.entry(pact.provider.clone()).or_default().push(entry);
            }
        }
        for entries in providers.values_mut() {
            learn(entries);
        }
        Ok(Book { providers: Arc::new(providers) })
    }

    /// Whether any pact is about this provider.
    pub fn knows(&self, provider: &str) -> bool {
        self.providers.contains_key(provider)
    }

    /// All interactions, by provider, in the order of the pacts.
    pub fn promises(&self) -> impl Iterator<Item = &Arc<Promise>> {
        self.providers.values().flatten().map(|entry| &entry.promise)
    }

    /// The interactions of a provider that a call may belong to.
    pub fn candidates(&self, provider: &str, call: &Call<'_>) -> Vec<&Arc<Promise>> {
        let Some(entries) = self.providers.get(provider) else { return Vec::new() };
        let (path, _) = target::split(call.target);
        let mut found = vec![false; entries.len()];
        for (n, entry) in entries.iter().enumerate() {
            if entry.method.eq_ignore_ascii_case(call.method) && entry.route.takes(path) {
                found[n] = true;
                for other in &entry.alike {
                    found[*other] = true;
                }
            }
        }
        entries.iter().zip(found).filter(|(_, found)| *found).map(|(entry, _)| &entry.promise).collect()
    }

    /// What the contracts say of an answer of this provider.
    pub fn judge(&self, provider: &str, call: &Call<'_>, answer: &Answer<'_>) -> Judged {
        let candidates = self.candidates(provider, call);
        let takes_status = |promise: &&Arc<Promise>| promise.response.takes_status(answer.status);
        // Where the status fits some, one of them is what was meant; the others need not be looked at.
        let (fitting, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(takes_status);
        let mut not_seen = None;
        // The one with the fewest mismatches is what was meant.
        let mut closest: Option<(&Arc<Promise>, Vec<Mismatch>)> = None;
        for promise in if fitting.is_empty() { others } else { fitting } {
            let checked = promise.response.check(answer);
            if checked.mismatches.is_empty() {
                if checked.whole {
                    return Judged::Held(promise.clone());
                }
                not_seen.get_or_insert(promise);
                continue;
            }
            if closest.as_ref().is_none_or(|(_, fewest)| checked.mismatches.len() < fewest.len()) {
                closest = Some((promise, checked.mismatches));
            }
        }
        match (not_seen, closest) {
            (Some(promise), _) => Judged::NotSeen(promise.clone()),
            (None, Some((promise, mismatches))) => Judged::Broken { closest: promise.clone(), mismatches },
            (None, None) => Judged::Uncovered,
        }
    }
}

/// Finds which paths are of one kind.
fn learn(entries: &mut [Entry]) {
    let examples: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let path = entry.promise.interaction.http().map(|http| http.request.path.clone());
            (entry.method.clone(), path.unwrap_or_default())
        })
        .collect();
    for (n, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| !entry.route.is_literal()) {
        let of_kind = |(other, (method, path)): (usize, &(String, String))| {
            (other != n && *method == entry.method && entry.route.takes(path)).then_some(other)
        };
        entry.alike = examples.iter().enumerate().filter_map(of_kind).collect();
    }
}
