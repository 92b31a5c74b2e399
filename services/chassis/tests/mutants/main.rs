//! Each deliberate mistake does what its name says; without one the same cases are right.
//!
//! A mutant is chosen once for a process, so each case runs in a process of its own, which is this binary again.

#[path = "../behaviour/support.rs"]
#[allow(dead_code, reason = "shared with the tests of behaviour, which use all of it")]
mod support;

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use chassis::{
    Call, CallError, CallPolicy, Client, Context, Metrics,
    policy::{BreakerPolicy, Trips},
};
use libtest_mimic::{Arguments, Failed, Trial};
use support::{Does, Memory, Scripted, policy};

const MUTANTS: [&str; 5] =
    ["none", "breaker-never-opens", "breaker-leaks-while-open", "fresh-key-per-retry", "retry-without-bound"];

fn main() -> ExitCode {
    if std::env::var_os("OBSERVE_AS_A_TEST").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let seen = runtime.block_on(observe());
        #[expect(clippy::print_stdout, reason = "the answer to the process that asked")]
        {
            println!("{seen:?}");
        }
        return ExitCode::SUCCESS;
    }
    let trials = MUTANTS.map(|mutant| Trial::test(mutant, move || check(mutant)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// What a callee that always fails sees of 40 calls within one second of virtual time, and of one call without a
/// breaker in ten.
#[derive(Debug, PartialEq)]
struct Observed {
    behind_a_breaker: usize,
    refused: usize,
    attempts_at_one_call: usize,
    keys_of_one_call: usize,
}

async fn observe() -> Observed {
    let memory = Memory::new(7);
    let env = memory.env();
    let context = Context::start(&env);
    let callee = Scripted::listen(&memory, "a:1", &[Does::Answers(503, 0)]).await;
    let breaker = Some(BreakerPolicy { trips: Trips::Consecutive(5), ..BreakerPolicy::default() });
    let client = Client::new(&env, "payment", CallPolicy { breaker, ..policy("a:1") }, &Metrics::default());
    let mut refused = 0;
    for _ in 0..40 {
        // Not idempotent, so that each call is one attempt.
        let result = client.call(&context, Call::post("/x")).await;
        refused += usize::from(matches!(result, Err(CallError::BreakerOpen { .. })));
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let behind_a_breaker = callee.seen().len();
    let client = Client::new(&env, "payment", policy("a:1"), &Metrics::default());
    let call = client.call(&context, Call::post("/x").idempotency_key("k"));
    let _ = tokio::time::timeout(Duration::from_secs(10), call).await;
    let one_call = callee.seen().split_off(behind_a_breaker);
    let keys: std::collections::BTreeSet<_> = one_call.iter().map(|seen| &seen.headers["idempotency-key"]).collect();
    Observed { behind_a_breaker, refused, attempts_at_one_call: one_call.len(), keys_of_one_call: keys.len() }
}

fn check(mutant: &'static str) -> Result<(), Failed> {
    let output =
        Command::new(std::env::current_exe()?).env("OBSERVE_AS_A_TEST", "1").env("SQUALL_MUTANT", mutant).output()?;
    let seen = String::from_utf8(output.stdout)?;
    let right = Observed { behind_a_breaker: 5, refused: 35, attempts_at_one_call: 3, keys_of_one_call: 1 };
    let expected = match mutant {
        "none" => right,
        "breaker-never-opens" => Observed { behind_a_breaker: 40, refused: 0, ..right },
        // Of the 35 that it should refuse, every fourth gets through.
        "breaker-leaks-while-open" => Observed { behind_a_breaker: 13, refused: 27, ..right },
        "fresh-key-per-retry" => Observed { keys_of_one_call: 3, ..right },
        _ => {
            let tail = seen.split("attempts_at_one_call: ").nth(1).and_then(|rest| rest.split(',').next());
            let attempts: usize = tail.ok_or("no answer")?.parse()?;
            if attempts < 10 {
                return Err(format!("only {attempts} attempts in ten seconds").into());
            }
            return Ok(());
        }
    };
    if seen.trim() != format!("{expected:?}") {
        return Err(format!("expected {expected:?}, seen {seen}").into());
    }
    Ok(())
}
