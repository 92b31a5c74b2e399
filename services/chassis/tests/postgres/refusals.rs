//! What cannot be used is said when the service starts, with the remedy and without the password.

use std::time::Duration;

use chassis::{
    Env, StoreError,
    config::{DatabaseUrl, PostgresUrl, Value},
};
use chassis_testing::postgres;
use squall_host::real::Real;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{FIRST, balance, opened, opened_at};

fn address(url: &str) -> PostgresUrl {
    match DatabaseUrl::parse(url) {
        Ok(DatabaseUrl::Postgres(url)) => url,
        other => panic!("the URL of a server: {other:?}"),
    }
}

/// The parts of a URL between its punctuation: user, password, host and port, database.
fn parts(url: &str) -> [&str; 4] {
    let (login, place) = url.strip_prefix("postgres://").and_then(|rest| rest.split_once('@')).expect("a login");
    let ((user, password), (host, database)) = (login.split_once(':').unwrap(), place.split_once('/').unwrap());
    [user, password, host, database]
}

async fn refusal(url: &str) -> String {
    let error = opened_at(&address(url), &[FIRST]).await.err().expect("it is refused");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_login_that_is_refused_names_the_remedy_and_not_the_password() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let [user, password, host, name] = parts(database.url());
    for (wrong, says) in [
        (format!("postgres://{user}:hunter2@{host}/{name}"), "give the right user and password in `DATABASE_URL`"),
        (format!("postgres://nobody:hunter2@{host}/{name}"), "give the right user and password in `DATABASE_URL`"),
        (format!("postgres://{user}@{host}/{name}"), "give the user's password in `DATABASE_URL`"),
        (format!("postgres://{user}:{password}@{host}/nowhere"), "make it with `createdb`"),
    ] {
        let said = refusal(&wrong).await;
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("hunter2") && !said.contains(password), "{said}");
    }
}

#[tokio::test]
async fn a_user_who_may_make_no_tables_is_told_so_unless_they_are_there() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let [.., host, name] = parts(database.url());
    let role = format!("guest_of_{name}");
    let client = database.client().await;
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'guest'")).await.unwrap();
    client.batch_execute("REVOKE CREATE ON SCHEMA public FROM public").await.unwrap();
    let url = address(&format!("postgres://{role}:guest@{host}/{name}"));
    let error = opened_at(&url, &[FIRST]).await.err().expect("it is refused").to_string();
    assert!(error.contains("permission denied") && error.contains("make tables in it"), "{error}");

    opened(&database, &[FIRST]).await.expect("who may make them does");
    client.batch_execute(&format!("GRANT SELECT ON accounts, schema_history TO {role}")).await.unwrap();
    let store = opened_at(&url, &[FIRST]).await.expect("there is nothing to make");
    assert_eq!(balance(&store, "ada").await, Ok(None));
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

/// A listener that says what an old server would: that one may come in, and its version.
#[tokio::test]
async fn a_server_that_is_too_old_is_named() {
    let env = Env::new(Real::new());
    let mut listener = env.listen("127.0.0.1:0").await.unwrap();
    let url = address(&format!("postgres://ada:secret@{}/orders", listener.address()));
    let server = async {
        let mut client = listener.accept().await.unwrap();
        assert!(client.read(&mut [0; 512]).await.unwrap() > 0);
        let welcome = message(b'R', &[0, 0, 0, 0]);
        let version = message(b'S', b"server_version\09.6.24\0");
        let ready = message(b'Z', b"I");
        client.write_all(&[welcome, version, ready].concat()).await.unwrap();
        let _ = client.read(&mut [0; 1]).await;
    };
    let (error, ()) = tokio::join!(opened_at(&url, &[FIRST]), server);
    let error = error.err().expect("it is refused").to_string();
    assert!(error.contains("PostgreSQL `9.6.24`: give at least version 14"), "{error}");
}

/// A message as the server writes it: its kind, its length with the length itself, and what it says.
fn message(kind: u8, says: &[u8]) -> Vec<u8> {
    let length = u32::try_from(says.len() + 4).unwrap();
    [&[kind], length.to_be_bytes().as_slice(), says].concat()
}

#[tokio::test]
async fn what_is_no_postgresql_server_is_waited_for_and_said_so() {
    let env = Env::new(Real::new());
    let mut listener = env.listen("127.0.0.1:0").await.unwrap();
    let url = address(&format!("postgres://ada:secret@{}/orders", listener.address()));
    let server = async {
        loop {
            let mut client = listener.accept().await.unwrap();
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    let store = tokio::select! {
        store = opened_at(&url, &[FIRST]) => store.expect("it may pass"),
        () = server => unreachable!("it serves for ever"),
    };
    let error = tokio::time::timeout(Duration::from_secs(5), store.ping()).await.expect("at once").unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
