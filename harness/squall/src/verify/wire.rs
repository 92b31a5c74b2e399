//! One HTTP exchange on a connection of its own, bounded in time and in what is kept.

use std::{collections::BTreeMap, error::Error as _, io, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use squall_record::{Answer, Body};
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};

/// The most of a body that is read, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Ends the connection's task with the exchange, also when that is given up.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request to `HOST:PORT` and reads its answer. The error says what came instead of one.
pub(super) async fn ask(to: &str, request: Request<Full<Bytes>>, within: Duration) -> Result<Answer, String> {
    match timeout(within, exchange(to, request)).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("no answer within {within:?}")),
    }
}

#[expect(clippy::disallowed_methods, reason = "a provider is asked as its consumers ask it, over a real socket")]
async fn exchange(to: &str, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let stream = TcpStream::connect(to).await.map_err(|why| format!("no connection: {}", in_words(&why)))?;
    stream.set_nodelay(true).map_err(|why| in_words(&why))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|why| no_answer(&why))?;
    let _ends = Ends(tokio::spawn(connection).abort_handle());
    let (head, mut body) = sender.send_request(request).await.map_err(|why| no_answer(&why))?.into_parts();
    let mut kept = Vec::new();
    let mut bytes = 0u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|why| no_answer(&why))?.into_data() else { continue };
        bytes += data.len() as u64;
        let room = BODY_BYTES_MAX.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(&data[..room]);
        if room < data.len() {
            // It may never end.
            break;
        }
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.as_str().to_owned()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&value);
    }
    let cut = bytes > kept.len() as u64;
    let json = if cut { None } else { serde_json::from_slice(&kept).ok() };
    let text = (json.is_none() && !kept.is_empty()).then(|| String::from_utf8_lossy(&kept).into_owned());
    Ok(Answer { status: head.status.as_u16(), headers, body: Body { bytes, json, text, cut } })
}

/// Without the number, which differs from system to system.
fn in_words(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => why.to_string(),
    }
}

fn no_answer(why: &hyper::Error) -> String {
    let mut source = why.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return format!("no answer: {}", in_words(io));
        }
        source = inner.source();
    }
    match why.is_incomplete_message() {
        true => "no answer: the connection was closed before it was complete".to_owned(),
        false => format!("no answer that is HTTP: {why}"),
    }
}
