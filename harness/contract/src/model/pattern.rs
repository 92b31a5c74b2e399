//! Regular expressions that must match the whole of a value.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The most memory that a compiled expression may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A regular expression, compiled once. It must match the whole of a value, as Pact's verifiers have it.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    compiled: Regex,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// In words, when it is no regular expression or one that linear time cannot match (look-around, back-references).
    pub fn new(source: &str) -> Result<Pattern, String> {
        let whole = format!(r"\A(?:{source})\z");
        let compiled = RegexBuilder::new(&whole).size_limit(COMPILED_BYTES_MAX).nest_limit(60).build();
        match compiled {
            Ok(compiled) => Ok(Pattern { source: source.to_owned(), compiled }),
            Err(regex::Error::CompiledTooBig(_)) => Err("it is too large".to_owned()),
            Err(why) => Err(why.to_string().lines().last().unwrap_or("it cannot be read").trim().to_owned()),
        }
    }

    /// Whether it matches the whole of a text.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The words it stands for, if it is an alternation of plain words: `^(held|committed)$`.
    pub fn words(&self) -> Option<Vec<String>> {
        let text = self.source.strip_prefix('^').unwrap_or(&self.source);
        let text = text.strip_suffix('$').unwrap_or(text);
        let grouped = text.strip_prefix("(?:").or_else(|| text.strip_prefix('('));
        let text = grouped.and_then(|t| t.strip_suffix(')')).unwrap_or(text);
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '/' | ':' | '@');
        let words: Vec<String> = text.split('|').map(|word| word.replace(r"\-", "-").replace(r"\/", "/")).collect();
        let all_plain = words.iter().all(|word| !word.is_empty() && word.chars().all(plain));
        // What was unescaped too freely does not match its own expression.
        (all_plain && words.iter().all(|word| self.matches(word))).then_some(words)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_must_match() {
        let digits = Pattern::new(r"\d+").unwrap();
        assert!(digits.matches("12"));
        assert!(!digits.matches("12a") && !digits.matches("a12") && !digits.matches("12\n"));
        assert!(Pattern::new("a|ab").unwrap().matches("ab"));
    }

    #[test]
    fn an_alternation_of_words_is_known() {
        let words = |source| Pattern::new(source).unwrap().words();
        let both = Some(vec!["held".to_owned(), "committed".to_owned()]);
        for source in ["^(held|committed)$", "held|committed", "^(?:held|committed)$", "(held|committed)"] {
            assert_eq!(words(source), both, "{source}");
        }
        assert_eq!(words("^held$"), Some(vec!["held".to_owned()]));
        for source in [r"\d+", "^ord_[a-z]+$", "a.c", "^(a|b)(c|d)$", "(a|)"] {
            assert_eq!(words(source), None, "{source}");
        }
    }

    #[test]
    fn what_linear_time_cannot_match_is_refused() {
        for source in [r"(a)\1", "(?=a)b", "[a-", "(((((((", "(a{1000}){1000}"] {
            assert!(Pattern::new(source).is_err(), "{source}");
        }
    }
}
