//! A system file.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Placed, desk::Desk, fields::Fields, names::Names, operation, saga, service, values};
use crate::{
    mistake::{Note, Rule},
    model::{Backing, Invariant, Operation, Read, Saga, Service, System},
    shape::system::SYSTEM,
    tree::Node,
};

/// A system as far as it could be decoded, each part with its place.
#[derive(Debug)]
pub(crate) struct Decoded<'n> {
    pub(crate) node: &'n Node,
    name: Option<String>,
    root: PathBuf,
    pub(crate) contracts: Option<PathBuf>,
    pub(crate) services: Vec<Placed<'n, Service>>,
    backing: Vec<Backing>,
    pub(crate) vars: BTreeMap<String, serde_json::Value>,
    pub(crate) operations: Vec<Placed<'n, Operation>>,
    pub(crate) sagas: Vec<Placed<'n, Saga>>,
    pub(crate) reads: Vec<Placed<'n, Read>>,
    pub(crate) invariants: Vec<Placed<'n, Invariant>>,
}

pub(crate) fn decode<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Decoded<'n>> {
    let fields = Fields::open(desk, node, &SYSTEM)?;
    version(&fields);
    let name = fields.name("system");
    let root = fields.text("root").map_or_else(|| PathBuf::from("."), PathBuf::from);
    if fields.get("services").is_some_and(|node| node.entries().is_empty()) {
        desk.wrong(Note::new(Rule::WrongForm, fields.place("services"), "a system has services").help("add one"));
    }
    let each = |key: &str| node.get(key).map(|_| fields.entries(key)).unwrap_or_default();
    Some(Decoded {
        node,
        name,
        root,
        contracts: node.get("contracts").and_then(|_| fields.text("contracts")).map(PathBuf::from),
        services: each("services").iter().filter_map(|entry| service::service(desk, entry, names)).collect(),
        backing: each("backing").iter().filter_map(|entry| service::backing(desk, entry, names)).collect(),
        vars: service::vars(desk, each("vars")),
        operations: each("operations").iter().filter_map(|entry| operation::operation(desk, entry, names)).collect(),
        sagas: each("sagas").iter().filter_map(|entry| saga::saga(desk, entry, names)).collect(),
        reads: each("reads").iter().filter_map(|entry| saga::read(desk, entry, names)).collect(),
        invariants: each("invariants").iter().filter_map(|entry| saga::invariant(desk, entry, names)).collect(),
    })
}

/// The version of the language: there is one.
pub(crate) fn version(fields: &Fields<'_, '_>) {
    let Some(node) = fields.get("schema") else { return };
    if node.scalar() != Some("1") {
        let found = node.scalar().unwrap_or(node.kind());
        fields.desk.wrong(
            Note::new(Rule::UnknownWord, node.span, format!("schema `{found}` is not known"))
                .label("this version reads schema 1")
                .help("write `schema: 1`"),
        );
    }
}

impl Decoded<'_> {
    /// Whether every entry under a key could be decoded: otherwise nothing can be said of what is not there.
    pub(crate) fn is_whole(&self, key: &str) -> bool {
        let written = self.node.get(key).map(|node| node.entries().len()).unwrap_or_default();
        let decoded = match key {
            "operations" => self.operations.len(),
            "sagas" => self.sagas.len(),
            _ => self.services.len(),
        };
        written == decoded
    }

    /// The system; its name is there, or a mistake was noted.
    pub(crate) fn into_system(self) -> Option<System> {
        Some(System {
            name: self.name?,
            root: self.root,
            contracts: self.contracts,
            services: values(self.services),
            backing: self.backing,
            vars: self.vars,
            operations: values(self.operations),
            sagas: values(self.sagas),
            reads: values(self.reads),
            invariants: values(self.invariants),
        })
    }
}
