//! Databases: what a service is told of its database is something that this kind of database has.

use crate::{
    decode::{Placed, desk::Desk},
    mistake::{Note, Rule},
    model::{Database, DatabaseKind, Service},
};

/// What templates may ask of any database.
pub(super) const PARTS: [&str; 8] = ["url", "path", "host", "port", "address", "user", "password", "name"];

/// What this kind of database has.
fn parts_of(kind: &DatabaseKind) -> &'static [&'static str] {
    match kind {
        DatabaseKind::None => &[],
        DatabaseKind::Sqlite => &["url", "path", "name"],
        DatabaseKind::Postgres => &["url", "host", "port", "address", "user", "password", "name"],
        // Its protocol is not ours to know, so it has no URL.
        DatabaseKind::Backing(_) => &["host", "port", "address", "name"],
    }
}

/// What this database has on some backend; everything of one that could not be read.
pub(super) fn parts(database: Option<&Database>) -> Vec<&'static str> {
    let Some(database) = database else { return PARTS.to_vec() };
    let has = |part: &&str| [&database.process, &database.container].iter().any(|kind| parts_of(kind).contains(part));
    PARTS.into_iter().filter(has).collect()
}

/// `variable` holds a URL, which a backing service has none of, and no database neither.
pub(super) fn check(desk: &Desk<'_>, placed: &Placed<'_, Service>) {
    let Some(entry) = placed
        .node
        .get("database")
        .and_then(|database| database.entries().iter().find(|entry| entry.key == "variable"))
    else {
        return;
    };
    let Some(database) = &placed.value.database else { return };
    if parts(Some(database)).contains(&"url") {
        return;
    }
    let note = match [&database.process, &database.container].into_iter().find_map(backing_name) {
        Some(backing) => Note::new(Rule::Conflict, entry.value.span, format!("`{backing}` has no URL that squall knows"))
            .help("write `variables: { DB_URL: \"redis://{{ database.host }}:{{ database.port }}\" }`, in the form of its protocol"),
        None => Note::new(Rule::Conflict, entry.value.span, format!("`{}` has no database to be told of", placed.value.name))
            .help("add `process: sqlite`, or take `variable` away"),
    };
    desk.wrong(note);
}

fn backing_name(kind: &DatabaseKind) -> Option<&str> {
    match kind {
        DatabaseKind::Backing(name) => Some(name),
        _ => None,
    }
}
