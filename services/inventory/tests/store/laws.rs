//! One command after another.

use chassis::config::DatabaseUrl;
use chassis_testing::{Databases, on_every_database};
use inventory::store;
use proptest::collection::vec;
use squall_host::{Env, real::Real};

use crate::model::{Contents, Model, command};

on_every_database! { every_sequence_of_commands_does_what_the_model_says }

async fn every_sequence_of_commands_does_what_the_model_says(databases: &Databases) {
    databases.for_all(vec(command(), 1..60), async |commands| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let mut model = Model::default();
        for command in &commands {
            assert_eq!(command.on(&*store).await, Ok(model.answers(command)), "{command:?}");
        }
        assert_eq!(Contents::of(&*store).await, model.contents());
    });
}

const LAWFUL: &str = "INSERT INTO stock (sku, received, on_hand, reserved, sold) VALUES ('a', 5, 3, 2, 0)";
const UNLAWFUL: [&str; 4] = ["on_hand = 4", "sold = 1", "received = 6", "on_hand = 6, reserved = -1"];

#[tokio::test]
async fn no_statement_can_break_the_law_of_conservation_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stock.db");
    let path = file.display().to_string();
    store::sqlite::SqliteStore::open(&Env::new(Real::new()), &path).await.expect("it opens");
    let file = rusqlite::Connection::open(file).expect("the same file");
    file.execute(LAWFUL, []).expect("lawful");
    for unlawful in UNLAWFUL {
        assert!(file.execute(&format!("UPDATE stock SET {unlawful}"), []).is_err(), "{unlawful}");
    }
}

#[tokio::test]
async fn no_statement_can_break_the_law_of_conservation_in_postgres() {
    let Some(Databases::Postgres(database)) = Databases::postgres().await else { return };
    let limits = chassis::config::DatabaseLimits::default();
    let here = chassis::config::Database { url: DatabaseUrl::Postgres(database.address()), limits };
    store::open(&Env::new(Real::new()), &here).await.expect("it opens");
    let client = database.client().await;
    client.execute(LAWFUL, &[]).await.expect("lawful");
    for unlawful in UNLAWFUL {
        let refused = client.execute(&format!("UPDATE stock SET {unlawful}"), &[]).await;
        assert!(refused.is_err(), "{unlawful}");
    }
}
