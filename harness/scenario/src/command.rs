//! Commands as text: split into words as a shell does, without a shell.

/// The words of a command. Quotes and backslashes work as in a shell; `{{ … }}` stays whole.
/// Nothing is expanded: there are no variables, globs, pipes or redirections.
///
/// # Errors
/// In words, for a quote that is not closed and for what only a shell understands.
pub fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut left = command;
    while let Some(c) = left.chars().next() {
        let rest = &left[c.len_utf8()..];
        left = match c {
            _ if c.is_whitespace() => {
                words.extend(word.take());
                rest
            }
            '{' if rest.starts_with('{') => {
                let end = left.find("}}").ok_or_else(|| "a `{{` is not closed".to_owned())? + 2;
                word.get_or_insert_default().push_str(&left[..end]);
                &left[end..]
            }
            '\'' => {
                let end = rest.find('\'').ok_or_else(|| "a `'` is not closed".to_owned())?;
                word.get_or_insert_default().push_str(&rest[..end]);
                &rest[end + 1..]
            }
            '"' => double_quoted(rest, word.get_or_insert_default())?,
            '\\' => {
                let escaped = rest.chars().next().ok_or_else(|| "a `\\` stands at the end".to_owned())?;
                word.get_or_insert_default().push(escaped);
                &rest[escaped.len_utf8()..]
            }
            '|' | '&' | ';' | '<' | '>' | '`' => {
                return Err(format!("`{c}` is a shell's, and no shell runs it: write `sh -c '…'` if you need one"));
            }
            _ => {
                word.get_or_insert_default().push(c);
                rest
            }
        };
    }
    words.extend(word);
    if words.is_empty() { Err("it is empty".to_owned()) } else { Ok(words) }
}

fn double_quoted<'t>(text: &'t str, word: &mut String) -> Result<&'t str, String> {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok(&text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => word.push(escaped),
                Some((_, other)) => word.extend(['\\', other]),
                None => break,
            },
            _ => word.push(c),
        }
    }
    Err("a `\"` is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text).unwrap(), expected, "{text}");
        check("cargo build --bin order", &["cargo", "build", "--bin", "order"]);
        check("  a   b ", &["a", "b"]);
        check("sh -c 'a | b; c'", &["sh", "-c", "a | b; c"]);
        check(r#"a "b \" c" d\ e f'g'"h""#, &["a", "b \" c", "d e", "fgh"]);
        check("run --port {{ port }} ''", &["run", "--port", "{{ port }}", ""]);
        check("--addr=127.0.0.1:{{ port }}", &["--addr=127.0.0.1:{{ port }}"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for text in ["a | b", "a && b", "a > b", "a 'b", "a \"b", "", "  ", "a \\", "a {{ b"] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}
