//! Every finding, from records written by hand.

use serde_json::{Value, json};
use squall_contract::{example::Sent, model, violation::Violation};
use squall_engine::Does;
use squall_record::{
    Answer, Backend, Body, CallId, ConnectionId, Decision, Edge, Link, OperationId, Phase, ReadOf, RunPhase, Seed,
    Seen, Source, TraceId,
};

use super::*;
use crate::probe::case::{BROKEN, Column, Way};

const SHOP: &str = "
schema: 1
system: shop
services:
  till:
    process: { run: [till] }
    listen: LISTEN
    ready: tcp
    calls: { stock: { variable: STOCK }, bank: { variable: BANK } }
  stock: { process: { run: [stock] }, listen: LISTEN, ready: tcp }
  bank: { process: { run: [bank] }, listen: LISTEN, ready: tcp }
operations:
  buy: { call: POST till /sales, succeeded: status == 201, refused: status == 503, keep: { id: answer.body.id } }
sagas:
  buy:
    started_by: buy
    order: any
    steps:
      - hold: { do: POST stock /holds, key: body.id, undo: 'DELETE stock /holds/{id}' }
      - charge: { do: POST bank /charges, key: body.id, undo: 'DELETE bank /charges/{id}' }
    ends: { read: 'GET till /sales/{id}', done: answer.body.state == 'sold', undone: answer.body.state == 'off' }
reads:
  money: GET bank /money
invariants:
  paid: money.taken == money.owed
";

const CHARGE: &str = "POST bank /charges";
const REPAY: &str = "DELETE bank /charges/{id}";
const TRACE: TraceId = TraceId(7);
const BUY: OperationId = OperationId { phase: Phase::Load, stream: 0, ordinal: 0 };

fn law() -> Law {
    let mut system =
        squall_scenario::load_system(&Source { name: "system.yaml".to_owned(), text: SHOP.to_owned() }).unwrap();
    system.operations[0].timeout = Duration::from_secs(1);
    let scenario = Scenario {
        name: "probe".to_owned(),
        title: String::new(),
        system: std::path::PathBuf::new(),
        seed: Seed(7),
        env: Default::default(),
        setup: Vec::new(),
        gate: None,
        load: Vec::new(),
        faults: Vec::new(),
        expect: Vec::new(),
        settle_within: Duration::ZERO,
    };
    Law {
        system,
        scenario,
        consumer: "till".to_owned(),
        book: Book::default(),
        deadline: Duration::from_secs(1),
        invariants: BTreeSet::from(["paid".to_owned()]),
    }
}

/// A pact of a shopper with the till: it answers so.
fn with_own_contract(path: &str, status: u16, body: &Value) -> Law {
    let pact = json!({
        "consumer": { "name": "shopper" },
        "provider": { "name": "till" },
        "interactions": [{
            "type": "Synchronous/HTTP",
            "description": "a sale",
            "request": { "method": "POST", "path": path },
            "response": { "status": status, "body": { "contentType": "application/json", "content": body } },
        }],
        "metadata": { "pactSpecification": { "version": "4.0" } },
    });
    let pact = model::read("shopper-till.json", &pact.to_string()).unwrap();
    Law { book: Book::new([("shopper-till.json", &pact)]).unwrap(), ..law() }
}

fn without_sagas() -> Law {
    let mut law = law();
    law.system.sagas.clear();
    law
}

fn plan() -> Plan {
    let edges = [Edge::calls("client", "till"), Edge::calls("till", "stock"), Edge::calls("till", "bank")];
    let links = (0..).zip(edges).map(|(id, edge)| Link { id, edge, caller: 0 }).collect();
    Plan {
        seed: Seed(7),
        backend: Backend::Process,
        links,
        faults: Vec::new(),
        load_ends_us: 0,
        quiet_us: 500_000,
        settle_bound_us: 5_000_000,
    }
}

/// A case about one kind of call, `METHOD SERVICE PATH`.
fn case_of(call: &str, column: Column, forbidden: bool) -> Case {
    let [method, service, path] = call.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let way = Way { operation: "buy".to_owned(), strikes: Vec::new(), told: "buy".to_owned(), calls: 2 };
    let sent = Sent { status: 201, headers: Default::default(), body: Vec::new() };
    Case {
        of: vec![0],
        column,
        field: None,
        forbidden,
        call: Pattern { method: method.to_owned(), service: service.to_owned(), path: path.to_owned() },
        way,
        does: Some(Does::AnswersInstead(sent)),
        shown: String::new(),
    }
}

fn case() -> Case {
    case_of(CHARGE, Column::Broken(Violation::Empty), true)
}

fn allowed() -> Case {
    case_of(CHARGE, Column::Broken(Violation::ExtraField), false)
}

/// A record under way.
struct Story {
    facts: Vec<Fact>,
    calls: u64,
}

fn body(json: Option<Value>) -> Body {
    Body { bytes: 1, json, text: None, cut: false }
}

fn answer(status: u16, json: Value) -> Answer {
    Answer {
        status,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: body(Some(json)),
    }
}

/// How a call is met by the fault.
#[derive(Clone, Copy, PartialEq)]
enum Met {
    Whole,
    Broken,
    NotBroken,
}

impl Story {
    /// The client asks, and goods are held.
    fn new() -> Story {
        let mut story = Story { facts: Vec::new(), calls: 0 };
        story.see(What::PhaseBegan { phase: RunPhase::Load });
        let (name, with) = ("buy".to_owned(), Default::default());
        story.see(What::OperationStarted { operation: BUY, name, trace: TRACE, intended_us: 0, with });
        story.call("client", "POST till /sales", "/sales", 201, Met::Whole).call(
            "till",
            "POST stock /holds",
            "/holds",
            201,
            Met::Whole,
        )
    }

    fn see(&mut self, what: What) {
        let n = self.facts.len() as u64 + 1;
        self.facts.push(Fact { n, at_us: n * 1_000, what });
    }

    fn call(mut self, from: &str, route: &str, path: &str, status: u16, met: Met) -> Story {
        self.calls += 1;
        let to = route.split(' ').nth(1).unwrap();
        let link = plan().links.iter().find(|link| link.edge.from == from && link.edge.to == to).unwrap().id;
        let call = CallId { link, n: self.calls };
        self.see(What::CallStarted {
            call,
            connection: ConnectionId { link, n: self.calls },
            edge: Edge::calls(from, to),
            caller: 0,
            method: route.split(' ').next().unwrap().to_owned(),
            path: path.to_owned(),
            route: Some(route.to_owned()),
            trace: Some(TRACE),
            span: None,
            key: None,
            attempt: 1,
            headers: Default::default(),
        });
        self.see(What::CallSent { call, body: body(Some(json!({ "id": "s1" }))) });
        self.see(What::CallAnswered { call, callee: 0, answer: answer(status, json!({ "id": "s1" })) });
        let decided = |applied: bool| Decision {
            fault: BROKEN.to_owned(),
            applied,
            why_not: (!applied).then(|| "there is no body".to_owned()),
        };
        let decisions = if met == Met::Whole { Vec::new() } else { vec![decided(met == Met::Broken)] };
        let seen = Seen::Answer { status, injected: met == Met::Broken };
        self.see(What::CallEnded { call, seen, forwarded: true, decisions });
        self
    }

    fn charge(self, met: Met) -> Story {
        self.call("till", CHARGE, "/charges", 201, met)
    }

    fn repay(self, met: Met) -> Story {
        self.call("till", REPAY, "/charges/s1", 200, met)
    }

    fn release(self) -> Story {
        self.call("till", "DELETE stock /holds/{id}", "/holds/s1", 200, Met::Whole)
    }

    /// The client is answered.
    fn says(mut self, status: u16) -> Story {
        let outcome = match status {
            201 => Outcome::Succeeded,
            503 => Outcome::Refused,
            _ => Outcome::Indeterminate,
        };
        let kept = [("id".to_owned(), json!("s1"))].into();
        let answer = Some(answer(status, json!({ "id": "s1" })));
        self.see(What::OperationEnded { operation: BUY, outcome, answer, error: None, latency_us: 1_000, kept });
        self
    }

    /// The client gives up.
    fn says_nothing(mut self) -> Story {
        let error = Some("no answer within 1s".to_owned());
        let (outcome, kept) = (Outcome::Indeterminate, Default::default());
        self.see(What::OperationEnded { operation: BUY, outcome, answer: None, error, latency_us: 1_000, kept });
        self
    }

    /// Everything settles, and is read.
    fn ends(self, state: &str) -> Story {
        self.ends_with(state, true, 5)
    }

    fn ends_with(mut self, state: &str, settled: bool, taken: u32) -> Story {
        self.see(What::PhaseBegan { phase: RunPhase::Settle });
        let reads = [
            (ReadOf::Named { read: "money".to_owned(), operation: None }, json!({ "taken": taken, "owed": 5 })),
            (ReadOf::SagaEnd { saga: "buy".to_owned(), operation: BUY }, json!({ "state": state })),
        ];
        for (of, json) in reads {
            self.see(What::ReadTaken { round: 1, of, answer: Some(answer(200, json)), error: None });
        }
        let still_open = if settled { Vec::new() } else { vec!["saga `buy` has not ended".to_owned()] };
        self.see(What::SettleEnded { settled, still_open });
        self
    }

    fn dies(mut self, service: &str) -> Story {
        let (service, how) = (service.to_owned(), "signal 6".to_owned());
        self.see(What::ServiceExited { service, instance: 0, life: 0, how, fault: None });
        self
    }
}

/// What a right till makes of a broken charge.
fn undone() -> Story {
    Story::new().charge(Met::Broken).repay(Met::Whole).release().says(503).ends("off")
}

fn finding(law: &Law, case: &Case, story: Story, usually: Option<&Told>, next: &Next) -> Finding {
    judge(law, &plan(), case, &Record { facts: story.facts }, usually, next)
}

#[track_caller]
fn check(law: &Law, case: &Case, story: Story, state: State, why: &str) -> Finding {
    let found = finding(law, case, story, None, &Next::Succeeded);
    assert_eq!(found.state, state, "{}", found.why);
    assert!(found.why.contains(why), "`{why}` is not in `{}`", found.why);
    found
}

#[test]
fn a_consumer_that_undoes_what_it_does_not_know_holds() {
    let found = check(&law(), &case(), undone(), State::Held, "");
    assert_eq!(found.told.unwrap(), Told { outcome: Outcome::Refused, status: 503, end: End::Undone });
    assert!(!found.spoils && found.why.is_empty() && found.evidence.is_empty());
    assert!(found.answered.contains("503") && found.answered.contains("its saga undone"), "{}", found.answered);
}

#[test]
fn what_was_not_struck_is_not_known() {
    let law = law();
    let never = Story::new().says(503).ends("off");
    assert_eq!(finding(&law, &case(), undone_but_for_the_charge(), None, &Next::Succeeded).doubt, Doubt::Late);
    check(&law, &case(), never, State::Inconclusive, "the call never came: POST /charges, by buy");
    let met = Story::new().charge(Met::NotBroken).says(201).ends("sold");
    check(&law, &case(), met, State::Inconclusive, "could not be broken: there is no body");
    let healed = Story::new().charge(Met::Whole).says(201).ends("sold");
    check(&law, &case(), healed, State::Inconclusive, "the call came when all was healed");
    check(&law, &case(), Story { facts: Vec::new(), calls: 0 }, State::Inconclusive, "never sent");
    // Where the callee itself gives the declared answer, there is nothing to be struck.
    let declared = Case { does: None, ..case_of(CHARGE, Column::AsDeclared, false) };
    check(&law, &declared, Story::new().charge(Met::Whole).says(201).ends("sold"), State::Held, "");
}

#[test]
fn what_another_operation_was_struck_by_is_not_taken_for_its_own() {
    let mut story = undone();
    for fact in &mut story.facts {
        match &mut fact.what {
            What::CallStarted { trace, route: Some(route), .. } if route == CHARGE => *trace = Some(TraceId(8)),
            _ => {}
        }
    }
    check(&law(), &case(), story, State::Inconclusive, "the call never came");
}

#[test]
fn a_consumer_that_ends_is_found() {
    let story = Story::new().charge(Met::Broken).dies("till").says_nothing().ends_with("", false, 5);
    assert!(check(&law(), &case(), story, State::Violated, "`till` ended: signal 6").spoils);
    let story = Story::new().charge(Met::Broken).dies("bank").says(503).ends("off");
    assert!(check(&law(), &case(), story, State::Inconclusive, "`bank`").spoils);
}

#[test]
fn a_consumer_that_does_not_answer_is_found_with_its_bound() {
    let story = Story::new().charge(Met::Broken).repay(Met::Whole).release().says_nothing().ends("off");
    let found = check(&law(), &case(), story, State::Violated, "no answer within 1s (it may take 1s)");
    assert_eq!(found.doubt, Doubt::Late, "a machine may be too busy for any answer");
    assert!(found.spoils && found.evidence.iter().any(|line| line.contains("POST /charges")), "{found:?}");
}

#[test]
fn an_answer_must_keep_the_consumers_own_contract() {
    let kept = with_own_contract("/sales", 503, &json!({ "id": "s1" }));
    check(&kept, &case(), undone(), State::Held, "");
    let broken = with_own_contract("/sales", 503, &json!({ "id": "s1", "why": "because" }));
    check(&broken, &case(), undone(), State::Violated, "breaks its own contract, “shopper → till: a sale”: $.why");
    let other = with_own_contract("/returns", 503, &json!({}));
    check(&other, &case(), undone(), State::Inconclusive, "no pact says what `till` may answer to POST /sales");
}

#[test]
fn an_error_that_the_system_file_does_not_know_is_found() {
    let story = Story::new().charge(Met::Broken).repay(Met::Whole).release().says(500).ends("off");
    check(&law(), &case(), story, State::Violated, "given 500, which the system file lists neither");
    // Another word than success or refusal is the contract's to allow.
    let story = Story::new().charge(Met::Broken).repay(Met::Whole).release().says(422).ends("off");
    check(&law(), &case(), story, State::Held, "");
}

#[test]
fn a_success_without_a_whole_answer_is_found() {
    let law = law();
    let story = || Story::new().charge(Met::Broken);
    check(&law, &case(), story().says(201).ends("sold"), State::Violated, "every answer to `charge`");
    // It asked once more, and was told.
    check(&law, &case(), story().charge(Met::Whole).says(201).ends("sold"), State::Held, "");
    // It looked whether it was charged, and was told.
    let looked = story().call("till", "GET bank /charges/{id}", "/charges/s1", 200, Met::Whole);
    check(&law, &case(), looked.says(201).ends("sold"), State::Held, "");
    // What is not forbidden may be taken for a success.
    let usually = Told { outcome: Outcome::Succeeded, status: 201, end: End::Done };
    let found = finding(&law, &allowed(), story().says(201).ends("sold"), Some(&usually), &Next::Succeeded);
    assert_eq!(found.state, State::Held, "{}", found.why);
}

#[test]
fn an_undoing_without_a_whole_answer_is_found() {
    let case = case_of(REPAY, Column::Broken(Violation::MissingField), true);
    let story = |met| Story::new().charge(Met::Whole).repay(met).release();
    check(&law(), &case, story(Met::Broken).says(503).ends("off"), State::Violated, "the undoing of `charge`");
    check(&law(), &case, story(Met::Broken).repay(Met::Whole).says(503).ends("off"), State::Held, "");
}

#[test]
fn without_a_saga_a_change_must_be_known_and_a_question_need_not() {
    let law = without_sagas();
    let story = Story::new().charge(Met::Broken).says(201).ends("sold");
    check(&law, &case(), story, State::Violated, "every answer to POST /charges was broken");
    let story = Story::new().charge(Met::Broken).says(503).ends("off");
    check(&law, &case(), story, State::Held, "");
    let asks = case_of("GET bank /rates", Column::Broken(Violation::Empty), true);
    let story = Story::new().call("till", "GET bank /rates", "/rates", 200, Met::Broken).says(201).ends("sold");
    check(&law, &asks, story, State::Held, "");
}

#[test]
fn what_the_contract_allows_changes_nothing() {
    let (law, allowed) = (law(), allowed());
    let whole = Told { outcome: Outcome::Succeeded, status: 201, end: End::Done };
    let found = finding(&law, &allowed, undone(), Some(&whole), &Next::Succeeded);
    assert_eq!(found.state, State::Violated);
    assert!(found.why.contains("503 (refused), its saga undone, and unbroken 201 (succeeded), its saga done"));
    check(&law, &allowed, undone(), State::Inconclusive, "what becomes of it while nothing is broken was not seen");
}

#[test]
fn sagas_and_invariants_hold() {
    let law = law();
    let standing = Story::new().charge(Met::Broken).repay(Met::Whole).says(503).ends("off");
    check(&law, &case(), standing, State::Violated, "saga buy: ");
    let story = || Story::new().charge(Met::Broken).repay(Met::Whole).release().says(503);
    let found = check(&law, &case(), story().ends_with("off", true, 9), State::Violated, "invariant paid: ");
    assert!(
        found.spoils && found.doubt == Doubt::Shared,
        "the money is missing for the next one too, or was for the one before"
    );
}

#[test]
fn what_does_not_settle_is_found() {
    let story = Story::new().charge(Met::Broken).repay(Met::Whole).release().says(503).ends_with("off", false, 5);
    check(&law(), &case(), story, State::Violated, "did not settle once the answers were whole again: saga `buy`");
    let story = Story::new().charge(Met::Broken).repay(Met::Whole).release().says(503);
    check(&law(), &case(), story, State::Inconclusive, "it was not waited for");
}

#[test]
fn a_consumer_that_does_not_recover_is_found() {
    let found = finding(&law(), &case(), undone(), None, &Next::Failed("buy answers 503 for ever".to_owned()));
    assert_eq!(found.state, State::Violated);
    assert!(found.spoils && found.why.contains("does not recover: buy answers 503 for ever"), "{}", found.why);
}

#[test]
fn what_ought_to_be_is_asked_of_the_reads() {
    let facts = |taken| undone_with(taken).facts;
    let (law, plan) = (law(), plan());
    assert!(is_enough(&law, &plan, &facts(5)));
    assert!(!is_enough(&law, &plan, &facts(9)));
    let (asked, notes) = invariants_of(&law, &plan, &Record { facts: facts(9) });
    assert!(asked.is_empty() && notes[0].contains("`paid` is violated though nothing is broken"), "{notes:?}");
}

fn undone_with(taken: u32) -> Story {
    Story::new().charge(Met::Broken).repay(Met::Whole).release().says(503).ends_with("off", true, taken)
}

fn undone_but_for_the_charge() -> Story {
    Story::new().release().says(503).ends("off")
}
