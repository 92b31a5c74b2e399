//! What is played: one answer to one kind of call, met by one operation, and all that it stands for. Pure.

use squall_contract::violation::{Broken, Violation};
use squall_engine::{Does, Strike, strike::Edit};
use squall_scenario::model::Call;

use super::target::Target;

/// The name of the strike that a case is about.
pub const BROKEN: &str = "the answer";
/// The name of the strikes that lead there.
const WAY: &str = "the way there";

/// How a client brings a consumer to make some call.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The operation that it sends.
    pub operation: String,
    /// What other calls are answered meanwhile.
    pub strikes: Vec<Strike>,
    /// In words, what leads there.
    pub told: String,
    /// How many calls the consumer made on it: the fewer, the shorter it is.
    pub calls: usize,
}

/// A call of the consumer that a way leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// The way.
    pub way: Way,
    /// What the callee itself answers there.
    pub status: Option<u16>,
}

/// Which column of the table a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The answer as it is declared: no violation, and to be borne as well.
    AsDeclared,
    /// Broken so.
    Broken(Violation),
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The targets that it stands for, by place: what is broken may be the same for several.
    pub of: Vec<usize>,
    /// How their answer is broken.
    pub column: Column,
    /// Where; none for a body as a whole.
    pub field: Option<String>,
    /// Whether the contract forbids it.
    pub forbidden: bool,
    /// The call whose answer it is.
    pub call: Call,
    /// What leads to the call.
    pub way: Way,
    /// What is done to its answer; none where the callee itself gives the declared one.
    pub does: Option<Does>,
    /// What is sent, for a reader.
    pub shown: String,
}

/// The name in reports and on the command line.
impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Column::AsDeclared => f.write_str("as-declared"),
            Column::Broken(violation) => violation.fmt(f),
        }
    }
}

impl Case {
    /// The declared answer of a target, unbroken.
    pub fn declared(place: usize, target: &Target, call: &Call, reached: &Reached) -> Case {
        let sent = &target.declared;
        let does = match reached.status {
            Some(status) if status == sent.status => None,
            _ if is_success(sent.status) => Some(Does::AnswersInstead(sent.clone())),
            _ => Some(Does::AnswersAs(sent.clone())),
        };
        Case {
            of: vec![place],
            column: Column::AsDeclared,
            field: None,
            forbidden: false,
            call: call.clone(),
            way: reached.way.clone(),
            does,
            shown: shown(sent.status, &sent.body),
        }
    }

    /// One broken answer of a target.
    ///
    /// Where the callee itself gives the declared answer, its own is broken: it speaks of the work that was done.
    /// Another success is given in place of its own, after the work. What says that nothing was done is given in place
    /// of the call.
    ///
    /// # Errors
    /// In words, where it cannot be played.
    pub fn broken(place: usize, broken: &Broken, call: &Call, reached: &Reached) -> Result<Case, String> {
        let sent = &broken.sent;
        let does = match reached.status {
            Some(status) if status == sent.status => Does::Breaks { status, edit: Edit::of(broken)? },
            _ if is_success(sent.status) => Does::AnswersInstead(sent.clone()),
            _ => Does::AnswersAs(sent.clone()),
        };
        Ok(Case {
            of: vec![place],
            column: Column::Broken(broken.violation),
            field: broken.field.clone(),
            forbidden: broken.forbidden,
            call: call.clone(),
            way: reached.way.clone(),
            does: Some(does),
            shown: shown(sent.status, &sent.body),
        })
    }

    /// Everything that is in force while it is played, what it is about last.
    pub fn strikes(&self, consumer: &str) -> Vec<Strike> {
        let mut strikes = self.way.strikes.clone();
        strikes.extend(self.does.clone().map(|does| Strike {
            name: BROKEN.to_owned(),
            caller: consumer.to_owned(),
            call: self.call.clone(),
            does,
        }));
        strikes
    }

    /// The way that leads through what this case does, to calls that come of it.
    pub fn as_way(&self, consumer: &str, calls: usize) -> Way {
        let mut strikes = self.strikes(consumer);
        for (n, strike) in strikes.iter_mut().enumerate() {
            strike.name = format!("{WAY} {}", n + 1);
        }
        let Case { call, shown, .. } = self;
        let before = if self.way.strikes.is_empty() { "where" } else { "and" };
        let status = shown.split(' ').next().unwrap_or_default();
        let how = match self.column {
            Column::AsDeclared => format!("{status}, as declared"),
            Column::Broken(violation) => format!("{status}, {violation}"),
        };
        let told = format!("{} {before} {} {} is answered {how}", self.way.told, call.method, call.path);
        Way { operation: self.way.operation.clone(), strikes, told, calls }
    }
}

/// Puts cases together that play the same, in the order of the first of each.
pub fn put_together(cases: Vec<Case>) -> Vec<Case> {
    let mut known: Vec<Case> = Vec::new();
    for case in cases {
        let is_same = |other: &&mut Case| {
            (&other.call, other.column, &other.does, &other.way) == (&case.call, case.column, &case.does, &case.way)
        };
        match known.iter_mut().find(is_same) {
            Some(same) => same.of.extend(case.of),
            None => known.push(case),
        }
    }
    known
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn shown(status: u16, body: &[u8]) -> String {
    const CHARS_MAX: usize = 200;
    let text: String = String::from_utf8_lossy(body).chars().take(CHARS_MAX).collect();
    match text.is_empty() {
        true => format!("{status} without a body"),
        false => format!("{status} {text}"),
    }
}

#[cfg(test)]
mod tests {
    use squall_contract::model;
    use squall_record::{Seed, Source};

    use super::*;
    use crate::probe::target;

    fn targets() -> Vec<Target> {
        let text = include_str!("../../../../contracts/order-payment.json");
        let pacts = [model::read("order-payment.json", text).unwrap()];
        let text = include_str!("../../../../services/system.yaml").to_owned();
        let system = squall_scenario::load_system(&Source { name: "system.yaml".to_owned(), text }).unwrap();
        target::all("order", &pacts, &system, None, Seed(7)).unwrap()
    }

    fn reached(status: u16) -> Reached {
        let way =
            Way { operation: "place-order".to_owned(), strikes: Vec::new(), told: "place-order".to_owned(), calls: 2 };
        Reached { way, status: Some(status) }
    }

    fn cases(targets: &[Target], of: &str, status: u16) -> Vec<Case> {
        let place = targets.iter().position(|target| target.interaction.description == of).unwrap();
        let (target, reached) = (&targets[place], reached(status));
        let call = target.call.clone().unwrap();
        let broken = target.broken.iter().map(|broken| Case::broken(place, broken, &call, &reached).unwrap());
        std::iter::once(Case::declared(place, target, &call, &reached)).chain(broken).collect()
    }

    #[test]
    fn what_the_callee_itself_answers_is_broken_after_its_work() {
        let targets = targets();
        let cases = cases(&targets, "a charge that the bank pays", 201);
        assert_eq!(cases[0].does, None, "the callee says so by itself");
        assert!(cases[1..].iter().all(|case| matches!(case.does, Some(Does::Breaks { status: 201, .. }))));
    }

    #[test]
    fn another_success_comes_after_the_work_and_a_refusal_in_its_place() {
        let targets = targets();
        for case in cases(&targets, "a charge that the bank pays", 200) {
            assert!(matches!(case.does, Some(Does::AnswersInstead(_))), "{:?}", case.does);
        }
        for case in cases(&targets, "a charge of a card that the bank declines", 201) {
            assert!(matches!(case.does, Some(Does::AnswersAs(_))), "{:?}", case.does);
        }
    }

    #[test]
    fn what_plays_the_same_is_played_once() {
        let targets = targets();
        let mut all = cases(&targets, "a charge that the bank pays", 201);
        let (once, whole) = (all.len(), put_together(all.clone()).len());
        assert_eq!(whole, once, "one answer's own cases differ");
        all.extend(cases(&targets, "a charge that is repeated", 201));
        let together = put_together(all);
        assert_eq!(together.len(), once);
        assert!(together.iter().all(|case| case.of.len() == 2));
    }

    #[test]
    fn a_way_goes_through_what_a_case_does() {
        let targets = targets();
        let case = &cases(&targets, "a charge of a card that the bank declines", 201)[0];
        let way = case.as_way("order", 4);
        assert_eq!(way.strikes.len(), 1);
        assert_eq!(way.told, "place-order where POST /api/v1/payments is answered 402, as declared");
        assert_ne!(way.strikes[0].name, BROKEN, "it must not be taken for what the next case is about");
    }
}
