//! `squall contract verify --backend container`: providers as images, each with a PostgreSQL of its own.

use std::process::ExitCode;

use squall_tests::{Said, command_line, verified};

const CONTAINERS: [&str; 5] = ["--backend", "container", "--fresh", "--jobs", "2"];

fn main() -> ExitCode {
    if let Some(ended) = command_line() {
        return ended;
    }
    squall_tests::container_main(|| {
        vec![
            verified("payment keeps what it promises of refunds", || held("payment", "a refund of", "2 held · ")),
            verified("inventory keeps what it promises of releases", || held("inventory", "a release of", "3 held · ")),
            verified("what payment does not keep is violated", a_broken_promise_is_violated),
            verified("a state that needs a file of the service is inconclusive", a_file_that_is_out_of_reach),
        ]
    })
}

fn by_verify(provider: &str, more: &[&str]) -> Said {
    Said::by_verify(&[&[provider], &CONTAINERS[..], more].concat())
}

fn held(provider: &str, only: &str, tally: &str) -> Result<(), String> {
    by_verify(provider, &["--only", only]).ends(0, &[tally])
}

fn a_broken_promise_is_violated() -> Result<(), String> {
    let pact = squall_tests::pact("order-payment.json", |text| text.replace("\"voided\"", "\"void\""))?;
    by_verify("payment", &["--pacts", pact.path(), "--only", "a refund of what was never charged"]).ends(
        1,
        &[
            "violated      order → payment  a refund of what was never charged, which voids the order",
            "              $.status: ",
            "0 held · 1 violated · ",
        ],
    )
}

fn a_file_that_is_out_of_reach() -> Result<(), String> {
    let said = "the database of payment is no file that can be reached: verify this with `--backend process`";
    by_verify("payment", &["--only", "a refund, while its database"]).mentions(3, said)
}
