//! A link here and a link elsewhere give the same facts for the same script.

use std::{net::SocketAddr, sync::Arc};

use squall_proxy::{
    CallMatch, CallPoint, Corruption, Fault, Hits, Inject, Match, Proxy, Respond, Side, Then, TokioTimer, Trigger,
    client::{Control, LinkSpec, RemoteLink, Session},
};
use squall_record::{FactSink, What};

use crate::{
    link::{Facts, config, http_callee, read_message, send},
    support::{Api, api, connect, rest, soon},
};

/// A link, wherever it runs.
enum Link {
    Here(Proxy),
    Elsewhere(Api, Session, RemoteLink),
}

impl Link {
    async fn here(callee: SocketAddr, facts: &Arc<Facts>) -> Link {
        let timer = Arc::new(TokioTimer);
        Link::Here(squall_proxy::start(config(vec![callee]), timer, facts.clone()).await.unwrap())
    }

    async fn elsewhere(callee: SocketAddr, facts: &Arc<Facts>) -> Link {
        let api = api().await;
        let long = std::time::Duration::from_secs(600);
        let control = soon(Control::connect(api.addr, long)).await.unwrap();
        let sink = facts.clone();
        let session = control.open_session(long, move |what, _| sink.observe(what)).await.unwrap();
        let link = session.start(LinkSpec::Calls(config(vec![callee]))).await.unwrap();
        Link::Elsewhere(api, session, link)
    }

    fn addr(&self) -> SocketAddr {
        match self {
            Link::Here(link) => link.addr(),
            Link::Elsewhere(_, _, link) => link.addr(),
        }
    }

    async fn inject(&self, fault: Fault) -> u64 {
        let injected = match self {
            Link::Here(link) => soon(link.inject(fault)).await.unwrap(),
            Link::Elsewhere(_, _, link) => soon(link.inject(fault)).await.unwrap(),
        };
        injected.dropped_connections
    }

    async fn heal(&self, fault: &str) -> Hits {
        match self {
            Link::Here(link) => soon(link.heal(fault)).await,
            Link::Elsewhere(_, _, link) => soon(link.heal(fault)).await.unwrap(),
        }
    }

    /// Sends a call that this trigger holds, and gives the ordinal of the call that was held.
    async fn held(&self, trigger: Trigger, trace: u128) -> u64 {
        let mut stream;
        let n = match self {
            Link::Here(link) => {
                let mut triggered = link.trigger(trigger);
                stream = connect(self.addr()).await;
                send(&mut stream, "POST", "/payments", trace).await;
                soon(triggered.held()).await.unwrap().call.n
            }
            Link::Elsewhere(_, _, link) => {
                let mut triggered = soon(link.trigger(trigger)).await.unwrap();
                stream = connect(self.addr()).await;
                send(&mut stream, "POST", "/payments", trace).await;
                soon(triggered.held()).await.unwrap().unwrap().call.n
            }
        };
        soon(read_message(&mut stream)).await.unwrap();
        n
    }

    async fn stop(self) {
        match self {
            Link::Here(link) => soon(link.stop()).await,
            Link::Elsewhere(api, session, _) => {
                soon(session.close()).await.unwrap();
                api.stop().await;
            }
        }
    }
}

/// Calls that come to their ends, one after the other; whatever each is answered.
async fn call(link: &Link, path: &str, traces: impl IntoIterator<Item = u128>) {
    for trace in traces {
        let mut stream = connect(link.addr()).await;
        send(&mut stream, "POST", path, trace).await;
        let _ = soon(read_message(&mut stream)).await;
    }
}

/// Waits until the connections of earlier calls are closed: what a fault drops must not depend on how fast that goes.
async fn only_one_is_open(facts: &Facts) {
    let open = || {
        let all = facts.all();
        let opened = all.iter().filter(|what| matches!(what, What::ConnectionOpened { .. })).count();
        opened - all.iter().filter(|what| matches!(what, What::ConnectionClosed { .. })).count()
    };
    soon(async {
        while open() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Plays the script, and gives what it learned on its way.
async fn play(link: &Link, facts: &Facts) -> Vec<(u64, u64)> {
    let some = |probability| Match { probability: Some(probability), ..Match::default() };
    let payments = || Some(CallMatch { method: "POST".into(), path: "/payments".into() });
    let nth = Match { call: payments(), nth: Some(2), ..Match::default() };
    let every = Match { every: Some(3), ..Match::default() };
    let header = Match { header: Some(("host".into(), Some("payment".into()))), ..Match::default() };
    let mut learned = Vec::new();
    for (order, (inject, matching)) in [
        (Inject::Respond(Respond::status(503)), some(0.35)),
        (Inject::LoseResponse { then: Then::Close }, nth),
        (Inject::CorruptBody { field: Some("n".into()), kind: Corruption::Null }, every),
        (Inject::CutResponse { after_bytes: 3 }, header),
        (Inject::LimitData { bytes: 90, stream: Side::Downstream }, some(0.5)),
        (Inject::Reset { after: std::time::Duration::ZERO }, Match::default()),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("fault-{order}");
        let mut kept = connect(link.addr()).await;
        send(&mut kept, "GET", "/payments/1", 0).await;
        soon(read_message(&mut kept)).await.unwrap();
        only_one_is_open(facts).await;
        let dropped = link.inject(Fault { order: order as u32, matching, ..Fault::new(&name, inject) }).await;
        if dropped > 0 {
            rest(&mut kept).await;
        }
        let base = 100 * order as u128;
        call(link, "/payments", base + 1..base + 9).await;
        call(link, "/refunds", base + 3..base + 5).await;
        let hits = link.heal(&name).await;
        learned.push((dropped, 0));
        learned.push((hits.eligible, hits.applied));
    }
    let matching = Match { call: payments(), nth: Some(1), ..Match::default() };
    let trigger = Trigger { name: "when".into(), edge: None, matching, at: CallPoint::AfterAnswer };
    learned.push((link.held(trigger, 1000).await, 0));
    learned
}

/// The facts without what an operating system chooses, ordered: connections end side by side.
fn told(facts: &Facts) -> Vec<String> {
    let mut told: Vec<String> = facts.all().iter().map(|what: &What| serde_json::to_string(what).unwrap()).collect();
    told.sort();
    told
}

#[tokio::test]
async fn the_same_script_gives_the_same_facts_wherever_the_link_runs() {
    let (here, elsewhere) = (Arc::new(Facts::default()), Arc::new(Facts::default()));
    let link = Link::here(http_callee().await.0, &here).await;
    let learned_here = play(&link, &here).await;
    link.stop().await;
    let link = Link::elsewhere(http_callee().await.0, &elsewhere).await;
    let learned_elsewhere = play(&link, &elsewhere).await;
    link.stop().await;
    assert_eq!(learned_here, learned_elsewhere);
    let (here, elsewhere) = (told(&here), told(&elsewhere));
    assert!(here.len() > 300, "{} facts", here.len());
    for (here, elsewhere) in here.iter().zip(&elsewhere) {
        assert_eq!(here, elsewhere);
    }
    assert_eq!(here.len(), elsewhere.len());
}
