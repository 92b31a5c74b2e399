//! What becomes of connections when a proxy is disabled, changed, reset or ends with its server.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::*;

#[tokio::test]
async fn a_disabled_proxy_closes_its_connections_and_refuses_new_ones() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    for method in ["POST", "PATCH"] {
        let mut stream = live(proxy).await;
        let disabled = api.sent(method, "/proxies/p", json!({"enabled": false}), 200).await;
        assert_eq!(disabled["enabled"], false);
        assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
        assert!(soon(TcpStream::connect(proxy)).await.is_err());
        let enabled = api.sent(method, "/proxies/p", json!({"enabled": true}), 200).await;
        assert_eq!(enabled["listen"], proxy.to_string());
        live(proxy).await;
    }
}

#[tokio::test]
async fn toxics_outlive_that_their_proxy_is_disabled_and_may_be_made_meanwhile() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.sent("POST", "/proxies/p", json!({"enabled": false}), 200).await;
    api.toxic("limit_data", "downstream", json!({"bytes": 3})).await;
    api.sent("POST", "/proxies/p", json!({"enabled": true}), 200).await;
    let mut stream = connect(proxy).await;
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(rest(&mut stream).await.0, b"hel");
}

#[tokio::test]
async fn another_upstream_closes_connections_and_another_word_for_one_address_does_not() {
    let api = api().await;
    let (first, second) = (echo_callee().await, echo_callee().await);
    let proxy = api.proxy(first).await;
    let mut stream = live(proxy).await;
    let alike = json!({"listen": format!("localhost:{}", proxy.port()), "upstream": first.to_string()});
    let same = api.sent("PATCH", "/proxies/p", alike, 200).await;
    assert_eq!(same["listen"], proxy.to_string());
    echo(&mut stream, b"still here").await;
    api.sent("PATCH", "/proxies/p", json!({"upstream": second.to_string()}), 200).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    live(proxy).await;
}

#[tokio::test]
async fn reset_removes_all_toxics_and_enables_every_proxy() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.toxic("bandwidth", "upstream", json!({"rate": 0})).await;
    api.sent("POST", "/proxies/p", json!({"enabled": false}), 200).await;
    let answer = api.send("POST", "/reset", "", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let shown = api.get("/proxies/p").await;
    assert_eq!((&shown["enabled"], &shown["toxics"]), (&json!(true), &json!([])));
    live(proxy).await;
}

#[tokio::test]
async fn a_connection_without_an_upstream_is_accepted_and_closed() {
    let api = api().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut stream = connect(api.proxy(gone).await).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
}

#[tokio::test]
async fn a_deleted_proxy_and_a_stopped_server_close_what_is_open() {
    let api = api().await;
    let callee = echo_callee().await;
    let proxy = api.proxy(callee).await;
    let mut stream = live(proxy).await;
    api.sent("DELETE", "/proxies/p", Value::Null, 204).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));

    let proxy = api.proxy(callee).await;
    let mut stream = live(proxy).await;
    let mut idle = connect(api.addr).await;
    idle.write_all(b"GET /version HTTP/1.1\r\nhost: squall\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\"git\"}\n") {
        answer.push(soon(idle.read_u8()).await.unwrap());
    }
    api.stop().await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    assert_eq!(rest(&mut idle).await, (vec![], Ended::Closed));
    assert!(soon(TcpStream::connect(proxy)).await.is_err());
}
