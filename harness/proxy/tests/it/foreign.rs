//! A client and a server that we did not write (hyper), with the client's pool before the proxy.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use squall_proxy::{CallMatch, Fault, Hits, Inject, Match, Respond, Then};
use squall_record::{Seen, What};
use tokio::task::JoinSet;

use crate::support::*;

/// A body of unknown length, so that it goes in the chunked coding.
struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn chunks(bytes: &'static [u8], n: usize) -> Chunks {
    Chunks((0..n).map(|_| Bytes::from_static(bytes)).collect())
}

/// Sends each body back, chunk by chunk.
async fn hyper_callee() -> SocketAddr {
    callee(|stream| async move {
        let echo =
            service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(Response::new(request.into_body())));
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), echo).await;
    })
    .await
}

type Pool = Client<HttpConnector, Chunks>;

fn pool() -> Pool {
    Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

/// One call; its status and what came back.
async fn post(pool: &Pool, bench: &Bench, body: Chunks) -> Result<(u16, Bytes), Box<dyn std::error::Error>> {
    let request = Request::post(format!("http://{}/payments", bench.proxy.addr())).body(body)?;
    let response = soon(pool.request(request)).await?;
    let status = response.status().as_u16();
    Ok((status, soon(response.into_body().collect()).await?.to_bytes()))
}

#[tokio::test]
async fn many_calls_at_once_through_a_pool_are_each_whole_and_recorded() {
    let bench = Arc::new(bench(hyper_callee().await).await);
    let pool = pool();
    for _ in 0..3 {
        let mut calls = JoinSet::new();
        for n in 0..20 {
            let (pool, bench) = (pool.clone(), bench.clone());
            calls.spawn(async move {
                let (status, body) = post(&pool, &bench, chunks(b"0123456789", n)).await.unwrap();
                assert_eq!((status, body.len()), (200, n * 10));
            });
        }
        soon(calls.join_all()).await;
    }
    assert!(bench.proxy.live_connections() > 1);
    for n in 1..=60 {
        assert_eq!(bench.facts.end_of(n).await, (answer(200, false), true, vec![]));
    }
    let bodies: u64 = bench
        .facts
        .all()
        .iter()
        .map(|what| if let What::CallAnswered { answer, .. } = what { answer.body.bytes } else { 0 })
        .sum();
    assert_eq!(bodies, 3 * 10 * (0..20).sum::<u64>());
}

#[tokio::test]
async fn megabytes_of_chunks_come_back_whole() {
    let bench = bench(hyper_callee().await).await;
    let (status, body) = post(&pool(), &bench, chunks(&[7; 10_000], 500)).await.unwrap();
    assert_eq!((status, body.len()), (200, 5_000_000));
}

#[tokio::test]
async fn a_client_sees_each_fault_as_what_it_is_and_goes_on_afterwards() {
    let bench = bench(hyper_callee().await).await;
    let pool = pool();
    let payments =
        Match { call: Some(CallMatch { method: "POST".into(), path: "/payments".into() }), ..Match::default() };
    for (inject, status) in [
        (Inject::Respond(Respond::status(503)), Some(503)),
        (Inject::LoseResponse { then: Then::Reset }, None),
        (Inject::LoseResponse { then: Then::Close }, None),
        (Inject::LoseResponse { then: Then::Respond(Respond::status(502)) }, Some(502)),
        (Inject::CutResponse { after_bytes: 3 }, None),
        (Inject::Reset { after: std::time::Duration::ZERO }, None),
    ] {
        assert_eq!(post(&pool, &bench, chunks(b"before", 2)).await.unwrap().0, 200);
        let fault = Fault { matching: payments.clone(), ..Fault::new("fault", inject.clone()) };
        assert_eq!(bench.inject_fault(fault).await, 0);
        let seen = post(&pool, &bench, chunks(b"during", 2)).await.ok().map(|(status, _)| status);
        assert_eq!(seen, status, "{inject:?}");
        let hits = soon(bench.proxy.heal("fault")).await;
        assert_eq!(hits.applied, hits.eligible, "{inject:?}");
    }
    assert_eq!(bench.proxy.hits("fault"), Hits { eligible: 6, applied: 6 });
    assert_eq!(post(&pool, &bench, chunks(b"after", 2)).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_client_that_times_out_is_recorded_as_having_hung_up() {
    let bench = bench(hyper_callee().await).await;
    let pool = pool();
    bench.inject(Inject::BlackHole).await;
    let call = post(&pool, &bench, chunks(b"lost", 1));
    tokio::select! {
        _ = call => panic!("there was an answer"),
        () = bench.facts.find(|what| matches!(what, What::CallSent { .. }).then_some(())) => {}
    }
    assert_eq!(bench.facts.end_of(1).await, (Seen::HungUp, false, vec![applied("fault")]));
}
