//! Calls: what is sent how often, and what is known afterwards, in virtual time.

use std::time::Duration;

use axum::{Router, routing::get};
use chassis::{
    Answer, Call, CallError, CallPolicy, Client, Context, Json, Metrics,
    client::segment,
    policy::{Attempts, BreakerPolicy, Counts, Trips},
};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use super::support::{self, Does, Memory, Scripted, policy};

/// A scripted callee at `a:1`, and a client with this policy.
async fn scripted(script: &[Does], policy: CallPolicy) -> (Memory, Scripted, Client, Metrics) {
    let memory = Memory::new(7);
    let callee = Scripted::listen(&memory, "a:1", script).await;
    let metrics = Metrics::default();
    let client = Client::new(&memory.env(), "payment", policy, &metrics);
    (memory, callee, client, metrics)
}

fn charge() -> Call {
    Call::post("/payments").json(&serde_json::json!({ "amount": 5 }))
}

async fn call(memory: &Memory, client: &Client, call: Call) -> Result<Answer, CallError> {
    client.call(&Context::start(&memory.env()), call).await
}

#[tokio::test(start_paused = true)]
async fn attempts_and_gaps_keep_their_bounds() {
    let attempts = Attempts { at_most: 4, first_gap_at_least_ms: 25, longest_gap_ms: 1_000 };
    for does in [Does::Answers(503, 30), Does::HangsUp, Does::Answers(500, 0), Does::Answers(429, 5)] {
        let (memory, callee, client, _) = scripted(&[does], CallPolicy { attempts, ..policy("a:1") }).await;
        for _ in 0..20 {
            let before = callee.seen().len();
            let _ = call(&memory, &client, charge().idempotency_key("k")).await;
            let seen = callee.seen().split_off(before);
            assert_eq!(seen.len(), 4, "{does:?}");
            for pair in seen.windows(2) {
                let gap = pair[1].at - pair[0].done;
                assert!((25..=1_000).contains(&gap.as_millis()), "{does:?}: {gap:?}");
                assert_eq!(pair[0].headers["idempotency-key"], pair[1].headers["idempotency-key"]);
                assert_ne!(pair[0].headers["traceparent"], pair[1].headers["traceparent"], "each attempt is a span");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_at_its_timeout() {
    let (memory, callee, client, _) = scripted(&[Does::Hangs, Does::Answers(201, 0)], policy("a:1")).await;
    let begun = Instant::now();
    let answer = call(&memory, &client, charge().idempotency_key("k")).await.unwrap();
    assert_eq!(answer.status, 201);
    let first = callee.seen()[0].done - begun;
    assert_eq!(first.as_millis(), 800, "the callee sees the caller hang up at once");
    let second = callee.seen()[1].at - begun;
    assert!((825..=1_800).contains(&second.as_millis()), "{second:?}");
    assert_eq!(callee.seen()[1].connection, 2, "a connection with an answer outstanding is not used again");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_idempotent_is_sent_once_if_it_was_sent() {
    for does in [Does::HangsUp, Does::Hangs, Does::Answers(503, 0)] {
        let (memory, callee, client, _) = scripted(&[does], policy("a:1")).await;
        let result = call(&memory, &client, charge()).await;
        assert_eq!(callee.seen().len(), 1, "{does:?}");
        match does {
            Does::Answers(..) => assert!(!result.unwrap().is_definite()),
            _ => assert!(!result.unwrap_err().nothing_was_sent()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_idempotent_by_method_is_tried_again_without_a_key() {
    for make in [Call::get, Call::put, Call::delete] {
        let (memory, callee, client, _) = scripted(&[Does::HangsUp, Does::Answers(200, 0)], policy("a:1")).await;
        assert_eq!(call(&memory, &client, make("/x".to_owned())).await.unwrap().status, 200);
        assert_eq!(callee.seen().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_is_known_to_have_sent_nothing_and_is_tried_again() {
    let memory = Memory::new(7);
    let client = Client::new(&memory.env(), "payment", policy("a:1"), &Metrics::default());
    let begun = Instant::now();
    let error = call(&memory, &client, charge()).await.unwrap_err();
    assert!(matches!(error, CallError::NotConnected { .. }), "{error}");
    assert!(begun.elapsed().as_millis() >= 50, "two gaps were waited for: {:?}", begun.elapsed());
    let later = async {
        sleep(Duration::from_millis(10)).await;
        Scripted::listen(&memory, "a:1", &[Does::Answers(201, 0)]).await
    };
    let (answer, callee) = tokio::join!(call(&memory, &client, charge()), later);
    assert_eq!((answer.unwrap().status.as_u16(), callee.seen().len()), (201, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_the_callee_closed_is_no_error() {
    let (memory, callee, client, _) = scripted(&[Does::AnswersAndCloses], policy("a:1")).await;
    for n in 1..=10 {
        // No key, and no retry: the connection is seen closed, so that nothing is sent on it.
        assert_eq!(call(&memory, &client, charge().attempts(Attempts::ONCE)).await.unwrap().status, 200);
        assert_eq!(*memory.connected.lock().unwrap(), n);
    }
    assert_eq!(callee.seen().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn connections_are_used_again_until_they_have_been_idle_too_long() {
    let (memory, callee, client, _) = scripted(&[Does::Answers(200, 1)], policy("a:1")).await;
    for _ in 0..10 {
        call(&memory, &client, charge()).await.unwrap();
        sleep(Duration::from_secs(14)).await;
    }
    assert_eq!(*memory.connected.lock().unwrap(), 1);
    sleep(Duration::from_secs(2)).await;
    call(&memory, &client, charge()).await.unwrap();
    assert_eq!((*memory.connected.lock().unwrap(), callee.seen().len()), (2, 11));
}

#[tokio::test(start_paused = true)]
async fn a_definite_answer_is_final_and_says_whether_doubt_went_before_it() {
    let script = [Does::HangsUp, Does::Answers(402, 0), Does::Answers(503, 0), Does::Answers(402, 0)];
    let (memory, callee, client, _) = scripted(&script, policy("a:1")).await;
    for (attempts, after_doubt) in [(2, true), (4, true), (5, false)] {
        let answer = call(&memory, &client, charge().idempotency_key("k")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.is_definite(), callee.seen().len()), (402, true, attempts));
        assert_eq!(answer.after_doubt, after_doubt, "of the call whose last attempt was the {attempts}th seen");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_once_stays_unknown_whatever_later_attempts_meet_with() {
    let trips = Trips::Consecutive(1);
    let breaker = Some(BreakerPolicy { trips, ..BreakerPolicy::default() });
    for first in [Does::HangsUp, Does::Answers(503, 0)] {
        let (memory, callee, client, _) = scripted(&[first], CallPolicy { breaker, ..policy("a:1") }).await;
        let error = call(&memory, &client, charge().idempotency_key("k")).await.unwrap_err();
        assert!(matches!(error, CallError::Indeterminate { .. }), "{error}");
        let error = call(&memory, &client, charge().idempotency_key("k")).await.unwrap_err();
        assert!(matches!(error, CallError::BreakerOpen { .. }), "{error}");
        assert_eq!(callee.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_asks_to_wait_is_given_the_time_or_left_alone() {
    let attempts = Attempts { longest_gap_ms: 1_500, ..Attempts::default() };
    let (memory, callee, client, _) =
        scripted(&[Does::AsksToWait(1), Does::Answers(201, 0)], CallPolicy { attempts, ..policy("a:1") }).await;
    call(&memory, &client, charge().idempotency_key("k")).await.unwrap();
    assert_eq!((callee.seen()[1].at - callee.seen()[0].done).as_millis(), 1_000);
    callee.now_does(&[Does::AsksToWait(2)]);
    assert_eq!(call(&memory, &client, charge().idempotency_key("k")).await.unwrap().status, 503);
    assert_eq!(callee.seen().len(), 3, "two seconds are longer than the longest gap");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_the_call_and_is_passed_on() {
    let (memory, callee, client, _) = scripted(&[Does::Answers(503, 100)], policy("a:1")).await;
    let env = memory.env();
    let begun = Instant::now();
    let context = Context::start(&env).within(Duration::from_millis(300));
    let _ = client.call(&context, charge().idempotency_key("k")).await;
    assert!(begun.elapsed() <= Duration::from_millis(300), "{:?}", begun.elapsed());
    let told: Vec<u64> = callee.seen().iter().map(|seen| seen.headers["x-deadline-ms"].parse().unwrap()).collect();
    assert_eq!(told[0], 300);
    assert!(told.windows(2).all(|pair| pair[1] < pair[0]), "{told:?}");
    sleep(Duration::from_secs(1)).await;
    let before = callee.seen().len();
    let error = client.call(&context, charge()).await.unwrap_err();
    assert!(matches!(error, CallError::DeadlinePassed { .. }), "{error}");
    assert_eq!(callee.seen().len(), before);
    client.call(&context.without_deadline(), charge()).await.unwrap();
    assert_eq!(callee.seen().last().unwrap().headers["x-deadline-ms"], "800", "without one, the attempt's timeout");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_counts_attempts_stops_the_attempts_of_a_call() {
    let trips = Trips::Consecutive(5);
    let breaker = Some(BreakerPolicy { trips, ..BreakerPolicy::default() });
    let (memory, callee, client, metrics) =
        scripted(&[Does::Answers(503, 0)], CallPolicy { breaker, ..policy("a:1") }).await;
    for _ in 0..10 {
        let _ = call(&memory, &client, charge().idempotency_key("k")).await;
    }
    assert_eq!(callee.seen().len(), 5);
    let text = metrics.render();
    assert!(text.contains(r#"breaker_state{to="payment",state="open"} 1"#), "{text}");
    assert!(text.contains(r#"breaker_opened_total{to="payment"} 1"#), "{text}");
    assert!(client.refuses_for().unwrap() <= Duration::from_secs(2));
    // After the cool-down one attempt is a trial; when it fails, its call has no other.
    sleep(Duration::from_secs(2)).await;
    assert_eq!(client.refuses_for(), None);
    let _ = call(&memory, &client, charge().idempotency_key("k")).await;
    assert_eq!(callee.seen().len(), 6);
    // A trial that is answered with a 4xx has found the callee at work.
    sleep(Duration::from_secs(2)).await;
    callee.now_does(&[Does::Answers(409, 0)]);
    for _ in 0..3 {
        assert_eq!(call(&memory, &client, charge().idempotency_key("k")).await.unwrap().status, 409);
    }
    assert!(metrics.render().contains(r#"breaker_state{to="payment",state="closed"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_counts_calls_counts_all_attempts_of_one_as_one() {
    let breaker = BreakerPolicy { counts: Counts::Calls, trips: Trips::Consecutive(2), ..BreakerPolicy::default() };
    let (memory, callee, client, _) =
        scripted(&[Does::Answers(503, 0)], CallPolicy { breaker: Some(breaker), ..policy("a:1") }).await;
    for _ in 0..5 {
        let _ = call(&memory, &client, charge().idempotency_key("k")).await;
    }
    assert_eq!(callee.seen().len(), 6, "two calls of three attempts each");
}

#[tokio::test(start_paused = true)]
async fn a_slow_trial_keeps_others_out_and_a_dropped_one_does_not_wedge() {
    let trips = Trips::Consecutive(1);
    let breaker = Some(BreakerPolicy { trips, ..BreakerPolicy::default() });
    let (memory, callee, client, _) =
        scripted(&[Does::HangsUp, Does::Hangs, Does::Answers(200, 300)], CallPolicy { breaker, ..policy("a:1") }).await;
    let _ = call(&memory, &client, charge()).await;
    sleep(Duration::from_secs(2)).await;
    let dropped = tokio::time::timeout(Duration::from_millis(100), call(&memory, &client, charge())).await;
    assert!(dropped.is_err());
    assert_eq!(callee.seen().len(), 2);
    let others = async {
        sleep(Duration::from_millis(100)).await;
        for _ in 0..5 {
            let error = call(&memory, &client, charge()).await.unwrap_err();
            assert!(matches!(error, CallError::BreakerOpen { .. }), "{error}");
        }
    };
    let (trial, ()) = tokio::join!(call(&memory, &client, charge()), others);
    assert_eq!((trial.unwrap().status.as_u16(), callee.seen().len()), (200, 3));
    call(&memory, &client, charge()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_callee_holds_no_more_calls_than_it_may() {
    let policy = CallPolicy { calls_max: 2, ..policy("a:1") };
    let (memory, callee, client, _) = scripted(&[Does::Answers(200, 300)], policy).await;
    let third = async {
        sleep(Duration::from_millis(100)).await;
        call(&memory, &client, charge()).await
    };
    let (first, second, third) =
        tokio::join!(call(&memory, &client, charge()), call(&memory, &client, charge()), third);
    assert!(first.is_ok() && second.is_ok());
    assert!(matches!(&third, Err(error @ CallError::TooManyCalls { .. }) if error.nothing_was_sent()), "{third:?}");
    assert_eq!(callee.seen().len(), 2);
    call(&memory, &client, charge()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn in_a_long_outage_the_budget_bounds_the_amplification() {
    let (memory, callee, client, metrics) = scripted(&[Does::Answers(503, 0)], policy("a:1")).await;
    for _ in 0..1_000 {
        let _ = call(&memory, &client, charge().idempotency_key("k")).await;
    }
    let retries = callee.seen().len() - 1_000;
    assert!((250..=300).contains(&retries), "{retries}");
    assert!(metrics.render().contains(&format!(r#"retries_total{{to="payment"}} {retries}"#)));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_answers_where_the_callee_does_not() {
    let (memory, _callee, client, metrics) = scripted(&[Does::Answers(200, 0), Does::HangsUp], policy("a:1")).await;
    let context = Context::start(&memory.env());
    let mut said = Vec::new();
    for _ in 0..2 {
        let call = Call::post("/price");
        said.push(client.call_or(&context, call, |answer| answer.status.as_u16(), |_| 0).await);
    }
    assert_eq!(said, [200, 0]);
    assert!(metrics.render().contains(r#"fallbacks_total{to="payment"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_through_a_service_to_its_callee() {
    let memory = Memory::new(7);
    let env = memory.env();
    let callee = Scripted::listen(&memory, "payment:1", &[Does::Answers(200, 0)]).await;
    let onward = Client::new(&env, "payment", policy("payment:1"), &Metrics::default());
    let router = Router::new().route(
        "/orders",
        get(move |context: Context| async move {
            onward.call(&context, Call::get("/x")).await.unwrap();
            Json(context.stored())
        }),
    );
    let _server = support::serve(&env, support::settings("order:1"), router).await;
    let client = support::plain_client(&env, "order:1");
    let caller = Context { correlation: "basket-9".to_owned(), ..Context::start(&env) };
    let answer = client.call(&caller, Call::get("/orders")).await.unwrap();
    let stored: chassis::StoredContext = answer.json().unwrap();
    assert_eq!((stored.traceparent.trace_id, stored.correlation.as_str()), (caller.trace.trace_id, "basket-9"));
    let seen = callee.seen().remove(0).headers;
    let parent: chassis::context::TraceParent = seen["traceparent"].parse().unwrap();
    assert_eq!(parent.trace_id, caller.trace.trace_id);
    assert_ne!(parent.span_id, caller.trace.span_id);
    assert_ne!(parent.span_id, stored.traceparent.span_id);
    assert_eq!(seen["x-correlation-id"], "basket-9");
    assert!(seen["x-deadline-ms"].parse::<u64>().unwrap() <= 800);
    // Work taken up again from what was stored is of the same trace.
    let resumed = Context::resume(&env, &stored);
    assert_eq!(resumed.trace.trace_id, caller.trace.trace_id);
    assert_eq!(resumed.deadline, None);
}

#[test]
fn what_is_not_a_traceparent_starts_a_trace_of_its_own() {
    let env = Memory::new(7).env();
    for text in [
        "",
        "00-0-0-00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    ] {
        assert!(text.parse::<chassis::context::TraceParent>().is_err(), "{text}");
        let headers = [(chassis::context::TRACEPARENT, text.parse().unwrap())].into_iter().collect();
        assert_ne!(Context::accept(&env, &headers).trace.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    }
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(text.parse::<chassis::context::TraceParent>().unwrap().to_string(), text);
    assert!(
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more".parse::<chassis::context::TraceParent>().is_ok()
    );
}

proptest! {
    #[test]
    fn a_segment_reads_back_and_is_one_segment(text: String) {
        let escaped = segment(&text);
        prop_assert!(!escaped.contains(['/', '?', '#', '&', ' ']));
        let mut bytes = Vec::new();
        let mut rest = escaped.as_str();
        while let Some(first) = rest.chars().next() {
            if first == '%' {
                bytes.push(u8::from_str_radix(&rest[1..3], 16).unwrap());
                rest = &rest[3..];
            } else {
                bytes.push(first as u8);
                rest = &rest[1..];
            }
        }
        prop_assert_eq!(bytes, text.into_bytes());
    }
}
