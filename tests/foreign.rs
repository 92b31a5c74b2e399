//! Other people's systems: a small one on Python's standard library starts through every form that the system
//! file offers, and a scenario holds on it each time. Beside each form, what shows that its test can fail.

#![expect(clippy::disallowed_methods, reason = "these tests ask the machine for real ports")]

use std::sync::atomic::{AtomicU16, Ordering};

use squall::{CheckVerdict, Play, Played, State, Status::EnvironmentFailed};
use squall_tests::{trial, violated_by};

/// A scenario of the library. Python takes the processors for itself as it starts, many times over here: what is
/// asked is what stands, not how long it took.
fn library(name: &str) -> Play {
    squall::scenario(format!("foreign/scenarios/{name}.yaml")).whatever_the_time()
}

/// Asks that the scenario held.
fn held(played: Played) -> Result<(), String> {
    played.held_but_for_time()
}

/// Asks that a check of this kind says this, whatever it found.
fn told(played: &Played, kind: &str, text: &str) -> Result<(), String> {
    let is_it = |check: &CheckVerdict| check.kind == kind && check.summary.contains(text);
    match played.verdict().checks.iter().any(is_it) {
        true => Ok(()),
        false => Err(format!("no `{kind}` check said `{text}`:\n{}", played.report())),
    }
}

/// Asks that a check of this kind says that it cannot know, for this reason.
fn silent(kind: &'static str, why: &'static str) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| {
        let is_it = |check: &CheckVerdict| {
            check.kind == kind && check.state == State::Inconclusive && check.summary.contains(why)
        };
        match played.verdict().checks.iter().any(is_it) {
            true => Ok(()),
            false => Err(format!("no `{kind}` check was silent for `{why}`:\n{}", played.report())),
        }
    }
}

/// How the file of the library gives the desk its callees and starts it.
const DESK_STARTS: &str = r#"run: [python3, desk.py, "{{ files['desk.ini'] }}"]"#;
const DESK_LISTENS: &str = "    listen: ADDRESS\n";
const MEMBERS_CALLED: &str = "members: { variables: { host: MEMBERS_HOST, port: MEMBERS_PORT }, timeout: 2s }";
const SHELF_CALLED: &str = "shelf: { timeout: 2s }";
const MEMBERS_DATA: &str =
    r#"database: { variables: { DB_FILE: "{{ database.path }}", DB_TABLE: loans }, process: sqlite }"#;
const MEMBERS_LISTEN: &str = "listen: { variable: PORT, as: port }\n    ready: GET /health\n";

/// The library with its members' callers, data or whatever else given in another form.
fn with(forms: &[(&str, &str)]) -> Play {
    forms.iter().fold(library("members-down"), |play, (from, to)| play.with_system_text(*from, *to))
}

/// Asks that a bound on times was not met; on a busy machine that is only as far as it was seen.
fn fast_was_violated(played: Played) -> Result<(), String> {
    let is_it = |check: &CheckVerdict| {
        check.kind == "fast"
            && (check.state == State::Violated || check.summary.contains("as far as it was seen, violated"))
    };
    if played.verdict().checks.iter().any(is_it) { Ok(()) } else { Err(played.report()) }
}

/// Asks that the run ended for the environment, and that its report says this.
fn failed_saying(text: &'static str) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| {
        let report = played.report();
        played.ended(EnvironmentFailed)?;
        if report.contains(text) { Ok(()) } else { Err(format!("`{text}` is not said:\n{report}")) }
    }
}

/// Asks that the file is refused, saying this.
fn refused_saying(text: &'static str) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| match played.into_result() {
        Err(why) if why.to_string().contains(text) => Ok(()),
        Err(why) => Err(format!("`{text}` is not said:\n{why}")),
        Ok(_) => Err("it was played".to_owned()),
    }
}

fn main() -> std::process::ExitCode {
    let forms = [starting(), fixed(), upstreams(), databases(), backing(), sagas(), instances()];
    squall_tests::main(forms.into_iter().flatten().collect())
}

/// Directories, `prepare`, `build`, `run`, `env` and files; where to listen; when it is ready.
fn starting() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "a host and port in a variable, a port in a variable, a port in the command; GET, a line of the log, tcp",
            || library("members-down"),
            held,
        ),
        trial(
            "`address` stands in the command, and a file comes from a template of the system's own",
            || {
                with(&[
                    (DESK_STARTS, r#"run: [python3, desk.py, "{{ files['desk.ini'] }}", --listen, "{{ address }}"]"#),
                    (DESK_LISTENS, ""),
                    (INLINE_FILE, "desk.ini: templates/desk.ini\n"),
                    (MEMBERS_CALLED, "members: { timeout: 2s }"),
                ])
            },
            held,
        ),
        trial(
            "`port` stands in a variable of `env`, a command is one text, and a file's text stands by itself",
            || {
                with(&[
                    ("run: [python3, members.py]", "run: python3 members.py"),
                    ("desk.ini:\n          text: |\n", "desk.ini: |\n"),
                    (MEMBERS_LISTEN, "env: { PORT: \"{{ port }}\" }\n    ready: tcp\n"),
                ])
            },
            held,
        ),
        trial(
            "a preparation that fails ends the run with its output",
            || with(&[("py_compile web.py", "py_compile no_such_module.py")]),
            failed_saying("no_such_module.py"),
        ),
        trial(
            "a template file that is not there ends the run by its name",
            || with(&[(INLINE_FILE, "desk.ini: templates/no-such-file.ini\n")]),
            failed_saying("no-such-file.ini"),
        ),
        trial(
            "a file that names a callee that is not there is refused",
            || with(&[("calls.shelf.address", "calls.shelv.address")]),
            refused_saying("did you mean `shelf`?"),
        ),
    ]
}

/// An address that a service always listens at.
fn fixed() -> Vec<libtest_mimic::Trial> {
    let at = |port: u16| {
        with(&[(
            "run: [python3, shelf.py, --port, \"{{ port }}\"]",
            &format!("run: [python3, shelf.py, --port, '{port}']\n    listen: 127.0.0.1:{port}"),
        )])
    };
    vec![
        libtest_mimic::Trial::test("two runs of a system with a fixed address go one after the other", move || {
            let port = free_port();
            let play = move || {
                tokio::runtime::Builder::new_current_thread().enable_all().build().map(|r| r.block_on(at(port).run()))
            };
            let other = std::thread::spawn(play);
            let one = play()?;
            let other = other.join().map_err(|_| "a run panicked")??;
            for played in [one, other] {
                held(played)?;
            }
            Ok(())
        }),
        libtest_mimic::Trial::test("a fixed address that is taken ends the run by its name", move || {
            let taken = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, free_port()))?;
            let port = taken.local_addr()?.port();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            failed_saying("service `shelf` always listens on")(runtime.block_on(at(port).run()))?;
            Ok(())
        }),
    ]
}

/// A port that nothing listens on, below those that the operating system hands out by itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_this_process = (std::process::id() % 11_000) as u16;
    loop {
        let port = 20_000 + (of_this_process + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The desk's file as the system file holds it.
const INLINE_FILE: &str = "desk.ini:
          text: |
            [shelf]
            address = {{ calls.shelf.address }}
            [counter]
            address = {{ calls.counter.address }}
";

/// The same callees given in other ways.
fn upstreams() -> Vec<libtest_mimic::Trial> {
    let gateway = |members: &'static str, shelf: &'static str| {
        let called =
            |name: &str, prefix: &str| format!("{name}: {{ variable: GATEWAY_URL, serves: {prefix}, timeout: 2s }}");
        library("members-down")
            .with_system_text(MEMBERS_CALLED, called("members", members))
            .with_system_text(SHELF_CALLED, called("shelf", shelf))
    };
    vec![
        trial(
            "each callee is one URL",
            || {
                with(&[
                    (MEMBERS_CALLED, "members: { variable: MEMBERS_URL, timeout: 2s }"),
                    (SHELF_CALLED, "shelf: { variable: SHELF_URL, timeout: 2s }"),
                ])
            },
            held,
        ),
        trial("a gateway's one address leads to two callees", move || gateway("/members", "/shelf"), held),
        trial("a gateway's callees may each serve several paths", move || gateway("[/members, /m]", "[/shelf]"), held),
        trial(
            "a gateway with its paths the wrong way round is noticed",
            move || gateway("/shelf", "/members"),
            silent("saga", "no call of it was seen"),
        ),
        trial(
            "a callee that nothing tells about is refused",
            || with(&[(MEMBERS_CALLED, "members: { timeout: 2s }")]),
            refused_saying("nothing tells `desk` where `members` is"),
        ),
    ]
}

/// The members' loans in other places.
fn databases() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "a database is one URL",
            || with(&[(MEMBERS_DATA, "database: { variable: DB_URL, process: sqlite }")]),
            held,
        ),
        trial(
            "a database is a backing service",
            || {
                with(&[(
                    MEMBERS_DATA,
                    "database: { variables: { STORE_HOST: '{{ database.host }}', STORE_PORT: '{{ database.port }}' }, process: counter }",
                )])
            },
            held,
        ),
        trial(
            "there is a database as a container, and none as a process",
            || with(&[(MEMBERS_DATA, "database: { variable: DB_URL, process: none, container: postgres }")]),
            held,
        ),
        trial(
            "a backing service as a database has no URL, and is told about by its parts",
            || with(&[(MEMBERS_DATA, "database: { variable: DB_URL, process: counter }")]),
            refused_saying("database.host"),
        ),
        trial(
            "a service that misses a variable of its database ends the run with its log",
            || with(&[(", DB_TABLE: loans", "")]),
            failed_saying("KeyError: 'DB_TABLE'"),
        ),
    ]
}

/// An edge that carries bytes, with faults on bytes.
fn backing() -> Vec<libtest_mimic::Trial> {
    vec![
        trial("bytes arrive late", || library("slow-counter"), held),
        trial(
            "bytes that do not arrive late are noticed",
            || library("slow-counter").with_scenario_text("delay: 1s", "delay: 1ms"),
            fast_was_violated,
        ),
        trial("a connection of bytes is reset", || library("counter-cut-off"), held),
        trial(
            "a fault on bytes that nobody sends is noticed",
            || library("counter-cut-off").with_system_text("[counter]", "[nobody]"),
            silent("fault", "it did not act"),
        ),
    ]
}

/// Keys of sagas, and systems that pass no traces on.
fn sagas() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "keys stand in a path and a body, no trace is passed on, and the report says so",
            || library("flaky-shelf"),
            |played| {
                told(&played, "saga", "told apart by key")?;
                told(&played, "fault", "chosen by the keys of sagas")?;
                held(played)
            },
        ),
        trial(
            "a fault chooses by a key in a body",
            || {
                library("flaky-shelf")
                    .with_scenario_text("on: desk -> shelf", "on: desk -> members")
                    .with_scenario_text("inject: lose-response", "inject: { delay: { delay: 1ms } }")
                    .with_scenario_text("compensation: 5, lost-answer: 5, ", "")
            },
            |played| {
                told(&played, "fault", "chosen by the keys of sagas")?;
                held(played)
            },
        ),
        trial(
            "a desk that never gives a book back is caught by a key in a header",
            || with(&[("env: { PATIENCE_S", "env: { FORGETS: yes, PATIENCE_S")]),
            violated_by("saga"),
        ),
        trial(
            "a desk that never gives a book back is caught by a key in a path",
            || library("flaky-shelf").with_system_text("KEYS: path", "FORGETS: yes, KEYS: path"),
            violated_by("saga"),
        ),
        trial(
            "sagas without a trace and without a key are not judged",
            || {
                library("flaky-shelf")
                    .with_system_text("key: path.loan", "key: \"header['x-order']\"")
                    .with_system_text("key: body.loan", "key: body.order")
            },
            |played| {
                told(&played, "fault", "chosen by arrival")?;
                silent("saga", "carries a key")(played)
            },
        ),
        trial(
            "calls are counted in invariants",
            || with(&[("'2xx') == members.loans", "'2xx') == members.loans + 1")]),
            violated_by("invariant"),
        ),
    ]
}

/// Several instances of a service.
fn instances() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "two desks lend, and two instances of members share a database",
            || {
                with(&[
                    (DESK_LISTENS, "    listen: ADDRESS\n    instances: 2\n"),
                    (
                        MEMBERS_LISTEN,
                        "listen: { variable: PORT, as: port }\n    instances: 2\n    ready: GET /health\n",
                    ),
                ])
            },
            held,
        ),
        trial(
            "two shelves that share nothing are noticed",
            || with(&[("ready: { log: listening on }", "ready: { log: listening on }\n    instances: 2")]),
            violated_by("invariant"),
        ),
    ]
}
