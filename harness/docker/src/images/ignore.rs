//! `.dockerignore`: what a build does not see.

use super::pattern::Pattern;

/// The lines of a `.dockerignore`. The last one that covers a path decides; `!` takes it in again.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignore {
    rules: Vec<(Pattern, bool)>,
}

impl Ignore {
    /// Reads the file's text.
    pub(super) fn parse(text: &str) -> Ignore {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rules = lines.map(|line| match line.strip_prefix('!') {
            Some(taken_in) => (Pattern::parse(taken_in), false),
            None => (Pattern::parse(line), true),
        });
        Ignore { rules: rules.collect() }
    }

    /// Whether a file is left out.
    pub(super) fn hides(&self, path: &[&str]) -> bool {
        let deciding = self.rules.iter().rev().find(|(pattern, _)| pattern.covers(path));
        deciding.is_some_and(|(_, hidden)| *hidden)
    }

    /// Whether everything in a folder is left out.
    pub(super) fn hides_all_in(&self, folder: &[&str]) -> bool {
        self.hides(folder) && !self.rules.iter().any(|(pattern, hidden)| !hidden && pattern.reaches_below(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_covers_a_path_decides() {
        let ignore = Ignore::parse("# built\ntarget\n!target/image/*/image/*\ntarget/image/*/image/*/*\n\n*.md\n");
        let hides = |path: &str| ignore.hides(&path.split('/').collect::<Vec<_>>());
        assert!(hides("target/debug/order"));
        assert!(!hides("target/image/x86/image/order"));
        assert!(hides("target/image/x86/image/deps/order"));
        assert!(hides("README.md"));
        assert!(!hides("services/order/src/main.rs"));
        let hides_all = |folder: &str| ignore.hides_all_in(&folder.split('/').collect::<Vec<_>>());
        assert!(!hides_all("target"));
        assert!(hides_all("target/debug"));
        assert!(!hides_all("services"));
    }
}
