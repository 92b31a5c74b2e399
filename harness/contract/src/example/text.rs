//! Texts that a regular expression matches.

use regex_syntax::hir::{Class, Hir, HirKind};
use squall_record::{Seed, identity::choice};

use crate::model::Pattern;

/// How often another text is tried where an assertion within the expression was not met.
const TRIES: u64 = 20;
/// How many more than the least a repetition repeats.
const MORE_MAX: u64 = 6;
/// The longest text, in bytes.
const BYTES_MAX: usize = 4096;

/// A text that the expression matches, the same for the same number; none where none was found.
pub(crate) fn of_pattern(pattern: &Pattern, seed: u64) -> Option<String> {
    let hir = regex_syntax::parse(pattern.source()).ok()?;
    (0..TRIES).find_map(|attempt| {
        let mut writer = Writer { text: String::new(), seed: Seed(seed ^ attempt), draws: 0 };
        writer.write(&hir);
        pattern.matches(&writer.text).then_some(writer.text)
    })
}

struct Writer {
    text: String,
    seed: Seed,
    draws: u64,
}

impl Writer {
    fn draw(&mut self, of: u64) -> u64 {
        self.draws += 1;
        choice(self.seed, &["pattern", &self.draws.to_string()]) % of.max(1)
    }

    fn write(&mut self, hir: &Hir) {
        if self.text.len() > BYTES_MAX {
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.text.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => {
                let character = self.of_class(class);
                self.text.extend(character);
            }
            HirKind::Repetition(repetition) => {
                let least = u64::from(repetition.min);
                let most = repetition.max.map_or(least + MORE_MAX, u64::from).min(least + MORE_MAX);
                for _ in 0..least + self.draw(most - least + 1) {
                    self.write(&repetition.sub);
                }
            }
            HirKind::Capture(capture) => self.write(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.write(part)),
            HirKind::Alternation(parts) => {
                let n = self.draw(parts.len() as u64) as usize;
                self.write(&parts[n]);
            }
        }
    }

    /// A character of a class: a plain one if there is one.
    fn of_class(&mut self, class: &Class) -> Option<char> {
        let ranges: Vec<(u32, u32)> = match class {
            Class::Unicode(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
            Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
        };
        let within = |least: char, most: char| -> Vec<(u32, u32)> {
            let cut = ranges.iter().map(|(start, end)| ((*start).max(least.into()), (*end).min(most.into())));
            cut.filter(|(start, end)| start <= end).collect()
        };
        let letters_and_digits = [within('0', '9'), within('A', 'Z'), within('a', 'z')].concat();
        let plain = [letters_and_digits, within(' ', '~')].into_iter().find(|ranges| !ranges.is_empty());
        let ranges = plain.unwrap_or(ranges);
        let count: u64 = ranges.iter().map(|(start, end)| u64::from(end - start) + 1).sum();
        let mut n = self.draw(count);
        for (start, end) in ranges {
            let length = u64::from(end - start) + 1;
            if n < length {
                return char::from_u32(start + n as u32).or(char::from_u32(start));
            }
            n -= length;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_their_pattern_and_the_same_for_the_same_seed() {
        for source in [
            "^ord_[a-z0-9]+$",
            "^(held|committed)$",
            r"\d{4}-\d{2}-\d{2}",
            r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
            r"\w+@\w+\.\w{2,3}",
            ".*",
            "[^a-zA-Z0-9]",
            "",
        ] {
            let pattern = Pattern::new(source).unwrap();
            for seed in 0..20 {
                let text = of_pattern(&pattern, seed).unwrap_or_else(|| panic!("{source}"));
                assert!(pattern.matches(&text), "`{text}` of {source}");
                assert_eq!(of_pattern(&pattern, seed), Some(text));
            }
        }
        assert_eq!(of_pattern(&Pattern::new(r"a\bb").unwrap(), 1), None);
    }
}
