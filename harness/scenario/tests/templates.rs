//! Templates: what they draw, what they keep of a value's type, and what they refuse.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use squall_record::{OperationId, Phase, Seed};
use squall_scenario::{
    Source, load_system,
    model::{CallTemplate, JsonTemplate, Operation, Template},
    template::{self, Draw, call, request},
};

const SHOP: &str = include_str!("../../../services/system.yaml");

fn names(names: Json) -> BTreeMap<String, Json> {
    names.as_object().unwrap().clone().into_iter().collect()
}

fn draw(seed: u64, ordinal: u32) -> Draw {
    Draw::new(Seed(seed), OperationId { phase: Phase::Load, stream: 0, ordinal })
}

fn render(text: &str, given: Json) -> Result<String, String> {
    template::render(&Template(text.to_owned()), &names(given), Some(&draw(7, 0))).map_err(|error| error.to_string())
}

fn value(text: &str, given: Json) -> Json {
    template::value(&Template(text.to_owned()), &names(given), Some(&draw(7, 0)))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_text_with_names_is_rendered() {
    assert_eq!(render("plain", json!({})).unwrap(), "plain");
    assert_eq!(render("http://{{ host }}:{{ port }}", json!({ "host": "h", "port": 80 })).unwrap(), "http://h:80");
    assert_eq!(render("{{ a.b.c }}", json!({ "a": { "b": { "c": "<&>" } } })).unwrap(), "<&>");
    assert_eq!(render("{% for s in skus %}{{ s }};{% endfor %}\n", json!({ "skus": [1, 2] })).unwrap(), "1;2;\n");
    assert_eq!(render("{{ x | default('y') }}", json!({})).unwrap(), "y");
    let policy = json!({ "policy": { "at_most": 3, "gap_ms": null } });
    assert_eq!(
        serde_json::from_str::<Json>(&render("{{ policy | tojson }}", policy.clone()).unwrap()).unwrap(),
        policy["policy"]
    );
}

#[test]
fn a_whole_expression_keeps_its_type() {
    assert_eq!(value("{{ n }}", json!({ "n": 3 })), json!(3));
    assert_eq!(value(" {{ n + 1 }} ", json!({ "n": 3 })), json!(4));
    assert_eq!(value("{{ l }}", json!({ "l": [1, { "a": null }] })), json!([1, { "a": null }]));
    assert_eq!(value("{{ {'a': {'b': n}} }}", json!({ "n": 1.5 })), json!({ "a": { "b": 1.5 } }));
    assert_eq!(value("{{ n }}{{ n }}", json!({ "n": 3 })), json!("33"));
    assert_eq!(value("{{ n }} of {{ n }}", json!({ "n": 3 })), json!("3 of 3"));
    assert_eq!(value("n: {{ n }}", json!({ "n": 3 })), json!("n: 3"));
    let body = JsonTemplate(json!({ "q": "{{ int(1, 3) }}", "s": "{{ pick(['a']) }}", "k": 5, "l": ["{{ n }}"] }));
    let body = template::render_json(&body, &names(json!({ "n": true })), Some(&draw(7, 0))).unwrap();
    assert!(body["q"].is_u64() && body["s"] == "a" && body["k"] == 5 && body["l"] == json!([true]), "{body}");
}

#[test]
fn a_name_that_is_not_there_is_an_error_that_names_it() {
    assert_eq!(
        render("{{ porto }}", json!({ "port": 1 })).unwrap_err(),
        "`{{ porto }}` cannot be rendered: there is no `porto`"
    );
    assert!(render("x{{ a.c }}", json!({ "a": { "b": 1 } })).unwrap_err().contains("there is no `a.c`"));
    let whole = template::value(&Template("{{ porto }}".into()), &BTreeMap::new(), None).unwrap_err();
    assert!(whole.to_string().contains("there is no `porto`"), "{whole}");
    assert!(render("{{ now() }}", json!({})).is_err(), "there is no clock in here");
    let nothing = template::render(&Template("{{ uuid() }}".into()), &BTreeMap::new(), None).unwrap_err();
    assert!(nothing.to_string().contains("only a request draws"), "{nothing}");
    assert!(render("{{ int(3, 1) }}", json!({})).unwrap_err().contains("write the smaller one first"));
    assert!(render("{{ pick([]) }}", json!({})).unwrap_err().contains("not empty"));
}

#[test]
fn a_template_that_would_go_on_for_hours_is_stopped() {
    let outer = "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
    assert!(render(outer, json!({})).unwrap_err().contains("more than 100000 steps"));
    assert!(render("{{ 'x' * 100000000000 }}", json!({})).is_err());
    assert_eq!(render("{% for a in range(1000) %}x{% endfor %}", json!({})).unwrap().len(), 1_000);
}

#[test]
fn draws_are_fixed_for_ever() {
    // A change here breaks the replay of every seed that anyone wrote down.
    let drawn = value("{{ [uuid(), int(1, 1000), pick(['a', 'b', 'c']), chance(0.5), hex(8), ordinal()] }}", json!({}));
    insta::assert_snapshot!(drawn);
}

#[test]
fn an_operation_draws_the_same_whatever_others_do() {
    let text = Template("{{ uuid() }} {{ int(0, 9) }}".to_owned());
    let of = |seed, ordinal| template::render(&text, &BTreeMap::new(), Some(&draw(seed, ordinal))).unwrap();
    assert_eq!(of(7, 17), of(7, 17));
    assert_ne!(of(7, 17), of(7, 18));
    assert_ne!(of(7, 17), of(8, 17));
    let one = draw(7, 1);
    let twice: Vec<_> = (0..2).map(|_| template::render(&text, &BTreeMap::new(), Some(&one)).unwrap()).collect();
    assert_ne!(twice[0], twice[1], "the second draw of an operation is another");
}

fn shop_operation(name: &str) -> (squall_scenario::model::System, Operation) {
    let source = Source { name: "system.yaml".to_owned(), text: SHOP.to_owned() };
    let system = load_system(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let operation = system.operation(name).unwrap().clone();
    (system, operation)
}

#[test]
fn a_request_is_rendered_whole() {
    let (system, operation) = shop_operation("stock-up");
    let bound = names(json!({ "sku": "a b/ü" }));
    let given = BTreeMap::from([("quantity".to_owned(), JsonTemplate(json!("{{ 2 * 50 }}")))]);
    let request = request::render(&operation, &system.vars, &bound, &given, &draw(7, 0)).unwrap();
    assert!(request.path_and_query.starts_with("/api/v1/stock/a%20b%2F%C3%BC/receipts/"), "{}", request.path_and_query);
    assert_eq!((request.method.as_str(), request.service.as_str()), ("PUT", "inventory"));
    assert_eq!(request.json, Some(json!({ "quantity": 100 })));
    assert_eq!(request.with["sku"], "a b/ü");
    assert_eq!(request.with["quantity"], 100);

    let (system, operation) = shop_operation("place-order");
    let none = BTreeMap::new();
    let place = |n| request::render(&operation, &system.vars, &none, &BTreeMap::new(), &draw(7, n)).unwrap();
    let keys: BTreeSet<String> = (0..100).map(|n| place(n).headers["Idempotency-Key"].clone()).collect();
    assert_eq!(keys.len(), 100);
    assert_eq!(place(0).json.unwrap()["payment_method"], "pm_ok");
    let declined = BTreeMap::from([("payment_method".to_owned(), JsonTemplate(json!("pm_declined")))]);
    let request = request::render(&operation, &system.vars, &none, &declined, &draw(7, 0)).unwrap();
    assert_eq!(request.json.unwrap()["payment_method"], "pm_declined");
}

#[test]
fn a_call_is_rendered_with_its_values_encoded() {
    let compile = |path: &str| {
        let template = CallTemplate { method: "GET".into(), service: "order".into(), path_and_query: path.into() };
        call::compile(&template).unwrap_or_else(|error| panic!("{error}"))
    };
    let given = names(json!({ "order_id": "a/b c", "n": 7, "header": { "Idempotency-Key": "k&=" }, "none": null }));
    let render = |path: &str| compile(path).render(&given).map_err(|error| error.to_string());
    assert_eq!(render("/orders/{order_id}").unwrap(), "/orders/a%2Fb%20c");
    assert_eq!(render("/orders?key={header['Idempotency-Key']}&n={n + 1}").unwrap(), "/orders?key=k%26%3D&n=8");
    assert_eq!(render("/orders").unwrap(), "/orders");
    assert!(render("/orders/{none}").unwrap_err().contains("`none` is null"));
    assert!(render("/orders/{other}").unwrap_err().contains("there is no `other`"));
    assert!(render("/orders/{header}").unwrap_err().contains("is a mapping"));
    assert_eq!(compile("/x/{order_id}?k={header['a']}").names(), ["order_id", "header"]);
}

proptest! {
    #[test]
    fn a_number_is_drawn_between_its_ends(seed: u64, n: u32, least in -1_000i64..1_000, span in 0i64..1_000) {
        let text = Template(format!("{{{{ int({least}, {}) }}}}", least + span));
        let drawn = template::value(&text, &BTreeMap::new(), Some(&draw(seed, n))).unwrap().as_i64().unwrap();
        prop_assert!((least..=least + span).contains(&drawn));
    }

    #[test]
    fn a_uuid_has_the_shape_of_version_4(seed: u64, n: u32) {
        let text = template::render(&Template("{{ uuid() }}".into()), &BTreeMap::new(), Some(&draw(seed, n))).unwrap();
        prop_assert_eq!(text.len(), 36);
        prop_assert_eq!(&text[14..15], "4");
        prop_assert!("89ab".contains(&text[19..20]));
    }

    #[test]
    fn any_text_is_a_template_or_an_error(text in any::<String>(), near in "[{}%# a-c|.()'\\[\\],1-3]{0,40}") {
        for text in [text, near] {
            let _ = render(&text, json!({ "a": 1, "b": { "c": [2] } }));
            let _ = template::value(&Template(text), &BTreeMap::new(), None);
        }
    }
}

#[test]
fn every_number_and_every_item_is_drawn_about_equally_often() {
    let mut counts = BTreeMap::new();
    for n in 0..3_000 {
        let drawn = template::value(&Template("{{ int(1, 3) }}".into()), &BTreeMap::new(), Some(&draw(1, n))).unwrap();
        *counts.entry(drawn.to_string()).or_insert(0) += 1;
    }
    assert!(counts.len() == 3 && counts.values().all(|count| (900..1_100).contains(count)), "{counts:?}");
}
