//! Resilience files: read, and refused with every mistake at its line.

use std::time::Duration;

use squall_contract::resilience::read;

const FILE: &str = "schema: 1
consumer: order
provider: payment
clauses:
  - when: [timeout, refusal, 5xx]
    of: POST /api/v1/payments
    to: POST /api/v1/orders
    within: 3s
    answers: [202, 503]
  - when: garbage
    within: 250ms
    answers: 502
";

#[test]
fn a_file_is_read() {
    let resilience = read("order-payment.resilience.yaml", FILE).unwrap();
    assert_eq!((resilience.consumer.as_str(), resilience.provider.as_str()), ("order", "payment"));
    let names: Vec<String> =
        resilience.clauses.iter().flat_map(|clause| clause.cases()).map(|(_, name)| name).collect();
    assert_eq!(
        names,
        [
            "timeout of POST /api/v1/payments to POST /api/v1/orders",
            "refusal of POST /api/v1/payments to POST /api/v1/orders",
            "5xx of POST /api/v1/payments to POST /api/v1/orders",
            "garbage",
        ]
    );
    assert_eq!(resilience.clauses[1].within, Duration::from_millis(250));
    assert_eq!(resilience.clauses[1].answers, [502]);
}

#[test]
fn two_files_that_promise_the_same_say_the_same() {
    let says = |text: &str| read("f", text).unwrap().says();
    let other = "schema: 1
consumer: order
provider: payment
# Written otherwise.
clauses:
  - { when: garbage, within: 250ms, answers: [502] }
  - { when: [refusal, 5xx], of: POST /api/v1/payments, to: POST /api/v1/orders, within: 3000ms, answers: [503, 202] }
  - { when: timeout, of: POST /api/v1/payments, to: POST /api/v1/orders, within: 3s, answers: [202, 503] }
";
    assert_eq!(says(FILE), says(other));
    for (from, to) in [("3s", "4s"), ("202, 503", "503"), ("POST /api/v1/orders", "POST /orders"), ("[timeout, ", "[")]
    {
        assert_ne!(says(FILE), says(&FILE.replace(from, to)), "{to}");
    }
}

#[test]
fn calls_are_known_by_method_and_path() {
    let file = FILE.replace("to: POST /api/v1/orders", "to: GET /orders/{id}");
    let resilience = read("f", &file).unwrap();
    let to = resilience.clauses[0].to.as_ref().unwrap();
    assert!(to.takes("GET", "/orders/7?full=1") && to.takes("get", "/orders/x"));
    assert!(!to.takes("GET", "/orders") && !to.takes("GET", "/orders/") && !to.takes("GET", "/orders/7/x"));
    assert!(!to.takes("POST", "/orders/7"));
}

#[track_caller]
fn places(text: &str) -> Vec<(String, String)> {
    let mistakes = read("bad.resilience.yaml", text).unwrap_err();
    assert!(mistakes.list.iter().all(|mistake| mistake.remedy.is_some()));
    assert!(mistakes.to_string().contains("bad.resilience.yaml at line "));
    mistakes.list.into_iter().map(|mistake| (mistake.place, mistake.message)).collect()
}

#[test]
fn every_mistake_is_told_at_its_line() {
    let text = "schema: 2
consumer: order
clauses:
  - when: [timeout, tiemout]
    of: /api/v1/payments
    within: 3
    answers: [99, 503, 503]
    unless: never
  - within: 1s
    answers: []
";
    let found = places(text);
    let lines: Vec<&str> = found.iter().map(|(place, _)| place.split(',').next().unwrap()).collect();
    assert_eq!(
        lines,
        ["line 1", "line 1", "line 8", "line 4", "line 5", "line 6", "line 7", "line 7", "line 9", "line 10"],
        "{found:#?}"
    );
    assert!(found.iter().any(|(place, said)| place == "line 4, column 21" && said.contains("`tiemout`")), "{found:#?}");
}

#[test]
fn what_is_no_such_file_is_refused() {
    for text in [
        "",
        "[",
        "- 1",
        "just a text",
        "schema: 1\n---\nschema: 1",
        "a: &a [1]\nb: *a",
        &format!("x: {}", "[".repeat(100_000)),
        &"a".repeat((1 << 20) + 1),
        &format!("clauses: [{}]", "1, ".repeat(20_000)),
    ] {
        let shown: String = text.chars().take(30).collect();
        assert!(read("bad.resilience.yaml", text).is_err(), "{shown}");
    }
    let twice = FILE.replace("when: garbage", "when: garbage\n    within: 1s\n    answers: 500\n  - when: garbage");
    assert!(places(&twice)[0].1.contains("`garbage` is promised twice"));
}
