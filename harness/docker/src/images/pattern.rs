//! Paths with wildcards, as `.dockerignore` and `COPY` have them.

/// A path whose parts may hold `*`, `?` and `[a-z]`; `**` stands for any number of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern. What leads to the root (`./`, `/`, a closing `/`) is dropped; the root itself has no parts.
    pub(super) fn parse(text: &str) -> Pattern {
        let mut parts: Vec<String> = Vec::new();
        for part in text.trim().split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part.to_owned()),
            }
        }
        Pattern { parts }
    }

    /// Whether it matches this path or a folder that the path is in.
    pub(super) fn covers(&self, path: &[&str]) -> bool {
        (0..=path.len()).any(|depth| matches(&self.parts, &path[..depth]))
    }

    /// Whether something below this folder may match.
    pub(super) fn reaches_below(&self, folder: &[&str]) -> bool {
        let mut parts = self.parts.iter();
        folder.iter().all(|name| parts.next().is_some_and(|part| part == "**" || matches_part(part, name)))
            || self.parts.iter().take(folder.len()).any(|part| part == "**")
            || self.covers(folder)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("/"))
    }
}

fn matches(parts: &[String], path: &[&str]) -> bool {
    match (parts.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((part, rest)), _) if part == "**" => {
            matches(rest, path) || path.split_first().is_some_and(|(_, below)| matches(parts, below))
        }
        (Some((part, rest)), Some((name, below))) => matches_part(part, name) && matches(rest, below),
        _ => false,
    }
}

/// Matches one name, as Go's `filepath.Match` does, which is what Docker uses.
fn matches_part(part: &str, name: &str) -> bool {
    let Some(first) = part.chars().next() else { return name.is_empty() };
    let rest = &part[first.len_utf8()..];
    let mut names = name.chars();
    match first {
        '*' => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches_part(rest, &name[at..]))
        }
        '?' => names.next().is_some() && matches_part(rest, names.as_str()),
        '[' => match (class(rest), names.next()) {
            (Some((holds, rest)), Some(c)) => holds(c) && matches_part(rest, names.as_str()),
            _ => false,
        },
        '\\' if !rest.is_empty() => {
            let mut literal = rest.chars();
            literal.next() == names.next() && matches_part(literal.as_str(), names.as_str())
        }
        c => names.next() == Some(c) && matches_part(rest, names.as_str()),
    }
}

/// What stands between `[` and `]`, and what follows.
fn class(text: &str) -> Option<(impl Fn(char) -> bool, &str)> {
    let (inner, rest) = text.split_once(']')?;
    let (negated, inner) = inner.strip_prefix('^').map_or((false, inner), |inner| (true, inner));
    let letters: Vec<char> = inner.chars().collect();
    let holds = move |c: char| {
        let mut at = 0;
        let mut found = false;
        while at < letters.len() {
            if letters.get(at + 1) == Some(&'-') && at + 2 < letters.len() {
                found |= (letters[at]..=letters[at + 2]).contains(&c);
                at += 3;
            } else {
                found |= letters[at] == c;
                at += 1;
            }
        }
        found != negated
    };
    Some((holds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<&str> {
        path.split('/').filter(|part| !part.is_empty()).collect()
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_all_below() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(Pattern::parse(pattern).covers(&parts(path)), expected, "`{pattern}` on `{path}`");
        };
        check("target", "target", true);
        check("/target/", "target/debug/order", true);
        check("target", "targets", false);
        check("target", "services/target", false);
        check("**/target", "services/target/x", true);
        check("**/target", "target", true);
        check("a/**/b", "a/b", true);
        check("a/**/b", "a/x/y/b/c", true);
        check("a/**/b", "a/x", false);
        check("*.md", "README.md", true);
        check("*.md", "docs/README.md", false);
        check("target/image/*/image/*/*", "target/image/x86/image/order", false);
        check("target/image/*/image/*/*", "target/image/x86/image/deps/order", true);
        check("?[a-c][^x]", "zby", true);
        check("?[a-c][^x]", "zbx", false);
        check("a\\*b", "a*b", true);
        check("a\\*b", "axb", false);
        check(".", "anything/at/all", true);
        check("./x/../services", "services/order", true);
    }

    #[test]
    fn a_folder_is_searched_only_if_something_in_it_may_match() {
        let check = |pattern: &str, folder: &str, expected: bool| {
            assert_eq!(Pattern::parse(pattern).reaches_below(&parts(folder)), expected, "`{pattern}` below `{folder}`");
        };
        check("target/image/*/image/*", "target", true);
        check("target/image/*/image/*", "target/image/x86", true);
        check("target/image/*/image/*", "target/debug", false);
        check("services", "services/order/src", true);
        check("services", "harness", false);
        check("a/**/b", "a/x/y", true);
        check("a/**/b", "b", false);
        check("**/b", "x/y", true);
        check(".", "x", true);
    }
}
