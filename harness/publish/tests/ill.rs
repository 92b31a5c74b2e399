//! Brokers that are none, or are ill: each is told by name, with the remedy, in bounded time.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use squall_publish::{Broker, Error, Exchange};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls};

/// A listener that treats each connection as it likes; it stops when it is dropped.
struct Ill {
    address: String,
    tries: Arc<AtomicU32>,
    serving: JoinHandle<()>,
}

impl Drop for Ill {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Ill {
    #[expect(
        clippy::disallowed_methods,
        reason = "a double in a test: its socket and its task are real, and end with it"
    )]
    async fn start<F>(treat: impl Fn(u32, TcpStream) -> F + Send + 'static) -> Ill
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let n = counted.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::spawn(treat(n, stream));
            }
        });
        Ill { address, tries, serving }
    }

    /// One that gives every request the same answer.
    async fn answers(answer: &'static str) -> Ill {
        Ill::start(move |_, stream| answer_once(stream, answer)).await
    }

    async fn told(&self) -> String {
        ask(&format!("http://{}", self.address)).await.unwrap_err().to_string()
    }
}

/// Reads the head of a request, answers, and closes.
async fn answer_once(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn ask(url: &str) -> Result<Vec<String>, Error> {
    let broker = Broker::at(url, None).unwrap().with_first_gap(Duration::from_millis(1));
    Exchange::Broker(broker).environments().await
}

#[tokio::test]
async fn a_page_for_people_is_no_broker() {
    let ill =
        Ill::answers("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\n\r\n<html>Welcome</html>")
            .await;
    let told = ill.told().await;
    assert!(told.contains("200 OK with text/html") && told.contains("<html>Welcome"), "{told}");
    assert_eq!(ill.tries.load(Ordering::Relaxed), 1, "it would be the same again");
}

#[tokio::test]
async fn json_without_links_is_no_broker() {
    let ill = Ill::answers("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}").await;
    let told = ill.told().await;
    assert!(told.contains("there is no link `pb:environments`"), "{told}");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let ill =
        Ill::answers("HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/login\r\ncontent-length: 0\r\n\r\n")
            .await;
    let told = ill.told().await;
    assert!(told.contains("it redirects to `https://elsewhere.example/login`"), "{told}");
}

#[tokio::test]
async fn a_link_to_another_origin_is_not_followed() {
    let body = r#"{"_links":{"pb:environments":{"href":"http://elsewhere.example/environments"}}}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/hal+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let ill = Ill::answers(answer.leak()).await;
    let told = ill.told().await;
    assert!(told.contains("a link leads elsewhere, to `http://elsewhere.example`"), "{told}");
}

#[tokio::test]
async fn what_breaks_off_is_tried_again_and_then_told() {
    let ill = Ill::answers(
        "HTTP/1.1 200 OK\r\ncontent-type: application/hal+json\r\ncontent-length: 900\r\n\r\n{\"_links\":",
    )
    .await;
    let told = ill.told().await;
    assert!(told.contains("its answer broke off") && told.contains("(4 tries)"), "{told}");
    assert_eq!(ill.tries.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let body =
        r#"{"_links":{"pb:environments":{"href":"BASE/e"}},"_embedded":{"environments":[{"name":"production"}]}}"#;
    let ill = Ill::start(move |n, stream| async move {
        let base = format!("http://{}", stream.local_addr().unwrap());
        let body = body.replace("BASE", &base);
        let well = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/hal+json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        match n {
            1 => drop(stream),
            2 | 4 => answer_once(stream, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await,
            _ => answer_once(stream, &well).await,
        }
    })
    .await;
    assert_eq!(ask(&format!("http://{}", ill.address)).await.unwrap(), ["production"]);
}

#[tokio::test]
async fn nobody_there_is_told_after_all_tries() {
    let gone = { Ill::answers("").await.address.clone() };
    let told = ask(&format!("http://{gone}")).await.unwrap_err().to_string();
    assert!(told.contains("cannot be reached") && told.contains("(4 tries)"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_given_up() {
    let ill = Ill::start(|_, stream| async move {
        // It takes the request, and says nothing for ever.
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let told = ill.told().await;
    assert!(told.contains("no answer within 30s (4 tries)"), "{told}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let ill = Ill::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_once(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            }
        }
    })
    .await;
    let told = ask(&format!("https://{}", ill.address)).await.unwrap_err().to_string();
    assert!(told.contains("its certificate is not accepted") && told.contains("SSL_CERT_FILE"), "{told}");
    assert_eq!(ill.tries.load(Ordering::Relaxed), 1, "it does not become a better one");
}
