//! Expressions: CEL as the files mean it.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use squall_scenario::{
    expression::{self, Calls, Compiled},
    model::Expression,
};

fn compile(text: &str) -> Compiled {
    expression::compile(&Expression(text.to_owned())).unwrap_or_else(|error| panic!("{error}"))
}

fn names(names: Json) -> BTreeMap<String, Json> {
    names.as_object().unwrap().clone().into_iter().collect()
}

fn check(text: &str, given: Json, expected: Json) {
    assert_eq!(compile(text).eval(&names(given)).unwrap_or_else(|error| panic!("{error}")), expected, "{text}");
}

#[test]
fn an_expression_has_the_value_that_cel_gives_it() {
    let answer =
        json!({ "status": 409, "body": { "order_id": "o1", "items": [1, 2, 3] }, "header": { "x-plan": "gold" } });
    check("status in [402, 409, 503]", answer.clone(), json!(true));
    check("body.order_id", answer.clone(), json!("o1"));
    check("header['x-plan'] == 'gold'", answer.clone(), json!(true));
    check("size(body.items) > 2 && body.items.all(i, i > 0)", answer.clone(), json!(true));
    check("body.items.map(i, i * 2)", answer.clone(), json!([2, 4, 6]));
    check("has(body.order_id) && !has(body.refund_id)", answer.clone(), json!(true));
    check("status >= 400 ? 'no' : 'yes'", answer, json!("no"));
}

#[test]
fn whole_numbers_of_json_mix_with_literals() {
    let money = json!({ "captured": 100, "refunded": 300, "large": u64::MAX, "share": 0.5 });
    check("captured + 1", money.clone(), json!(101));
    check("captured / 3", money.clone(), json!(33));
    check("captured - refunded", money.clone(), json!(-200));
    check("captured - refunded == -200", money.clone(), json!(true));
    check("large > 1u", money.clone(), json!(true));
    check("share < 1.0", money, json!(true));
}

#[test]
fn null_can_be_asked_for() {
    check("charge == null || size(charge.captures) <= 1", json!({ "charge": null }), json!(true));
    check("charge == null || size(charge.captures) <= 1", json!({ "charge": { "captures": [1, 2] } }), json!(false));
    check("charge != null && charge.x == 1", json!({ "charge": null }), json!(false));
}

#[test]
fn sum_adds_up_a_list_in_both_spellings() {
    let stock = json!({ "stock": [{ "sold": 3 }, { "sold": 4 }], "none": [], "mixed": [1, 0.5] });
    check("stock.map(s, s.sold).sum()", stock.clone(), json!(7));
    check("sum(stock.map(s, s.sold)) == 7", stock.clone(), json!(true));
    check("sum(none)", stock.clone(), json!(0));
    check("mixed.sum()", stock.clone(), json!(1.5));
    let wrong = compile("sum(stock)").eval(&names(stock)).unwrap_err();
    assert!(wrong.to_string().contains("cannot be added"), "{wrong}");
}

#[test]
fn calls_are_counted_by_whoever_knows_them() {
    let calls: Calls = Arc::new(|route, class| match (route, class) {
        ("POST payment /payments", "2xx") => Ok(17),
        (route, _) => Err(format!("no route `{route}`")),
    });
    let count = compile("calls('POST payment /payments', '2xx') >= paid");
    assert_eq!(count.is_true_with(&names(json!({ "paid": 17 })), Some(&calls)), Ok(true));
    let unknown = compile("calls('x', '2xx') == 0").is_true_with(&BTreeMap::new(), Some(&calls)).unwrap_err();
    assert!(unknown.to_string().contains("no route `x`"), "{unknown}");
}

#[test]
fn an_expression_without_a_value_says_which_and_why() {
    let error = |text: &str, given: Json| compile(text).eval(&names(given)).unwrap_err().to_string();
    assert_eq!(error("body.order_id", json!({ "body": {} })), "`body.order_id` has no value: there is no `order_id`");
    assert_eq!(error("body.order_id", json!({})), "`body.order_id` has no value: there is no `body`");
    assert!(error("a + b", json!({ "a": 1, "b": "x" })).starts_with("`a + b` has no value: "));
    assert_eq!(error("a / 0", json!({ "a": 1 })), "`a / 0` has no value: it divides by zero");
    let not_boolean = compile("status").is_true(&names(json!({ "status": 1 }))).unwrap_err();
    assert_eq!(not_boolean.to_string(), "`status` has no value: it is due to be true or false, and is int");
}

#[test]
fn names_are_what_an_expression_asks_for_and_does_not_declare() {
    let asked = |text: &str| compile(text).names().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(asked("stock.all(s, s.sold > least)"), ["least", "stock"]);
    assert_eq!(asked("stock.map(s, s.sold).sum() == sold"), ["sold", "stock"]);
    assert_eq!(asked("s.all(s, s > 0)"), ["s"]);
    assert_eq!(asked("{'a': x, 'b': [y]}"), ["x", "y"]);
    assert_eq!(asked("true"), [""; 0]);
}

#[test]
fn what_is_not_an_expression_is_refused_with_its_place() {
    let bad = |text: &str| expression::compile(&Expression(text.to_owned())).unwrap_err();
    assert_eq!(bad("").why, "it is empty");
    assert!(bad("status ==").at.is_some());
    assert!(bad(&"x".repeat(5_000)).why.contains("longer than"));
    assert!(bad(&format!("{}1{}", "(".repeat(500), ")".repeat(500))).why.contains("nest more than"));
    assert!(bad(&("l.map(x, ".repeat(4) + "x" + &")".repeat(4))).why.contains("nest more than 3 deep"));
    assert!(bad("status = 200").to_string().starts_with("`status = 200` is not an expression: "));
}

/// Runs on a stack as small as a test's thread may be, or a service's.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn deep_expressions_are_compiled_evaluated_or_refused_but_never_end_the_process() {
    on_a_small_stack(|| {
        let given = names(json!({ "a": { "a": true }, "b": 1, "l": [1, 2, 3] }));
        let within = [
            format!("{}b{}", "(".repeat(24), ")".repeat(24)),
            format!("{}b{}", "[".repeat(24), "]".repeat(24)),
            (0..100).map(|_| "b").collect::<Vec<_>>().join("+"),
            (0..100).map(|_| "b == 1").collect::<Vec<_>>().join(" && "),
        ];
        for text in within {
            let value = compile(&text).eval(&given);
            assert!(value.is_ok(), "{text}: {value:?}");
        }
        let beyond = [
            "!".repeat(1_900) + "true",
            "-".repeat(1_900) + "1",
            "b".to_owned() + &".a".repeat(900),
            (0..900).map(|_| "b").collect::<Vec<_>>().join("+"),
            "b ? ".repeat(400) + "b" + &": b".repeat(300),
            "[".repeat(1_000),
            "l.map(x, ".repeat(20) + "b" + &")".repeat(20),
            "l.all(x, ".repeat(24) + "true" + &")".repeat(24),
            "a[".repeat(24) + "b" + &"]".repeat(24),
            "size(".repeat(24) + "b" + &")".repeat(24),
            "{'k':".repeat(24) + "b" + &"}".repeat(24),
        ];
        for text in beyond {
            if let Ok(compiled) = expression::compile(&Expression(text)) {
                let _ = compiled.eval(&given);
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_compiled_or_refused(text in "[a-z0-9 .()\\[\\]{}'\"!&|<>=+*/,:?-]{0,60}") {
        if let Ok(compiled) = expression::compile(&Expression(text)) {
            let _ = compiled.eval(&names(json!({ "a": 1, "b": [1], "c": { "d": null } })));
        }
    }

    #[test]
    fn json_comes_back_as_it_went_in(whole: i64, text in ".{0,20}", list in prop::collection::vec(any::<i32>(), 0..5)) {
        let value = json!({ "w": whole, "t": text, "l": list, "n": null, "b": true });
        prop_assert_eq!(compile("x").eval(&names(json!({ "x": value.clone() }))).unwrap(), value);
    }
}
