//! A service as a process: its command line, its environment, its exit codes and signals.
//!
//! This binary is both: run by a test with `SERVE_AS_A_TEST` it is the service.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitCode, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use chassis::config::{BaseUrl, Milliseconds};
use chassis::{
    About, App, Call, CallError, CallPolicy, Client, Configuration, Context, Env, Metrics, Start, Variables,
};
use libtest_mimic::{Arguments, Failed, Trial};
use squall_host::real::Real;
use tokio::sync::Notify;

struct Config {
    slow: Duration,
}

impl Configuration for Config {
    fn read(variables: &mut Variables) -> Option<Self> {
        let slow = variables.optional("SLOW_MS", Milliseconds(1), "how long `/slow` takes");
        let payment = CallPolicy::read(variables, "PAYMENT", &"payment");
        payment?;
        Some(Config { slow: slow?.duration() })
    }
}

const ABOUT: About = About { name: "greeter", version: "1.2.3", summary: "greets, slowly if it must" };

fn main() -> ExitCode {
    if std::env::var_os("SERVE_AS_A_TEST").is_some() {
        return chassis::run(ABOUT, async |start: Start<Config>| {
            let slow = start.config.slow;
            let entering = Arc::new(Notify::new());
            let entered = Arc::clone(&entering);
            let slowly = async move || {
                entering.notify_one();
                tokio::time::sleep(slow).await;
            };
            let router = Router::new()
                .route("/slow", get(slowly))
                .route("/entered", get(async move || entered.notified().await))
                .route("/mutant", get(async || chassis::mutant::is("breaker-never-opens").to_string()));
            Ok(App::new(router, async || Ok(()), serde_json::json!({})))
        });
    }
    let trials = vec![
        test("help_lists_every_variable", help_lists_every_variable),
        test("all_mistakes_in_the_environment_show_at_once", all_mistakes_in_the_environment_show_at_once),
        test("an_unknown_argument_is_refused", an_unknown_argument_is_refused),
        test("the_version_is_told", the_version_is_told),
        test("a_port_that_is_taken_is_told", a_port_that_is_taken_is_told),
        test("health_asks_the_running_service", health_asks_the_running_service),
        test("sigterm_drains_and_exits_with_0", || stopped_by(libc::SIGTERM)),
        test("sigint_drains_and_exits_with_0", || stopped_by(libc::SIGINT)),
        test("an_ordinary_build_ignores_the_mutants_variable", an_ordinary_build_ignores_the_mutants_variable),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn test(name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok::<(), Failed>(())
    })
}

fn service(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env_clear().env("SERVE_AS_A_TEST", "1").envs(variables.iter().copied());
    command
}

fn output(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    service(arguments, variables).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn help_lists_every_variable() {
    let output = output(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    // The mutants' build has one variable more, its last.
    let ordinary = match shown.split_once("  SQUALL_MUTANT\n") {
        Some((ordinary, _)) if cfg!(feature = "mutants") => ordinary,
        None if !cfg!(feature = "mutants") => &shown,
        _ => panic!("the mutants' variable is where it should not be, or is not where it should:\n{shown}"),
    };
    insta::assert_snapshot!("help", ordinary);
}

fn all_mistakes_in_the_environment_show_at_once() {
    let output = output(
        &[],
        &[
            ("LISTEN", "4711"),
            ("REQUESTS_MAX", "-1"),
            ("LOG", "loud"),
            ("SLOW_MS", "1.5"),
            ("PAYMENT_URL", "https://payment/api"),
            ("PAYMENT_TIMEOUT_MS", "800ms"),
            ("PAYMENT_ATTEMPTS", r#"{"at_most":0}"#),
            ("PAYMENT_BREAKER", r#"{"counts":"calls","share":0.5,"cool_down_ms":2000,"trials":1}"#),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("mistakes", text(&output.stderr));
}

fn an_unknown_argument_is_refused() {
    let output = output(&["serve", "now"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "error: `serve now` is not understood; see `greeter --help`\n");
}

fn the_version_is_told() {
    assert_eq!(text(&output(&["--version"], &[]).stdout), "greeter 1.2.3\n");
}

/// A running service, ended when dropped.
struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PAYMENT: (&str, &str) = ("PAYMENT_URL", "http://127.0.0.1:1");

fn started(variables: &[(&str, &str)]) -> Running {
    let variables = [&[("LISTEN", "127.0.0.1:0"), PAYMENT], variables].concat();
    let mut child = service(&[], &variables).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    // Read on, so that the service never waits for a full pipe.
    #[expect(clippy::disallowed_methods, reason = "the test stands outside the seam")]
    std::thread::spawn(move || lines.for_each(drop));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["message"], &line["service"]), (&"listening".into(), &"greeter".into()));
    Running { child, address: line["address"].as_str().unwrap().to_owned() }
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn client(address: &str) -> (Env, Client) {
    let env = Env::new(Real::new());
    let base = BaseUrl { authority: address.to_owned() };
    let policy = CallPolicy::once(base, Duration::from_secs(30));
    let client = Client::new(&env, "greeter", policy, &Metrics::default());
    (env, client)
}

fn a_port_that_is_taken_is_told() {
    let running = started(&[]);
    let output = output(&[], &[("LISTEN", &running.address), PAYMENT]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with(&format!("error: cannot listen at `{}`: ", running.address)), "{said}");
}

fn health_asks_the_running_service() {
    let running = started(&[]);
    let health = |address: &str| output(&["health"], &[("LISTEN", address)]).status.code();
    assert_eq!(health(&running.address), Some(0));
    let address = running.address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(health(&address), Some(0), "where it listens on any interface");
    drop(running);
    assert_eq!(health(&address), Some(1));
    assert_eq!(health("nonsense"), Some(2));
}

fn stopped_by(signal: i32) {
    let mut running = started(&[("SLOW_MS", "700")]);
    let address = running.address.clone();
    let pid = i32::try_from(running.child.id()).unwrap();
    let (slow, later) = in_runtime(async {
        let (env, client) = client(&address);
        let context = Context::start(&env);
        let signalled = async {
            client.call(&context, Call::get("/entered")).await.unwrap();
            #[expect(unsafe_code, reason = "there is no safe call for it in the standard library")]
            // SAFETY: a signal to a child of ours that was not waited for.
            let sent = unsafe { libc::kill(pid, signal) };
            assert_eq!(sent, 0);
        };
        let (slow, ()) = tokio::join!(biased; client.call(&context, Call::get("/slow")), signalled);
        (slow, client.call(&context, Call::get("/slow")).await)
    });
    assert_eq!(slow.unwrap().status, 200);
    assert!(matches!(later, Err(CallError::NotConnected { .. })), "{later:?}");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

fn an_ordinary_build_ignores_the_mutants_variable() {
    let running = started(&[("SQUALL_MUTANT", "breaker-never-opens")]);
    let (env, client) = client(&running.address);
    let answer = in_runtime(async move { client.call(&Context::start(&env), Call::get("/mutant")).await.unwrap() });
    assert_eq!(answer.body, cfg!(feature = "mutants").to_string());
}
