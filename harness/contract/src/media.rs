//! Media types: `application/problem+json; charset=utf-8`.

use std::collections::BTreeMap;

/// A media type; parameters by name, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// In lower case.
    pub(crate) essence: String,
    /// As written: the specification's cases tell `Text/Plain` from `text/plain`, RFC 9110 does not.
    written: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Media {
    /// Reads what there is to read; anything is some media type.
    pub(crate) fn parse(text: &str) -> Media {
        let mut parts = text.split(';');
        let written = parts.next().unwrap_or_default().trim().to_owned();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| {
                (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_ascii_lowercase())
            })
            .collect();
        Media { essence: written.to_ascii_lowercase(), written, parameters }
    }

    /// Whether its content is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.essence.strip_prefix("application/").is_some_and(|s| s.starts_with("json") || s.ends_with("+json"))
    }

    /// Whether rules by path cannot be matched in it, for its content is neither JSON nor plain text.
    pub(crate) fn is_structured_otherwise(&self) -> bool {
        self.essence.ends_with("/xml")
            || self.essence.ends_with("+xml")
            || self.essence == "application/x-www-form-urlencoded"
            || self.essence.starts_with("multipart/")
    }

    /// Whether an answer of the other type gives what this one promises: the same type, and no parameter otherwise.
    pub(crate) fn takes(&self, other: &Media) -> bool {
        self.written == other.written
            && self.parameters.iter().all(|(name, value)| other.parameters.get(name) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_with_the_promised_parameters_only() {
        let takes = |a: &str, b: &str| Media::parse(a).takes(&Media::parse(b));
        assert!(takes("application/json", "application/json; charset=UTF-8"));
        assert!(takes("application/json;charset=utf-8", "application/json; Charset=\"UTF-8\""));
        assert!(!takes("application/json; charset=utf-8", "application/json"));
        assert!(!takes("application/json", "application/problem+json"));
        assert!(!takes("application/json", "Application/JSON"));
        assert!(Media::parse("application/problem+json").is_json() && !Media::parse("text/json5").is_json());
    }
}
