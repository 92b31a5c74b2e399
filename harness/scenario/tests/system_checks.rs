//! What is found in a system file whose parts are right by themselves and do not go together.

use squall_scenario::{Rule, Source, load_system};

const RIGHT: &str = "schema: 1
system: shop
services:
  web:
    process: { run: [web] }
    listen: LISTEN
    calls:
      api: { variable: API_URL, timeout: 1s }
      cache: { variables: { host: CACHE_HOST, port: CACHE_PORT } }
    events:
      api: { variable: API_EVENTS_URL, call: POST api /events }
    env: { MODE: test }
  api: { process: { run: [api] }, listen: LISTEN, database: { variable: DATABASE_URL, process: sqlite } }
backing:
  cache: { process: { run: [cache, \"{{ port }}\"] } }
vars: { skus: [a] }
operations:
  buy: { call: POST web /buy, json: { sku: \"{{ pick(skus) }}\" }, keep: { id: answer.body.id } }
sagas:
  buy:
    started_by: buy
    steps:
      - hold: { do: POST api /holds, key: body.id, undo: \"DELETE api /holds/{id}\" }
reads:
  all: GET api /all
  one: { each: buy, call: \"GET api /one/{id}\" }
invariants:
  fine: all.count >= 0
";

fn found(part: &str, other: &str) -> squall_scenario::Mistakes {
    assert!(RIGHT.contains(part), "{part}");
    let text = RIGHT.replacen(part, other, 1);
    let source = Source { name: "system.yaml".to_owned(), text };
    load_system(&source).map(|system| panic!("no mistake after `{other}`: {system:?}")).unwrap_err()
}

/// One mistake: its rule, and a part of what is said of it.
fn check(part: &str, other: &str, rule: Rule, says: &str) {
    let found = found(part, other);
    let [mistake] = found.list() else { panic!("not one mistake:\n{found}") };
    assert_eq!(mistake.rule, rule, "{found}");
    assert!(found.to_string().contains(says), "{found}");
}

#[test]
fn the_system_that_the_others_are_made_of_is_right() {
    let source = Source { name: "system.yaml".to_owned(), text: RIGHT.to_owned() };
    load_system(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
}

#[test]
fn one_variable_means_one_thing() {
    check("MODE: test", "LISTEN: test", Rule::Conflict, "already given by `listen`");
    check("MODE: test", "API_URL: test", Rule::Conflict, "already given by `calls.api`");
    check("MODE: test", "CACHE_PORT: 1", Rule::Conflict, "already given by `calls.cache`");
    check("variable: API_EVENTS_URL", "variable: API_URL", Rule::Conflict, "give the events a variable of their own");
    check(
        "MODE: test }\n",
        "MODE: test }\n    database: { variable: MODE, process: sqlite }\n",
        Rule::Conflict,
        "given by `database`",
    );
}

#[test]
fn a_service_is_told_where_everything_is() {
    check("variable: API_URL, timeout: 1s", "timeout: 1s", Rule::MissingKey, "nothing tells `web` where `api` is");
    check("    listen: LISTEN\n", "", Rule::MissingKey, "nothing tells `web` where to listen");
    check("\"{{ port }}\"", "--fast", Rule::MissingKey, "nothing tells `cache` its port");
    check("listen: LISTEN,", "listen: \"{{ port }}\",", Rule::WrongForm, "write the template into `run`");
    check("listen: LISTEN,", "listen: 8080,", Rule::WrongForm, "write a variable's name");
    check("listen: LISTEN\n", "listen: 127.0.0.1:80\n    instances: 2\n", Rule::Conflict, "cannot all listen");
}

#[test]
fn a_gateway_says_which_paths_lead_where() {
    let twin = "api: { variable: API_URL, timeout: 1s }\n      web: { variable: API_URL, serves: /web }";
    check("api: { variable: API_URL, timeout: 1s }", twin, Rule::Conflict, "add `serves: /path`");
    let same = "api: { variable: API_URL, serves: /x }\n      web: { variable: API_URL, serves: [/y, /x] }";
    check("api: { variable: API_URL, timeout: 1s }", same, Rule::Conflict, "`/x` leads to `api` already");
    let relative = "api: { variable: API_URL, serves: x }";
    check("api: { variable: API_URL, timeout: 1s }", relative, Rule::WrongForm, "write `/x`");
}

#[test]
fn templates_of_services_name_what_is_there() {
    let env =
        |template: &str, says: &str| check("MODE: test", &format!("MODE: \"{template}\""), Rule::BadTemplate, says);
    env("{{ calls.apo.url }}", "did you mean `api`?");
    env("{{ calls.api.attempts | tojson }}", "declares no `attempts`");
    env("{{ calls.api.uri }}", "did you mean `url`?");
    env("{{ events.api.timeout_ms }}", "declares no `timeout`");
    env("{{ events.api.attempts }}", "no such part");
    env("{{ database.url }}", "`web` has no database");
    env("{{ files.conf }}", "no such file");
    env("{{ prot }}", "did you mean `port`?");
    env("{{ skuz }}", "did you mean `skus`?");
    env("{{ port", "this is not a template");
}

#[test]
fn an_image_is_ready_or_built() {
    let web = |container: &str, rule, says: &str| {
        check("process: { run: [web] }\n", &format!("container: {container}\n"), rule, says);
    };
    web("{ image: web, dockerfile: Dockerfile }", Rule::Conflict, "either an `image` or a `dockerfile`");
    web("{ image: web, args: { A: b } }", Rule::Conflict, "take `args` away");
    let without = "without_registry: { dockerfile: Dockerfile.static }";
    web(&format!("{{ image: web, {without} }}"), Rule::Conflict, "take `without_registry` away");
    web("{ dockerfile: Dockerfile, without_registry: {} }", Rule::MissingKey, "without `dockerfile`");
    let odd = "{ dockerfile: D, without_registry: { build: \"cargo 'x\", dockerfile: E } }";
    web(odd, Rule::WrongForm, "this is not a command");
}

#[test]
fn sagas_are_told_apart_on_the_wire() {
    let again = "steps:\n      - again: { do: POST api /holds, key: body.id }";
    check("steps:", again, Rule::Conflict, "nothing would tell the two steps apart");
    let named = "steps:\n      - hold: { do: POST api /other, key: body.id }";
    check("steps:", named, Rule::DuplicateName, "a step `hold` is there already");
    check("do: POST api /holds", "do: POST web /holds", Rule::NotJudgeable, "no service calls `web`");
    check("key: body.id", "key: path.id", Rule::BadExpression, "has no `{id}`");
    check("DELETE api /holds/{id}", "DELETE api /holds/{id}/{x}", Rule::MissingKey, "where the saga's key is");
    check("key: body.id", "key: Body.id", Rule::BadExpression, "did you mean `body`?");
    let twice = "sagas:\n  other: { started_by: buy, steps: [x: { do: POST api /x, key: body.id }] }";
    check("sagas:", twice, Rule::Conflict, "starts the saga `other` already");
    check("started_by: buy", "started_by: by", Rule::UnknownName, "did you mean `buy`?");
}

#[test]
fn reads_and_invariants_name_what_is_there() {
    let holds = |text: &str, says: &str| check("all.count >= 0", text, Rule::BadExpression, says);
    holds("al.count >= 0", "did you mean `all`?");
    holds("one.count >= 0", "write `each.one`");
    holds("http.al == 200", "did you mean `all`?");
    holds("size(each.all) > 0", "there is only `one`");
    holds("outcome == 'x' && all.x", "`outcome` is not known here");
    holds("1 < 2", "looks at nothing");
    holds("size(skus) == all.count", "`skus` is not known here");
    holds("al(all)", "unknown function `al`");
    holds("all.count >= 0 and true", "write `&&`");
    check("/one/{id}", "/one/{order}", Rule::BadExpression, "`order` is not known here");
    check("{ id: answer.body.id }", "{ id: body.id }", Rule::BadExpression, "`body` is not known here");
    check(
        "all.count >= 0",
        "calls('POST api /hold', '2xx') == 0",
        Rule::UnknownName,
        "did you mean `POST api /holds`?",
    );
    check("all.count >= 0", "calls('POST api /holds', '2x') == 0", Rule::UnknownWord, "no class of answers");
    check("reads:\n", "reads:\n  each: GET api /all\n", Rule::BadName, "a meaning of its own");
}

#[test]
fn a_name_with_a_hyphen_is_written_in_brackets() {
    let key = |key: &str, says: &str| check("key: body.id", &format!("key: {key}"), Rule::BadExpression, says);
    key("header.X-Order", "write `header['X-Order']`");
    key("answer.body.order-id", "write `answer.body['order-id']`");
    key("body.a - b", "one of `path`, `body`");
}

#[test]
fn what_no_request_could_carry_is_found() {
    check("call: POST web /buy,", "call: POST web /b uy,", Rule::BadCall, "no blank space");
    let headers = |headers: &str| format!("call: POST web /buy, headers: {{ {headers} }},");
    check("call: POST web /buy,", &headers("X Plan: gold"), Rule::BadName, "cannot name a header");
    check("call: POST web /buy,", &headers("Traceparent: x"), Rule::Conflict, "set for every message");
    check("MODE: test", "\"A B\": test", Rule::BadName, "cannot name a variable");
}

#[test]
fn what_templates_and_expressions_name_can_be_named() {
    check("vars: { skus: [a] }", "vars: { skus: [a], my-var: 1 }", Rule::BadName, "write `my_var`");
    check("vars: { skus: [a] }", "vars: { skus: [a], port: 1 }", Rule::BadName, "a meaning of its own in templates");
    check(
        "{ id: answer.body.id }",
        "{ id: answer.body.id, order-id: answer.body.id }",
        Rule::BadName,
        "write `order_id`",
    );
    check(
        "{ id: answer.body.id }",
        "{ id: answer.body.id, one: path }",
        Rule::DuplicateName,
        "`one` is a read already",
    );
    check("timeout: 1s", "timeout: 0s", Rule::BadQuantity, "no time at all");
}

#[test]
fn names_that_two_things_share_are_found() {
    check(
        "backing:\n",
        "backing:\n  api: { process: { run: [x, \"{{ port }}\"] } }\n",
        Rule::DuplicateName,
        "is a service already",
    );
    check("{ skus: [a] }", "{ skus: [a], skus: [b] }", Rule::DuplicateKey, "a second time");
}
