//! The paths that rules stand at: `$.lines[*].sku`, `$['a key'][0]`.

use std::fmt;

/// The most tokens a path may have: what is deeper cannot be reached in a body that is read at all.
const TOKENS_MAX: usize = 100;

/// The path that a rule stands at. It holds for everything below as well, until a better one is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RulePath {
    tokens: Vec<Token>,
}

/// One part of a [`RulePath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// `.name`
    Field(String),
    /// `[3]`
    Index(usize),
    /// `.*`: any field or element.
    Any,
    /// `[*]`: any element.
    AnyIndex,
}

/// One step from a value to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a field.
    Field(&'a str),
    /// Into an element.
    Index(usize),
    /// Into a field that no rule names.
    OtherField,
    /// Into an element that no rule names.
    OtherIndex,
}

impl Token {
    /// How well it fits a step: 2 by name, 1 by star, 0 not at all. The weights are the specification's.
    pub fn weight(&self, step: Step<'_>) -> u8 {
        match (self, step) {
            (Token::Any, _) => 1,
            (Token::Field(name), Step::Field(field)) => 2 * u8::from(name == field),
            (Token::Index(i), Step::Index(index)) => 2 * u8::from(*i == index),
            (Token::Index(i), Step::Field(field)) => 2 * u8::from(field.parse() == Ok(*i)),
            (Token::AnyIndex, Step::Index(_) | Step::OtherIndex) => 1,
            (Token::AnyIndex, Step::Field(field)) => u8::from(field.parse::<usize>().is_ok()),
            _ => 0,
        }
    }
}

impl RulePath {
    /// A path of one field, whatever characters it has.
    pub fn field(name: &str) -> RulePath {
        RulePath { tokens: vec![Token::Field(name.to_owned())] }
    }

    /// The path to the whole.
    pub fn root() -> RulePath {
        RulePath { tokens: Vec::new() }
    }

    /// The parts after `$`.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The path without its first tokens.
    pub fn without_first(&self, n: usize) -> RulePath {
        RulePath { tokens: self.tokens[n.min(self.tokens.len())..].to_vec() }
    }

    /// Reads a path.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn parse(text: &str) -> Result<RulePath, String> {
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut tokens = Vec::new();
        // `name` without `$.` is a field, as version 2 has it for headers.
        if !text.starts_with('$') && !rest.is_empty() && !rest.starts_with(['.', '[']) {
            let (name, after) = identifier(rest);
            if name.is_empty() {
                return Err(format!("`{rest}` does not begin with a name"));
            }
            tokens.push(Token::Field(name.to_owned()));
            rest = after;
        }
        while !rest.is_empty() {
            if tokens.len() == TOKENS_MAX {
                return Err(format!("it has more than {TOKENS_MAX} parts"));
            }
            let (token, after) = token(rest)?;
            tokens.push(token);
            rest = after;
        }
        Ok(RulePath { tokens })
    }
}

fn identifier(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '#' | '@')));
    text.split_at(end.unwrap_or(text.len()))
}

fn token(text: &str) -> Result<(Token, &str), String> {
    if let Some(rest) = text.strip_prefix('.') {
        if let Some(rest) = rest.strip_prefix('*') {
            return Ok((Token::Any, rest));
        }
        let (name, after) = identifier(rest);
        if name.is_empty() {
            return Err(format!("a name or `*` is expected after the `.` in `{text}`"));
        }
        return Ok((Token::Field(name.to_owned()), after));
    }
    let Some(rest) = text.strip_prefix('[') else {
        return Err(format!("`.` or `[` is expected at `{text}`"));
    };
    if let Some(rest) = rest.strip_prefix("*]") {
        return Ok((Token::AnyIndex, rest));
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        let end = quoted.find("']").ok_or_else(|| format!("`']` is missing after `{text}`"))?;
        if end == 0 {
            return Err("a name in brackets is empty".to_owned());
        }
        let name = quoted[..end].replace(r"\'", "'").replace(r"\\", r"\");
        return Ok((Token::Field(name), &quoted[end + 2..]));
    }
    let end = rest.find(']').ok_or_else(|| format!("`]` is missing after `{text}`"))?;
    let index =
        rest[..end].parse().map_err(|_| format!("`{}` is neither an index nor `*` nor a name", &rest[..end]))?;
    Ok((Token::Index(index), &rest[end + 1..]))
}

impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for token in &self.tokens {
            match token {
                Token::Field(name) => write_field(f, name)?,
                Token::Index(index) => write!(f, "[{index}]")?,
                Token::Any => f.write_str(".*")?,
                Token::AnyIndex => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

/// `.name`, or `['a name']` where the name is not plain.
pub(crate) fn write_field(f: &mut impl fmt::Write, name: &str) -> fmt::Result {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { write!(f, ".{name}") } else { write!(f, "['{}']", name.replace('\\', r"\\").replace('\'', r"\'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_shown() {
        for text in ["$", "$.a", "$.a.b[0].c", "$.lines[*].sku", "$.a.*", "$['a key'].b", "$['it\\'s'][3]", "$[*][0]"] {
            assert_eq!(RulePath::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(RulePath::parse("$['a']").unwrap().to_string(), "$.a");
        assert_eq!(RulePath::parse("X-Id").unwrap(), RulePath::field("X-Id"));
    }

    #[test]
    fn what_is_no_path_is_refused_in_words() {
        let deep = format!("${}", ".a".repeat(101));
        for text in ["$.", "$[", "$[]", "$[x]", "$a", "$['a", "$['']", "$.a b", &deep] {
            assert!(RulePath::parse(text).is_err(), "{text}");
        }
    }
}
