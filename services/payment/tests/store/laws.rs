//! One command after another.

use chassis::config::{Database, DatabaseLimits, DatabaseUrl};
use chassis_testing::{Databases, on_every_database};
use payment::domain::PaymentId;
use payment::store;
use proptest::collection::vec;
use squall_host::{Env, real::Real};

use crate::model::{Contents, Model, command};

on_every_database! { every_sequence_of_commands_does_what_the_model_says }

async fn every_sequence_of_commands_does_what_the_model_says(databases: &Databases) {
    databases.for_all(vec(command(), 1..60), async |commands| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let mut model = Model::default();
        for (at, command) in commands.iter().enumerate() {
            let id = PaymentId::new(format!("pay_{at:04}"));
            assert_eq!(command.on(&*store, &id).await, Ok(model.answers(command, &id)), "{command:?}");
        }
        assert_eq!(Contents::of(&*store).await, model.contents());
    });
}

const ORDER: &str = "INSERT INTO orders (order_id, closed, at_ms) VALUES ('o', NO, 0)";
const DECLINED: &str = "INSERT INTO charges (idempotency_key, payment_id, order_id, amount, currency, payment_method, \
                        outcome, refunded, at_ms) VALUES ('k', 'p', 'o', 1, 'EUR', 'pm_declined', 'card-declined', ";

#[tokio::test]
async fn only_what_was_captured_can_be_refunded_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("payments.db");
    let path = file.display().to_string();
    store::sqlite::SqliteStore::open(&Env::new(Real::new()), &path).await.expect("it opens");
    let file = rusqlite::Connection::open(file).expect("the same file");
    file.execute(&ORDER.replace("NO", "0"), []).expect("an order");
    assert!(file.execute(&format!("{DECLINED} 1, 0)"), []).is_err());
    assert!(file.execute(&format!("{DECLINED} 0, 0)"), []).is_ok());
}

#[tokio::test]
async fn only_what_was_captured_can_be_refunded_in_postgres() {
    let Some(Databases::Postgres(database)) = Databases::postgres().await else { return };
    let here = Database { url: DatabaseUrl::Postgres(database.address()), limits: DatabaseLimits::default() };
    store::open(&Env::new(Real::new()), &here).await.expect("it opens");
    let client = database.client().await;
    client.execute(&ORDER.replace("NO", "FALSE"), &[]).await.expect("an order");
    assert!(client.execute(&format!("{DECLINED} TRUE, 0)"), &[]).await.is_err());
    assert!(client.execute(&format!("{DECLINED} FALSE, 0)"), &[]).await.is_ok());
}
