//! Reading a contract, interaction by interaction, as far as it takes to verify each by itself.

use serde_json::{Value, json};

use crate::provider::State;

/// One interaction of a contract.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// Who relies on it.
    pub consumer: String,
    /// Who must keep it.
    pub provider: String,
    /// What it is about; unique in its contract.
    pub description: String,
    /// What holds before it.
    pub states: Vec<State>,
    /// Whether it is a message rather than a call.
    pub is_message: bool,
    /// A contract of this interaction alone, for the verifier.
    pub alone: Value,
}

/// The text is no contract that can be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a pact of version 4: {0}")]
pub struct NotAContract(String);

/// The interactions of a contract.
pub fn interactions(text: &str) -> Result<Vec<Interaction>, NotAContract> {
    let contract: Value = serde_json::from_str(text).map_err(|error| NotAContract(error.to_string()))?;
    let name = |who: &str| contract[who]["name"].as_str().map(str::to_owned);
    let (Some(consumer), Some(provider)) = (name("consumer"), name("provider")) else {
        return Err(NotAContract("it names no consumer, or no provider".to_owned()));
    };
    let Some(listed) = contract["interactions"].as_array() else {
        return Err(NotAContract("it has no `interactions`".to_owned()));
    };
    let read = |interaction: &Value| Interaction {
        consumer: consumer.clone(),
        provider: provider.clone(),
        description: interaction["description"].as_str().unwrap_or_default().to_owned(),
        states: states(interaction),
        is_message: interaction["type"] == "Asynchronous/Messages",
        alone: alone(&contract, interaction),
    };
    Ok(listed.iter().map(read).collect())
}

fn states(interaction: &Value) -> Vec<State> {
    let listed = interaction["providerStates"].as_array().into_iter().flatten();
    listed.map(|state| State::new(state["name"].as_str().unwrap_or_default(), &state["params"])).collect()
}

fn alone(contract: &Value, interaction: &Value) -> Value {
    json!({
        "consumer": contract["consumer"],
        "provider": contract["provider"],
        "interactions": [interaction],
        "metadata": contract["metadata"],
    })
}

impl Interaction {
    /// Its name in a list of all.
    pub fn title(&self) -> String {
        format!("{} -> {}: {}", self.consumer, self.provider, self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_contract_is_told_what_it_lacks() {
        let wrong = |text: &str| interactions(text).expect_err("no contract").to_string();
        assert!(wrong("<html>").starts_with("this is not a pact of version 4: expected value"));
        assert!(wrong("{}").ends_with("it names no consumer, or no provider"));
        let nameless = r#"{ "consumer": { "name": "a" }, "provider": {} }"#;
        assert!(wrong(nameless).ends_with("it names no consumer, or no provider"));
        let empty = r#"{ "consumer": { "name": "a" }, "provider": { "name": "b" } }"#;
        assert!(wrong(empty).ends_with("it has no `interactions`"));
    }
}
