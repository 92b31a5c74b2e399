//! `contract`: every answer of a service is as some pact promises it.
//!
//! What is judged is what the callee itself said, whether or not its caller learned of it. An answer that the proxy
//! made up, or damaged on its way, is a fault's doing and no breach of the provider's; one that broke off before its
//! end, because somebody died or hung up, is no answer. What prepares the ground (setup) is not under test.

use std::collections::{BTreeMap, BTreeSet};

use squall_contract::{
    book::{self, Book, Judged, Promise},
    matching::{self, Mismatch},
    mistake::Mistakes,
    model,
};
use squall_record::{Answer, Edge, EdgeKind, RunPhase, Seen, Source};

use crate::{
    case::Case,
    evidence::{At, Call},
    measure::count,
    verdict::{CheckVerdict, Citation, State},
};

/// How many mismatches of one answer are told; the promise that it is shown beside has the rest.
const MISMATCHES_TOLD: usize = 3;
/// How many kinds of answers that nothing covers are told.
const UNCOVERED_TOLD: usize = 20;

/// Judges the answers on these edges; with none named, on all that lead to a provider of a pact.
pub fn judge(case: &Case<'_, '_>, on: &[Edge]) -> CheckVerdict {
    let name = name(on);
    let inconclusive = |why: String| CheckVerdict::new("contract", name.clone(), State::Inconclusive, why);
    if case.evidence.pacts.is_empty() {
        return inconclusive("the record holds no pacts, so nothing says what may be answered".to_owned());
    }
    let book = match compiled(case.evidence.pacts) {
        Ok(book) => book,
        Err(why) => return inconclusive(format!("the record's pacts cannot be read: {}", one_line(&why.to_string()))),
    };
    let under_test_from = under_test_from(case);
    let mut tally = Tally::default();
    for call in case.evidence.calls.iter() {
        let is_asked = if on.is_empty() { book.knows(&call.edge.to) } else { on.contains(call.edge) };
        let prepares = call.edge.is_client() && call.started.us < under_test_from;
        if is_asked && !prepares && call.edge.kind == EdgeKind::Calls {
            tally.take(case, &book, call);
        }
    }
    tally.close(case, name)
}

/// `contract order -> payment`; several edges as they were asked for.
fn name(on: &[Edge]) -> String {
    match on {
        [] => "contract".to_owned(),
        [edge] => format!("contract {edge}"),
        [first, rest @ ..] if rest.iter().all(|edge| edge.to == first.to) => format!("contract * -> {}", first.to),
        [first, rest @ ..] if rest.iter().all(|edge| edge.from == first.from) => {
            format!("contract {} -> *", first.from)
        }
        edges => format!("contract {}", edges.iter().map(Edge::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The book of a record's pacts.
pub(crate) fn compiled(pacts: &[Source]) -> Result<Book, Mistakes> {
    let read = pacts.iter().map(|source| Ok((source.name.as_str(), model::read(&source.name, &source.text)?)));
    let read = read.collect::<Result<Vec<_>, Mistakes>>()?;
    Book::new(read.iter().map(|(name, pact)| (*name, pact)))
}

/// When the setup was over, in microseconds since the run started.
pub(crate) fn under_test_from(case: &Case<'_, '_>) -> u64 {
    let began = |phase| case.evidence.phases.get(&phase).map(|at: &At| at.us);
    began(RunPhase::Gate).or(began(RunPhase::Load)).unwrap_or(u64::MAX)
}

/// What the answers came to.
#[derive(Default)]
struct Tally<'c, 'r> {
    held: usize,
    /// Interactions that some answer was as promised by.
    kept: BTreeSet<String>,
    /// Whose bodies the record has not whole.
    not_seen: usize,
    first_not_seen: Option<&'c Call<'r>>,
    broken_off: usize,
    breaches: BTreeMap<Kind, Breach<'c, 'r>>,
    uncovered: BTreeMap<Kind, Uncovered<'c, 'r>>,
}

/// Answers that are told as one: of one provider, to one kind of call, with one status, other in one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    provider: String,
    call: String,
    status: u16,
    way: String,
}

struct Breach<'c, 'r> {
    first: &'c Call<'r>,
    at: At,
    closest: std::sync::Arc<Promise>,
    mismatches: Vec<Mismatch>,
    count: usize,
    /// Faults that were in force at some of them.
    faults: BTreeSet<&'r str>,
    /// Whether at some of them none was.
    in_peace: bool,
}

struct Uncovered<'c, 'r> {
    first: &'c Call<'r>,
    at: At,
    answer: &'r Answer,
    count: usize,
}

impl<'c, 'r> Tally<'c, 'r> {
    fn take(&mut self, case: &Case<'_, 'r>, book: &Book, call: &'c Call<'r>) {
        let Some((at, _, answer)) = call.answered else { return };
        if broke_off(call, answer) {
            self.broken_off += 1;
            return;
        }
        let asked = matching::Call { method: call.method, target: call.path };
        match book.judge(&call.edge.to, &asked, &matching::Answer::from(answer)) {
            Judged::Held(promise) => {
                self.held += 1;
                if !self.kept.contains(&promise.interaction.description) {
                    self.kept.insert(promise.interaction.description.clone());
                }
            }
            Judged::NotSeen(_) => {
                self.not_seen += 1;
                self.first_not_seen.get_or_insert(call);
            }
            Judged::Broken { closest, mismatches } => {
                let way = mismatches.first().map(|mismatch| mismatch.place.to_string()).unwrap_or_default();
                let breach = self.breaches.entry(Kind::of(call, answer, way)).or_insert_with(|| Breach {
                    first: call,
                    at,
                    closest,
                    mismatches,
                    count: 0,
                    faults: BTreeSet::new(),
                    in_peace: false,
                });
                breach.count += 1;
                let faults = in_force(case, call, at);
                breach.in_peace |= faults.is_empty();
                breach.faults.extend(faults);
            }
            Judged::Uncovered => {
                let uncovered = Uncovered { first: call, at, answer, count: 0 };
                self.uncovered.entry(Kind::of(call, answer, String::new())).or_insert(uncovered).count += 1;
            }
        }
    }

    fn close(self, case: &Case<'_, '_>, name: String) -> CheckVerdict {
        let broken: usize = self.breaches.values().map(|breach| breach.count).sum();
        let uncovered: usize = self.uncovered.values().map(|uncovered| uncovered.count).sum();
        let (state, summary) = self.found(broken, uncovered);
        let mut evidence = Vec::new();
        for breach in self.breaches.values() {
            evidence.extend(breach.cite(case));
        }
        if broken == 0 {
            let cited = self.uncovered.values().take(UNCOVERED_TOLD).map(|uncovered| uncovered.cite(case));
            evidence.extend(cited);
            let unseen =
                self.first_not_seen.map(|call| case.evidence.cite_call(call, "its body is not in the record whole"));
            evidence.extend(unseen);
        }
        CheckVerdict::new("contract", name, state, summary)
            .citing(evidence)
            .figure("answers", (self.held + broken + uncovered + self.not_seen) as f64)
            .figure("broken", broken as f64)
            .figure("uncovered", uncovered as f64)
            .figure("not_whole", self.not_seen as f64)
            .figure("broken_off", self.broken_off as f64)
            .figure("interactions_seen", self.kept.len() as f64)
    }

    fn found(&self, broken: usize, uncovered: usize) -> (State, String) {
        if let Some((kind, breach)) = self.breaches.iter().max_by_key(|(_, breach)| breach.count) {
            let others = match self.breaches.len() {
                1 => String::new(),
                n => format!("; and in {} more", count(n - 1, "way")),
            };
            let why = breach.mismatches.first().map(ToString::to_string).unwrap_or_default();
            let summary = format!(
                "{} of `{}` {} its contract: {} → {}: {why}{}{others}",
                count(broken, "answer"),
                kind.provider,
                if broken == 1 { "breaks" } else { "break" },
                kind.call,
                kind.status,
                breach.meanwhile(),
            );
            return (State::Violated, summary);
        }
        let mut why = Vec::new();
        if let Some(kind) = self.uncovered.keys().next() {
            why.push(format!(
                "no interaction covers {} ({}): {} → {}",
                count(uncovered, "answer"),
                count(self.uncovered.len(), "kind"),
                kind.call,
                kind.status
            ));
        }
        if self.not_seen > 0 {
            why.push(format!("the record has not the whole body of {}", count(self.not_seen, "answer")));
        }
        if self.held == 0 && why.is_empty() {
            why.push(match self.broken_off {
                0 => "no answer was seen".to_owned(),
                n => format!("no answer was seen to its end: {} broke off", count(n, "answer")),
            });
        }
        if why.is_empty() {
            let seen = count(self.kept.len(), "interaction");
            return (State::Held, format!("{} as {seen} promise", count(self.held, "answer")));
        }
        (State::Inconclusive, why.join("; "))
    }
}

impl Kind {
    fn of(call: &Call<'_>, answer: &Answer, way: String) -> Kind {
        let template = call.route.and_then(|route| route.split(' ').nth(2)).map(str::to_owned);
        let template = template.unwrap_or_else(|| without_identities(call.path));
        let provider = call.edge.to.clone();
        Kind { provider, call: format!("{} {template}", call.method), status: answer.status, way }
    }
}

impl Breach<'_, '_> {
    /// The call, and what its callee said.
    fn cite(&self, case: &Case<'_, '_>) -> [Citation; 2] {
        let told: Vec<String> = self.mismatches.iter().take(MISMATCHES_TOLD).map(ToString::to_string).collect();
        let more = match self.mismatches.len() {
            n if n > MISMATCHES_TOLD => format!("\nand {} more", count(n - MISMATCHES_TOLD, "mismatch")),
            _ => String::new(),
        };
        let again = if self.count == 1 { String::new() } else { format!(", {} like it", self.count - 1) };
        let said = format!(
            "{} said other than “{}”{again}{}\n{}{more}",
            self.first.edge.to,
            self.closest,
            self.meanwhile(),
            told.join("\n"),
        );
        [case.evidence.cite_call(self.first, ""), case.evidence.cite(self.at, said)]
    }

    /// ` (while fault `slow` was in force)`
    fn meanwhile(&self) -> String {
        let faults: Vec<String> = self.faults.iter().map(|fault| format!("`{fault}`")).collect();
        let also = if self.in_peace { ", and while none was" } else { "" };
        match faults.as_slice() {
            [] => " (no fault was in force)".to_owned(),
            [fault] => format!(" (while fault {fault} was in force{also})"),
            faults => format!(" (while faults {} were in force{also})", faults.join(", ")),
        }
    }
}

impl Uncovered<'_, '_> {
    fn cite(&self, case: &Case<'_, '_>) -> Citation {
        cite_uncovered(case, self.first, (self.at, self.answer), self.count)
    }
}

/// An answer, one of so many like it, that nothing covers, with an interaction that would.
pub(crate) fn cite_uncovered(
    case: &Case<'_, '_>,
    call: &Call<'_>,
    (at, answer): (At, &Answer),
    alike: usize,
) -> Citation {
    let asked = matching::Call { method: call.method, target: call.path };
    let interaction = book::uncovered(&asked, &matching::Answer::from(answer));
    let text = format!(
        "{} → {}  {} {}  → {} ({}): no interaction covers it; this one would:\n{interaction}",
        call.edge.from,
        call.edge.to,
        call.method,
        call.path,
        answer.status,
        count(alike, "answer"),
    );
    case.evidence.cite(at, text)
}

/// The faults that acted on a call, or were in force anywhere from its sending to its answer.
fn in_force<'r>(case: &Case<'_, 'r>, call: &Call<'r>, answered: At) -> Vec<&'r str> {
    let acted = call.decisions.iter().filter(|decision| decision.applied).map(|decision| decision.fault.as_str());
    let windows = case.evidence.faults.windows();
    let in_force = windows.filter(|(_, window)| window.overlaps(call.started.us, answered.us)).map(|(name, _)| name);
    acted.chain(in_force).collect()
}

/// Whether the callee was not read to the end of its answer: its death, or its caller's impatience.
pub(crate) fn broke_off(call: &Call<'_>, answer: &Answer) -> bool {
    let declared = answer.headers.get("content-length").and_then(|length| length.parse::<u64>().ok());
    let was_given = matches!(call.ended, Some((_, Seen::Answer { .. })));
    match declared {
        Some(length) => call.method != "HEAD" && answer.body.bytes < length,
        // JSON that was read is whole; of other bodies without a length only a complete answer says that they are.
        None => !was_given && answer.body.json.is_none() && answer.body.bytes > 0,
    }
}

/// A path whose segments with digits are taken for somebody's identity.
fn without_identities(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let is_identity = |segment: &str| segment.len() > 3 && segment.chars().any(|c| c.is_ascii_digit());
    let segments = path.split('/').map(|segment| if is_identity(segment) { "{…}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
