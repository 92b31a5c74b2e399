//! The outbox relay: at least once, in order per subject, without one subject holding up another.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use chassis::{
    CallPolicy, Client, Context, Json, Metrics, Problem, StoreError,
    outbox::{Bell, CloudEvent, Outbox, Pending, relay},
    policy::Attempts,
};
use http::StatusCode;
use squall_host::BoxFuture;
use tokio::time::sleep;

use super::support::{self, Memory, policy};

/// An outbox in memory.
#[derive(Clone, Default)]
struct Kept {
    rows: Arc<Mutex<Vec<(Pending, bool)>>>,
    /// How many of the next marks are lost, as by a crash.
    marks_lost: Arc<Mutex<u32>>,
}

impl Kept {
    fn add(&self, context: &Context, subject: &str, id: &str) {
        let mut rows = self.rows.lock().unwrap();
        let event = CloudEvent {
            specversion: "1.0".to_owned(),
            id: id.to_owned(),
            source: "order".to_owned(),
            kind: "order.confirmed".to_owned(),
            subject: Some(subject.to_owned()),
            time: None,
            datacontenttype: None,
            data: serde_json::Value::Null,
        };
        let position = rows.len() as i64;
        rows.push((Pending { position, event, context: context.stored() }, false));
    }
}

impl Outbox for Kept {
    fn pending(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        let mut seen = BTreeSet::new();
        let rows = self.rows.lock().unwrap();
        let undelivered = rows.iter().filter(|(_, delivered)| !delivered).map(|(pending, _)| pending.clone());
        let heads: Vec<_> =
            undelivered.filter(|head| seen.insert(head.event.subject.clone())).take(limit as usize).collect();
        Box::pin(async move { Ok(heads) })
    }

    fn delivered(&self, position: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut lost = self.marks_lost.lock().unwrap();
        if *lost > 0 {
            *lost -= 1;
            return Box::pin(async { Err(StoreError::Unavailable("the mark is lost".to_owned())) });
        }
        self.rows.lock().unwrap()[position as usize].1 = true;
        Box::pin(async { Ok(()) })
    }
}

/// What a subscriber was sent: the trace and the event's id; and which ids it refuses.
#[derive(Clone, Default)]
struct Subscriber {
    sent: Arc<Mutex<Vec<(u128, String)>>>,
    refused: Arc<Mutex<BTreeSet<String>>>,
    slow_ms: u64,
}

impl Subscriber {
    fn ids(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|(_, id)| id.clone()).collect()
    }
}

async fn take(
    State(to): State<Subscriber>,
    context: Context,
    Json(event): Json<CloudEvent>,
) -> Result<StatusCode, Problem> {
    to.sent.lock().unwrap().push((context.trace.trace_id, event.id.clone()));
    sleep(Duration::from_millis(to.slow_ms)).await;
    if to.refused.lock().unwrap().contains(&event.id) {
        return Err(Problem::invalid("not this one"));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn relaying(subscriber: &Subscriber) -> (Memory, Kept, Bell) {
    let memory = Memory::new(3);
    let env = memory.env();
    let router = Router::new().route("/events", post(take)).with_state(subscriber.clone());
    let settings = chassis::ServeSettings { requests_max: 100, ..support::settings("a:1") };
    let _serving = support::serve(&env, settings, router).await;
    let (kept, bell, metrics) = (Kept::default(), Bell::default(), Metrics::default());
    let policy = CallPolicy { attempts: Attempts::ONCE, ..policy("a:1") };
    let client = Client::new(&env, "inventory", policy, &metrics);
    relay(&env, Arc::new(kept.clone()), client, "/events", bell.clone(), metrics);
    (memory, kept, bell)
}

#[tokio::test(start_paused = true)]
async fn events_are_delivered_once_woken_in_order_and_with_their_trace() {
    let subscriber = Subscriber::default();
    let (memory, kept, bell) = relaying(&subscriber).await;
    let context = Context::start(&memory.env());
    for id in ["1", "2", "3"] {
        kept.add(&context, "order-1", id);
    }
    bell.ring();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(subscriber.ids(), ["1", "2", "3"]);
    assert!(subscriber.sent.lock().unwrap().iter().all(|(trace, _)| *trace == context.trace.trace_id));
    assert!(kept.rows.lock().unwrap().iter().all(|(_, delivered)| *delivered));
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_bell_was_not_heard_is_found() {
    let subscriber = Subscriber::default();
    let (memory, kept, _bell) = relaying(&subscriber).await;
    sleep(Duration::from_millis(300)).await;
    kept.add(&Context::start(&memory.env()), "order-1", "1");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(subscriber.ids(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_holds_up_its_subject_and_no_other() {
    let subscriber = Subscriber::default();
    subscriber.refused.lock().unwrap().insert("1".to_owned());
    let (memory, kept, bell) = relaying(&subscriber).await;
    let context = Context::start(&memory.env());
    kept.add(&context, "order-1", "1");
    kept.add(&context, "order-1", "2");
    kept.add(&context, "order-2", "3");
    kept.add(&context, "order-2", "4");
    bell.ring();
    sleep(Duration::from_secs(10)).await;
    let ids = subscriber.ids();
    let tries = ids.iter().filter(|id| *id == "1").count();
    assert!((5..=12).contains(&tries), "tried again, at growing intervals: {ids:?}");
    assert_eq!(ids.iter().filter(|id| *id != "1").collect::<Vec<_>>(), ["3", "4"]);
    subscriber.refused.lock().unwrap().clear();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(subscriber.ids()[ids.len()..], ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_is_lost_delivers_again() {
    let subscriber = Subscriber::default();
    let (memory, kept, bell) = relaying(&subscriber).await;
    *kept.marks_lost.lock().unwrap() = 2;
    kept.add(&Context::start(&memory.env()), "order-1", "1");
    bell.ring();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(subscriber.ids(), ["1", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_given_subjects_side_by_side() {
    let subscriber = Subscriber { slow_ms: 500, ..Subscriber::default() };
    let (memory, kept, bell) = relaying(&subscriber).await;
    for n in 0..32 {
        kept.add(&Context::start(&memory.env()), &format!("order-{n}"), &n.to_string());
    }
    bell.ring();
    sleep(Duration::from_millis(1_100)).await;
    assert!(kept.rows.lock().unwrap().iter().all(|(_, delivered)| *delivered), "32 in two rounds of half a second");
}
