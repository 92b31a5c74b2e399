//! Sessions through the client: links, faults, triggers and evidence in a proxy that stands elsewhere.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::json;
use squall_proxy::{
    CallMatch, CallPoint, Fault, Hits, Inject, Instance, LinkConfig, Match, Respond, Side, Trigger, Upstream,
    client::{Certainty, Control, Error, LinkSpec, RemoteLink, RemoteTriggered, Session},
    server::ServerConfig,
};
use squall_record::{Edge, FactSink, TraceId, What};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    link::{Facts, ask, config, http_callee, read_message, send},
    support::{Api, api, api_of, connect, echo, echo_callee, is_silent, rest, soon},
};

/// So long that no lease lapses while a test runs.
const LONG: Duration = Duration::from_secs(600);
const WITHIN: Duration = Duration::from_secs(60);
/// One that lapses while a test runs, and not because the machine is slow.
const SHORT: Duration = Duration::from_millis(1500);

/// A server with a session.
struct Remote {
    api: Api,
    session: Session,
    facts: Arc<Facts>,
}

async fn remote() -> Remote {
    remote_of(api().await, LONG).await
}

async fn remote_of(api: Api, lease: Duration) -> Remote {
    let control = soon(Control::connect(api.addr, WITHIN)).await.unwrap();
    let facts = Arc::new(Facts::default());
    let sink = facts.clone();
    let session = soon(control.open_session(lease, move |what, _| sink.observe(what))).await.unwrap();
    Remote { api, session, facts }
}

impl Remote {
    async fn calls(&self, callee: SocketAddr) -> RemoteLink {
        soon(self.session.start(LinkSpec::Calls(config(vec![callee])))).await.unwrap()
    }
}

fn unavailable() -> Fault {
    Fault::new("down", Inject::Respond(Respond::status(503)))
}

async fn get(to: SocketAddr) -> String {
    ask(&mut connect(to).await, "GET", "/payments/1").await
}

#[tokio::test]
async fn a_fault_acts_until_it_heals_and_the_sink_has_everything_when_the_answer_is_here() {
    let remote = remote().await;
    let link = remote.calls(http_callee().await.0).await;
    assert!(get(link.addr()).await.contains("200 OK"));
    link.inject(unavailable()).await.unwrap();
    assert!(get(link.addr()).await.contains("503"));
    assert_eq!(link.hits("down").await.unwrap(), Hits { eligible: 1, applied: 1 });
    assert_eq!(link.heal("down").await.unwrap(), Hits { eligible: 1, applied: 1 });
    let started = remote.facts.all().iter().filter(|what| matches!(what, What::CallStarted { .. })).count();
    assert_eq!(started, 2);
    assert!(get(link.addr()).await.contains("200 OK"));
    assert_eq!(link.heal("none").await.unwrap(), Hits::default());
    soon(remote.session.close()).await.unwrap();
    let closed = remote.facts.all().iter().filter(|what| matches!(what, What::ConnectionClosed { .. })).count();
    assert_eq!(closed, 3, "the end of each connection is in the evidence when the session is closed");
    assert!(TcpStream::connect(link.addr()).await.is_err());
}

#[tokio::test]
async fn toxiproxys_api_shows_nothing_of_a_session() {
    let remote = remote().await;
    let link = remote.calls(http_callee().await.0).await;
    link.inject(unavailable()).await.unwrap();
    assert_eq!(remote.api.get("/proxies").await, json!({}));
    remote.api.sent("POST", "/reset", json!(null), 204).await;
    assert!(get(link.addr()).await.contains("503"), "a reset is for toxics");
}

#[tokio::test]
async fn a_link_that_carries_bytes_runs_beside_one_that_follows_calls_and_drops_what_a_fault_drops() {
    let remote = remote().await;
    let calls = remote.calls(http_callee().await.0).await;
    let edge = Edge::calls("order", "order.database");
    let bytes = squall_proxy::ByteLinkConfig {
        id: 2,
        listen: "127.0.0.1:0".parse().unwrap(),
        edge,
        upstream: echo_callee().await.to_string(),
        faults: vec![],
        seed: squall_record::Seed(7),
    };
    let bytes = soon(remote.session.start(LinkSpec::Bytes(bytes))).await.unwrap();
    assert_eq!((calls.id(), bytes.id()), (1, 2));
    let mut stream = connect(bytes.addr()).await;
    echo(&mut stream, b"not http").await;
    let injected = bytes.inject(Fault::new("cut", Inject::Reset { after: Duration::ZERO })).await.unwrap();
    assert_eq!(injected.dropped_connections, 1);
    assert!(get(calls.addr()).await.contains("200 OK"));
}

#[tokio::test]
async fn a_callee_is_found_by_its_name_for_each_connection_and_may_be_another_one_later() {
    let remote = remote().await;
    let (first, second) = (http_callee().await.0, http_callee().await.0);
    let named = |at: SocketAddr| format!("localhost:{}", at.port()).parse::<Instance>().unwrap();
    let edge = Edge::calls("order", "payment");
    let upstreams = vec![Upstream::new(edge.clone(), [named(first)])];
    let link = remote.session.start(LinkSpec::Calls(LinkConfig { upstreams, ..config(vec![]) })).await.unwrap();
    assert!(get(link.addr()).await.contains("200 OK"));
    link.retarget(&edge, vec![named(second)]).await.unwrap();
    assert!(get(link.addr()).await.ends_with(r#"{"n":1,"path":"/payments/1"}"#), "the other one's first");
    let nowhere = "squall.invalid:1".parse::<Instance>().unwrap();
    link.retarget(&edge, vec![nowhere]).await.unwrap();
    let mut stream = connect(link.addr()).await;
    send(&mut stream, "GET", "/payments/1", 0).await;
    assert_eq!(rest(&mut stream).await.0, b"", "a name that leads nowhere is a callee that is not there");
}

fn hold(at: CallPoint) -> Trigger {
    let call = Some(CallMatch { method: "POST".into(), path: "/payments".into() });
    Trigger { name: "dies".into(), edge: None, matching: Match { call, ..Match::default() }, at }
}

async fn held(triggered: &mut RemoteTriggered) -> squall_proxy::client::RemoteHeld {
    soon(triggered.held()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_held_call_goes_on_when_it_is_released_or_dropped_or_its_trigger_is() {
    let remote = remote().await;
    let link = remote.calls(http_callee().await.0).await;
    let mut triggered = soon(link.trigger(hold(CallPoint::BeforeForward))).await.unwrap();
    let mut stream = connect(link.addr()).await;

    send(&mut stream, "POST", "/payments", 5).await;
    let call = held(&mut triggered).await;
    assert_eq!((call.call.n, call.connection.n, call.trace), (1, 1, Some(TraceId(5))));
    is_silent(&mut stream).await;
    call.release();
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200 OK"));

    send(&mut stream, "POST", "/payments", 6).await;
    drop(held(&mut triggered).await);
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200 OK"));

    send(&mut stream, "POST", "/payments", 7).await;
    is_silent(&mut stream).await;
    drop(triggered);
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200 OK"), "nobody had asked for it yet");
    assert!(ask(&mut stream, "POST", "/payments").await.contains("200 OK"), "no trigger is left");
}

#[tokio::test]
async fn links_of_one_edge_count_operations_together() {
    let remote = remote().await;
    let callee = http_callee().await.0;
    let of = |id| LinkSpec::Calls(LinkConfig { id, ..config(vec![callee]) });
    let links = [remote.session.start(of(1)).await.unwrap(), remote.session.start(of(2)).await.unwrap()];
    for link in &links {
        let matching = Match { nth: Some(2), ..Match::default() };
        link.inject(Fault { matching, ..unavailable() }).await.unwrap();
    }
    let mut answers = Vec::new();
    for (link, trace) in links.iter().cycle().zip(1..=4) {
        let mut stream = connect(link.addr()).await;
        send(&mut stream, "POST", "/payments", trace).await;
        answers.push(soon(read_message(&mut stream)).await.unwrap().contains("503"));
    }
    assert_eq!(answers, [false, true, false, false]);
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_session_is_there() {
    let remote = remote_of(api().await, SHORT).await;
    let link = remote.calls(http_callee().await.0).await;
    link.inject(Fault::new("slow", Inject::Delay { delay: 2 * SHORT })).await.unwrap();
    assert!(get(link.addr()).await.contains("200 OK"), "the call outlasts the lease");
    assert_eq!(link.heal("slow").await.unwrap(), Hits { eligible: 1, applied: 1 });
}

#[tokio::test]
async fn when_a_session_is_dropped_its_faults_heal_and_its_calls_go_on() {
    let remote = remote_of(api().await, SHORT).await;
    let link = remote.calls(http_callee().await.0).await;
    let _triggered = soon(link.trigger(hold(CallPoint::AfterForward))).await.unwrap();
    let stall = Inject::Stall { stream: Side::Downstream };
    link.inject(Fault::new("stalled", stall)).await.unwrap();
    let mut stream = connect(link.addr()).await;
    send(&mut stream, "POST", "/payments", 5).await;
    is_silent(&mut stream).await;
    drop(remote.session);
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200 OK"));
    let refused = async { while TcpStream::connect(link.addr()).await.is_ok() {} };
    soon(refused).await;
}

/// A session that nobody renews, by plain requests: what its evidence says to its end.
#[tokio::test]
async fn a_lease_that_nobody_renews_lapses_and_the_evidence_says_so() {
    let api = api().await;
    let opened = api.sent("POST", "/squall/v1/sessions", json!({"lease_ms": SHORT.as_millis() as u64}), 200).await;
    let session = format!("/squall/v1/sessions/{}", opened["session"].as_str().unwrap());
    let spec = serde_json::to_value(LinkSpec::Calls(config(vec![http_callee().await.0]))).unwrap();
    let started = api.sent("POST", &format!("{session}/links"), spec, 200).await;
    let trigger = serde_json::to_value(hold(CallPoint::BeforeForward)).unwrap();
    api.sent("PUT", &format!("{session}/links/1/triggers/1"), trigger, 200).await;
    let mut stream = connect(started["addr"].as_str().unwrap().parse().unwrap()).await;
    send(&mut stream, "POST", "/payments", 5).await;
    let evidence = api.send("GET", &format!("{session}/evidence"), "", "").await;
    assert_eq!(evidence.status, 200);
    assert!(evidence.body.contains(r#"{"held":"#), "{evidence:?}");
    assert!(evidence.body.contains("its lease of 1.5s lapsed: nobody renewed it"), "{evidence:?}");
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200 OK"), "the held call went on");
    let gone = api.sent("POST", &format!("{session}/renew"), json!(null), 404).await;
    assert!(gone["error"].as_str().unwrap().ends_with("it was closed, or its lease lapsed"), "{gone}");
}

#[tokio::test]
async fn a_proxy_that_ends_loses_its_sessions_and_says_why() {
    let remote = remote().await;
    let link = remote.calls(http_callee().await.0).await;
    let mut triggered = link.trigger(hold(CallPoint::AfterAnswer)).await.unwrap();
    let lost = remote.session.lost();
    remote.api.stop().await;
    assert_eq!(soon(lost).await, "the proxy was stopped");
    let waited = soon(triggered.held()).await.unwrap_err();
    assert!(waited.to_string().ends_with("is lost: the proxy was stopped"), "{waited}");
    let error = soon(link.inject(unavailable())).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    assert!(soon(remote.session.close()).await.is_err());
}

#[tokio::test]
async fn facts_that_the_proxy_drops_are_counted_and_slow_nothing() {
    let api = api_of(ServerConfig { evidence_bytes_max: 1, ..ServerConfig::default() }).await;
    let remote = remote_of(api, LONG).await;
    let link = remote.calls(http_callee().await.0).await;
    assert!(get(link.addr()).await.contains("200 OK"));
    link.heal("none").await.unwrap();
    let so_far = remote.session.dropped_facts();
    assert!(so_far >= 2, "{so_far}");
    assert!(get(link.addr()).await.contains("200 OK"));
    assert!(soon(remote.session.close()).await.unwrap() > so_far, "the last ones count too");
    assert!(remote.facts.all().is_empty());
}

#[tokio::test]
async fn facts_carry_the_time_at_which_they_were_seen() {
    let api = api().await;
    let control = soon(Control::connect(api.addr, WITHIN)).await.unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(control.certainty(), Certainty::Exact, "both are on this machine");
    }
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = times.clone();
    let session = control.open_session(LONG, move |_, at| sink.lock().unwrap().push(at)).await.unwrap();
    let link = session.start(LinkSpec::Calls(config(vec![http_callee().await.0]))).await.unwrap();
    let began = tokio::time::Instant::now().into_std();
    assert!(get(link.addr()).await.contains("200 OK"));
    soon(session.close()).await.unwrap();
    let ended = tokio::time::Instant::now().into_std();
    let times = times.lock().unwrap();
    // The proxy tells whole microseconds.
    let slack = Duration::from_micros(2);
    assert!(times.len() >= 4 && times.iter().all(|at| (began - slack..=ended + slack).contains(at)), "{times:?}");
}

#[tokio::test]
async fn what_is_refused_names_what_was_asked_and_why() {
    let remote = remote().await;
    let link = remote.calls(http_callee().await.0).await;
    let said = |error: Error| error.to_string();
    let matching = Match { nth: Some(1), ..Match::default() };
    let refused = said(link.inject(Fault { matching, ..Fault::new("f", Inject::Refuse) }).await.unwrap_err());
    assert!(refused.contains("refused to start fault `f` on link 1: "), "{refused}");
    assert!(refused.ends_with("leave out its `match`"), "{refused}");
    let twice = remote.session.start(LinkSpec::Calls(config(vec![]))).await.unwrap_err();
    assert!(
        said(twice).ends_with("refused to start link 1: link 1 runs already in this session: give each its own number")
    );
    let taken = LinkConfig { id: 2, listen: link.addr(), ..config(vec![]) };
    let taken = said(remote.session.start(LinkSpec::Calls(taken)).await.unwrap_err());
    assert!(taken.contains(&format!("cannot listen on `{}`: ", link.addr())), "{taken}");
    let ages = Fault::new("ages", Inject::Delay { delay: Duration::MAX });
    let ages = said(link.inject(ages).await.unwrap_err());
    assert!(ages.ends_with("fault `ages`: a time must be at most a hundred years"), "{ages}");
    link.clone().stop().await.unwrap();
    let stopped = said(link.inject(unavailable()).await.unwrap_err());
    assert!(stopped.ends_with("there is no link 1 in this session: start it first"), "{stopped}");
}

#[tokio::test]
async fn whoever_is_not_there_or_is_something_else_is_named() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = soon(Control::connect(gone, Duration::from_millis(50))).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no `squall-proxy` answers at `{gone}`: ")), "{error}");
    let other = http_callee().await.0;
    let error = soon(Control::connect(other, WITHIN)).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("what answers at `{other}` is no `squall-proxy` of this version: ")), "{error}");
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = mute.local_addr().map(|at| (at, mute)).unwrap();
    let error = soon(Control::connect(mute.0, Duration::from_millis(50))).await.unwrap_err().to_string();
    assert!(error.contains("within 50ms"), "{error}");
}
