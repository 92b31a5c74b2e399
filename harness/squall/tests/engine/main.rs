//! What keeps a run as containers from a verdict is one paragraph with what to do about it, ends with exit 4, and leaves
//! nothing on the engine. The engine here is a double, which refuses what a real one refuses only on a bad day.

#![expect(clippy::disallowed_methods, reason = "the double is a server of its own")]

mod double;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use double::{Double, Reply};
use tempfile::TempDir;

/// A system of one service that is an image already.
const SYSTEM: &str = "
schema: 1
system: kiosk
services:
  till: { container: { image: 'kiosk/till:1' }, listen: LISTEN, ready: GET /readyz }
operations:
  sell: { call: POST till /sales, succeeded: status == 201 }
reads:
  sales: GET till /sales
invariants:
  some: sales != null
";

const SCENARIO: &str = "
schema: 1
scenario: a-sale
title: A sale is made
system: system.yaml
load: [sell: { rate: 5/s, for: 1s }]
expect: [invariant: some]
";

/// The two files in a folder of their own.
fn kiosk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("system.yaml", SYSTEM), ("a-sale.yaml", SCENARIO)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Plays the scenario on the engine at this address.
fn run_at(folder: &Path, engine: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(["run", "--backend", "container", "a-sale.yaml"]).current_dir(folder).stdin(Stdio::null());
    command.env("DOCKER_HOST", engine).env("SQUALL_PROXY_IMAGE", "kiosk/proxy:1").env("NO_COLOR", "1");
    command.output().unwrap()
}

/// Asks that the run ended for the environment and said all of this.
fn failed_saying(output: &Output, said: &[&str]) {
    let printed = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).join("\n");
    assert_eq!(output.status.code(), Some(4), "{printed}");
    // Lines are wrapped for people.
    let flowing = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in said {
        assert!(flowing.contains(said), "`{said}` is not said:\n{printed}");
    }
}

/// Plays on a double that answers some requests in another way than a healthy engine.
fn refused(ill: &[(&'static str, Reply)], said: &[&str]) -> Double {
    let double = Double::start(ill);
    let folder = kiosk();
    failed_saying(&run_at(folder.path(), &double.address()), said);
    double
}

#[test]
fn there_is_no_engine() {
    failed_saying(&run_at(kiosk().path(), "unix:///nonexistent/docker.sock"), &["no Docker engine is at", "install"]);
}

#[test]
fn nobody_listens_at_the_socket() {
    let folder = kiosk();
    let socket = folder.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let address = format!("unix://{}", socket.display());
    failed_saying(&run_at(folder.path(), &address), &["does not accept connections", "start it"]);
}

#[test]
fn the_engine_is_too_old() {
    let version = Reply::json(200, r#"{"Version":"19.03.15","ApiVersion":"1.40","Os":"linux"}"#);
    refused(&[("GET /version", version)], &["is too old", "19.03.15", "Docker Engine 20.10"]);
}

#[test]
fn an_image_is_not_there_and_cannot_be_pulled() {
    let missing = Reply::message(404, "No such image: kiosk/till:1");
    let unreachable = Reply::message(500, "Get https://registry-1.docker.io/v2/: dial tcp: no such host");
    let ill = [("GET /images/kiosk/till:1/json", missing), ("POST /images/create", unreachable)];
    refused(&ill, &["`kiosk/till:1` is not on the engine and could not be pulled", "no such host", "docker pull"]);
}

#[test]
fn the_network_cannot_be_made() {
    let full = Reply::message(
        404,
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
    );
    let said = ["the run's network could not be made", "docker network prune"];
    refused(&[("POST /networks/create", full)], &said).left_nothing();
}

#[test]
fn the_disk_is_full() {
    let full = Reply::message(500, "mkdir /var/lib/docker/overlay2/3f: no space left on device");
    let said = ["could not be started", "no space left on device", "docker system prune"];
    refused(&[("POST /containers/create", full)], &said).left_nothing();
}

#[test]
fn a_port_is_taken() {
    let taken = Reply::message(
        500,
        "driver failed programming external connectivity: Bind for 127.0.0.1:4711 failed: port is already allocated",
    );
    let said = ["could not be started", "port is already allocated", "docker ps"];
    refused(&[("POST /containers/ID/start", taken)], &said).left_nothing();
}

#[test]
fn the_program_of_an_image_is_not_there() {
    let absent = Reply::message(
        400,
        "failed to create shim: OCI runtime create failed: exec: \"/till\": stat /till: no such file or directory",
    );
    refused(&[("POST /containers/ID/start", absent)], &["could not be started", "ENTRYPOINT"]).left_nothing();
}

#[test]
fn a_container_ends_at_once() {
    // As the engine sends it: the stream, the length, and what was written.
    let log = Reply::json(200, "\u{1}\0\0\0\0\0\0\u{11}no DATABASE_URL!\n");
    let double = Double::where_ends(Some("till"), &[("GET /containers/ID/logs", log)]);
    let began = std::time::Instant::now();
    let output = run_at(kiosk().path(), &double.address());
    failed_saying(&output, &["`till`", "ended with exit status 3 before it was ready", "no DATABASE_URL!"]);
    // Not after the twenty seconds that a service has to become ready. Loaded machines take their time.
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    double.left_nothing();
}

#[test]
fn the_proxys_container_ends_at_once() {
    let double = Double::where_ends(Some("-proxy"), &[]);
    failed_saying(&run_at(kiosk().path(), &double.address()), &["the proxy", "exit status 3"]);
    double.left_nothing();
}

#[test]
fn the_engine_stops_telling_what_happens() {
    let said = ["is not heard any more", "docker info"];
    refused(&[("GET /events", Reply::json(200, ""))], &said).left_nothing();
}
