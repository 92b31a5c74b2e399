//! Facts as text and back: one JSON object a line.

use crate::{
    SCHEMA,
    fact::{Fact, RunOpened, What},
};

/// A record read whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The facts, in the order of their numbers.
    pub facts: Vec<Fact>,
}

/// The text was not a record.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// A line is not a fact.
    #[error("line {line} of the record is not a fact: {why}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        why: serde_json::Error,
    },
    /// The record does not begin with `run_opened`.
    #[error("the record does not begin with `run_opened`: is it a `record.ndjson` of a run?")]
    NotOpened,
    /// Another schema.
    #[error("the record has schema {found}, and this squall reads {SCHEMA}: judge it with the squall that wrote it")]
    Schema {
        /// The schema in the record.
        found: u32,
    },
}

/// One fact as its line, without the line's end.
///
/// # Panics
/// Never for facts made of these types: they hold only strings, numbers and JSON values.
pub fn line(fact: &Fact) -> String {
    serde_json::to_string(fact).expect("a fact is plain data")
}

impl Record {
    /// Reads a record's text. A last line that was cut short (its writer was killed) is left out.
    pub fn parse(text: &str) -> Result<Record, BadRecord> {
        let mut facts = Vec::new();
        let whole = text.ends_with('\n');
        let mut lines = text.lines().enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_str(line) {
                Ok(fact) => facts.push(fact),
                Err(_) if lines.peek().is_none() && !whole && !facts.is_empty() => break,
                Err(why) => return Err(BadRecord::Line { line: index + 1, why }),
            }
        }
        facts.sort_by_key(|fact: &Fact| fact.n);
        Ok(Record { facts })
    }

    /// The record's opening, with its schema checked.
    pub fn opened(&self) -> Result<&RunOpened, BadRecord> {
        match self.facts.first().map(|fact| &fact.what) {
            Some(What::RunOpened(opened)) if opened.schema == SCHEMA => Ok(opened),
            Some(What::RunOpened(opened)) => Err(BadRecord::Schema { found: opened.schema }),
            _ => Err(BadRecord::NotOpened),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::RunPhase;

    fn began(n: u64, phase: RunPhase) -> Fact {
        Fact { n, at_us: n, what: What::PhaseBegan { phase } }
    }

    #[test]
    fn a_last_line_cut_short_is_left_out() {
        let text = format!("{}\n{}", line(&began(1, RunPhase::Start)), &line(&began(2, RunPhase::Setup))[..10]);
        assert_eq!(Record::parse(&text).unwrap().facts, [began(1, RunPhase::Start)]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let text = format!("{}\nnonsense\n{}\n", line(&began(1, RunPhase::Start)), line(&began(2, RunPhase::Setup)));
        assert!(matches!(Record::parse(&text), Err(BadRecord::Line { line: 2, .. })));
    }

    #[test]
    fn a_record_without_an_opening_cannot_be_judged() {
        let record = Record { facts: vec![began(1, RunPhase::Start)] };
        assert!(matches!(record.opened(), Err(BadRecord::NotOpened)));
    }
}
