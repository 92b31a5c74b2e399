//! What a user sees of mistakes: each with its file, line, column, underline and remedy.

use squall_scenario::{Mistakes, Rule, Source, load, model::Expectation};

const SHOP: &str = include_str!("../../../services/system.yaml");

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn mistakes(system: &str, scenario: &str) -> Mistakes {
    load(&source("services/system.yaml", system), &source("scenario.yaml", scenario)).expect_err("there are mistakes")
}

#[test]
fn a_file_with_mistakes_of_twelve_kinds_shows_them_all() {
    let found = mistakes(SHOP, include_str!("bad/twelve.yaml"));
    let mut kinds: Vec<&str> = found.list().iter().map(|mistake| mistake.rule.word()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.len() >= 12, "{kinds:?}");
    insta::assert_snapshot!(found);
}

#[test]
fn a_system_file_shows_all_of_its_mistakes_too() {
    let found = mistakes(include_str!("bad/system.yaml"), include_str!("bad/of_bad_system.yaml"));
    insta::assert_snapshot!(found);
}

#[test]
fn colour_is_for_terminals_alone() {
    let found = mistakes(SHOP, "schema: 1\n");
    assert!(!found.render(false).contains('\u{1b}'));
    assert!(found.render(true).contains('\u{1b}'));
    assert_eq!(found.to_string(), found.render(false));
}

/// A scenario that is right, but for what replaces one of its parts.
fn scenario_with(part: &str, other: &str) -> String {
    let right = "schema: 1
scenario: right
title: All is well
system: services/system.yaml
setup:
  - stock-up: { each: { sku: skus }, quantity: 100 }
gate: { of: place-order, rate: 20/s, for: 1s, succeeded: \">= 99%\" }
load:
  - place-order: { rate: 20/s, for: 20s }
faults:
  - { name: down, on: order -> payment, inject: { respond: { status: 503 } }, from: 2s, for: 5s }
expect:
  - saga: { of: place-order }
";
    assert!(right.contains(part), "{part}");
    right.replacen(part, other, 1)
}

/// One mistake, its rule, what is underlined, and the remedy's text.
fn check(part: &str, other: &str, rule: Rule, underlined: &str, help: &str) {
    let text = scenario_with(part, other);
    let found = mistakes(SHOP, &text);
    let [mistake] = found.list() else { panic!("not one mistake:\n{found}") };
    assert_eq!(mistake.rule, rule, "{found}");
    let line = text.lines().nth(mistake.line - 1).unwrap();
    let from: String = line.chars().skip(mistake.column - 1).collect();
    assert!(from.starts_with(underlined), "{found}");
    assert!(found.to_string().contains(&format!(" {}", "^".repeat(underlined.chars().count()))), "{found}");
    assert!(mistake.helps.iter().any(|h| h.contains(help)), "{found}");
}

#[test]
fn the_scenario_that_the_others_are_made_of_is_right() {
    let text = scenario_with("schema: 1", "schema: 1");
    load(&source("services/system.yaml", SHOP), &source("scenario.yaml", &text)).unwrap_or_else(|m| panic!("{m}"));
}

#[test]
fn quantities_name_the_unit_that_is_missing() {
    check("rate: 20/s, for: 20s", "rate: 20, for: 20s", Rule::MissingUnit, "20", "write `20/s`");
    check("for: 20s", "for: 20", Rule::MissingUnit, "20", "write `20s`");
    check("\">= 99%\"", "99%", Rule::BadQuantity, "99%", "write `\">= 99%\"`");
    check("\">= 99%\"", "\">= 0.99\"", Rule::MissingUnit, "\">= 0.99\"", "write `99%`");
    check("from: 2s", "from: 2 s", Rule::BadQuantity, "2 s", "like `250ms`");
}

#[test]
fn names_are_found_by_what_they_are_near() {
    check("of: place-order }", "of: place-odrer }", Rule::UnknownName, "place-odrer", "did you mean `place-order`?");
    check("order -> payment", "order -> paymet", Rule::UnknownName, "paymet", "did you mean `payment`?");
    check("order -> payment", "oder -> payment", Rule::UnknownName, "oder", "did you mean `order`?");
    check(
        "order -> payment",
        "payment -> order",
        Rule::UnknownName,
        "payment -> order",
        "did you mean `order -> payment`?",
    );
    check(
        "order -> payment",
        "order ~> payment",
        Rule::UnknownName,
        "order ~> payment",
        "did you mean `order -> payment`?",
    );
    check("order -> payment", "\"* -> paymen\"", Rule::UnknownName, "paymen", "did you mean `payment`?");
    check(
        "- saga: { of: place-order }",
        "- invariant: money-consevred",
        Rule::UnknownName,
        "money-consevred",
        "`money-conserved`",
    );
    check("respond:", "responds:", Rule::UnknownWord, "responds", "did you mean `respond`?");
    check("quantity: 100", "quantty: 100, quantity: 100", Rule::UnknownKey, "quantty", "did you mean `quantity`?");
}

#[test]
fn what_keeps_a_request_from_being_made_is_found() {
    let check_template = |other: &str, says: &str| {
        let text =
            scenario_with("rate: 20/s, for: 20s }", &format!("rate: 20/s, for: 20s, payment_method: \"{other}\" }}"));
        let found = mistakes(SHOP, &text);
        assert!(found.list().iter().all(|mistake| mistake.rule == Rule::BadTemplate), "{found}");
        assert!(found.to_string().contains(says), "{found}");
    };
    check_template("{{ int(3, 1) }}", "write the smaller one first");
    check_template("{{ pick([]) }}", "not empty");
    check_template("{{ 'x' | shout }}", "shout");
    check_template("{{ skuss }}", "did you mean `skus`?");
    check("each: { sku: skus }", "each: { sku: size(skus) }", Rule::WrongForm, "size(skus)", "name a list");
    check("each: { sku: skus }", "each: { sku: [] }", Rule::WrongForm, "[]", "name a list");
    check("each: { sku: skus }", "each: { sk: skus }, sku: a", Rule::UnknownName, "sk", "did you mean `sku`?");
}

#[test]
fn keys_that_other_tools_have_are_known_by_ours() {
    check("for: 20s", "for: 20s, from: 0s, start: 1s", Rule::UnknownKey, "start", "called `from` here");
    check("title: All is well", "title: x\nchecks: []", Rule::UnknownKey, "checks", "called `expect` here");
    check("title: All is well", "title: x\n<<: {}", Rule::UnknownKey, "<<", "merge keys");
}

#[test]
fn parts_that_do_not_go_together_are_found() {
    check("on: order -> payment", "on: payment", Rule::Conflict, "payment", "on: order -> payment");
    check("from: 2s,", "from: 2s, live: keep,", Rule::Conflict, "keep", "black-hole");
    check(
        "respond: { status: 503 }",
        "latency: { delay: 1s } }, match: { nth: 2",
        Rule::Conflict,
        "{ nth: 2 }",
        "take `match` away",
    );
    let nothing = "respond: { status: 503 } }, match: { call: POST inventory /api/v1/reservations ";
    check("respond: { status: 503 }", nothing, Rule::Conflict, "POST inventory", "match a call to `payment`");
}

#[test]
fn faults_must_leave_time_for_what_follows() {
    check("from: 2s", "from: 30s", Rule::Timing, "30s", "start it before 20s");
    check("for: 5s", "for: 19s", Rule::Timing, "19s", "`for: 18s` or less");
    let recovers = "- recovers: { of: place-order, within: 14s, succeeded: \">= 99%\" }";
    check("- saga: { of: place-order }", recovers, Rule::Timing, "5s", "`for: 4s` or less, or make the load last 21s");
}

#[test]
fn expectations_that_no_run_could_judge_are_found() {
    let expect = |text: &str, underlined: &str, help: &str| {
        check("- saga: { of: place-order }", text, Rule::NotJudgeable, underlined, help);
    };
    expect("- breaker: { on: order ~> inventory }", "order ~> inventory", "add `breaker:");
    expect("- fast: { of: stock-up, p99: \"<= 1s\" }", "stock-up", "there is only `place-order`");
    let found = mistakes(SHOP, &scenario_with("- saga: { of: place-order }", "- saga: { of: stock-up }"));
    assert!(found.list()[0].message.contains("starts no saga"), "{found}");
    let breaker = "- breaker: { on: order -> payment, of: down, opens_within: 1s }";
    let text = scenario_with("- saga: { of: place-order }", breaker);
    for (part, other, says) in [
        ("rate: 20/s, for: 20s", "rate: 1/s, for: 20s", "come every 1s"),
        ("for: 5s }", "for: 50ms }", "3 failures at most, and it needs 5"),
        ("from: 2s", "match: { nth: 3 }, from: 2s", "1 failures at most"),
    ] {
        let found = mistakes(SHOP, &text.replacen(part, other, 1));
        assert_eq!(found.list().len(), 1, "{found}");
        assert!(found.list()[0].message.contains(says), "{found}");
    }
}

#[test]
fn what_is_expected_twice_or_in_the_wrong_place_is_found() {
    let again = "- saga: { of: place-order }\n  - saga: { of: place-order }";
    check("- saga: { of: place-order }", again, Rule::DuplicateName, "saga", "take one of the two away");
    let gate = "- saga: { of: place-order }\n  - gate: { of: place-order }";
    check("- saga: { of: place-order }", gate, Rule::UnknownWord, "gate", "above `load:`");
}

#[test]
fn a_fault_that_trips_a_breaker_by_luck_alone_is_a_warning() {
    let breaker = "- breaker: { on: order -> payment, of: down, opens_within: 1s }";
    let text = scenario_with("- saga: { of: place-order }", breaker);
    let text = text.replacen("from: 2s", "match: { probability: 10% }, from: 2s", 1);
    let loaded = load(&source("services/system.yaml", SHOP), &source("scenario.yaml", &text));
    let loaded = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [warning] = loaded.warnings.list() else { panic!("{}", loaded.warnings) };
    assert_eq!(warning.rule, Rule::NotJudgeable);
    assert!(warning.message.contains("by luck alone"), "{}", loaded.warnings);
}

#[test]
fn a_fault_where_nothing_passes_is_found() {
    check("order -> payment", "client -> inventory", Rule::NotJudgeable, "client -> inventory", "into the load");
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    for (target, kind) in [("order", "{ clock-skew: { offset: 5s } }"), ("order ~> inventory", "duplicate")] {
        let text = scenario_with(
            "on: order -> payment, inject: { respond: { status: 503 } }",
            &format!("on: {target}, inject: {kind}"),
        );
        let found = mistakes(SHOP, &text);
        assert!(found.list().iter().all(|mistake| mistake.rule == Rule::NotYet), "{found}");
    }
    for kind in ["delivery: {}", "replay", "deadline", "isolation: { of: x }", "ready"] {
        let found = mistakes(SHOP, &scenario_with("saga: { of: place-order }", kind));
        assert!(found.list().iter().all(|mistake| mistake.rule == Rule::NotYet), "{found}");
    }
    // Its spelling is looked at all the same.
    let found = scenario_with(
        "on: order -> payment, inject: { respond: { status: 503 } }",
        "on: order, inject: { clock-skew: { ofset: 5s } }",
    );
    let found = mistakes(SHOP, &found);
    assert!(found.list().iter().any(|mistake| mistake.rule == Rule::UnknownKey), "{found}");
}

#[test]
fn what_asks_for_contracts_needs_a_system_that_says_where_they_are() {
    let without = SHOP.replace("contracts: contracts\n", "");
    for (from, to) in [
        ("{ respond: { status: 503 } }", "{ break-contract: { kind: empty } }"),
        ("{ respond: { status: 503 } }", "{ answer-as: { interaction: declined } }"),
        ("saga: { of: place-order }", "contract"),
        ("saga: { of: place-order }", "contract: { on: \"* -> payment\" }"),
        ("saga: { of: place-order }", "resilience"),
        ("saga: { of: place-order }", "resilience: { on: order -> payment }"),
    ] {
        let text = scenario_with(from, to);
        let found = mistakes(&without, &text);
        assert!(found.to_string().contains("to the system file: `contracts: contracts`"), "{found}");
        let loaded = load(&source("system.yaml", SHOP), &source("scenario.yaml", &text));
        assert!(loaded.unwrap_or_else(|found| panic!("{to}: {found}")).scenario.needs_contracts());
    }
}

#[test]
fn a_contract_is_of_calls() {
    for (from, to, why) in [
        ("saga: { of: place-order }", "contract: { on: order ~> inventory }", "its answer is promised nowhere"),
        (
            "on: order -> payment, inject: { respond: { status: 503 } }",
            "on: order ~> inventory, inject: { answer-as: { interaction: x } }",
            "what is delivered here is an event",
        ),
        ("{ respond: { status: 503 } }", "{ break-contract: { kind: empty, field: id } }", "the whole body"),
    ] {
        let found = mistakes(SHOP, &scenario_with(from, to));
        assert!(found.to_string().contains(why), "{found}");
    }
}

#[test]
fn a_resilience_file_is_about_calls_between_services() {
    let asking = |on: &str| scenario_with("saga: { of: place-order }", &format!("resilience: {{ on: {on} }}"));
    for on in ["order ~> inventory", "client -> order", "\"client -> *\""] {
        let found = mistakes(SHOP, &asking(on));
        assert!(found.to_string().contains("write `on: order -> payment`, or `on: order -> *`"), "{found}");
    }
    let found = mistakes(SHOP, &asking("order -> paymnt"));
    assert!(found.to_string().contains("did you mean `payment`"), "{found}");
    let loaded = load(&source("system.yaml", SHOP), &source("scenario.yaml", &asking("\"* -> *\"")));
    let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
    let Some(Expectation::Resilience { on }) = loaded.scenario.expect.first() else { panic!() };
    assert!(!on.is_empty() && on.iter().all(|edge| edge.from == "order"), "{on:?}");
    assert!(loaded.scenario.needs_resilience());
}

#[test]
fn faults_that_may_answer_the_same_call_are_a_warning_that_names_the_winner() {
    let two = "- { name: also, on: \"* -> payment\", inject: { lose-response: {} }, from: 4s, for: 5s }\nexpect:";
    let text = scenario_with("expect:", &format!("  {two}"));
    let loaded =
        load(&source("services/system.yaml", SHOP), &source("scenario.yaml", &text)).unwrap_or_else(|m| panic!("{m}"));
    let [warning] = loaded.warnings.list() else { panic!("{}", loaded.warnings) };
    assert_eq!(warning.rule, Rule::Shadowed);
    assert!(warning.helps[0].contains("`down` wins"), "{}", loaded.warnings.render_as_warnings(false));
    let apart = text.replace("from: 4s", "from: 8s");
    let loaded =
        load(&source("services/system.yaml", SHOP), &source("scenario.yaml", &apart)).unwrap_or_else(|m| panic!("{m}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn a_mistake_of_syntax_shows_its_place_and_what_is_most_often_meant() {
    let shown = |text: &str| mistakes(SHOP, text).to_string();
    insta::assert_snapshot!(shown("schema: 1\nreads:\n  order: { each: place-order, call: GET order /orders/{id} }\n"));
    insta::assert_snapshot!(shown("schema: 1\n\tscenario: x\n"));
    insta::assert_snapshot!(shown("schema: 1\nfaults:\n  - on: * -> payment\n"));
    insta::assert_snapshot!(shown("schema: 1\nload: [\n"));
}

#[test]
fn a_system_file_that_cannot_be_read_is_shown_where_it_is_named() {
    let text = scenario_with("title: All is well", "titel: All is well");
    let found =
        squall_scenario::unreadable_system(&source("scenario.yaml", &text), "cannot read `services/system.yaml`");
    let rules: Vec<(Rule, usize)> = found.list().iter().map(|mistake| (mistake.rule, mistake.line)).collect();
    assert_eq!(rules, [(Rule::MissingKey, 1), (Rule::UnknownKey, 3), (Rule::UnknownName, 4)], "{found}");
}

#[test]
fn a_syntax_mistake_in_one_file_does_not_hide_those_of_the_other() {
    let found = mistakes("schema: [", "schema: 1\nscenari: x\n");
    let files: Vec<&str> = found.list().iter().map(|mistake| mistake.file.as_str()).collect();
    assert!(files.contains(&"services/system.yaml") && files.contains(&"scenario.yaml"), "{found}");
}
