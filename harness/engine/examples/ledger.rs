//! A small service to run the engine on: entries are put, kept in a file, and passed on to another ledger.
//!
//! `LISTEN` is where it listens, `FILE` where entries are kept, `UPSTREAM` the ledger that it passes them on to.
//! `PUT /entries/ID`, `GET /entries/ID`, `GET /entries` (how many), `GET /readyz`;
//! `PUT /end` ends it as a crash would. With `ALONE` set it refuses to share its port, as a program without
//! SO_REUSEADDR does.

#![expect(clippy::disallowed_methods, reason = "it is a program of its own, on sockets and threads")]
#![expect(clippy::print_stdout, reason = "its output is its log")]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Where the entries are kept: in a file that several instances share.
struct Ledger {
    file: String,
    writing: Mutex<()>,
    upstream: Option<String>,
}

impl Ledger {
    fn entries(&self) -> BTreeSet<String> {
        let kept = fs::read_to_string(&self.file).unwrap_or_default();
        kept.lines().filter_map(|line| line.split_once(' ')).map(|(id, _)| id.to_owned()).collect()
    }
}

/// A request, as far as the ledger reads it.
struct Request {
    method: String,
    path: String,
    traceparent: Option<String>,
    body: String,
}

fn main() -> std::io::Result<()> {
    let listen = env::var("LISTEN").expect("`LISTEN` says where to listen");
    let file = env::var("FILE").expect("`FILE` says where to keep entries");
    let upstream = env::var("UPSTREAM").ok().map(|url| url.trim_start_matches("http://").to_owned());
    let ledger = Arc::new(Ledger { file, writing: Mutex::default(), upstream });
    let listener = if env::var_os("ALONE").is_some() { bind_alone(&listen)? } else { TcpListener::bind(listen)? };
    for stream in listener.incoming() {
        let (stream, ledger) = (stream?, Arc::clone(&ledger));
        std::thread::spawn(move || serve(&ledger, stream));
    }
    Ok(())
}

fn bind_alone(listen: &str) -> std::io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&listen.parse::<std::net::SocketAddr>().expect("`LISTEN` is an address").into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn serve(ledger: &Ledger, stream: TcpStream) {
    let Ok(mut answer_to) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (status, body) = answer(ledger, &request);
        let head = format!(
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if answer_to.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let (mut length, mut traceparent) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|bytes| *bytes > 0)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "traceparent" => traceparent = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, traceparent, body: String::from_utf8(body).ok()? })
}

fn answer(ledger: &Ledger, request: &Request) -> (u16, String) {
    let path = request.path.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path, path.strip_prefix("/entries/")) {
        ("GET", "/readyz", _) => (200, "{}".to_owned()),
        ("GET", "/entries", _) => (200, format!("{{\"count\":{}}}", ledger.entries().len())),
        ("GET", _, Some(id)) => match ledger.entries().contains(id) {
            true => (200, format!("{{\"id\":\"{id}\",\"status\":\"done\"}}")),
            false => (404, "{}".to_owned()),
        },
        ("PUT", _, Some(id)) => put(ledger, id, request),
        ("PUT", "/end", _) => {
            println!("asked to end");
            std::process::exit(3)
        }
        _ => (404, "{}".to_owned()),
    }
}

/// Passes the entry on first, so that what stands here stands there as well.
fn put(ledger: &Ledger, id: &str, request: &Request) -> (u16, String) {
    if let Some(upstream) = &ledger.upstream
        && pass_on(upstream, request).is_none()
    {
        return (502, "{}".to_owned());
    }
    let _writing = ledger.writing.lock().expect("held briefly");
    let is_new = !ledger.entries().contains(id);
    if is_new {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&ledger.file).expect("its file opens");
        file.write_all(format!("{id} {}\n", request.body).as_bytes()).expect("its file can be written");
    }
    let status = if is_new { 201 } else { 200 };
    (status, format!("{{\"id\":\"{id}\",\"status\":\"done\"}}"))
}

/// The upstream's status, if it is a success.
fn pass_on(upstream: &str, request: &Request) -> Option<u16> {
    let mut stream = TcpStream::connect(upstream).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let traceparent =
        request.traceparent.as_ref().map_or_else(String::new, |trace| format!("traceparent: {trace}\r\n"));
    let (path, body) = (&request.path, &request.body);
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n{traceparent}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split_whitespace().nth(1)?.parse().ok().filter(|status| (200..300).contains(status))
}
