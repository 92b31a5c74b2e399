//! A double of a Docker engine on a socket of its own: healthy but for what a test says. It keeps what was made, and
//! gives everything up when it is asked to remove it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Condvar, Mutex},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    body: String,
}

impl Reply {
    /// A body as it is.
    pub(crate) fn json(status: u16, body: &str) -> Reply {
        Reply { status, body: body.to_owned() }
    }

    /// What the engine says when it refuses.
    pub(crate) fn message(status: u16, message: &str) -> Reply {
        Reply { status, body: json!({ "message": message }).to_string() }
    }
}

/// The double. It serves until the process ends.
pub(crate) struct Double {
    socket: TempDir,
    made: Shared,
}

/// What there is, by name.
#[derive(Debug, Default)]
struct Made {
    containers: BTreeSet<String>,
    networks: BTreeSet<String>,
    /// Containers that were started, in their order.
    started: Vec<String>,
}

/// What there is, and the news of it.
type Shared = Arc<(Mutex<Made>, Condvar)>;

impl Double {
    /// A double that answers these requests in these ways. `ID` in a path is any container.
    pub(crate) fn start(ill: &[(&'static str, Reply)]) -> Double {
        Double::where_ends(None, ill)
    }

    /// The same, where containers with this in their name end with exit status 3 as soon as they are started.
    pub(crate) fn where_ends(ends: Option<&'static str>, ill: &[(&'static str, Reply)]) -> Double {
        let socket = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket.path().join("docker.sock")).unwrap();
        let made = Shared::default();
        let (shared, ill) = (Arc::clone(&made), Arc::new(ill.iter().cloned().collect::<BTreeMap<_, _>>()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (made, ill) = (Arc::clone(&shared), Arc::clone(&ill));
                std::thread::spawn(move || converse(stream, &made, ends, &ill));
            }
        });
        Double { socket, made }
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.socket.path().display())
    }

    /// Asks that what was made was removed.
    pub(crate) fn left_nothing(&self) {
        let made = self.made.0.lock().unwrap();
        assert!(made.containers.is_empty() && made.networks.is_empty(), "{made:?}");
    }
}

/// Tells the ends of containers with this in their name, for ever.
fn tell_ends(mut to: UnixStream, made: &Shared, ends: Option<&str>) -> std::io::Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")?;
    let mut told = 0;
    loop {
        let is_old = |made: &mut Made| made.started.len() == told;
        let name = made.1.wait_while(made.0.lock().unwrap(), is_old).unwrap().started[told].clone();
        told += 1;
        if ends.is_some_and(|ends| name.contains(ends)) {
            let actor = json!({ "Attributes": { "name": name, "exitCode": "3" } });
            writeln!(to, "{}", json!({ "Type": "container", "Action": "die", "Actor": actor }))?;
        }
    }
}

fn converse(stream: UnixStream, made: &Shared, ends: Option<&str>, ill: &BTreeMap<&'static str, Reply>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((method, path, query, body)) = request(&mut reader) {
        let pattern = pattern(&method, &path);
        let reply = match ill.get(pattern.as_str()) {
            // What is refused to be started was made all the same.
            Some(reply) => reply.clone(),
            None if pattern == "GET /events" => {
                // It ends when nobody listens any more.
                let _ = tell_ends(writer, made, ends);
                return;
            }
            None => {
                let reply = healthy(&pattern, &path, &query, &body, &mut made.0.lock().unwrap());
                made.1.notify_all();
                reply
            }
        };
        let Reply { status, body } = reply;
        let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{length}\r\n");
        if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request on a connection: method, path, query, body.
fn request(reader: &mut impl BufRead) -> Option<(String, String, String, Value)> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    // Versions of the interface are all the same here.
    let path = match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => format!("/{rest}"),
        None => path.to_owned(),
    };
    let path = path.replace("%2F", "/").replace("%3A", ":");
    Some((method, path, query.to_owned(), serde_json::from_slice(&body).unwrap_or_default()))
}

/// A request with its container left out: `POST /containers/ID/start`.
fn pattern(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["containers", "create" | "json"] | [_] => format!("{method} {path}"),
        ["containers", _] => format!("{method} /containers/ID"),
        ["containers", _, what] => format!("{method} /containers/ID/{what}"),
        _ => format!("{method} {path}"),
    }
}

/// What a healthy engine answers.
fn healthy(pattern: &str, path: &str, query: &str, body: &Value, made: &mut Made) -> Reply {
    let name = path.split('/').nth(2).unwrap_or_default().to_owned();
    let answer = match pattern {
        "GET /version" => json!({ "Version": "20.10.24", "ApiVersion": "1.41", "Os": "linux" }),
        "GET /containers/json" => {
            let all = made.containers.iter().map(|name| json!({ "Id": name, "Names": [format!("/{name}")] }));
            Value::Array(all.collect())
        }
        "GET /networks" => Value::Array(made.networks.iter().map(|name| json!({ "Name": name, "Id": name })).collect()),
        "GET /volumes" => json!({ "Volumes": [] }),
        "POST /networks/create" => {
            let name = body["Name"].as_str().unwrap_or_default().to_owned();
            made.networks.insert(name.clone());
            return Reply::json(201, &json!({ "Id": name, "Warning": "" }).to_string());
        }
        "POST /containers/create" => {
            let name = query.split('&').find_map(|part| part.strip_prefix("name=")).unwrap_or("nameless").to_owned();
            made.containers.insert(name.clone());
            return Reply::json(201, &json!({ "Id": name, "Warnings": [] }).to_string());
        }
        "POST /containers/ID/start" => {
            made.started.push(name);
            return Reply::json(204, "");
        }
        "GET /containers/ID/json" => {
            json!({ "Id": name, "State": { "Running": true }, "NetworkSettings": { "Ports": {} } })
        }
        "GET /containers/ID/logs" => return Reply::json(200, ""),
        "DELETE /containers/ID" => {
            made.containers.remove(&name);
            return Reply::json(204, "");
        }
        _ if pattern.starts_with("GET /images/") => json!({ "Id": "sha256:1", "Config": {} }),
        _ if pattern.starts_with("DELETE /networks/") => {
            made.networks.remove(&name);
            return Reply::json(204, "");
        }
        _ if pattern.starts_with("GET /networks/") => json!({ "Name": name, "Id": name, "IPAM": { "Config": [] } }),
        _ => return Reply::message(404, &format!("the double does not know `{pattern}`")),
    };
    Reply::json(200, &answer.to_string())
}
