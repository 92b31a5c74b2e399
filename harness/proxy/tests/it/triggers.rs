//! Triggers hold a call at a point of its way until they are released.

use std::sync::atomic::Ordering;

use squall_proxy::{CallMatch, CallPoint, Held, Inject, Match, Respond, Trigger, Triggered};
use squall_record::{Seen, TraceId, What};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::*;

fn set(bench: &Bench, at: CallPoint, nth: Option<u32>) -> Triggered {
    let call = Some(CallMatch { method: "POST".into(), path: "/payments".into() });
    let matching = Match { call, nth, ..Match::default() };
    bench.proxy.trigger(Trigger { name: "dies".into(), edge: None, matching, at })
}

/// A request of trace 5 that is held at this point, its caller's connection, and the trigger, which ends if it is dropped.
async fn held_at(bench: &Bench, at: CallPoint) -> (Triggered, TcpStream, Held) {
    let mut trigger = set(bench, at, None);
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 5).await;
    let held = soon(trigger.held()).await.unwrap();
    (trigger, stream, held)
}

fn is_answered(what: &What) -> Option<()> {
    matches!(what, What::CallAnswered { .. }).then_some(())
}

#[tokio::test]
async fn before_forward_holds_the_request_back_from_the_callee() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let (_trigger, mut stream, held) = held_at(&bench, CallPoint::BeforeForward).await;
    assert_eq!((held.call.n, held.connection.n, held.trace), (1, 1, Some(TraceId(5))));
    is_silent(&mut stream).await;
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    assert_eq!(bench.proxy.open_calls().len(), 1, "a held call is open");
    held.release();
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200"));
}

#[tokio::test]
async fn a_held_request_whose_caller_died_is_dropped() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let (_trigger, stream, held) = held_at(&bench, CallPoint::BeforeForward).await;
    drop(stream);
    assert_eq!(bench.facts.end_of(1).await, (Seen::HungUp, false, vec![]));
    held.release();
    bench.facts.closed(1).await;
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn after_forward_withholds_the_answer() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let mut trigger = set(&bench, CallPoint::AfterForward, None);
    let mut stream = bench.connect().await;
    stream.write_all(b"POST /payments HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
    let held = soon(trigger.held()).await.unwrap();
    soon(async {
        while requests.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    is_silent(&mut stream).await;
    drop(held);
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("200"));
    assert_eq!(bench.facts.end_of(1).await, (answer(200, false), true, vec![]));
}

#[tokio::test]
async fn after_answer_withholds_an_answer_that_is_in_the_record() {
    let bench = bench(http_callee().await.0).await;
    let (_trigger, mut stream, held) = held_at(&bench, CallPoint::AfterAnswer).await;
    bench.facts.find(is_answered).await;
    is_silent(&mut stream).await;
    held.release();
    assert!(soon(read_message(&mut stream)).await.unwrap().ends_with("\"/payments\"}"));
}

#[tokio::test]
async fn a_callee_that_dies_while_the_call_is_held_is_what_the_sockets_say() {
    for at in [CallPoint::BeforeForward, CallPoint::AfterForward] {
        let (kill, killed) = tokio::sync::watch::channel(false);
        let mortal = callee(move |mut stream| {
            let mut killed = killed.clone();
            async move {
                let reading = async { while read_message(&mut stream).await.is_some() {} };
                tokio::select! {
                    () = reading => {}
                    _ = killed.wait_for(|killed| *killed) => {}
                }
                socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            }
        })
        .await;
        let bench = bench(mortal).await;
        let (_trigger, mut stream, held) = held_at(&bench, at).await;
        kill.send_replace(true);
        tokio::time::sleep(SILENCE).await;
        held.release();
        let _ = rest(&mut stream).await;
        let (seen, ..) = bench.facts.end_of(1).await;
        assert!(matches!(seen, Seen::Reset | Seen::Closed), "{at:?} {seen:?}");
        assert!(bench.proxy.open_calls().is_empty());
    }
}

#[tokio::test]
async fn nth_fires_once_on_the_first_attempt_of_the_nth_operation() {
    let bench = bench(http_callee().await.0).await;
    let mut trigger = set(&bench, CallPoint::AfterAnswer, Some(2));
    let mut stream = bench.connect().await;
    for trace in [1, 1] {
        send(&mut stream, "POST", "/payments", trace).await;
        soon(read_message(&mut stream)).await.unwrap();
    }
    send(&mut stream, "POST", "/payments", 2).await;
    let held = soon(trigger.held()).await.unwrap();
    assert_eq!(held.trace, Some(TraceId(2)));
    held.release();
    soon(read_message(&mut stream)).await.unwrap();
    for trace in [2, 3, 4] {
        send(&mut stream, "POST", "/payments", trace).await;
        soon(read_message(&mut stream)).await.unwrap();
    }
}

#[tokio::test]
async fn a_trigger_that_is_dropped_holds_nothing_and_a_stopped_proxy_ends_it() {
    let bench = bench(http_callee().await.0).await;
    drop(set(&bench, CallPoint::BeforeForward, None));
    assert!(ask(&mut bench.connect().await, "POST", "/payments").await.contains("200"));
    let mut trigger = set(&bench, CallPoint::BeforeForward, None);
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    let held = soon(trigger.held()).await.unwrap();
    soon(bench.proxy.stop()).await;
    assert!(soon(trigger.held()).await.is_none());
    held.release();
}

#[tokio::test]
async fn a_fault_that_a_held_request_started_acts_on_it() {
    let bench = bench(http_callee().await.0).await;
    let (_trigger, mut stream, held) = held_at(&bench, CallPoint::BeforeForward).await;
    bench.inject(Inject::Respond(Respond::status(503))).await;
    held.release();
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("503"));
}
