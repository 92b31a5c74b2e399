//! How deep a JSON text nests, without recursion.

/// The place where a text nests deeper than allowed, if it does.
pub(super) fn deeper_than(text: &str, depth_max: usize) -> Option<String> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let (mut line, mut column) = (1_usize, 0_usize);
    for byte in text.bytes() {
        column += 1;
        match byte {
            b'\n' => (line, column) = (line + 1, 0),
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return Some(format!("line {line}, column {column}"));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_do_not_count() {
        assert_eq!(deeper_than(r#"{"a": "[[[[\"[[["}"#, 1), None);
        assert_eq!(deeper_than("[\n[[]]]", 2), Some("line 2, column 2".to_owned()));
        assert_eq!(deeper_than("[[],[],[]]", 2), None);
    }
}
