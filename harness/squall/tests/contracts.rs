//! `squall contract` from outside: from a pact to a deployment, in a folder and at a broker.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::json;
use squall_test_broker::{Asks, Broker};

const TOKEN: &str = "s3cr3t-t0k3n";

/// A folder with one pact in it.
fn place(status: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pact = json!({
        "consumer": { "name": "order" },
        "provider": { "name": "payment" },
        "interactions": [{
            "type": "Synchronous/HTTP",
            "description": "a charge",
            "request": { "method": "POST", "path": "/payments" },
            "response": { "status": status },
        }],
        "metadata": { "pactSpecification": { "version": "4.0" } },
    });
    fs::create_dir(folder.path().join("contracts")).unwrap();
    fs::write(folder.path().join("contracts/order-payment.json"), pact.to_string()).unwrap();
    folder
}

fn squall(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.arg("contract").args(line.split(' ')).current_dir(folder);
    for name in
        ["PACT_BROKER_BASE_URL", "PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"]
    {
        command.env_remove(name);
    }
    command.env("PACT_BROKER_TOKEN", TOKEN).output().unwrap()
}

#[track_caller]
fn assert_says(output: &Output, code: i32, what: &str) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(what), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
}

/// From a pact to the question, which nobody can answer yet.
fn go(folder: &Path, at: &str) {
    assert_says(
        &squall(folder, &format!("publish {at} --version 1 --branch main")),
        0,
        "order version 1 and provider payment",
    );
    assert_says(&squall(folder, &format!("create-environment staging {at}")), 0, "staging");
    assert_says(&squall(folder, &format!("list-environments {at}")), 0, "staging");
    let asked = squall(folder, &format!("can-i-deploy order --version 1 --environment staging {at}"));
    assert_says(&asked, 3, "unknown: order 1 to staging");
    let asked = squall(folder, &format!("can-i-deploy payment --version 9 --environment staging {at}"));
    assert_says(&asked, 1, "no: payment 9 to staging");
    let deployed = squall(folder, &format!("record-deployment order --version 1 --environment staging {at}"));
    assert_says(&deployed, 0, "as deployed to staging");
    let gone = squall(folder, &format!("record-undeployment order --version 1 --environment staging {at}"));
    assert_says(&gone, 0, "as gone from staging");
    let changed = place(200);
    let at = at.replace("--to pacts", &format!("--to {}", folder.join("pacts").display()));
    assert_says(&squall(changed.path(), &format!("publish {at} --version 1")), 2, "nothing was published");
}

#[test]
fn in_a_folder() {
    let folder = place(201);
    go(folder.path(), "--to pacts");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_broker() {
    let broker = Broker::start(Asks::Token(TOKEN.to_owned())).await.unwrap();
    let folder = place(201);
    go(folder.path(), &format!("--broker {}", broker.url()));
    assert!(broker.requests().len() > 10);
}

#[test]
fn mistakes_are_told_before_anything_is_published() {
    let folder = place(201);
    assert_says(&squall(folder.path(), "publish --version 1"), 2, "`--broker URL`, or a folder with `--to FOLDER`");
    assert_says(&squall(folder.path(), "publish --to pacts"), 2, "`--version`");
    assert_says(&squall(folder.path(), "publish nothing --to pacts --version 1"), 2, "`nothing`");
    assert_says(&squall(folder.path(), "publish --broker https://u:p4ss@b.example --version 1"), 2, "holds a user");
    fs::write(folder.path().join("contracts/page.json"), "<html>").unwrap();
    assert_says(&squall(folder.path(), "publish --to pacts --version 1"), 2, "page.json");
    assert!(!folder.path().join("pacts").exists());
    fs::remove_file(folder.path().join("contracts/page.json")).unwrap();
    assert_says(&squall(folder.path(), "publish --broker http://127.0.0.1:1 --version 1"), 4, "cannot be reached");
}
