//! `squall contract probe` from outside: a consumer of one file, right and wrong in each way that is to be found.

#![expect(clippy::disallowed_methods, reason = "what is waited for is a program of its own")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// A till: each sale is a charge at the bank, and what is not known to be charged is paid back. `MANNERS` says what it
/// makes of an answer that is not as promised.
const TILL: &str = r#"
import json, os, threading, time, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

manners, bank, sales = os.environ["MANNERS"], os.environ["BANK"], {}

def ask(method, path, body=None):
    request = urllib.request.Request(bank + path, body and json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=0.3) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
    except OSError:
        return 0, b""

def says(answer, status, sale, word):
    if manners == "believes":
        return answer[0] == status
    try:
        told = json.loads(answer[1])
    except ValueError:
        if manners == "hangs":
            time.sleep(600)
        raise
    if not isinstance(told, dict):
        return False
    if manners == "crashes" and answer[0] == status and "state" not in told:
        os._exit(3)
    known = manners != "strict" or set(told) <= {"id", "state"}
    return answer[0] == status and told.get("id") == sale and told.get("state") == word and known

def is_charged(sale):
    return says(ask("POST", "/charges", {"id": sale}), 201, sale, "charged")

def pay_back(sale):
    while True:
        try:
            if says(ask("DELETE", "/charges/" + sale), 200, sale, "repaid"):
                sales[sale] = "off"
                return
        except ValueError:
            pass
        time.sleep(0.05)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, kind="application/json"):
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        sale = self.path.rsplit("/", 1)[-1]
        if self.path == "/readyz":
            self.say(200, {})
        elif self.path == "/summary":
            self.say(200, {"sold": sum(state == "sold" for state in sales.values())})
        elif sale in sales:
            self.say(200, {"id": sale, "state": sales[sale]})
        else:
            self.say(404, {})

    def do_POST(self):
        sale = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
        sales[sale] = "open"
        try:
            charged = is_charged(sale)
        except ValueError:
            charged = False
            if manners == "html":
                threading.Thread(target=pay_back, args=(sale,)).start()
                return self.say(503, "<h1>Something went wrong</h1>", "text/html")
        if charged:
            sales[sale] = "sold"
            return self.say(201, {"id": sale, "state": "sold"})
        if manners == "forgets":
            sales[sale] = "off"
        else:
            threading.Thread(target=pay_back, args=(sale,)).start()
        self.say(503, {"id": sale, "why": "it could not be charged"})

host, port = os.environ["LISTEN"].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

const BANK: &str = r#"
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

charged = {}

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
        self.say(200, {"charged": sum(charged.values())})

    def do_POST(self):
        charge = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
        charged.setdefault(charge, True)
        self.say(201, {"id": charge, "state": "charged"})

    def do_DELETE(self):
        charge = self.path.rsplit("/", 1)[-1]
        charged[charge] = False
        self.say(200, {"id": charge, "state": "repaid"})

host, port = os.environ["LISTEN"].rsplit(":", 1)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

const SYSTEM: &str = r#"
schema: 1
system: shop
contracts: contracts
services:
  till:
    process: { run: [python3, FOLDER/till.py] }
    listen: LISTEN
    ready: GET /readyz
    calls: { bank: { variable: BANK, timeout: 300ms } }
    env: { MANNERS: THESE }
  bank:
    process: { run: [python3, FOLDER/bank.py] }
    listen: LISTEN
    ready: GET /readyz
operations:
  sell:
    call: POST till /sales
    json: { id: "{{ uuid() }}" }
    succeeded: status == 201
    refused: status == 503
    keep: { id: request.body.id }
sagas:
  sale:
    started_by: sell
    steps:
      - charge: { do: POST bank /charges, key: body.id, undo: "DELETE bank /charges/{id}" }
    ends: { read: "GET till /sales/{id}", done: answer.body.state == 'sold', undone: answer.body.state == 'off' }
reads:
  bank: GET bank /money
  till: GET till /summary
invariants:
  what-is-charged-is-sold: bank.charged == till.sold
"#;

fn pact(consumer: &str, provider: &str, interactions: &[Value]) -> Value {
    json!({
        "consumer": { "name": consumer },
        "provider": { "name": provider },
        "interactions": interactions,
        "metadata": { "pactSpecification": { "version": "4.0" } },
    })
}

fn interaction(description: &str, call: [&str; 2], status: u16, body: &Value, rules: &Value) -> Value {
    json!({
        "type": "Synchronous/HTTP",
        "description": description,
        "request": { "method": call[0], "path": call[1], "matchingRules": { "path": {
            "combine": "AND", "matchers": [{ "match": "regex", "regex": format!("^{}$", call[1].replace("s-1", "[^/]+")) }],
        } } },
        "response": {
            "status": status,
            "headers": { "Content-Type": ["application/json"] },
            "body": { "contentType": "application/json", "content": body },
            "matchingRules": { "body": rules },
        },
    })
}

fn rule(path: &str, matcher: &Value) -> Value {
    json!({ path: { "combine": "AND", "matchers": [matcher] } })
}

/// A folder with the shop, whose till has these manners.
fn shop(manners: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("till.py", TILL);
    write("bank.py", BANK);
    let place = folder.path().display().to_string();
    write("system.yaml", &SYSTEM.replace("FOLDER", &place).replace("THESE", manners));
    fs::create_dir(folder.path().join("contracts")).unwrap();
    let id = || rule("$.id", &json!({ "match": "type" }));
    let with_words = |words: &str| {
        let mut rules = id();
        rules["$.state"] = rule("$.state", &json!({ "match": "regex", "regex": words }))["$.state"].clone();
        rules
    };
    let charge = json!({ "id": "s-1", "state": "charged" });
    let of_bank = [
        interaction("a charge", ["POST", "/charges"], 201, &charge, &with_words("^(charged|held)$")),
        interaction("no money", ["POST", "/charges"], 402, &json!({ "why": "it is spent" }), &json!({})),
        interaction("a repayment", ["DELETE", "/charges/s-1"], 200, &json!({ "id": "s-1", "state": "repaid" }), &id()),
    ];
    let mut refused = id();
    refused["$.why"] = id()["$.id"].clone();
    let of_till = [
        interaction("a sale", ["POST", "/sales"], 201, &json!({ "id": "s-1", "state": "sold" }), &id()),
        interaction("no sale", ["POST", "/sales"], 503, &json!({ "id": "s-1", "why": "…" }), &refused),
    ];
    write("contracts/till-bank.json", &pact("till", "bank", &of_bank).to_string());
    write("contracts/shopper-till.json", &pact("shopper", "till", &of_till).to_string());
    folder
}

fn squall(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(["contract", "probe", "--system", "system.yaml"]).args(words).current_dir(folder);
    command.stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

fn probe(folder: &Path, words: &[&str]) -> Output {
    squall(folder, words).output().unwrap()
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

/// What the cases of the charge came to with a till of these manners: violation, field, result, why.
fn charged_by(manners: &str) -> Vec<[String; 4]> {
    let folder = shop(manners);
    let output = probe(folder.path(), &["till", "--only", "a charge", "--json", "--jobs", "2"]);
    assert_says(&output, 1, &[]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cases = json["interactions"][0]["cases"].as_array().unwrap().iter();
    cases.map(|of| [text(&of["violation"]), text(&of["field"]), text(&of["result"]), text(&of["why"])]).collect()
}

/// Asks that just these cases are violated, each for this reason.
#[track_caller]
fn are_violated(cases: &[[String; 4]], violations: &[&str], why: &str) {
    assert!(cases.iter().any(|[violation, ..]| violation == "as-declared"), "{cases:#?}");
    for [violation, field, result, told] in cases {
        let name = format!("{violation} {field}");
        let expected = violations.contains(&violation.as_str()) || violations.contains(&name.as_str());
        assert_eq!(result, if expected { "violated" } else { "held" }, "{name}: {told}\n{cases:#?}");
        assert!(!expected || told.contains(why), "{name}: {told}");
    }
}

#[test]
fn a_right_consumer_holds_in_every_case() {
    let folder = shop("right");
    let output = probe(folder.path(), &["till", "--report", "json=out/probe.json"]);
    let text = assert_says(&output, 0, &["till → bank", "a charge", "a repayment", "26 held · 26 cases"]);
    let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    let cells = |name: &str| row(name).split("  ").map(str::trim).filter(|cell| !cell.is_empty()).count();
    assert!(row("a charge").contains("held 2") && row("a charge").contains("held 3"), "{text}");
    // Without words that it may be, nothing is an unknown one.
    assert!(row("a repayment").contains('–'), "{text}");
    assert_eq!(cells("no money"), 2 + 7, "{text}");
    let json: Value = serde_json::from_slice(&fs::read(folder.path().join("out/probe.json")).unwrap()).unwrap();
    let ways: Vec<&str> =
        json["interactions"].as_array().unwrap().iter().flat_map(|of| of["cases"][0]["way"].as_str()).collect();
    assert_eq!(ways.len(), 3);
    assert!(ways[2].starts_with("sell where POST /charges is answered "), "{ways:?}");
    // What is not asked for leads there all the same, and is not shown.
    let text =
        assert_says(&probe(folder.path(), &["till", "--only", "a repay"]), 0, &["a repayment", "9 held · 9 cases"]);
    assert!(!text.contains("a charge"), "{text}");
}

#[test]
fn one_that_believes_a_broken_answer_is_found() {
    let cases = charged_by("believes");
    let forbidden = ["missing-field", "wrong-type", "unknown-enum", "empty", "not-json"];
    are_violated(&cases, &forbidden, "wrong success: the saga ended done, and every answer to `charge`");
}

#[test]
fn one_that_hangs_is_found() {
    are_violated(&charged_by("hangs"), &["empty", "not-json"], "no answer within 2s (it may take 2s)");
}

#[test]
fn one_that_crashes_is_found() {
    let cases = charged_by("crashes");
    are_violated(&cases, &["missing-field $.state"], "`till` ended: exit status 3");
}

#[test]
fn one_that_answers_with_a_page_is_found() {
    are_violated(&charged_by("html"), &["empty", "not-json"], "its answer breaks its own contract, “shopper → till");
}

#[test]
fn one_that_does_not_bear_what_the_contract_allows_is_found() {
    are_violated(&charged_by("strict"), &["extra-field"], "the contract allows it, and it changes");
}

#[test]
fn one_that_does_not_undo_is_found() {
    let cases = charged_by("forgets");
    let forbidden = ["missing-field", "wrong-type", "unknown-enum", "empty", "not-json"];
    are_violated(&cases, &forbidden, "saga sell");
}

#[test]
fn what_nothing_leads_to_is_not_known() {
    let folder = shop("right");
    let look = interaction("a look", ["GET", "/charges/s-1"], 200, &json!({ "id": "s-1" }), &json!({}));
    fs::write(folder.path().join("contracts/till-bank.json"), pact("till", "bank", &[look]).to_string()).unwrap();
    let output = probe(folder.path(), &["till"]);
    assert_says(
        &output,
        3,
        &["not reached", "nothing led to GET /charges/s-1", "tried: sell", "1 interactions not reached"],
    );
}

#[test]
fn mistakes_end_before_anything_is_started() {
    let folder = shop("right");
    let at = folder.path();
    assert_says(&probe(at, &["moon"]), 2, &["`moon` is no service of the system, which has `till`, `bank`"]);
    assert_says(&probe(at, &["bank"]), 2, &["in which `bank` asks another"]);
    assert_says(&probe(at, &["till", "--only", "the moon"]), 2, &["asks another has `the moon`"]);
    assert_says(&probe(at, &["till", "--report", "junit=a.xml"]), 2, &["`json=FILE`"]);
    assert_says(&probe(at, &["till", "--setup", "none.yaml"]), 2, &["none.yaml"]);
    assert_says(&probe(at, &["till", "--pacts", "nowhere"]), 2, &["nowhere"]);
    assert!(!at.join("target").exists(), "something was started");
    fs::write(at.join("till.py"), "raise SystemExit('closed today')").unwrap();
    assert_says(&probe(at, &["till"]), 4, &["closed today"]);
}

/// Programs of a shop that run.
fn programs(folder: &Path) -> Vec<String> {
    let listed = Command::new("ps").args(["-A", "-o", "stat=,command="]).output().unwrap();
    let name = folder.display().to_string();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed
        .lines()
        .filter(|line| line.contains(&name) && !line.trim_start().starts_with('Z'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_interrupted_probe_shows_what_was_known_and_leaves_nothing_running() {
    let folder = shop("hangs");
    let child = squall(folder.path(), &["till"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let records = || {
        let runs = fs::read_dir(folder.path().join("target/squall/runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| fs::read_to_string(run.path().join("record.ndjson")).ok()).collect::<String>()
    };
    while !records().contains("operation_ended") {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was played");
        std::thread::yield_now();
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_says(&output, 130, &["interrupted", "till → bank", "cases"]);
    assert_eq!(programs(folder.path()), Vec::<String>::new());
}
