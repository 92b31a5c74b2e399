//! The order service in this process on real sockets, over the real inventory and payment or over a stub.

use std::{collections::BTreeMap, future::Future, path::Path, time::Duration};

use chassis::{Answer, Call, CallPolicy, Client, Context, Metrics, Server, config::BaseUrl};
use chassis_testing::postgres;
use serde_json::{Value, json};
use squall_host::{Env, real::Real};
use tempfile::TempDir;

/// What runs, and a client for each.
pub(crate) struct Shop {
    pub(crate) env: Env,
    servers: Vec<Server>,
    pub(crate) order: Client,
    pub(crate) inventory: Client,
    pub(crate) payment: Client,
}

pub(crate) fn env() -> Env {
    Env::new(Real::new())
}

fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A client that tries once and waits long.
pub(crate) fn client(env: &Env, address: &str) -> Client {
    let base = BaseUrl { authority: address.to_owned() };
    Client::new(env, "service", CallPolicy::once(base, Duration::from_secs(30)), &Metrics::default())
}

/// A folder and a database for order's instances.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) database_url: String,
}

impl Site {
    pub(crate) fn sqlite() -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let database_url = format!("sqlite:{}", chassis_testing::database(folder.path()).display());
        Site { folder, database_url }
    }

    /// Nothing where no PostgreSQL can be had; the screen says why.
    pub(crate) async fn postgres() -> Option<Site> {
        let database = postgres::shared().await?.database().await;
        let folder = tempfile::tempdir().expect("a folder");
        Some(Site { folder, database_url: database.url().to_owned() })
    }
}

/// Starts the order service against these addresses, with further variables that win over the usual ones.
pub(crate) async fn start_order(
    env: &Env,
    folder: &Path,
    inventory: &str,
    payment: &str,
    further: &[(&str, &str)],
) -> Server {
    let database = format!("sqlite:{}", chassis_testing::database(folder).display());
    let (inventory, payment) = (format!("http://{inventory}"), format!("http://{payment}"));
    let attempts = r#"{"at_most":2,"first_gap_at_least_ms":5,"longest_gap_ms":20}"#;
    let mut variables = variables(&[
        ("LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", &database),
        ("INVENTORY_URL", &inventory),
        ("INVENTORY_EVENTS_URL", &inventory),
        ("PAYMENT_URL", &payment),
        // Long enough for any machine: only a test that wants a timeout has a shorter one.
        ("INVENTORY_TIMEOUT_MS", "20000"),
        ("PAYMENT_TIMEOUT_MS", "20000"),
        ("INVENTORY_ATTEMPTS", attempts),
        ("PAYMENT_ATTEMPTS", attempts),
        ("ORDER_WAIT_MS", "20000"),
        ("REQUEST_TIMEOUT_MS", "30000"),
        ("UNDO_FIRST_GAP_MS", "5"),
        ("UNDO_LONGEST_GAP_MS", "20"),
        ("UNDO_PATIENCE", "2"),
        ("LEASE_MS", "1000"),
    ]);
    variables.extend(self::variables(further));
    chassis::start(env, variables, order::service::build).await.expect("order starts")
}

impl Shop {
    /// All three services.
    pub(crate) async fn whole(folder: &Path) -> Shop {
        let env = env();
        let own = |name: &str| {
            let database = format!("sqlite:{}", folder.join(name).display());
            variables(&[("LISTEN", "127.0.0.1:0"), ("DATABASE_URL", &database)])
        };
        let inventory =
            chassis::start(&env, own("inventory.db"), inventory::service::build).await.expect("inventory starts");
        let payment = chassis::start(&env, own("payment.db"), payment::service::build).await.expect("payment starts");
        let order = start_order(&env, folder, inventory.address(), payment.address(), &[]).await;
        Shop {
            order: client(&env, order.address()),
            inventory: client(&env, inventory.address()),
            payment: client(&env, payment.address()),
            servers: vec![order, inventory, payment],
            env,
        }
    }

    pub(crate) async fn ask(&self, client: &Client, call: Call) -> Answer {
        client.call(&Context::start(&self.env), call).await.expect("an answer to its end")
    }

    /// The body of a GET at the order service.
    pub(crate) async fn get(&self, path: &str) -> Value {
        body(&self.ask(&self.order, Call::get(path)).await)
    }

    pub(crate) async fn stock_up(&self, sku: &str, quantity: i64) {
        let path = format!("/api/v1/stock/{sku}/receipts/first");
        let answer = self.ask(&self.inventory, Call::put(path).json(&json!({ "quantity": quantity }))).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    /// The counts of one SKU: on hand, reserved, sold.
    pub(crate) async fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let stock = body(&self.ask(&self.inventory, Call::get(format!("/api/v1/stock/{sku}"))).await);
        let count = |name: &str| stock[name].as_i64().unwrap_or(-1);
        (count("on_hand"), count("reserved"), count("sold"))
    }

    pub(crate) async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
    }
}

/// An order of widgets.
pub(crate) fn widgets(key: &str, quantity: i64, payment_method: &str) -> Call {
    let items = json!([{ "sku": "widget", "quantity": quantity }]);
    let body = json!({ "customer_id": "ada", "items": items, "payment_method": payment_method });
    Call::post("/api/v1/orders").json(&body).idempotency_key(key)
}

pub(crate) fn body(answer: &Answer) -> Value {
    answer.json().unwrap_or_default()
}

/// Asks again and again until it is as wished. Fails after a minute, which no machine needs.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    patience.await.unwrap_or_else(|_| panic!("it never came about that {what}"));
}
