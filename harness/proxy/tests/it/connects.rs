//! Faults on connections: what becomes of live ones, of new ones, and of both as the fault heals.
//! Each has a keep-alive connection and one that is not HTTP open beforehand.

use std::{io::ErrorKind, net::SocketAddr, sync::atomic::Ordering, time::Duration};

use squall_proxy::{Fault, Inject, LinkConfig};
use squall_record::{Seen, What};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::support::*;

/// What is there beforehand: a link to an HTTP callee and one to an echo, with a used connection on each.
struct Before {
    http: Bench,
    echo: Bench,
    kept_alive: TcpStream,
    echoing: TcpStream,
}

async fn before() -> Before {
    let (http, echo) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (kept_alive, echoing) = (http.kept_alive().await, echo.echoing().await);
    Before { http, echo, kept_alive, echoing }
}

impl Before {
    /// Injects on both links and requires the live connections to be dropped.
    async fn inject_and_drop(&mut self, inject: Inject, ended: Ended) {
        assert_eq!(self.http.inject(inject.clone()).await, 1);
        assert_eq!(self.echo.inject(inject).await, 1);
        assert_eq!(rest(&mut self.kept_alive).await, (vec![], Ended::from(&ended)));
        assert_eq!(rest(&mut self.echoing).await, (vec![], ended));
        for bench in [&self.http, &self.echo] {
            let (how, .., decisions) = bench.facts.closed(1).await;
            assert_eq!((how.as_str(), decisions), ("fault fault", vec![applied("fault")]));
            assert_eq!(bench.proxy.live_connections(), 0);
        }
    }

    async fn inject_and_keep(&self, inject: Inject) {
        assert_eq!(self.http.inject_live(inject.clone()).await, 0);
        assert_eq!(self.echo.inject_live(inject).await, 0);
    }

    /// Heals both, and requires new connections to work.
    async fn heal(&self) {
        for bench in [&self.http, &self.echo] {
            let hits = soon(bench.proxy.heal("fault")).await;
            assert_eq!(hits, bench.proxy.hits("fault"));
        }
        self.http.kept_alive().await;
        self.echo.echoing().await;
    }

    async fn live_ones_still_work(&mut self) {
        assert!(ask(&mut self.kept_alive, "GET", "/payments/1").await.contains("200"));
        echo(&mut self.echoing, b"still here").await;
    }
}

impl From<&Ended> for Ended {
    fn from(ended: &Ended) -> Ended {
        match ended {
            Ended::Closed => Ended::Closed,
            Ended::Reset => Ended::Reset,
        }
    }
}

/// A connect that goes on for as long as the listener hangs.
async fn hangs(addr: SocketAddr) -> impl Future<Output = TcpStream> {
    let mut connect = Box::pin(async move { TcpStream::connect(addr).await.unwrap() });
    assert!(timeout(SILENCE, &mut connect).await.is_err(), "the connect completed");
    connect
}

#[tokio::test]
async fn refuse_drops_what_is_live_and_refuses_connects_until_it_heals() {
    let mut before = before().await;
    before.inject_and_drop(Inject::Refuse, Ended::Closed).await;
    for bench in [&before.http, &before.echo] {
        for _ in 0..3 {
            assert_eq!(TcpStream::connect(bench.proxy.addr()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    }
    before.heal().await;
}

#[tokio::test]
async fn refuse_keeps_what_is_live_if_asked() {
    let mut before = before().await;
    before.inject_and_keep(Inject::Refuse).await;
    assert!(TcpStream::connect(before.http.proxy.addr()).await.is_err());
    before.live_ones_still_work().await;
    before.heal().await;
}

#[tokio::test]
async fn nobody_else_can_take_the_port_of_a_link_that_refuses() {
    let bench = bench(http_callee().await.0).await;
    bench.inject(Inject::Refuse).await;
    assert!(tokio::net::TcpListener::bind(bench.proxy.addr()).await.is_err());
    bench.proxy.heal("fault").await;
    bench.kept_alive().await;
}

#[tokio::test]
async fn hang_connect_drops_what_is_live_and_connects_hang_until_it_heals() {
    let mut before = before().await;
    before.inject_and_drop(Inject::HangConnect, Ended::Closed).await;
    let first = hangs(before.http.proxy.addr()).await;
    let second = hangs(before.echo.proxy.addr()).await;
    before.heal().await;
    let (mut first, mut second) = (soon(first).await, soon(second).await);
    // Before the fault, after it, and the one that hung: none of ours.
    let opened =
        |bench: &Bench| bench.facts.all().iter().filter(|what| matches!(what, What::ConnectionOpened { .. })).count();
    soon(async {
        while opened(&before.http) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(opened(&before.http), 3);
    assert!(ask(&mut first, "GET", "/payments/1").await.contains("200"));
    echo(&mut second, b"\x00late").await;
}

/// As a link in a container does.
#[tokio::test]
async fn a_link_that_listens_on_every_interface_closes_its_door_like_any_other() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let bench = bench_of(LinkConfig { listen, ..config(vec![http_callee().await.0]) }).await;
    let at = SocketAddr::from(([127, 0, 0, 1], bench.proxy.addr().port()));
    for inject in [Inject::HangConnect, Inject::Partition { one_way: false }] {
        bench.inject(inject).await;
        let waiting = hangs(at).await;
        bench.proxy.heal("fault").await;
        assert!(ask(&mut soon(waiting).await, "GET", "/payments/1").await.contains("200"));
    }
    bench.inject(Inject::Refuse).await;
    assert_eq!(TcpStream::connect(at).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    bench.proxy.heal("fault").await;
    let mut stream = soon(TcpStream::connect(at)).await.unwrap();
    assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
    let opened = bench.facts.all().iter().filter(|what| matches!(what, What::ConnectionOpened { .. })).count();
    assert_eq!(opened, 3, "those that fill the queue are none of them");
}

#[tokio::test]
async fn hang_connect_keeps_what_is_live_if_asked() {
    let mut before = before().await;
    before.inject_and_keep(Inject::HangConnect).await;
    let connect = hangs(before.http.proxy.addr()).await;
    before.live_ones_still_work().await;
    before.heal().await;
    soon(connect).await;
}

#[tokio::test]
async fn a_link_can_go_from_one_closed_door_to_another() {
    let bench = bench(http_callee().await.0).await;
    let fault = |name: &str, inject| Fault::new(name, inject);
    bench.inject_fault(fault("hangs", Inject::HangConnect)).await;
    let hanging = hangs(bench.proxy.addr()).await;
    bench.inject_fault(fault("refuses", Inject::Refuse)).await;
    assert!(TcpStream::connect(bench.proxy.addr()).await.is_err());
    bench.proxy.heal("refuses").await;
    drop(hanging);
    let hanging = hangs(bench.proxy.addr()).await;
    bench.proxy.heal("hangs").await;
    soon(hanging).await;
    bench.kept_alive().await;
}

#[tokio::test]
async fn partition_stalls_what_is_live_and_all_of_it_flows_once_healed() {
    let mut before = before().await;
    assert_eq!(before.http.inject(Inject::Partition { one_way: false }).await, 0);
    assert_eq!(before.echo.inject(Inject::Partition { one_way: false }).await, 0);
    send(&mut before.kept_alive, "POST", "/payments", 0).await;
    before.echoing.write_all(b"one").await.unwrap();
    before.echoing.write_all(b"two").await.unwrap();
    is_silent(&mut before.kept_alive).await;
    is_silent(&mut before.echoing).await;
    let connect = hangs(before.http.proxy.addr()).await;
    let call_is_open = |bench: &Bench| bench.proxy.open_calls().len();
    assert_eq!(call_is_open(&before.http), 1);

    for bench in [&before.http, &before.echo] {
        soon(bench.proxy.heal("fault")).await;
    }
    assert!(soon(read_message(&mut before.kept_alive)).await.unwrap().contains("200"));
    let mut back = [0; 6];
    soon(tokio::io::AsyncReadExt::read_exact(&mut before.echoing, &mut back)).await.unwrap();
    assert_eq!(&back, b"onetwo");
    assert_eq!(before.http.facts.end_of(2).await, (answer(200, false), true, vec![applied("fault")]));
    assert_eq!(before.echo.proxy.hits("fault"), squall_proxy::Hits { eligible: 1, applied: 1 });
    soon(connect).await;
}

#[tokio::test]
async fn partition_hides_a_close_from_the_other_side_until_it_heals() {
    let mut before = before().await;
    before.http.inject(Inject::Partition { one_way: false }).await;
    send(&mut before.kept_alive, "POST", "/payments", 0).await;
    before.http.facts.find(|what| matches!(what, What::CallSent { call, .. } if call.n == 2).then_some(())).await;
    drop(before.kept_alive);
    // The caller knows at once, the callee when the wire is whole: it still gets the request.
    assert_eq!(before.http.facts.end_of(2).await, (Seen::HungUp, false, vec![applied("fault")]));
    assert_eq!(before.http.proxy.live_connections(), 1);
    before.http.proxy.heal("fault").await;
    let answered = |what: &What| matches!(what, What::CallAnswered { call, .. } if call.n == 2).then_some(());
    before.http.facts.find(answered).await;
    before.http.facts.closed(1).await;
}

#[tokio::test]
async fn partition_one_way_lets_answers_through() {
    let mut before = before().await;
    // An answer that is on its way as the partition starts still arrives.
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let slow = callee(move |mut stream| {
        let released = released.lock().unwrap().take();
        async move {
            read_message(&mut stream).await;
            let _ = released.unwrap().await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            read_message(&mut stream).await;
        }
    })
    .await;
    let slow = bench(slow).await;
    let mut waiting = slow.connect().await;
    send(&mut waiting, "GET", "/payments/1", 0).await;
    slow.facts.find(|what| matches!(what, What::CallSent { .. }).then_some(())).await;
    timeout(SILENCE, std::future::pending::<()>()).await.unwrap_err();
    slow.inject(Inject::Partition { one_way: true }).await;
    release.send(()).unwrap();
    assert!(soon(read_message(&mut waiting)).await.unwrap().contains("200"));

    before.echo.inject(Inject::Partition { one_way: true }).await;
    before.echoing.write_all(b"cut").await.unwrap();
    is_silent(&mut before.echoing).await;
    before.echo.proxy.heal("fault").await;
    let mut back = [0; 3];
    soon(tokio::io::AsyncReadExt::read_exact(&mut before.echoing, &mut back)).await.unwrap();
    before.http.inject(Inject::Partition { one_way: true }).await;
    drop(hangs(before.http.proxy.addr()).await);
    before.live_ones_after_heal().await;
}

impl Before {
    async fn live_ones_after_heal(&mut self) {
        self.http.proxy.heal("fault").await;
        self.live_ones_still_work().await;
    }
}

#[tokio::test]
async fn black_hole_drops_what_is_live_and_never_answers_until_it_heals() {
    let mut before = before().await;
    before.inject_and_drop(Inject::BlackHole, Ended::Closed).await;
    let mut call = before.http.connect().await;
    send(&mut call, "POST", "/payments", 5).await;
    let mut bytes = before.echo.connect().await;
    bytes.write_all(b"\x00hello").await.unwrap();
    is_silent(&mut call).await;
    is_silent(&mut bytes).await;
    // A second caller gives up; the first waits until the fault heals.
    let mut impatient = before.http.connect().await;
    send(&mut impatient, "POST", "/payments", 6).await;
    before.http.facts.find(|what| matches!(what, What::CallSent { call, .. } if call.n == 3).then_some(())).await;
    drop(impatient);
    assert_eq!(before.http.facts.end_of(3).await, (Seen::HungUp, false, vec![applied("fault")]));
    before.heal().await;
    assert_eq!(rest(&mut call).await, (vec![], Ended::Closed));
    assert_eq!(rest(&mut bytes).await, (vec![], Ended::Closed));
    assert_eq!(before.http.facts.end_of(2).await, (Seen::Closed, false, vec![applied("fault")]));
    // The dropped connection, and the two calls.
    assert_eq!(before.http.proxy.hits("fault"), squall_proxy::Hits { eligible: 3, applied: 3 });
    assert_eq!(before.echo.proxy.hits("fault"), squall_proxy::Hits { eligible: 2, applied: 2 });
}

#[tokio::test]
async fn black_hole_swallows_what_live_connections_send_if_they_are_kept() {
    let mut before = before().await;
    before.inject_and_keep(Inject::BlackHole).await;
    send(&mut before.kept_alive, "POST", "/payments", 0).await;
    before.echoing.write_all(b"gone").await.unwrap();
    is_silent(&mut before.kept_alive).await;
    is_silent(&mut before.echoing).await;
    before.heal().await;
    assert_eq!(rest(&mut before.kept_alive).await, (vec![], Ended::Closed));
    assert_eq!(rest(&mut before.echoing).await, (vec![], Ended::Closed));
    assert_eq!(before.http.facts.end_of(2).await, (Seen::Closed, false, vec![applied("fault")]));
}

#[tokio::test]
async fn reset_resets_what_is_live_and_every_new_connection_that_speaks() {
    let mut before = before().await;
    let requests = before.http.facts.all().len();
    before.inject_and_drop(Inject::Reset { after: Duration::ZERO }, Ended::Reset).await;
    let mut call = before.http.connect().await;
    send(&mut call, "POST", "/payments", 5).await;
    assert_eq!(rest(&mut call).await, (vec![], Ended::Reset));
    assert_eq!(before.http.facts.end_of(2).await, (Seen::Reset, false, vec![applied("fault")]));
    let mut bytes = before.echo.connect().await;
    bytes.write_all(b"\x00hello").await.unwrap();
    assert_eq!(rest(&mut bytes).await, (vec![], Ended::Reset));
    before.heal().await;
    assert!(before.http.facts.all().len() > requests);
}

#[tokio::test]
async fn reset_after_a_while_lets_bytes_pass_until_then() {
    let before = before().await;
    // Long enough for a call on a slow machine.
    let after = Duration::from_secs(1);
    for bench in [&before.http, &before.echo] {
        bench.inject(Inject::Reset { after }).await;
    }
    let began = tokio::time::Instant::now();
    let (mut call, mut bytes) = tokio::join!(before.http.kept_alive(), before.echo.echoing());
    assert_eq!(rest(&mut call).await, (vec![], Ended::Reset));
    assert_eq!(rest(&mut bytes).await, (vec![], Ended::Reset));
    assert!(began.elapsed() >= after);
    let late = not_applied("fault", "its answer came before the reset");
    assert_eq!(before.http.facts.end_of(2).await.2, [late]);
    let (how, .., decisions) = before.http.facts.closed(2).await;
    assert_eq!((how.as_str(), decisions), ("fault fault", vec![applied("fault")]));
}

#[tokio::test]
async fn a_call_in_flight_on_a_dropped_connection_is_a_hit() {
    let silent = callee(|mut stream| async move {
        while read_message(&mut stream).await.is_some() {}
        std::future::pending::<()>().await;
    })
    .await;
    for (inject, seen, ended) in [
        (Inject::Refuse, Seen::Closed, Ended::Closed),
        (Inject::Reset { after: Duration::ZERO }, Seen::Reset, Ended::Reset),
    ] {
        let bench = bench(silent).await;
        let mut stream = bench.connect().await;
        send(&mut stream, "POST", "/payments", 0).await;
        bench.facts.find(|what| matches!(what, What::CallSent { .. }).then_some(())).await;
        while bench.facts.all().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.inject(inject).await, 1);
        assert_eq!(rest(&mut stream).await, (vec![], ended));
        let (found, _, decisions) = bench.facts.end_of(1).await;
        assert_eq!((found, decisions), (seen, vec![applied("fault")]));
        assert_eq!(bench.proxy.hits("fault"), squall_proxy::Hits { eligible: 1, applied: 1 });
    }
}

#[tokio::test]
async fn the_callee_of_a_black_hole_hears_nothing() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    bench.inject(Inject::BlackHole).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "GET", "/payments/1", 0).await;
    is_silent(&mut stream).await;
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
