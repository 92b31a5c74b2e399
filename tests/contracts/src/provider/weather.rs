//! What may befall any service, whatever it is about. Consumers rely on what it answers then, too.

use std::time::Duration;

use chassis::{ServeSettings, config::Address};
use rusqlite::Connection;

use super::{NotSet, State};

/// What befalls a provider.
#[derive(Debug, Default)]
pub(super) struct Weather {
    busy: bool,
    without_time: bool,
    without_tables: bool,
}

/// The weather among these states, and the states that are of the provider alone.
pub(super) fn of(states: &[State]) -> (Weather, Vec<&State>) {
    let mut weather = Weather::default();
    let own = states.iter().filter(|state| {
        let befallen = match state.name.as_str() {
            "it is as busy as it may be" => &mut weather.busy,
            "it has no time left" => &mut weather.without_time,
            "its database has lost its tables" => &mut weather.without_tables,
            _ => return true,
        };
        *befallen = true;
        false
    });
    let own = own.collect();
    (weather, own)
}

impl Weather {
    /// How the provider is served: with no place for a request, or no time for one, if so it be.
    pub(super) fn settings(&self) -> ServeSettings {
        ServeSettings {
            listen: Address("127.0.0.1:0".to_owned()),
            body_bytes_max: 64 * 1024,
            request_at_most: Duration::from_secs(if self.without_time { 0 } else { 30 }),
            requests_max: if self.busy { 0 } else { 64 },
            head_at_most: Duration::from_secs(30),
            drain_at_most: Duration::from_secs(30),
        }
    }

    /// Does to the database what cannot be set.
    pub(super) fn befall(&self, database: &str) -> Result<(), NotSet> {
        if !self.without_tables {
            return Ok(());
        }
        let connection = Connection::open(database).map_err(NotSet::by)?;
        let mut listed = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .map_err(NotSet::by)?;
        let names = listed.query_map([], |row| row.get::<_, String>(0)).map_err(NotSet::by)?;
        for name in names.collect::<Result<Vec<_>, _>>().map_err(NotSet::by)? {
            connection.execute_batch(&format!("DROP TABLE \"{name}\"")).map_err(NotSet::by)?;
        }
        Ok(())
    }
}
