//! The program: its options, its errors, and its end.

use std::process::{Output, Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::support::*;

fn program(options: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_squall-proxy"));
    program.args(options).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    program
}

async fn ended(options: &[&str]) -> Output {
    soon(program(options).output()).await.unwrap()
}

/// A running program, and where its API is.
async fn started(options: &[&str]) -> (Child, std::net::SocketAddr) {
    let mut child = program(options).spawn().unwrap();
    let mut line = String::new();
    soon(BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line)).await.unwrap();
    let addr = line.trim_end().strip_prefix("squall-proxy listens on http://").unwrap().parse().unwrap();
    (child, addr)
}

async fn asked(addr: std::net::SocketAddr, request: &str, body: &str) -> String {
    let mut stream = connect(addr).await;
    let head = format!("{request} HTTP/1.1\r\nhost: squall\r\nconnection: close\r\ncontent-length: {}", body.len());
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn it_listens_on_loopback_and_says_the_version_it_is_told() {
    let (_child, addr) = started(&["--port", "0", "--version-text", "2.12.0"]).await;
    assert!(addr.ip().is_loopback());
    assert_eq!(asked(addr, "GET /version", "").await, "{\"version\": \"2.12.0\"}\n");
}

#[tokio::test]
async fn a_signal_ends_it_in_order() {
    for signal in ["TERM", "INT"] {
        let (mut child, addr) = started(&["--port", "0", "--seed", "7"]).await;
        let wanted = format!(r#"{{"name":"p","listen":"127.0.0.1:0","upstream":"{}"}}"#, echo_callee().await);
        let made: serde_json::Value = serde_json::from_str(&asked(addr, "POST /proxies", &wanted).await).unwrap();
        let mut stream = live(made["listen"].as_str().unwrap().parse().unwrap()).await;
        let pid = child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap().success());
        assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
        assert!(soon(child.wait()).await.unwrap().success(), "{signal}");
    }
}

#[tokio::test]
async fn a_signal_ends_sessions_in_order_and_waits_for_nobody() {
    let (mut child, addr) = started(&["--port", "0"]).await;
    let long = std::time::Duration::from_secs(600);
    let control = soon(squall_proxy::client::Control::connect(addr, long)).await.unwrap();
    let session = soon(control.open_session(long, |_, _| {})).await.unwrap();
    let link = squall_proxy::client::LinkSpec::Calls(crate::link::config(vec![echo_callee().await]));
    let link = soon(session.start(link)).await.unwrap();
    let mut stream = live(link.addr()).await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().await.unwrap().success());
    // Otherwise its evidence would have broken off.
    assert_eq!(soon(session.lost()).await, "the proxy was stopped");
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset));
    assert!(soon(child.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_asks_another_of_its_kind_whether_that_is_well() {
    let (_child, addr) = started(&["--port", "0"]).await;
    let port = addr.port().to_string();
    for options in [["health", "--port", &port], ["--port", &port, "health"]] {
        let output = ended(&options).await;
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
    assert!(ended(&["--host", "0.0.0.0", "--port", &port, "health"]).await.status.success());
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let output = ended(&["health", "--port", &nobody.port().to_string()]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("error: no `squall-proxy` answers at `{nobody}`: ")), "{said}");
}

#[tokio::test]
async fn a_port_that_is_taken_ends_it_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let output = ended(&["--port", &at.port().to_string()]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("error: cannot listen on `{at}`: ")), "{said}");
    assert!(said.ends_with("choose another with --host and --port, or --port 0 for a free one\n"), "{said}");
}

#[tokio::test]
async fn options_that_mean_nothing_are_named() {
    for options in [["--port", "70000"], ["--host", "nowhere"], ["--seed", "x"]] {
        let output = ended(&options).await;
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(options[0]) && said.contains(options[1]), "{said}");
    }
}
