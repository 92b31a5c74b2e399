//! One HTTP call, as the load's client and the final reads make it.
//!
//! Each call has a connection of its own: no pool that could send a request twice without a word,
//! and no idle connection that a service closes under us, which would be an error of ours.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use squall_record::{Answer, Body};
use tokio::{net::TcpStream, task::AbortHandle};

/// The longest body that is kept, in bytes; what comes after it is read and counted.
const BODY_BYTES_KEPT: usize = 1024 * 1024;

/// A request that is ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by name.
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    pub json: Option<serde_json::Value>,
}

impl Asked {
    /// A GET of this path.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Asked { method: "GET".to_owned(), path: path.into(), headers: BTreeMap::new(), json: None }
    }
}

/// Ends the connection's task with the call, also when the call is given up.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes the call and reads the answer to its end. The error says in words why no answer came.
pub(crate) async fn call(to: SocketAddr, asked: &Asked, within: Duration) -> Result<Answer, String> {
    let request = request(to, asked)?;
    let answered = async {
        let stream = TcpStream::connect(to).await.map_err(|why| format!("could not connect: {}", in_words(&why)))?;
        // A small request must not wait for the acknowledgement of another.
        stream.set_nodelay(true).map_err(|why| in_words(&why))?;
        exchange(stream, request).await.map_err(|why| hyper_in_words(&why))
    };
    match tokio::time::timeout(within, answered).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("no answer within {within:?}")),
    }
}

fn request(to: SocketAddr, asked: &Asked) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::builder().method(asked.method.as_str()).uri(asked.path.as_str());
    request = request.header("host", to.to_string()).header("connection", "close");
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    let body = match &asked.json {
        Some(json) => {
            if !asked.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("content-type", "application/json");
            }
            Bytes::from(json.to_string())
        }
        None => Bytes::new(),
    };
    request.body(Full::new(body)).map_err(|why| format!("the request cannot be built: {why}"))
}

async fn exchange(stream: TcpStream, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let _ends = Ends(tokio::spawn(connection).abort_handle());
    let (head, mut body) = sender.send_request(request).await?.into_parts();
    let mut kept = Vec::new();
    let mut bytes = 0u64;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
            let room = BODY_BYTES_KEPT.saturating_sub(kept.len()).min(data.len());
            kept.extend_from_slice(&data[..room]);
        }
    }
    let headers = head
        .headers
        .iter()
        .filter(|(name, _)| *name != http::header::SET_COOKIE)
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Answer { status: head.status.as_u16(), headers: headers.collect(), body: body_kept(&kept, bytes) })
}

fn body_kept(kept: &[u8], bytes: u64) -> Body {
    let cut = bytes > kept.len() as u64;
    let json = if cut { None } else { serde_json::from_slice(kept).ok() };
    let text = (json.is_none() && !kept.is_empty()).then(|| String::from_utf8_lossy(kept).into_owned());
    Body { bytes, json, text, cut }
}

/// The kind of an I/O error without the number, which differs from system to system.
fn in_words(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => why.to_string(),
    }
}

fn hyper_in_words(why: &hyper::Error) -> String {
    let mut source = std::error::Error::source(why);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return in_words(io);
        }
        source = inner.source();
    }
    if why.is_incomplete_message() { "closed before the answer was complete".to_owned() } else { why.to_string() }
}
