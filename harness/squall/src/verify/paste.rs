//! Code to begin with for a state that nobody sets.

use serde_json::{Map, Value, json};
use squall_contract::model::ProviderState;

/// The request that is made for a state, and code of a handler that takes it.
pub(super) fn of(state: &ProviderState, consumer: &str) -> String {
    let params: Map<String, Value> = state.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let asked = json!({ "consumer": consumer, "state": state.name, "params": params, "action": "setup" });
    let name = function(&state.name);
    let mut code = format!(
        "# asked: POST {asked}\n@state({})\ndef {name}(params, services):\n",
        Value::from(state.name.as_str()),
    );
    for (param, example) in &state.params {
        code.push_str(&format!("    {} = params[{}]  # {example}\n", function(param), Value::from(param.as_str())));
    }
    code.push_str("    raise NotImplementedError(\"make it so through the provider's own interface\")\n");
    code
}

/// A name for a function or a variable.
fn function(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        match character {
            _ if character.is_ascii_alphanumeric() => name.push(character.to_ascii_lowercase()),
            '\'' => {}
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        _ => format!("a_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_for_a_state_takes_its_parameters() {
        let params = [("sku".to_owned(), json!("widget")), ("on hand".to_owned(), json!(10))].into_iter().collect();
        let code = of(&ProviderState { name: "a customer's goods are in stock".to_owned(), params }, "order");
        assert_eq!(
            code,
            r#"# asked: POST {"consumer":"order","state":"a customer's goods are in stock","params":{"sku":"widget","on hand":10},"action":"setup"}
@state("a customer's goods are in stock")
def a_customers_goods_are_in_stock(params, services):
    sku = params["sku"]  # "widget"
    on_hand = params["on hand"]  # 10
    raise NotImplementedError("make it so through the provider's own interface")
"#
        );
    }
}
