//! One field of a provider's answers has another name, and everything that stands between it and production says so, in
//! words of its own: both verifiers, the diff, the `contract` check of a run, and can-i-deploy.
//!
//! This program is three: the test, the payment service with or without the change, and the command line. Which one is
//! told by a variable.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Output},
};

use axum::{
    body::{Body, to_bytes},
    middleware::map_response,
    response::Response,
};
use chassis::App;
use http::header;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use squall::State;
use squall_contract_tests::{contract, files, verify};

/// The variable that tells this program what it is.
const PLAYS: &str = "CHANGED_FIELD_PLAYS";
/// The variable with which the payment service calls its field otherwise.
const RENAMES: &str = "CHANGED_FIELD_RENAMES";

/// The contract that the change is about.
const PACT: &str = "order-payment.json";
/// One interaction of it that has the field.
const CHARGE: &str = "order -> payment: a charge that the bank pays";

fn main() -> ExitCode {
    match env::var(PLAYS).as_deref() {
        Ok("squall") => squall::cli::main(),
        Ok("payment") => chassis::run(payment::service::ABOUT, async |start| {
            let app = payment::service::build(start).await?;
            Ok(if env::var_os(RENAMES).is_some() { renaming(app) } else { app })
        }),
        _ => {
            let trials = vec![
                Trial::test("a field with another name is told by everything that could let it pass", || {
                    told(&CHANGED)
                }),
                Trial::test("without the change nothing is told", || told(&UNCHANGED)),
            ];
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

/// The service, but its answers call the field `status` `state`. Problems have one of that name, too, and keep it.
fn renaming(app: App) -> App {
    let renamed = async |response: Response| {
        let (mut parts, body) = response.into_parts();
        if parts.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
            return Response::from_parts(parts, body);
        }
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let mut json: Value = serde_json::from_slice(&body).expect("JSON");
        rename(&mut json);
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(json.to_string()))
    };
    app.around(|router| router.layer(map_response(renamed)))
}

fn rename(body: &mut Value) {
    let body = body.as_object_mut().expect("an object");
    if let Some(status) = body.remove("status") {
        body.insert("state".to_owned(), status);
    }
}

/// Whether the payment service has the change, and what is said of it.
struct Told {
    renames: bool,
    by_the_reference: &'static str,
    by_verify: &'static [&'static str],
    by_diff: &'static [&'static str],
    by_the_check: &'static str,
    by_can_i_deploy: &'static [&'static str],
}

const UNCHANGED: Told = Told {
    renames: false,
    by_the_reference: "",
    by_verify: &["16 held · ", "Recorded: version 2 of payment succeeded against the pact of order."],
    by_diff: &["no change"],
    by_the_check: "10 answers as 1 interaction promise",
    by_can_i_deploy: &[
        "yes: payment 2 to production",
        "All required verification results are published and successful",
        "  order 1  payment 2  held",
    ],
};

const CHANGED: Told = Told {
    renames: true,
    by_the_reference: "violated  order -> payment: a charge that the bank pays
  $: expected `[\"order_id\",\"status\"]`, actual `[\"amount\",\"currency\",\"order_id\",\"payment_id\",\"state\"]`
    Actual map is missing the following keys: status",
    by_verify: &[
        "violated      order → payment  a charge that the bank pays",
        "              $.status: the field `status` is missing",
        "                expected  \"captured\"",
        "                actual    nothing",
        "11 held · 5 violated · ",
        "Recorded: version 2 of payment failed against the pact of order.",
    ],
    by_diff: &[
        "order → payment: a charge that the bank pays",
        "  breaking    response-field-added  response $.state: the field `state` (\"captured\") is now in the contract",
        "              for the provider: the provider must now answer with the field",
        "  breaking    response-field-removed  response $.status: the field `status` (\"captured\") is no longer in the \
         contract",
        "              for the consumer: the provider may leave the field out, and the consumer may need it",
        "10 changes, 10 breaking",
    ],
    by_the_check: "10 answers of `payment` break its contract: POST /api/v1/payments → 201: $.status: the field `status` \
                   is missing (no fault was in force)",
    by_can_i_deploy: &[
        "no: payment 2 to production",
        "The verification for the pact between version 1 of order and version 2 of payment failed",
        "  order 1  payment 2  violated",
    ],
};

fn told(told: &Told) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    lay_out(at, told.renames)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    assert_eq!(runtime.block_on(reference(told.renames)), told.by_the_reference);

    prepared(at, "publish --to pacts --version 1");
    prepared(at, "create-environment production --to pacts");
    prepared(at, "record-deployment order --version 1 --environment production --to pacts");
    let verified = command_line(at, &verify_words());
    says(&verified, i32::from(told.renames), told.by_verify);

    let compared = command_line(at, &["diff", "contracts", "following"]);
    says(&compared, i32::from(told.renames), told.by_diff);

    let scenario = squall::scenario(at.join("charges.yaml")).whatever_the_time().runs(at.join("runs"));
    let played = runtime.block_on(scenario.run());
    let check = played.verdict().check("contract").ok_or_else(|| played.report())?;
    assert_eq!(check.state, if told.renames { State::Violated } else { State::Held }, "{}", played.report());
    assert_eq!(check.summary, told.by_the_check);

    let asked = ["can-i-deploy", "payment", "--version", "2", "--environment", "production", "--from", "pacts"];
    says(&command_line(at, &asked), i32::from(told.renames), told.by_can_i_deploy);
    Ok(())
}

/// A folder with the contract, the contract as it is when it follows the provider, a system of the payment service
/// alone, and a scenario that charges.
fn lay_out(at: &Path, renames: bool) -> Result<(), Failed> {
    let text = fs::read_to_string(files::folder().join(PACT))?;
    let mut following: Value = serde_json::from_str(&text)?;
    for interaction in following["interactions"].as_array_mut().into_iter().flatten() {
        let body = &mut interaction["response"]["body"];
        if renames && body["contentType"] == "application/json" {
            rename(&mut body["content"]);
        }
    }
    let program = env::current_exe()?;
    let mut variables = json!({ PLAYS: "payment" });
    if renames {
        variables[RENAMES] = "yes".into();
    }
    let system = json!({
        "schema": 1,
        "system": "till",
        "contracts": "contracts",
        "services": { "payment": {
            "process": { "run": [program] },
            "listen": "LISTEN",
            "ready": "GET /readyz",
            "database": { "variable": "DATABASE_URL", "process": "sqlite" },
            "env": variables,
        } },
        "operations": { "charge": {
            "call": "POST payment /api/v1/payments",
            "headers": { "Idempotency-Key": "{{ uuid() }}" },
            "json": { "order_id": "{{ uuid() }}", "amount": 998, "currency": "EUR", "payment_method": "pm_ok" },
            "succeeded": "status == 201",
        } },
    });
    let scenario = json!({
        "schema": 1,
        "scenario": "charges",
        "title": "Charges are answered as payment has promised",
        "system": "system.yaml",
        "load": [{ "charge": { "rate": "10/s", "for": "1s" } }],
        "expect": ["contract"],
    });
    for folder in ["contracts", "following"] {
        fs::create_dir(at.join(folder))?;
    }
    fs::write(at.join("contracts").join(PACT), text)?;
    fs::write(at.join("following").join(PACT), following.to_string())?;
    // JSON is YAML.
    fs::write(at.join("system.yaml"), system.to_string())?;
    fs::write(at.join("charges.yaml"), scenario.to_string())?;
    Ok(())
}

/// What the Pact project's own verifier says of the service in this process.
async fn reference(renames: bool) -> String {
    let text = fs::read_to_string(files::folder().join(PACT)).expect("the contract");
    let all = contract::interactions(&text).expect("a contract");
    let charge = all.iter().find(|interaction| interaction.title() == CHARGE).expect("an interaction of this title");
    let verified = verify::verify(charge, |app| if renames { renaming(app) } else { app }).await;
    verified.err().map(|why| why.to_string()).unwrap_or_default()
}

/// Each interaction on a service of its own, and the result recorded.
fn verify_words() -> Vec<String> {
    let states = format!("python3 {}/states.py", env!("CARGO_MANIFEST_DIR"));
    let words = ["verify", "payment", "--system", "system.yaml", "--from", "pacts", "--to", "pacts", "--version", "2"];
    let variables = ["it has no time left: REQUEST_TIMEOUT_MS=300", "it is as busy as it may be: REQUESTS_MAX=0"];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.extend(["--fresh".to_owned(), "--states-command".to_owned(), states]);
    words.extend(variables.iter().flat_map(|of| ["--state-variable".to_owned(), (*of).to_owned()]));
    words
}

/// `squall contract` in a folder.
fn command_line(at: &Path, words: &[impl AsRef<str>]) -> Output {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.arg("contract").args(words.iter().map(AsRef::as_ref)).current_dir(at).env(PLAYS, "squall");
    command.env_remove("PACT_BROKER_BASE_URL").output().expect("this program runs")
}

fn prepared(at: &Path, line: &str) {
    says(&command_line(at, &line.split(' ').collect::<Vec<_>>()), 0, &[]);
}

/// Asks for an exit code and for these lines, each whole or from its beginning, in this order.
#[track_caller]
fn says(output: &Output, code: i32, lines: &[&str]) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    let mut said = text.lines();
    for line in lines {
        assert!(said.any(|of| of.starts_with(line)), "`{line}` is not said, or not in its place:\n{text}");
    }
}
