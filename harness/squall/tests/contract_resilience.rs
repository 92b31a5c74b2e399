//! `squall contract resilience` from outside: a consumer of one file, whose provider fails in every way.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

/// A desk that asks a shelf for each book, for 300 ms at most; what it answers without an answer is a variable's.
const SERVICE: &str = r#"
import http.client, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path.startswith("/books/"):
            self.say(200, {"title": "dune"})
        elif self.path.startswith("/loans/"):
            self.lend()
        else:
            self.say(200, {})

    def lend(self):
        try:
            host, port = os.environ["SHELF"].removeprefix("http://").split(":")
            shelf = http.client.HTTPConnection(host, int(port), timeout=0.3)
            shelf.request("GET", "/books/1", headers={"traceparent": self.headers.get("traceparent", "")})
            answer = shelf.getresponse()
            book = json.loads(answer.read())
            assert answer.status == 200
            self.say(200, {"lent": book["title"]})
        except Exception:
            self.say(int(os.environ["WITHOUT_SHELF"]), {"lent": "nothing"})

host, port = os.environ["LISTEN"].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

const SYSTEM: &str = "
schema: 1
system: library
contracts: contracts
services:
  desk:
    process: { run: [python3, service.py], env: { WITHOUT_SHELF: \"503\" } }
    listen: LISTEN
    ready: GET /readyz
    calls:
      shelf: { variable: SHELF, timeout: 300ms, attempts: { at_most: 1 } }
  shelf:
    process: { run: [python3, service.py] }
    listen: LISTEN
    ready: GET /readyz
operations:
  lend:
    call: GET desk /loans/1
    succeeded: status == 200
    refused: status in [500, 503]
    implies: { desk -> shelf: \"true\" }
";

const PROMISES: &str = "
schema: 1
consumer: desk
provider: shelf
clauses:
  - { when: [timeout, refusal, 5xx, garbage], within: 2s, answers: [503] }
";

fn interaction(path: &str, status: u16, body: &Value) -> Value {
    json!({
        "type": "Synchronous/HTTP",
        "description": format!("{path} → {status}"),
        "request": { "method": "GET", "path": path },
        "response": {
            "status": status,
            "body": { "contentType": "application/json", "content": body },
            "matchingRules": { "body": { "$": { "matchers": [{ "match": "type" }] } } },
        },
    })
}

fn pact(consumer: &str, provider: &str, interactions: &[Value]) -> String {
    let pact = json!({
        "consumer": { "name": consumer }, "provider": { "name": provider }, "interactions": interactions,
        "metadata": { "pactSpecification": { "version": "4.0" } },
    });
    pact.to_string()
}

/// A folder with the library and its contracts.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("contracts")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("service.py", SERVICE);
    write("system.yaml", SYSTEM);
    let book = interaction("/books/1", 200, &json!({ "title": "dune" }));
    write("contracts/desk-shelf.json", &pact("desk", "shelf", &[book]));
    let answers = [200, 500, 503].map(|status| interaction("/loans/1", status, &json!({ "lent": "dune" })));
    write("contracts/web-desk.json", &pact("web", "desk", &answers));
    write("contracts/desk-shelf.resilience.yaml", PROMISES);
    folder
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    assert!(text.contains(from), "`{from}` is not in {name}");
    fs::write(folder.join(name), text.replace(from, to)).unwrap();
}

fn squall(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(words).current_dir(folder).env("NO_COLOR", "1").env_remove("PACT_BROKER_BASE_URL").output().unwrap()
}

fn tried(folder: &Path, words: &[&str]) -> Output {
    squall(folder, &[&["contract", "resilience", "--system", "system.yaml"], words].concat())
}

fn deployable(folder: &Path) -> Output {
    squall(folder, &["contract", "can-i-deploy", "desk", "--version", "1", "--environment", "shop", "--from", "pacts"])
}

#[track_caller]
fn assert_says(output: &Output, code: i32, parts: &[&str]) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn from_a_promise_to_a_deployment() {
    let folder = place();
    let folder = folder.path();
    // What is to be deployed has no pact of its own here, but a promise.
    let file = "contracts/desk-shelf.resilience.yaml";
    let published = squall(folder, &["contract", "publish", file, "--to", "pacts", "--version", "1"]);
    assert_says(&published, 0, &["Clauses successfully published of desk version 1 for failures of shelf."]);
    assert_says(&squall(folder, &["contract", "create-environment", "shop", "--to", "pacts"]), 0, &[]);
    assert_says(&deployable(folder), 3, &["Nobody has tried whether version 1 of desk bears failures of shelf"]);

    let held = tried(folder, &["desk", "--to", "pacts", "--version", "1"]);
    let case = |when: &str| format!("held           resilience desk -> shelf: {when}");
    let cases = ["timeout", "refusal", "5xx", "garbage"].map(case);
    assert_says(&held, 0, &cases.each_ref().map(String::as_str));
    assert_says(&held, 0, &["with 503", "as desk's own contract has it", "Recorded: version 1 of desk bears"]);
    assert_says(&deployable(folder), 0, &["yes: desk 1 to shop", "failures of shelf"]);

    // The same version with another answer: a result that says no.
    edit(folder, "system.yaml", "WITHOUT_SHELF: \"503\"", "WITHOUT_SHELF: \"500\"");
    let violated = tried(folder, &[file, "--to", "pacts", "--version", "1"]);
    assert_says(&violated, 1, &["answered otherwise than promised: 500, not 503", "does not bear failures of shelf"]);
    assert_says(&deployable(folder), 1, &["Version 1 of desk does not bear failures of shelf as it promises"]);
}

#[test]
fn what_was_not_struck_is_unknown_and_not_recorded() {
    let folder = place();
    let folder = folder.path();
    let clause = "{ when: [5xx], of: GET /other, within: 2s, answers: [503] }";
    edit(
        folder,
        "contracts/desk-shelf.resilience.yaml",
        "{ when: [timeout, refusal, 5xx, garbage], within: 2s, answers: [503] }",
        clause,
    );
    let output = tried(folder, &["--to", "pacts", "--version", "1", "--json"]);
    assert_says(
        &output,
        3,
        &["not recorded: desk for failures of shelf: 1 of 1 cases are inconclusive", "\"inconclusive\""],
    );
    assert!(!folder.join("pacts").exists());
    let verdicts: Value = serde_json::from_slice(&output.stdout).expect("the output is JSON");
    assert_eq!(verdicts[0]["scenario"], "desk-shelf-resilience");
}

#[test]
fn the_scenario_is_one_like_any_other() {
    let folder = place();
    let folder = folder.path();
    let printed = tried(folder, &["--scenario"]);
    assert_says(&printed, 0, &["scenario: \"desk-shelf-resilience\""]);
    assert!(!folder.join("target").exists(), "nothing is played");
    fs::write(folder.join("made.yaml"), &printed.stdout).unwrap();
    assert_says(&squall(folder, &["check", "made.yaml"]), 0, &[]);
}

#[test]
fn another_scenario_prepares_the_system() {
    let folder = place();
    let folder = folder.path();
    let like = "schema: 1\nscenario: like\ntitle: Like\nsystem: system.yaml\nsetup:\n  - lend: {}\n\
                load:\n  - lend: { rate: 1/s, for: 1s }\nexpect:\n  - resilience\n";
    fs::write(folder.join("like.yaml"), like).unwrap();
    assert_says(&tried(folder, &["--scenario", "--like", "like.yaml"]), 0, &["setup:\n  - {\"lend\":{}}"]);
    fs::create_dir(folder.join("scenarios")).unwrap();
    fs::write(folder.join("scenarios/like.yaml"), like.replace("system.yaml", "../system.yaml")).unwrap();
    assert_says(&tried(folder, &["--scenario"]), 0, &["setup:\n  - {\"lend\":{}}"]);
}

#[test]
fn mistakes_are_told_before_anything_is_started() {
    let folder = place();
    let folder = folder.path();
    let file = "contracts/desk-shelf.resilience.yaml";
    assert_says(&tried(folder, &["moon"]), 2, &["`moon` is no service of the system, which has `desk`, `shelf`"]);
    assert_says(&tried(folder, &["shelf"]), 2, &["is about what `shelf` promises"]);
    assert_says(&tried(folder, &["nowhere.resilience.yaml"]), 2, &["nowhere.resilience.yaml"]);
    assert_says(&tried(folder, &["--version", "1"]), 2, &["--to"]);
    fs::write(
        folder.join("scenario.yaml"),
        "schema: 1\nscenario: x\ntitle: X\nsystem: system.yaml\nload:\n  \
        - lend: { rate: 1/s, for: 1s }\nexpect:\n  - resilience: { on: desk -> shelf }\n",
    )
    .unwrap();
    assert_says(&squall(folder, &["check", "scenario.yaml"]), 0, &[]);

    edit(folder, file, "provider: shelf", "provider: shel");
    let never = ["`desk` never calls `shel`", "it calls `shelf`", file];
    assert_says(&tried(folder, &[]), 2, &never);
    assert_says(&squall(folder, &["check", "scenario.yaml"]), 2, &never);
    edit(folder, file, "consumer: desk", "consumer: moon");
    let none = ["is about `desk -> shelf`", "contracts/desk-shelf.resilience.yaml", "clauses:"];
    assert_says(&squall(folder, &["check", "scenario.yaml"]), 2, &none);
    edit(folder, file, "when: [timeout", "when: [timeuot");
    assert_says(&tried(folder, &[]), 2, &["`timeuot` is no failure"]);
    assert_says(&squall(folder, &["check", "scenario.yaml"]), 2, &["`timeuot` is no failure"]);
    fs::write(folder.join("contracts/twin.resilience.yaml"), PROMISES).unwrap();
    fs::write(folder.join(file), PROMISES).unwrap();
    assert_says(&tried(folder, &[]), 2, &["is about `desk -> shelf` too", "put all clauses into one file"]);
    edit(folder, "system.yaml", "contracts: contracts\n", "");
    assert_says(&tried(folder, &[]), 2, &["the system names no contracts"]);
    assert_says(&squall(folder, &["check", "scenario.yaml"]), 2, &["the system file has no `contracts`"]);
    assert!(!folder.join("target").exists(), "nothing was started");
}
