//! `squall contract verify` from outside: a provider of one file, held to a pact, on every way to a finding.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use squall_test_broker::{Asks, Broker};

/// A provider that keeps stock in memory, and takes what is put there.
const PROVIDER: &str = r#"
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

stock = {}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, kind="application/json"):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        sku = self.path.rsplit("/", 1)[-1]
        if self.path == "/readyz":
            self.say(200, {})
        elif self.path == "/hangs":
            time.sleep(600)
        elif self.path == "/closes":
            self.close_connection = True
        elif self.path == "/mood":
            self.say(200, {"mood": os.environ.get("MOOD", "good")})
        elif sku in stock:
            self.say(200, {"sku": sku, "ON_HAND": stock[sku]})
        else:
            self.say(404, {"title": "there is no such thing"}, "application/problem+json")

    def do_PUT(self):
        length = int(self.headers.get("Content-Length", 0))
        stock[self.path.rsplit("/", 1)[-1]] = json.loads(self.rfile.read(length))["on_hand"]
        self.say(201, {})

host, port = os.environ["LISTEN"].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

/// Sets states through the provider's own interface.
const STATES: &str = r#"
import json, os, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer, status = {}, 200
        if asked["state"] == "goods are in stock":
            if asked["action"] == "setup":
                url = asked["services"]["stock"]["url"] + "/goods/" + asked["params"]["sku"]
                body = json.dumps({"on_hand": asked["params"]["on_hand"]}).encode()
                urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"))
                answer = {"sku": asked["params"]["sku"]}
        elif asked["state"] == "the moon is full":
            status, answer = 500, "no telescope"
        else:
            status = 404
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

host, port = os.environ["STATES_LISTEN"].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

const SYSTEM: &str = "
schema: 1
system: shelf
services:
  stock:
    process: { run: [python3, provider.py] }
    listen: LISTEN
    ready: GET /readyz
";

fn interaction(description: &str, states: &Value, path: &str, response: &Value) -> Value {
    json!({
        "type": "Synchronous/HTTP",
        "description": description,
        "providerStates": states,
        "request": { "method": "GET", "path": path },
        "response": response,
    })
}

fn goods(sku: &str) -> Value {
    let mut of = interaction(
        "a look at goods",
        &json!([{ "name": "goods are in stock", "params": { "sku": sku, "on_hand": 3 } }]),
        "/goods/example",
        &json!({
            "status": 200,
            "headers": { "Content-Type": ["application/json"] },
            "body": { "contentType": "application/json", "content": { "sku": sku, "on_hand": 7 } },
            "matchingRules": { "body": { "$.on_hand": { "combine": "AND", "matchers": [{ "match": "integer" }] } } },
        }),
    );
    of["request"]["generators"] = json!({ "path": { "type": "ProviderState", "expression": "/goods/${sku}" } });
    of
}

fn nothing() -> Value {
    interaction("a look at nothing", &json!([]), "/goods/nothing", &json!({ "status": 404 }))
}

fn mood(state: &str, mood: &str) -> Value {
    let body = json!({ "contentType": "application/json", "content": { "mood": mood } });
    let response = json!({ "status": 200, "body": body });
    interaction(state, &json!([{ "name": state }]), "/mood", &response)
}

/// A folder with the provider, its system file, and a pact of these interactions.
fn place(interactions: &[Value]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("provider.py", &PROVIDER.replace("ON_HAND", "on_hand"));
    write("states.py", STATES);
    write("system.yaml", SYSTEM);
    let pact = json!({
        "consumer": { "name": "shop" },
        "provider": { "name": "stock" },
        "interactions": interactions,
        "metadata": { "pactSpecification": { "version": "4.0" } },
    });
    fs::create_dir(folder.path().join("contracts")).unwrap();
    write("contracts/shop-stock.json", &pact.to_string());
    folder
}

fn squall(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.arg("contract").args(words).current_dir(folder).env_remove("PACT_BROKER_BASE_URL").output().unwrap()
}

fn verify(folder: &Path, more: &[&str]) -> Output {
    let states = ["verify", "--system", "system.yaml", "--states-command", "python3 states.py"];
    squall(folder, &[&states, more].concat())
}

#[track_caller]
fn assert_says(output: &Output, code: i32, what: &[&str]) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for what in what {
        assert!(text.contains(what), "`{what}` is not in\n{text}");
    }
    text
}

/// A field that is called otherwise is violated, and may not be deployed until it is mended: by what `place` knows of it.
/// `from_and_to` says the same place to `verify`.
fn changed_and_mended(place_is: &str, from_and_to: &[&str]) {
    let folder = place(&[goods("widget"), nothing()]);
    let at = folder.path();
    let go = |line: &str| squall(at, &format!("{line} {place_is}").split(' ').collect::<Vec<_>>());
    assert_says(&go("publish --version 1 --branch main"), 0, &[]);
    assert_says(&go("create-environment shops"), 0, &[]);
    assert_says(&go("record-deployment shop --version 1 --environment shops"), 0, &[]);

    let verified =
        |version: &'static str| verify(at, &[from_and_to, &["--version", version, "--branch", "main"]].concat());
    let asked = |version: &str| go(&format!("can-i-deploy stock --environment shops --version {version}"));
    fs::write(at.join("provider.py"), PROVIDER.replace("ON_HAND", "onHand")).unwrap();
    let broken = ["violated      shop → stock  a look at goods", "1 held · 1 violated", "on_hand", "failed", "shop"];
    assert_says(&verified("7"), 1, &broken);
    assert_says(&asked("7"), 1, &["no: stock 7 to shops", "stock 7  violated"]);

    fs::write(at.join("provider.py"), PROVIDER.replace("ON_HAND", "on_hand")).unwrap();
    assert_says(&verified("8"), 0, &["2 held", "succeeded", "shop"]);
    assert_says(&asked("8"), 0, &["yes: stock 8 to shops", "stock 8  held"]);
    assert_says(&asked("7"), 1, &["no: stock 7"]);
}

#[test]
fn a_changed_field_is_not_deployed_by_what_a_folder_knows() {
    let pacts = tempfile::tempdir().unwrap();
    let pacts = pacts.path().join("pacts").display().to_string();
    changed_and_mended(&format!("--to {pacts}"), &["--from", &pacts, "--to", &pacts]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_field_is_not_deployed_by_what_a_broker_knows() {
    let broker = Broker::start(Asks::Nothing).await.unwrap();
    changed_and_mended(&format!("--broker {}", broker.url()), &["--broker", &broker.url()]);
    let results = broker.results();
    let successes: Vec<&Value> = results.iter().map(|result| &result["success"]).collect();
    assert_eq!(successes, [false, true]);
    let of_goods = |result: &Value| {
        let each = result["testResults"].as_array().unwrap().iter();
        each.map(|of| of["success"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((of_goods(&results[0]), of_goods(&results[1])), (vec![false, true], vec![true, true]), "{results:#?}");
}

#[test]
fn each_finding_has_its_reason() {
    let message = json!({
        "type": "Asynchronous/Messages", "description": "goods have come",
        "contents": { "contentType": "application/json", "content": { "sku": "widget" } },
    });
    let ok = json!({ "status": 200 });
    let unknown = json!([{ "name": "the shelf is full", "params": { "shelf": 7 } }]);
    let folder = place(&[
        nothing(),
        message,
        interaction("a look at a full shelf", &unknown, "/goods/shelf", &ok),
        interaction("a look at the moon", &json!([{ "name": "the moon is full" }]), "/moon", &ok),
        interaction("a question without an answer", &json!([]), "/hangs", &ok),
        interaction("a question that is cut off", &json!([]), "/closes", &ok),
    ]);
    let found = verify(folder.path(), &["--json", "--timeout", "2"]);
    assert_says(&found, 1, &[]);
    let json: Value = serde_json::from_slice(&found.stdout).unwrap();
    let of = |n: usize| &json["interactions"][n];
    let why = |n: usize| of(n)["why"].as_str().unwrap_or_default().to_owned();
    assert_eq!(of(0)["result"], "held");
    assert!(why(1).starts_with("it is a message"), "{}", why(1));
    assert!(why(2).contains("nobody sets the state `the shelf is full`"), "{}", why(2));
    let paste = of(2)["paste"].as_str().unwrap();
    assert!(paste.contains("def the_shelf_is_full(params, services):\n    shelf = params[\"shelf\"]  # 7"), "{paste}");
    assert!(why(3).contains("answered 500 \"no telescope\""), "{}", why(3));
    assert_eq!(of(4)["mismatches"][0]["actual"], "no answer within 2s");
    let actual = of(5)["mismatches"][0]["actual"].as_str().unwrap();
    assert!(actual.starts_with("no answer: the connection was closed"), "{actual}");

    let without = squall(folder.path(), &["verify", "--system", "system.yaml", "--only", "full shelf"]);
    assert_says(&without, 3, &["needs the state `the shelf is full`", "--states-command", "0 held · 1 inconclusive"]);
}

#[test]
fn with_a_system_for_each_nothing_is_left_over_and_variables_are_states() {
    // On one system the second would find what the state of the first has put there.
    let stays = interaction(
        "a look at what is not there",
        &json!([{ "name": "goods are in stock",
        "params": { "sku": "other", "on_hand": 1 } }]),
        "/goods/widget",
        &json!({ "status": 404 }),
    );
    let folder = place(&[goods("widget"), stays, mood("it is in a bad mood", "bad")]);
    let bad = ["--state-variable", "it is in a bad mood: MOOD=bad"];
    assert_says(&verify(folder.path(), &bad), 1, &["2 held · 1 violated", "status: expected status 404, got 200"]);
    assert_says(&verify(folder.path(), &[&bad[..], &["--fresh", "--jobs", "2"]].concat()), 0, &["3 held"]);
}

#[test]
fn a_generator_has_what_its_state_was_given_unless_something_else_is_handed_back() {
    // The handler hands back the `sku`, and knows nothing of a `label`.
    let of_the_label = |label: &str| {
        let mut of = goods("widget");
        of["providerStates"][0]["params"]["label"] = label.into();
        of["request"]["generators"]["path"]["expression"] = "/goods/${label}".into();
        of
    };
    let folder = place(&[of_the_label("widget")]);
    assert_says(&verify(folder.path(), &[]), 0, &["1 held"]);
    let folder = place(&[of_the_label("gadget")]);
    assert_says(&verify(folder.path(), &[]), 1, &["status: expected status 200, got 404"]);
}

#[test]
fn mistakes_end_before_anything_is_started() {
    let folder = place(&[nothing()]);
    let at = folder.path();
    assert_says(&verify(at, &["shelf"]), 2, &["`shelf` is no service of the system, which has `stock`"]);
    assert_says(&verify(at, &["--only", "unheard of"]), 2, &["no interaction has `unheard of`"]);
    assert_says(&verify(at, &["--pacts", "nowhere"]), 2, &["nowhere"]);
    assert_says(&verify(at, &["--version", "1"]), 2, &["`--to`"]);
    assert_says(&squall(at, &["verify", "--system", "no.yaml"]), 2, &["no.yaml", "--system"]);
    let system = ["verify", "--system", "system.yaml"];
    assert_says(&squall(at, &[&system[..], &["--states", "ftp://a"]].concat()), 2, &["http://127.0.0.1:9000/states"]);
    assert!(!at.join("target").exists(), "something was started");
    let ends = ["--states-command", "sh -c 'echo it is not here; exit 3'"];
    assert_says(&squall(at, &[&system[..], &ends].concat()), 4, &["ended with exit status 3", "it is not here"]);
    fs::write(at.join("provider.py"), "raise SystemExit('no stock today')").unwrap();
    assert_says(&verify(at, &[]), 4, &["no stock today"]);
}
