//! Requests and answers: bounded in time and length, tried again where that may help, never to another origin.

use std::{error::Error as _, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};
use serde_json::Value;
use tokio::time::sleep;

use super::{Auth, REQUEST_WITHIN, TRIES, link::encoded, understood};
use crate::error::Error;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The gap before the second try; it doubles with each.
const FIRST_GAP: Duration = Duration::from_millis(500);

/// The way to one broker.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    base: Url,
    auth: Option<Auth>,
    pub(crate) first_gap: Duration,
}

/// How one try went, when it did not go well.
enum Failed {
    /// It may go well if it is tried again.
    MayPass(Error),
    /// It will not.
    ForGood(Error),
}

impl Http {
    pub(crate) fn new(base: &str, auth: Option<Auth>) -> Result<Http, Error> {
        // The address may hold a password by mistake: what is wrong with it is told without it.
        let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let mut url = url.ok_or_else(|| {
            Error::Mistake("the broker's address is none: write it as `https://broker.example`".to_owned())
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Mistake(
                "the broker's address holds a user or a password: set PACT_BROKER_TOKEN, or PACT_BROKER_USERNAME and \
                 PACT_BROKER_PASSWORD, in the environment"
                    .to_owned(),
            ));
        }
        url.set_query(None);
        url.set_fragment(None);
        // Whoever links this beside others may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("squall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .timeout(REQUEST_WITHIN)
            // Where it leads is told instead: credentials do not follow.
            .redirect(Policy::none())
            .build()
            .map_err(|why| Error::Unreachable { url: url.to_string(), why: in_words(&why) })?;
        Ok(Http { client, base: url, auth, first_gap: FIRST_GAP })
    }

    pub(crate) fn base(&self) -> String {
        self.base.to_string()
    }

    /// The address of the matrix, as the broker's own client writes it.
    pub(crate) fn matrix(&self, participant: &str, version: &str, environment: &str) -> String {
        let (participant, version, environment) = (encoded(participant), encoded(version), encoded(environment));
        let base = self.base.as_str().trim_end_matches('/');
        format!(
            "{base}/matrix?q%5B%5D%5Bpacticipant%5D={participant}&q%5B%5D%5Bversion%5D={version}&latestby=cvp\
             &environment={environment}"
        )
    }

    pub(crate) async fn get(&self, href: &str) -> Result<Value, Error> {
        self.ask(Method::GET, href, None).await
    }

    pub(crate) async fn send(&self, method: &str, href: &str, body: &Value) -> Result<Value, Error> {
        let method = match method {
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => Method::POST,
        };
        self.ask(method, href, Some(body)).await
    }

    async fn ask(&self, method: Method, href: &str, body: Option<&Value>) -> Result<Value, Error> {
        let url = self.own(href)?;
        let mut gap = self.first_gap;
        let mut tries = 1;
        loop {
            let failed = match self.try_once(&method, &url, body).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::MayPass(error)) => error,
            };
            if tries == TRIES {
                return Err(match failed {
                    Error::Unreachable { url, why } => Error::Unreachable {
                        url,
                        why: format!("{why} ({TRIES} tries); is the address right, and the broker up?"),
                    },
                    other => other,
                });
            }
            sleep(gap).await;
            gap *= 2;
            tries += 1;
        }
    }

    /// A link of this broker.
    fn own(&self, href: &str) -> Result<Url, Error> {
        let not_understood = |why: String| Error::NotABroker { url: self.base.to_string(), why };
        let url = Url::parse(href).map_err(|why| not_understood(format!("a link is no address (`{href}`): {why}")))?;
        if url.origin() == self.base.origin() {
            return Ok(url);
        }
        Err(not_understood(format!(
            "a link leads elsewhere, to `{}`: give that as the broker's address if it is the broker, or correct the \
             broker's own base address",
            url.origin().ascii_serialization()
        )))
    }

    async fn try_once(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Value, Failed> {
        let mut request =
            self.client.request(method.clone(), url.clone()).header(header::ACCEPT, "application/hal+json");
        request = self.signed(request);
        if let Some(body) = body {
            let kind = if *method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
            request = request.header(header::CONTENT_TYPE, kind).body(body.to_string());
        }
        let unreachable = |why: &reqwest::Error| Error::Unreachable { url: url.to_string(), why: in_words(why) };
        let answer = request.send().await.map_err(|why| {
            // A certificate does not become a better one.
            if is_of_tls(&why) { Failed::ForGood(unreachable(&why)) } else { Failed::MayPass(unreachable(&why)) }
        })?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let text = text_of(answer).await.map_err(|why| {
            let why = Error::Unreachable { url: url.to_string(), why: format!("its answer broke off: {why}") };
            Failed::MayPass(why)
        })?;
        self.understood(url, status, &headers, &text)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.auth {
            Some(Auth::Token(token)) => request.bearer_auth(token),
            Some(Auth::Basic { user, password }) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }

    fn understood(
        &self,
        url: &Url,
        status: StatusCode,
        headers: &header::HeaderMap,
        text: &str,
    ) -> Result<Value, Failed> {
        let url = url.to_string();
        let header = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            let remedy = match &self.auth {
                None => "set PACT_BROKER_TOKEN, or PACT_BROKER_USERNAME and PACT_BROKER_PASSWORD, in the environment",
                Some(_) => {
                    "what the environment gives (PACT_BROKER_TOKEN, or PACT_BROKER_USERNAME and \
                            PACT_BROKER_PASSWORD) is not accepted"
                }
            };
            return Err(Failed::ForGood(Error::NotAllowed { url, status: status.as_u16(), remedy: remedy.to_owned() }));
        }
        if status.is_redirection() {
            let to = header(header::LOCATION).unwrap_or("nowhere");
            let why = format!("it redirects to `{to}`: give that as the broker's address, if it is the broker");
            return Err(Failed::ForGood(Error::NotABroker { url, why }));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let why = format!("it answers {status}");
            return Err(Failed::MayPass(Error::Unreachable { url, why }));
        }
        if status.is_success() && text.trim().is_empty() {
            return Ok(Value::Null);
        }
        let kind = header(header::CONTENT_TYPE).unwrap_or("no content type").to_owned();
        let json: Value = serde_json::from_str(text).map_err(|_| {
            let begins: String = text.trim_start().chars().take(60).collect();
            let why = format!(
                "it answers {status} with {kind}, which is not a Pact Broker's JSON (`{begins}`): is the address that of \
                 the broker itself?"
            );
            Failed::ForGood(Error::NotABroker { url: url.clone(), why })
        })?;
        if status.is_success() {
            return Ok(json);
        }
        Err(Failed::ForGood(understood::refusal(status.as_u16(), &json)))
    }
}

/// The body, as far as it may go.
async fn text_of(mut answer: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|why| in_words(&why))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("it is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// What happened, without the address, which stands beside it already.
fn in_words(why: &reqwest::Error) -> String {
    if why.is_timeout() {
        let limit = if why.is_connect() { CONNECT_WITHIN } else { REQUEST_WITHIN };
        return format!("no answer within {limit:?}");
    }
    // The last of the causes is what the system said.
    let mut last: &dyn std::error::Error = why;
    while let Some(source) = last.source() {
        last = source;
    }
    if is_of_tls(why) {
        return format!(
            "its certificate is not accepted: {last}; if it is of your own authority, name the authority's file in \
             SSL_CERT_FILE"
        );
    }
    last.to_string()
}

/// An I/O error hides what it wraps from the chain of causes.
fn is_of_tls(why: &reqwest::Error) -> bool {
    let mut cause = why.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}
