//! What is found in a scenario that is spelt right and could not be judged, or could not happen.

use squall_scenario::{Mistakes, Rule, Source, load};

const SYSTEM: &str = "schema: 1
system: shop
services:
  web:
    process: { run: [web] }
    listen: LISTEN
    instances: 2
    calls:
      api:
        variable: API_URL
        breaker: { counts: calls, share: 50%, window: 2s, minimum: 10, cool_down: 4s }
      plain: { variable: PLAIN_URL }
  api: { process: { run: [api] }, listen: LISTEN }
  plain: { process: { run: [plain] }, listen: LISTEN }
operations:
  buy: { call: POST web /buy, implies: { web -> api: \"true\" } }
  look: { call: GET web /look }
reads:
  all: GET api /all
  one: { each: look, call: GET web /look }
invariants:
  fine: all.count >= 0
  looked: { each: look, holds: http.one == 200 }
";

const SCENARIO: &str = "schema: 1
scenario: right
title: All is well
system: system.yaml
load:
  - buy: { rate: 20/s, for: 20s }
faults:
  - { name: down, on: web -> api, inject: { respond: { status: 503 } }, from: 2s, for: 5s }
expect:
  - invariant: fine
";

fn load_with(part: &str, other: &str) -> Result<squall_scenario::Loaded, Mistakes> {
    assert!(SCENARIO.contains(part), "{part}");
    let source = |name: &str, text: String| Source { name: name.to_owned(), text };
    load(&source("system.yaml", SYSTEM.to_owned()), &source("scenario.yaml", SCENARIO.replacen(part, other, 1)))
}

/// One mistake: its rule, and a part of what is said of it.
fn check(part: &str, other: &str, rule: Rule, says: &str) {
    let found = load_with(part, other).map(|_| panic!("no mistake after `{other}`")).unwrap_err();
    let [mistake] = found.list() else { panic!("not one mistake:\n{found}") };
    assert_eq!(mistake.rule, rule, "{found}");
    assert!(found.to_string().contains(says), "{found}");
}

fn expect(expectation: &str, rule: Rule, says: &str) {
    check("- invariant: fine", &format!("- {expectation}"), rule, says);
}

fn right(part: &str, other: &str) {
    let loaded = load_with(part, other).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn the_scenario_that_the_others_are_made_of_is_right() {
    right("schema", "schema");
    right("- invariant: fine", "- breaker: { on: web -> api, of: down, opens_within: 2s, closes_within: 5s }");
    right("- invariant: fine", "- breaker: { on: web -> api }");
    right("on: web -> api, inject: { respond: { status: 503 } }", "on: { service: web, instance: 1 }, inject: pause");
}

#[test]
fn a_breaker_needs_a_policy_a_fault_demand_and_failures() {
    expect("breaker: { on: web -> plain }", Rule::NotJudgeable, "has no breaker");
    expect("fast: { of: buy, while_open: web -> plain, p99: \"<= 1s\" }", Rule::NotJudgeable, "has no breaker");
    expect("breaker: { on: web -> api, opens_within: 1s }", Rule::MissingKey, "add `of: down`");
    let clause = "- breaker: { on: web -> api, of: down, opens_within: 1s }";
    check("- invariant: fine", &clause.replace("of: down", "of: dwn"), Rule::UnknownName, "did you mean `down`?");
    let with_clause = |part: &str, other: &str| {
        let text = SCENARIO.replacen("- invariant: fine", clause, 1);
        assert!(text.contains(part), "{part}");
        let source = |name: &str, text: String| Source { name: name.to_owned(), text };
        let found =
            load(&source("system.yaml", SYSTEM.to_owned()), &source("scenario.yaml", text.replacen(part, other, 1)));
        found.map(|_| panic!("no mistake after `{other}`")).unwrap_err().to_string()
    };
    assert!(with_clause("on: web -> api, inject", "on: web -> plain, inject").contains("does not act on `web -> api`"));
    assert!(with_clause("- buy:", "- look:").contains("nothing in the load asks anything of `web -> api`"));
    // Over the breaker's own window of 2 s, however long the fault lasts.
    assert!(with_clause("rate: 20/s", "rate: 4/s").contains("8 failures at most, and it needs 10 in its window"));
    assert!(with_clause("for: 5s }", "for: 400ms }").contains("8 failures at most"));
    assert!(with_clause("from: 2s", "match: { every: 5 }, from: 2s").contains("8 failures at most"));
    assert!(with_clause("from: 2s", "match: { probability: 0% }, from: 2s").contains("0 failures at most"));
}

#[test]
fn an_expectation_needs_what_it_judges() {
    expect("attempts: { on: web -> plain }", Rule::NotJudgeable, "add `at_most: 3` here");
    expect("saga: { of: buy }", Rule::NotJudgeable, "starts no saga");
    expect("invariant: looked", Rule::NotJudgeable, "asked for each `look`, and there is none");
    expect("recovers: { of: look, within: 1s, succeeded: \">= 99%\" }", Rule::NotJudgeable, "is not in the load");
    expect("fast: { of: buy }", Rule::MissingKey, "nothing says how fast");
    for (word, lacks) in
        [("compensation", "has an `undo`"), ("restart", "no fault kills"), ("resumed-saga", "no fault kills")]
    {
        expect(&format!("exercises: {{ {word}: 1 }}"), Rule::NotJudgeable, lacks);
    }
    right("- invariant: fine", "- exercises: { breaker-open: 1, lost-answer: 1, refused: 1 }");
    let calm = SCENARIO.lines().filter(|line| !line.contains("down")).collect::<Vec<_>>().join("\n");
    let calm = calm
        .replace("faults:\n", "")
        .replace("invariant: fine", "recovers: { of: buy, within: 1s, succeeded: \">= 9%\" }");
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let found = load(&source("system.yaml", SYSTEM), &source("scenario.yaml", &calm)).unwrap_err();
    assert!(found.to_string().contains("no fault to recover from"), "{found}");
}

#[test]
fn a_fault_is_somewhere_once_and_in_time() {
    let on = |target: &str, kind: &str, rule: Rule, says: &str| {
        check(
            "on: web -> api, inject: { respond: { status: 503 } }",
            &format!("on: {target}, inject: {kind}"),
            rule,
            says,
        );
    };
    on("{ service: web, instance: 2 }", "pause", Rule::UnknownName, "from 0 to 1");
    on("{ service: api, instance: 1 }", "pause", Rule::UnknownName, "`api` has 1 instance");
    on("{ service: wbe }", "pause", Rule::UnknownName, "did you mean `web`?");
    on("{ between: [[web], [web]] }", "partition", Rule::Conflict, "stands on both sides");
    on("{ between: [[api], [plain]] }", "partition", Rule::Conflict, "would cut nothing");
    on("{ between: [[web]] }", "partition", Rule::WrongForm, "between two sets");
    on("{ between: [[web], [api]] }", "{ respond: { status: 503 } }", Rule::Conflict, "only `partition` takes sets");
    on("web", "refuse", Rule::Conflict, "acts on an edge");
    on("web -> api", "pause", Rule::Conflict, "acts on a service");
    on("web -> api", "{ respond: { status: 99 } }", Rule::BadQuantity, "from 200 to 599");
    on("web -> api", "{ lose-response: { then: vanish } }", Rule::UnknownWord, "`reset`, `close`, `hang`");
    on("web -> api", "{ latency: {} }", Rule::MissingKey, "add `delay: 2s`");
    on("web -> api", "latency", Rule::WrongForm, "write `latency: { delay: 2s }`");
    check(
        "from: 2s, for: 5s",
        "from: 2s, when: { call: GET api /all, at: before-forward }",
        Rule::Conflict,
        "keep one of the two",
    );
    check("from: 2s, for: 5s", "when: { call: GET api /all, at: before }", Rule::UnknownWord, "`before-forward`");
    check(
        "expect:",
        "  - { name: down, on: web, inject: kill, from: 1s, for: 1s }\nexpect:",
        Rule::DuplicateName,
        "is there already",
    );
    check(
        "inject: { respond: { status: 503 } }, from: 2s, for: 5s",
        "inject: refuse, from: 25s",
        Rule::Timing,
        "start it before 20s",
    );
}

#[test]
fn a_pause_or_a_kill_says_when_it_ends() {
    let on = |rest: &str, rule: Rule, says: &str| {
        check("on: web -> api, inject: { respond: { status: 503 } }, from: 2s, for: 5s", rest, rule, says);
    };
    on("on: api, inject: pause, from: 2s", Rule::MissingKey, "add `for: 2s`");
    on("on: api, inject: { kill: { restart_after: 1s } }, from: 2s, for: 2s", Rule::Conflict, "keep one of the two");
    on("on: api, inject: { kill: { restart_after: 30s } }, from: 2s", Rule::Timing, "ends after the load");
}

#[test]
fn variables_of_a_scenario_are_a_services_own() {
    let env = |env: &str, rule: Rule, says: &str| check("load:", &format!("env: {env}\nload:"), rule, says);
    env("{ wbe: { MODE: x } }", Rule::UnknownName, "did you mean `web`?");
    env("{ web: { API_URL: x } }", Rule::Conflict, "already given by `calls.api`");
    env("{ web: { MODE: \"{{ calls.apo.url }}\" } }", Rule::BadTemplate, "did you mean `api`?");
    env("{ MODE: x }", Rule::UnknownName, "stand under the service");
}

#[test]
fn a_load_says_how_much_and_a_gate_what_it_asks() {
    check("- buy: { rate: 20/s, for: 20s }", "- buy", Rule::MissingKey, "how much of `buy`?");
    check("- buy: { rate: 20/s, for: 20s }", "- buy: { for: 20s }", Rule::MissingKey, "add `rate: 20/s`");
    check("for: 20s }", "for: 0s }", Rule::BadQuantity, "no time at all");
    check("load:", "gate: { of: buy, rate: 1/s, for: 1s }\nload:", Rule::MissingKey, "always met");
    check("load:\n  - buy: { rate: 20/s, for: 20s }", "load: []", Rule::WrongForm, "nothing happens");
    check("  - invariant: fine", "  []", Rule::WrongForm, "nothing is judged");
    check(
        "  - buy: { rate: 20/s, for: 20s }",
        "  - buy:\n    rate: 20/s\n    for: 20s",
        Rule::WrongForm,
        "indent what belongs to it",
    );
    check("- invariant: fine", "- invariant:\n    fine: true", Rule::WrongForm, "indent it further");
}

#[test]
fn a_saga_whose_calls_carry_no_key_is_a_warning() {
    let saga = "sagas:\n  buy: { started_by: buy, steps: [charge: { do: POST api /charges, undo: DELETE api /charges }] }\nreads:";
    let source = |name: &str, text: String| Source { name: name.to_owned(), text };
    let system = source("system.yaml", SYSTEM.replacen("reads:", saga, 1));
    let loaded =
        load(&system, &source("scenario.yaml", SCENARIO.to_owned())).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.system.sagas[0].steps[0].key.0, "null");
    let messages: Vec<&str> = loaded.warnings.list().iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, ["no call of the saga `buy` carries its key", "nothing is kept of `buy`"]);
}
