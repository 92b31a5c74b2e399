//! The storefront: a web shop's back end in front of the order service. It is the one consumer that is no service here,
//! and it is real as far as contracts go: it calls, reads what it needs of the answers and nothing else, and knows what
//! to tell its customer in each case.
//!
//! What it does not read it does not promise itself: an order's trace or its `needs_attention` may go away tomorrow.

use chassis::{Answer, Call, CallError, CallPolicy, Client, Context, Metrics, client::segment};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall_host::Env;

/// The storefront's client of the order service.
pub struct Storefront {
    env: Env,
    order: Client,
}

/// What a customer wants.
#[derive(Debug, Clone, Serialize)]
pub struct Basket {
    /// Who.
    pub customer_id: String,
    /// What.
    pub items: Vec<Item>,
    /// How it is paid.
    pub payment_method: String,
}

/// So many of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// An order, as far as the storefront shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Its name in links.
    pub order_id: String,
    /// How far it is.
    pub status: Status,
    /// What was ordered.
    pub items: Vec<Item>,
    /// What it costs, in minor units.
    pub amount: i64,
    /// What the amount is counted in.
    pub currency: String,
    /// When it was placed, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// Why it was undone, if it was.
    pub cause: Option<Cause>,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Under way.
    Pending,
    /// The customer's.
    Confirmed,
    /// Undone.
    Cancelled,
}

/// Why an order was undone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cause {
    /// In a word.
    pub why: String,
}

/// What came of placing an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is the customer's; the page about it is here.
    Confirmed(Order, String),
    /// It is under way: look again at the page about it.
    UnderWay(Order, String),
    /// The card was refused, for this reason; a new order may be tried with another.
    Declined(String),
    /// There is not enough of this SKU.
    OutOfStock(String),
    /// The goods or the money could not be had, for this reason, which a new order would meet as well.
    Refused(String),
    /// It was cancelled on request before it was confirmed.
    Cancelled,
    /// Something did not answer, and the order is undone. After so many seconds a new order may be tried.
    Undone(u32),
    /// No order was placed. After so many seconds the same may be tried again.
    NotTaken(u32),
    /// The key stands for another basket: a mistake of ours.
    KeyReused,
    /// The basket cannot be ordered; the text is for the customer.
    Invalid(String),
}

/// What came of asking for a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// It will be undone.
    UnderWay,
    /// It is undone.
    Done,
    /// It is confirmed: too late.
    TooLate,
    /// There is no such order.
    Unknown,
}

/// A page of a customer's orders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// Newest first.
    pub orders: Vec<Order>,
    /// What to ask for the next page with; `None` on the last.
    pub next_cursor: Option<String>,
}

/// One thing that happened to an order, for the page that shows its way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Happened {
    /// In a word.
    pub entry: String,
    /// When first, in milliseconds since 1970.
    pub first_at_ms: i64,
}

/// The order service gave no answer that says anything about the order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] CallError),
    /// It says that it is unwell. What was asked may have been done.
    #[error("the order service answers {status}: {kind}")]
    Unwell {
        /// The status, 500 or above.
        status: u16,
        /// The kind of the problem.
        kind: String,
    },
    /// An answer that is not of the contract.
    #[error("an answer {status} is not understood: {why}")]
    NotUnderstood {
        /// Its status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
}

/// What the storefront reads of a problem.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    reason: Option<String>,
    sku: Option<String>,
    order_id: Option<String>,
}

impl Storefront {
    /// Calls the order service as the policy says.
    pub fn new(env: &Env, order: CallPolicy) -> Self {
        Storefront { env: env.clone(), order: Client::new(env, "order", order, &Metrics::default()) }
    }

    /// Places an order. The same key again is the same order.
    pub async fn place(&self, key: &str, basket: &Basket) -> Result<Placed, Failed> {
        let answer = self.ask(Call::post("/api/v1/orders").json(basket).idempotency_key(key)).await?;
        let problem = || read::<Problem>(&answer);
        let needed = |member: Option<String>, name: &str| member.ok_or_else(|| lacks(&answer, name));
        match (answer.status, answer.problem_kind().as_str()) {
            (StatusCode::CREATED, _) => Ok(Placed::Confirmed(read(&answer)?, located(&answer)?)),
            (StatusCode::ACCEPTED, _) => Ok(Placed::UnderWay(read(&answer)?, located(&answer)?)),
            (StatusCode::PAYMENT_REQUIRED, "payment-refused") => {
                Ok(Placed::Declined(needed(problem()?.reason, "reason")?))
            }
            (StatusCode::CONFLICT, "out-of-stock") => Ok(Placed::OutOfStock(needed(problem()?.sku, "sku")?)),
            (_, "payment-refused" | "reservation-refused") => Ok(Placed::Refused(needed(problem()?.reason, "reason")?)),
            (StatusCode::CONFLICT, "order-cancelled") => Ok(Placed::Cancelled),
            (StatusCode::CONFLICT, "idempotency-key-reused") => Ok(Placed::KeyReused),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid") => Ok(Placed::Invalid(needed(problem()?.detail, "detail")?)),
            (StatusCode::SERVICE_UNAVAILABLE, "order-undone") => {
                needed(problem()?.order_id, "order_id")?;
                Ok(Placed::Undone(retry_after(&answer)?))
            }
            (StatusCode::SERVICE_UNAVAILABLE, "breaker-open") => Ok(Placed::NotTaken(retry_after(&answer)?)),
            _ => Err(failed(&answer)),
        }
    }

    /// One order.
    pub async fn order(&self, order_id: &str) -> Result<Option<Order>, Failed> {
        self.find(format!("/api/v1/orders/{}", segment(order_id))).await
    }

    /// The order that was placed under a key, for when the answer was lost.
    pub async fn placed_under(&self, key: &str) -> Result<Option<Order>, Failed> {
        self.find(format!("/api/v1/orders?idempotency_key={}", segment(key))).await
    }

    /// A page of a customer's orders, the one behind `cursor` if there is one; `None` if the cursor is of no use, so that
    /// the customer is shown the first page again.
    pub async fn orders(&self, customer_id: &str, cursor: Option<&str>) -> Result<Option<Page>, Failed> {
        let mut path = format!("/api/v1/orders?customer_id={}&limit=20", segment(customer_id));
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={}", segment(cursor)));
        }
        let answer = self.ask(Call::get(path)).await?;
        match (answer.status, answer.problem_kind().as_str()) {
            (StatusCode::OK, _) => read(&answer).map(Some),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid") if cursor.is_some() => Ok(None),
            _ => Err(failed(&answer)),
        }
    }

    /// What happened to an order, oldest first.
    pub async fn way(&self, order_id: &str) -> Result<Option<Vec<Happened>>, Failed> {
        #[derive(Deserialize)]
        struct Saga {
            entries: Vec<Happened>,
        }
        let saga: Option<Saga> = self.find(format!("/api/v1/orders/{}/saga", segment(order_id))).await?;
        Ok(saga.map(|saga| saga.entries))
    }

    /// Asks for an order to be undone.
    pub async fn cancel(&self, order_id: &str) -> Result<Cancelled, Failed> {
        let path = format!("/api/v1/orders/{}/cancellation", segment(order_id));
        let answer = self.ask(Call::post(path)).await?;
        match (answer.status, answer.problem_kind().as_str()) {
            (StatusCode::ACCEPTED, _) => Ok(Cancelled::UnderWay),
            (StatusCode::OK, _) => Ok(Cancelled::Done),
            (StatusCode::CONFLICT, "already-confirmed") => Ok(Cancelled::TooLate),
            (StatusCode::NOT_FOUND, "not-found") => Ok(Cancelled::Unknown),
            _ => Err(failed(&answer)),
        }
    }

    async fn find<T: DeserializeOwned>(&self, path: String) -> Result<Option<T>, Failed> {
        let answer = self.ask(Call::get(path)).await?;
        match (answer.status, answer.problem_kind().as_str()) {
            (StatusCode::OK, _) => read(&answer).map(Some),
            (StatusCode::NOT_FOUND, "not-found") => Ok(None),
            _ => Err(failed(&answer)),
        }
    }

    async fn ask(&self, call: Call) -> Result<Answer, Failed> {
        Ok(self.order.call(&Context::start(&self.env), call).await?)
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failed> {
    answer.json().map_err(|error| not_understood(answer, error.to_string()))
}

fn located(answer: &Answer) -> Result<String, Failed> {
    let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    location.map(str::to_owned).ok_or_else(|| lacks(answer, "location"))
}

fn retry_after(answer: &Answer) -> Result<u32, Failed> {
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.ok_or_else(|| lacks(answer, "retry-after"))
}

fn lacks(answer: &Answer, name: &str) -> Failed {
    not_understood(answer, format!("it has no `{name}`"))
}

fn not_understood(answer: &Answer, why: String) -> Failed {
    Failed::NotUnderstood { status: answer.status.as_u16(), why }
}

/// An answer that is none to what was asked: a problem of the service itself, or something that is not of it.
fn failed(answer: &Answer) -> Failed {
    let (status, kind) = (answer.status.as_u16(), answer.problem_kind());
    if answer.status.is_server_error() && !kind.is_empty() {
        Failed::Unwell { status, kind }
    } else {
        not_understood(answer, format!("a problem of kind `{kind}`"))
    }
}
