//! A service's own PostgreSQL.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};
use squall_scenario::model::Service;

use super::{
    names::{Names, POSTGRES_PORT, database_of, random_hex},
    specification::Specification,
};
use crate::{
    backend::{Address, Failed},
    ready::Sign,
};

/// What it says when it takes connections over the network. The first, temporary server of the official image says
/// that it is ready too, but does not listen there.
const READY: Sign = Sign::Lines("listening on IPv4 address", "ready to accept connections");

/// What a server is started with, beside the image's own: durability as in production, for a scenario that restarts it
/// must not lose what it acknowledged; and small, because there is one for each service.
const SETTINGS: [&str; 8] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "listen_addresses=*",
    "max_connections=60",
    "shared_buffers=32MB",
    "autovacuum_naptime=1h",
    "log_checkpoints=off",
];

/// Who may use a database. Made for one run, told to the service alone.
#[derive(Clone)]
pub(crate) struct Login {
    database: String,
    user: String,
    password: String,
}

impl Login {
    /// A login that nobody can guess.
    pub(crate) fn new(service: &Service) -> Result<Login, Failed> {
        let name = service.name.clone();
        Ok(Login { database: name.clone(), user: name, password: random_hex::<16>()? })
    }

    /// `{{ database.… }}` of the service: it reaches the server at this address, which is a proxy's.
    pub(crate) fn names(&self, at: &Address) -> Value {
        let Login { database, user, password } = self;
        json!({
            "url": format!("postgres://{user}:{password}@{at}/{database}"),
            "host": at.host,
            "port": at.port,
            "address": at.to_string(),
            "user": user,
            "password": password,
            "name": database,
        })
    }
}

/// The server of a service.
pub(crate) fn specification(
    service: &Service,
    login: &Login,
    image: String,
    names: &Names,
    log: PathBuf,
) -> Specification {
    let instance = database_of(&service.name);
    let settings = SETTINGS.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]);
    Specification {
        shown: instance.service.clone(),
        name: names.container(&instance),
        instance,
        image,
        user: Some("postgres".to_owned()),
        arguments: std::iter::once("postgres".to_owned()).chain(settings).collect(),
        env: BTreeMap::from([
            ("POSTGRES_DB".to_owned(), login.database.clone()),
            ("POSTGRES_USER".to_owned(), login.user.clone()),
            ("POSTGRES_PASSWORD".to_owned(), login.password.clone()),
        ]),
        published: Vec::new(),
        ready: READY,
        listens: POSTGRES_PORT,
        folder: None,
        writes: true,
        log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_as_one_url_and_in_parts() {
        let login = Login { database: "shop".into(), user: "order".into(), password: "5ec".into() };
        let names = login.names(&Address { host: "proxy".into(), port: 20_003 });
        assert_eq!(names["url"], "postgres://order:5ec@proxy:20003/shop");
        assert_eq!((&names["address"], &names["user"]), (&json!("proxy:20003"), &json!("order")));
    }

    #[test]
    fn what_is_acknowledged_is_on_the_disk() {
        for durable in ["fsync=on", "synchronous_commit=on", "full_page_writes=on"] {
            assert!(SETTINGS.contains(&durable));
        }
    }
}
