//! The end of an output.

use std::collections::VecDeque;

/// How many lines are worth showing.
const LINES: usize = 15;

/// The last lines of an output.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    /// Takes a line; one without anything is no line.
    pub(super) fn push(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The lines, each indented.
    pub(super) fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| format!("  {line}")).collect();
        if lines.is_empty() { "  (nothing)".to_owned() } else { lines.join("\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), "  (nothing)");
        for n in 0..100 {
            tail.push(&format!("line {n}\n"));
            tail.push("\n");
        }
        assert_eq!(tail.text().lines().count(), LINES);
        assert!(tail.text().ends_with("  line 99"));
    }
}
