//! `squall contract verify` on the reference system, as processes: order is held to its contracts by its own binary, and
//! what cannot be verified so is said to be inconclusive, and why.

use std::process::ExitCode;

use squall_tests::{Said, command_line, verified};

/// The order service between two that are played by their contracts with it.
const ALONE: [&str; 2] = ["--system", "tests/contracts/order.yaml"];

fn main() -> ExitCode {
    if let Some(ended) = command_line() {
        return ended;
    }
    squall_tests::main(vec![
        verified("every interaction of the storefront with order is held", every_interaction_is_held),
        verified("a message is not verified over HTTP, and that is said", a_message_is_inconclusive),
        verified("a state that has no code is told with the code to begin with", a_state_without_code),
        verified("what order's callees do cannot be told to the real ones", the_real_ones_are_not_told),
    ])
}

fn every_interaction_is_held() -> Result<(), String> {
    let variables = [
        "it has no time left: REQUEST_TIMEOUT_MS=300",
        "it is as busy as it may be: REQUESTS_MAX=0",
        "payment takes its time: ORDER_WAIT_MS=0",
    ];
    let of_states: Vec<&str> = variables.iter().flat_map(|of| ["--state-variable", *of]).collect();
    let pacts = ["--pacts", "contracts/storefront-order.json", "--fresh"];
    Said::by_verify(&[&["order"], &ALONE[..], &pacts, &of_states].concat()).ends(0, &["45 held · "])
}

fn a_message_is_inconclusive() -> Result<(), String> {
    let only = ["--pacts", "contracts/inventory-order.json", "--only", "order.confirmed"];
    Said::by_verify(&[&["order"], &ALONE[..], &only].concat()).ends(
        3,
        &[
            "inconclusive  inventory → order  an `order.confirmed` event",
            "              it is a message, which a provider sends by itself: verify it where its code can be called, in \
             a test of the provider",
            "0 held · 1 inconclusive · ",
        ],
    )
}

/// The state is known to nobody once it has another name.
fn a_state_without_code() -> Result<(), String> {
    let renamed = squall_tests::pact("storefront-order.json", |text| {
        text.replace("payment refuses the charge", "payment has a holiday")
    })?;
    let only = ["--pacts", renamed.path(), "--only", "an order whose payment is refused"];
    Said::by_verify(&[&["order"], &ALONE[..], &only].concat()).ends(
        3,
        &[
            "inconclusive  storefront → order  an order whose payment is refused",
            "              nobody sets the state `payment has a holiday`: the state handler answered 404",
            "                │ @state(\"payment has a holiday\")",
            "                │ def payment_has_a_holiday(params, services):",
        ],
    )
}

fn the_real_ones_are_not_told() -> Result<(), String> {
    let only = ["--only", "an order whose payment is refused"];
    let said = "payment is the real one: verify order with `--system tests/contracts/order.yaml`";
    Said::by_verify(&[&["order"], &only[..]].concat()).mentions(3, said)
}
