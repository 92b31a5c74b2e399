//! A verdict as people and machines read it.

mod terminal;
mod json;
mod junit;

pub use json::{SCHEMA, json};
pub use junit::junit;
pub use terminal::terminal;

use squall_record::Backend;

use crate::verdict::Verdict;

/// The command that plays it again.
fn command_again(verdict: &Verdict) -> String {
    let again = format!("squall run {} --seed {}", verdict.file, verdict.seed.0);
    match verdict.backend {
        Backend::Process => again,
        other => format!("{again} --backend {}", other.word()),
    }
}

#[cfg(test)]
mod tests {
    use squall_record::Seed;

    use super::*;
    use crate::verdict::Status;

    #[test]
    fn it_is_played_again_where_it_was_played() {
        let on = |backend| Verdict {
            scenario: "story".to_owned(),
            title: String::new(),
            file: "story.yaml".to_owned(),
            system: "shop".to_owned(),
            seed: Seed(7),
            backend,
            status: Status::Violated,
            checks: Vec::new(),
        };
        assert_eq!(command_again(&on(Backend::Process)), "squall run story.yaml --seed 7");
        assert_eq!(command_again(&on(Backend::Container)), "squall run story.yaml --seed 7 --backend container");
    }
}
