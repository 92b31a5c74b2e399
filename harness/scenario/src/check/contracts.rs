//! What asks for contracts has a system that says where they are.

use super::Both;
use crate::mistake::{Note, Rule, Span};

/// Whether the system file names a folder of pacts, for what stands at this place.
pub(super) fn are_there(both: &Both<'_, '_>, place: Span, what: &str) {
    if both.system.node.get("contracts").is_none() {
        both.desk.wrong(
            Note::new(Rule::NotJudgeable, place, format!("{what} needs contracts, and the system names none"))
                .label("the system file has no `contracts`")
                .help("add the folder of its pacts to the system file: `contracts: contracts`"),
        );
    }
}
