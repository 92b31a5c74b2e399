//! Settling: waiting until nothing goes on, and then reading twice to be sure.
//!
//! ```text
//! quiet on the wire ─▶ keys of lost answers ─▶ sagas ended ─▶ read ─▶ read again, and they agree ─▶ settled
//!        ▲                                          │                          │
//!        └────────────── something went on ─────────┴──────────────────────────┘
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use squall_record::{Answer, FactSink, KeptVia, ReadOf, What};
use squall_scenario::outcome::find_names;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    backend::System,
    journal::Journal,
    operation::{Client, Done, Kind},
    reads::{self, Reader, Subject, Taken},
};

/// How often what goes on is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long to wait before sagas that had not ended are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How many lines say what still went on.
const LINES_AT_MOST: usize = 10;

/// What settling needs.
pub(crate) struct Settling<'a> {
    pub client: &'a Client,
    pub reader: &'a Reader,
    pub system: &'a dyn System,
    pub journal: &'a Arc<Journal>,
    /// How long nothing may change before it counts as quiet.
    pub quiet: Duration,
    /// How long settling may take.
    pub bound: Duration,
}

/// Waits until the system has settled or the bound runs out; records the reads and how it ended.
pub(crate) async fn settle(settling: &Settling<'_>, done: &[Done]) {
    let deadline = Instant::now() + settling.bound;
    let mut progress = Progress { keys: Keys::of(settling.client, done), round: 0, still_open: Vec::new() };
    let settled = tokio::select! {
        biased;
        settled = until_settled(settling, &mut progress, done) => settled,
        _ = sleep_until(deadline) => false,
    };
    if !settled {
        // The evidence of what it came to is wanted all the same; a system that hangs does not hold us up.
        let still_open = what_goes_on(settling, &progress);
        let subjects = progress.keys.subjects(settling.client, done);
        let reads = settling.reader.all(&subjects);
        let _ = tokio::time::timeout(settling.bound, settling.reader.round(progress.round + 1, &reads)).await;
        settling.journal.observe(What::SettleEnded { settled: false, still_open });
        return;
    }
    settling.journal.observe(What::SettleEnded { settled: true, still_open: Vec::new() });
}

/// Waits until one operation and all that it set going is over, and asks after each round of reads whether that is
/// enough. What has settled is read and handed on whether or not it is.
///
/// A whole run must be quiet for as long as the system may pause before two rounds of reads say anything. Whoever
/// knows what the reads ought to say need not wait so long: they are read again until they do.
pub(crate) async fn settle_once(settling: &Settling<'_>, done: &[Done], enough: &dyn Fn() -> bool) {
    let deadline = Instant::now() + settling.bound;
    let mut progress = Progress { keys: Keys::of(settling.client, done), round: 0, still_open: Vec::new() };
    let settled = tokio::select! {
        biased;
        settled = until_enough(settling, &mut progress, done, enough) => settled,
        _ = sleep_until(deadline) => false,
    };
    let still_open = if settled { Vec::new() } else { what_goes_on(settling, &progress) };
    settling.journal.observe(What::SettleEnded { settled, still_open });
}

/// True when it is enough, or has settled; false when neither can come any more because a service is dead.
async fn until_enough(
    settling: &Settling<'_>,
    progress: &mut Progress,
    done: &[Done],
    enough: &dyn Fn() -> bool,
) -> bool {
    let mut last = BTreeMap::new();
    let mut pause = Duration::from_millis(5);
    let quiet_since = || settling.journal.wire(|wire| wire.quiet_since());
    loop {
        if !settling.system.died().is_empty() {
            return false;
        }
        let is_quiet = |at: Instant| quiet_since().is_some_and(|since| since + settling.quiet <= at);
        // What is not found while something goes on may still come to be.
        let is_known = progress.keys.missing.is_empty() && quiet_since().is_some();
        if is_known || is_quiet(Instant::now()) {
            progress.keys.learn(settling, done).await;
            let began = Instant::now();
            let due = settling.reader.all(&progress.keys.subjects(settling.client, done));
            progress.round += 1;
            let read = settling.reader.round(progress.round, &due).await;
            progress.still_open = progress.keys.not_learned(done);
            progress.still_open.extend(open_sagas(settling.reader, &read));
            let is_over = progress.still_open.is_empty();
            if is_over && (enough() || (reads::that_differ(&last, &read).is_empty() && is_quiet(began))) {
                return true;
            }
            last = read;
        }
        sleep(pause).await;
        pause = (pause * 2).min(ASK_AGAIN);
    }
}

/// How far settling has come.
struct Progress {
    keys: Keys,
    round: u32,
    /// What kept it from settling when it was last looked at.
    still_open: Vec<String>,
}

/// True when settled, false when that cannot come any more because a service is dead.
async fn until_settled(settling: &Settling<'_>, progress: &mut Progress, done: &[Done]) -> bool {
    loop {
        if !wait_for_quiet(settling).await {
            return false;
        }
        progress.keys.learn(settling, done).await;
        let subjects = progress.keys.subjects(settling.client, done);
        progress.still_open = progress.keys.not_learned(done);
        progress.still_open.extend(sagas_not_ended(settling.reader, &subjects).await);
        if !progress.still_open.is_empty() {
            sleep(ASK_AGAIN).await;
            continue;
        }
        let began = Instant::now();
        let due = settling.reader.all(&subjects);
        progress.round += 1;
        let first = settling.reader.round(progress.round, &due).await;
        progress.round += 1;
        let second = settling.reader.round(progress.round, &due).await;
        let differ = reads::that_differ(&first, &second);
        let quiet = settling.journal.wire(|wire| wire.quiet_since()).is_some_and(|since| since <= began);
        if differ.is_empty() && quiet {
            return true;
        }
        progress.still_open = differ.iter().map(|of| format!("{} changed between two rounds", in_words(of))).collect();
    }
}

/// Waits until nothing has changed for long enough. False if a service is dead: then nothing more comes.
async fn wait_for_quiet(settling: &Settling<'_>) -> bool {
    loop {
        if !settling.system.died().is_empty() {
            return false;
        }
        let since = settling.journal.wire(|wire| wire.quiet_since());
        match since.map(|since| since + settling.quiet) {
            Some(quiet_at) if quiet_at <= Instant::now() => return true,
            Some(quiet_at) => sleep_until(quiet_at.min(Instant::now() + 10 * LOOK_EVERY)).await,
            None => sleep(LOOK_EVERY).await,
        }
    }
}

async fn sagas_not_ended(reader: &Reader, subjects: &[Subject]) -> Vec<String> {
    open_sagas(reader, &reader.take(&reader.saga_ends(subjects)).await)
}

/// One line for each saga that these reads do not show ended.
fn open_sagas(reader: &Reader, read: &BTreeMap<ReadOf, Taken>) -> Vec<String> {
    let open = read.iter().filter(|(of, taken)| match of {
        ReadOf::SagaEnd { saga, .. } => !reader.has_ended(saga, taken),
        ReadOf::Named { .. } => false,
    });
    open.map(|(of, taken)| format!("{} has not ended: {}", in_words(of), answer_in_words(taken))).collect()
}

fn in_words(of: &ReadOf) -> String {
    match of {
        ReadOf::Named { read, operation: None } => format!("read `{read}`"),
        ReadOf::Named { read, operation: Some(operation) } => format!("read `{read}` of {operation}"),
        ReadOf::SagaEnd { saga, operation } => format!("saga `{saga}` of {operation}"),
    }
}

fn answer_in_words(taken: &Taken) -> String {
    match taken {
        Ok(Answer { status, body, .. }) => {
            let json = body.json.as_ref().map(Value::to_string).or_else(|| body.text.clone()).unwrap_or_default();
            let short: String = json.chars().take(200).collect();
            format!("its read answered {status} {short}")
        }
        Err(why) => format!("its read failed: {why}"),
    }
}

/// What still goes on, one line each, the rest counted.
fn what_goes_on(settling: &Settling<'_>, progress: &Progress) -> Vec<String> {
    let mut lines: Vec<String> =
        settling.system.died().iter().map(|(who, how)| format!("{who} is dead: {how}")).collect();
    lines.extend(progress.still_open.iter().cloned());
    settling.journal.wire(|wire| {
        let open = wire.open_calls().map(|call| format!("{} {} on {} is open", call.method, call.path, call.edge));
        lines.extend(open);
        let restless = wire.quiet_since().is_none_or(|since| since + settling.quiet > Instant::now());
        if restless && let Some(last) = wire.last_change() {
            lines.push(format!("the last state-changing call was {last}"));
        }
    });
    let more = lines.len().saturating_sub(LINES_AT_MOST);
    lines.truncate(LINES_AT_MOST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() {
        lines.push("its reads were not over in time".to_owned());
    }
    lines
}

/// The keys of each operation, by its place among those that are done.
struct Keys {
    kept: Vec<BTreeMap<String, Value>>,
    /// Those that are still to be learned.
    missing: BTreeSet<usize>,
}

impl Keys {
    fn of(client: &Client, done: &[Done]) -> Keys {
        let kept: Vec<BTreeMap<String, Value>> = done.iter().map(|done| done.kept.clone()).collect();
        let is_missing =
            |place: &usize| client.kind(&done[*place].name).is_some_and(|kind| !is_whole(kind, &kept[*place]));
        let missing = (0..done.len()).filter(is_missing).collect();
        Keys { kept, missing }
    }

    /// The operations that have their keys, with the names that reads of each are rendered with.
    /// An operation without them cannot be asked after: it is in the record as not resolved.
    fn subjects(&self, client: &Client, done: &[Done]) -> Vec<Subject> {
        let subject = |(done, kept): (&Done, &BTreeMap<String, Value>)| {
            client.kind(&done.name).filter(|kind| is_whole(kind, kept))?;
            let mut names = find_names(&done.sent, &done.with);
            names.extend(kept.clone());
            Some(Subject { id: done.id, name: done.name.clone(), names })
        };
        done.iter().zip(&self.kept).filter_map(subject).collect()
    }

    /// Learns the keys of operations whose answer did not give them: from the answer that the client's
    /// proxy saw, else by asking. The system is quiet, so an operation that is not found did not happen.
    /// What could not be asked is tried again the next time.
    async fn learn(&mut self, settling: &Settling<'_>, done: &[Done]) {
        let mut questions = Vec::new();
        for place in self.missing.clone() {
            let done = &done[place];
            let Some(kind) = settling.client.kind(&done.name) else { continue };
            if let Some(kept) = seen_on_the_wire(settling, kind, done) {
                self.learned(settling, done, place, Some(KeptVia::Wire), kept);
                continue;
            }
            let path = kind.find.as_ref().and_then(|find| find.render(&find_names(&done.sent, &done.with)).ok());
            match (&kind.find, path) {
                (Some(find), Some(path)) => questions.push((place, find.service.clone(), path)),
                _ => self.learned(settling, done, place, None, BTreeMap::new()),
            }
        }
        for (place, taken) in settling.reader.ask(questions.into_iter()).await {
            let done = &done[place];
            let (Some(kind), Ok(answer)) = (settling.client.kind(&done.name), taken) else { continue };
            let kept = match answer.status {
                200..300 => kind.outcomes.keep(&done.sent, Some(&answer)),
                // There is no such thing: it did not happen.
                404 | 410 => BTreeMap::new(),
                // That is no answer to the question.
                _ => continue,
            };
            let via = Some(KeptVia::Find);
            self.learned(settling, done, place, via, kept);
        }
    }

    fn learned(
        &mut self,
        settling: &Settling<'_>,
        done: &Done,
        place: usize,
        via: Option<KeptVia>,
        kept: BTreeMap<String, Value>,
    ) {
        self.missing.remove(&place);
        settling.journal.observe(What::OperationResolved { operation: done.id, via, kept: kept.clone() });
        self.kept[place].extend(kept);
    }

    /// One line for each operation whose keys could not be asked for.
    fn not_learned(&self, done: &[Done]) -> Vec<String> {
        let line = |place: &usize| format!("what became of {} could not be asked", done[*place].id);
        self.missing.iter().map(line).collect()
    }
}

/// Whether everything that is to be kept was.
fn is_whole(kind: &Kind, kept: &BTreeMap<String, Value>) -> bool {
    kind.operation.keep.keys().all(|name| kept.contains_key(name))
}

/// The keys from an answer that the client's proxy saw and the client did not.
fn seen_on_the_wire(settling: &Settling<'_>, kind: &Kind, done: &Done) -> Option<BTreeMap<String, Value>> {
    if done.answer.is_ok() {
        return None;
    }
    let answer = settling.journal.wire(|wire| wire.client_answer(done.trace).cloned())?;
    Some(kind.outcomes.keep(&done.sent, Some(&answer))).filter(|kept| is_whole(kind, kept))
}
