//! Laws of the mirror: whatever the exchange and however its bytes arrive, they pass as they are.

use std::sync::{Arc, Mutex};

use proptest::{collection::vec, prelude::*};
use squall_record::What;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

/// A body and the head fields that frame it.
#[derive(Clone, Debug)]
enum Framed {
    None,
    Length(Vec<u8>),
    Chunked(Vec<Vec<u8>>, bool),
}

impl Framed {
    fn content(&self) -> Vec<u8> {
        match self {
            Framed::None => vec![],
            Framed::Length(content) => content.clone(),
            Framed::Chunked(chunks, _) => chunks.concat(),
        }
    }

    fn bytes(&self, first_line: &str, fields: &[(String, String)]) -> Vec<u8> {
        let mut bytes = format!("{first_line}\r\n").into_bytes();
        for (name, value) in fields {
            bytes.extend(format!("x-{name}: {value}\r\n").bytes());
        }
        match self {
            Framed::None => bytes.extend(b"\r\n"),
            Framed::Length(content) => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", content.len()).bytes());
                bytes.extend(content);
            }
            Framed::Chunked(chunks, has_trailers) => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in chunks {
                    bytes.extend(format!("{:X};ext=1\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n");
                if *has_trailers {
                    bytes.extend(b"x-trailer: yes\r\n");
                }
                bytes.extend(b"\r\n");
            }
        }
        bytes
    }
}

fn framed() -> impl Strategy<Value = Framed> {
    prop_oneof![
        Just(Framed::None),
        vec(any::<u8>(), 0..300).prop_map(Framed::Length),
        (vec(vec(any::<u8>(), 1..100), 0..5), any::<bool>()).prop_map(|(chunks, t)| Framed::Chunked(chunks, t)),
    ]
}

#[derive(Clone, Debug)]
struct Call {
    method: &'static str,
    request: Framed,
    fields: Vec<(String, String)>,
    has_interim: bool,
    status: u16,
    answer: Framed,
    /// How many bytes each write has, on both sides.
    piece: usize,
}

impl Call {
    fn request(&self) -> Vec<u8> {
        self.request.bytes(&format!("{} /payments/1 HTTP/1.1", self.method), &self.fields)
    }

    fn has_answer_body(&self) -> bool {
        self.method != "HEAD" && ![204, 304].contains(&self.status)
    }

    fn answer(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.has_interim {
            bytes.extend(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        }
        let answer = match &self.answer {
            // Without a length it would end with the connection.
            Framed::None if self.has_answer_body() => &Framed::Length(vec![]),
            answer => answer,
        };
        let whole = answer.bytes(&format!("HTTP/1.1 {} Reason", self.status), &self.fields);
        let end = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        bytes.extend(if self.has_answer_body() { &whole[..] } else { &whole[..end] });
        bytes
    }
}

fn call() -> impl Strategy<Value = Call> {
    (
        prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE"]),
        framed(),
        vec(("[a-z]{1,8}", "[ -~&&[^,]]{0,20}"), 0..4),
        any::<bool>(),
        prop::sample::select(vec![200u16, 201, 204, 304, 404, 500]),
        framed(),
        1usize..200,
    )
        .prop_map(|(method, request, fields, has_interim, status, answer, piece)| Call {
            method,
            request,
            fields,
            has_interim,
            status,
            answer,
            piece,
        })
}

async fn write_in_pieces(write: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        write.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn passes_whole(calls: Vec<Call>) {
    let calls = Arc::new(calls);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (script, seen_by_callee) = (calls.clone(), seen.clone());
    let callee = callee(move |mut stream| {
        let (calls, seen) = (script.clone(), seen_by_callee.clone());
        async move {
            for call in calls.iter() {
                let mut request = vec![0; call.request().len()];
                stream.read_exact(&mut request).await.unwrap();
                seen.lock().unwrap().push(request);
                write_in_pieces(&mut stream, &call.answer(), call.piece).await;
            }
        }
    })
    .await;
    let bench = bench_by(config(vec![callee]), Arc::new(Timeless)).await;
    let mut stream = bench.connect().await;
    for call in calls.iter() {
        write_in_pieces(&mut stream, &call.request(), call.piece).await;
        let mut answer = vec![0; call.answer().len()];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        assert!(answer == call.answer(), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    drop(stream);
    let requests: Vec<Vec<u8>> = calls.iter().map(Call::request).collect();
    assert_eq!(*seen.lock().unwrap(), requests);
    let (_, up, down, http, _) = bench.facts.closed(1).await;
    let answered: usize = calls.iter().map(|call| call.answer().len()).sum();
    assert_eq!((up, down, http), (requests.concat().len() as u64, answered as u64, true));
    is_recorded(&bench, &calls);
}

/// The record has each body's length, whatever its framing was.
fn is_recorded(bench: &Bench, calls: &[Call]) {
    let (mut sent, mut answered, mut ended) = (vec![], vec![], 0);
    for what in bench.facts.all() {
        match what {
            What::CallSent { body, .. } => sent.push(body.bytes),
            What::CallAnswered { answer, .. } => answered.push((answer.status, answer.body.bytes)),
            What::CallEnded { .. } => ended += 1,
            _ => {}
        }
    }
    let length = |body: &Framed| body.content().len() as u64;
    assert_eq!(sent, calls.iter().map(|call| length(&call.request)).collect::<Vec<_>>());
    let answer = |call: &Call| (call.status, if call.has_answer_body() { length(&call.answer) } else { 0 });
    assert_eq!(answered, calls.iter().map(answer).collect::<Vec<_>>());
    assert_eq!(ended, calls.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_exchange_passes_byte_for_byte_however_it_arrives(calls in vec(call(), 1..4)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(passes_whole(calls));
    }

    #[test]
    fn any_answer_passes_byte_for_byte_and_its_call_comes_to_an_end(
        head in prop::sample::select(vec![
            "", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 20",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        ]),
        bytes in vec(any::<u8>(), 0..60),
        piece in 1usize..40,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let answer = [head.as_bytes(), &bytes].concat();
            let sent = answer.clone();
            let babbler = callee(move |mut stream| {
                let sent = sent.clone();
                async move {
                    read_message(&mut stream).await;
                    write_in_pieces(&mut stream, &sent, piece).await;
                }
            });
            let bench = bench_by(config(vec![babbler.await]), Arc::new(Timeless)).await;
            let mut stream = bench.connect().await;
            send(&mut stream, "GET", "/payments/1", 0).await;
            assert_eq!(rest(&mut stream).await, (answer, Ended::Closed));
            bench.facts.end_of(1).await;
        });
    }

    #[test]
    fn any_bytes_pass_byte_for_byte(bytes in vec(any::<u8>(), 1..2000), piece in 1usize..500) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let bench = bench_by(config(vec![echo_callee().await]), Arc::new(Timeless)).await;
            let (mut read, mut write) = bench.connect().await.into_split();
            write_in_pieces(&mut write, &bytes, piece).await;
            write.shutdown().await.unwrap();
            let mut back = Vec::new();
            soon(read.read_to_end(&mut back)).await.unwrap();
            assert_eq!(back, bytes);
        });
    }
}

#[tokio::test]
async fn an_upgrade_passes_as_bytes_after_its_answer() {
    let upgrader = callee(|mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n").await.unwrap();
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let bench = bench(upgrader).await;
    let mut stream = bench.connect().await;
    stream.write_all(b"GET /chat HTTP/1.1\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await.unwrap();
    assert!(soon(read_message(&mut stream)).await.unwrap().contains("101"));
    echo(&mut stream, b"GET / HTTP/1.1\r\n\r\n").await;
    echo(&mut stream, b"\x81\x05hello").await;
    assert_eq!(bench.facts.end_of(1).await.0, answer(101, false));
    let calls = bench.facts.all().iter().filter(|what| matches!(what, What::CallStarted { .. })).count();
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let old = callee(|mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"a\":").await.unwrap();
        stream.write_all(b"1}").await.unwrap();
    })
    .await;
    let bench = bench(old).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "GET", "/payments/1", 0).await;
    assert_eq!(rest(&mut stream).await.1, Ended::Closed);
    assert_eq!(bench.facts.end_of(1).await.0, answer(200, false));
}
