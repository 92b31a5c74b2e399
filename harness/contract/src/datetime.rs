//! Dates and times in the formats of Java's `DateTimeFormatter`, as far as they are in common use.
//!
//! Numbers are read as Pact's verifiers read them: `dd` takes one digit or two, `SSS` one to three.

use std::fmt;

/// A format of dates, times or both: `yyyy-MM-dd'T'HH:mm:ssXXX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Year(usize),
    Month,
    MonthName {
        short: bool,
    },
    Day,
    DayName {
        short: bool,
    },
    HourOfDay,
    /// 1 to 24.
    ClockHourOfDay,
    /// 1 to 12.
    HourOfHalf,
    HalfOfDay,
    Minute,
    Second,
    Fraction(usize),
    Offset {
        zulu: bool,
        colon: bool,
        minutes: Minutes,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Minutes {
    Optional,
    Always,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The format of dates that give none.
pub const DATE: &str = "yyyy-MM-dd";
/// The format of times that give none.
pub const TIME: &str = "HH:mm:ss";
/// The format of timestamps that give none.
pub const DATE_TIME: &str = "yyyy-MM-dd'T'HH:mm:ssXXX";

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// In words, when a letter in it has no meaning, or one that is not supported.
    pub fn parse(source: &str) -> Result<Format, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = source;
        while let Some(letter) = rest.chars().next() {
            if letter == '\'' {
                let (text, after) = quoted(rest)?;
                literal(&mut parts, &text);
                rest = after;
                continue;
            }
            let run = rest.chars().take_while(|c| *c == letter).count();
            if !letter.is_ascii_alphabetic() {
                if matches!(letter, '[' | ']' | '{' | '}' | '#') || letter.is_ascii_digit() {
                    return Err(format!("`{letter}` has no plain meaning in a format"));
                }
                let bytes = run * letter.len_utf8();
                literal(&mut parts, &rest[..bytes]);
                rest = &rest[bytes..];
                continue;
            }
            parts.push(part(letter, run)?);
            rest = &rest[run..];
        }
        if parts.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Format { source: source.to_owned(), parts })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether a text is a date or time in this format.
    pub fn matches(&self, text: &str) -> bool {
        self.read(text).is_some()
    }

    fn read(&self, text: &str) -> Option<()> {
        let mut rest = text;
        let (mut year, mut month, mut day) = (None, None, None);
        for part in &self.parts {
            let (value, after) = part.read(rest)?;
            match part {
                Part::Year(_) => year = Some(value),
                Part::Month | Part::MonthName { .. } => month = Some(value),
                Part::Day => day = Some(value),
                _ => {}
            }
            rest = after;
        }
        let days = month.map_or(31, |month| days_in(year, month));
        (rest.is_empty() && day.is_none_or(|day| day <= days)).then_some(())
    }

    /// A date and time in this format, the same for the same number.
    pub fn example(&self, seed: u64) -> String {
        let pick = |n: u64, of: u64| (seed >> (n * 5)) % of;
        let mut text = String::new();
        for part in &self.parts {
            use fmt::Write;
            // Writing to a text cannot fail.
            let _ = match part {
                Part::Literal(literal) => write!(text, "{literal}"),
                Part::Year(2) => write!(text, "26"),
                Part::Year(_) => write!(text, "2026"),
                Part::Month => write!(text, "{:02}", pick(0, 12) + 1),
                Part::MonthName { short } => write!(text, "{}", name(&MONTHS, pick(0, 12), *short)),
                Part::Day => write!(text, "{:02}", pick(1, 28) + 1),
                Part::DayName { short } => write!(text, "{}", name(&DAYS, pick(1, 7), *short)),
                Part::HourOfDay => write!(text, "{:02}", pick(2, 24)),
                Part::ClockHourOfDay => write!(text, "{:02}", pick(2, 24) + 1),
                Part::HourOfHalf => write!(text, "{:02}", pick(2, 12) + 1),
                Part::HalfOfDay => write!(text, "{}", if pick(2, 2) == 0 { "AM" } else { "PM" }),
                Part::Minute => write!(text, "{:02}", pick(3, 60)),
                Part::Second => write!(text, "{:02}", pick(4, 60)),
                Part::Fraction(digits) => write!(text, "{:0digits$}", pick(5, 10)),
                Part::Offset { zulu: true, .. } => write!(text, "Z"),
                Part::Offset { colon: true, .. } => write!(text, "+00:00"),
                Part::Offset { .. } => write!(text, "+0000"),
            };
        }
        text
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a time in the format `{}`", self.source)
    }
}

fn name(names: &[&'static str], n: u64, short: bool) -> &'static str {
    let name = names[n as usize % names.len()];
    if short { &name[..3] } else { name }
}

fn literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

/// The text of `'…'`, where `''` is a quote.
fn quoted(text: &str) -> Result<(String, &str), String> {
    if let Some(after) = text.strip_prefix("''") {
        return Ok(("'".to_owned(), after));
    }
    let mut literal = String::new();
    let mut rest = &text[1..];
    loop {
        let end = rest.find('\'').ok_or("a quote `'` is not closed")?;
        literal.push_str(&rest[..end]);
        match rest[end + 1..].strip_prefix('\'') {
            Some(after) => {
                literal.push('\'');
                rest = after;
            }
            None => return Ok((literal, &rest[end + 1..])),
        }
    }
}

fn part(letter: char, run: usize) -> Result<Part, String> {
    let always = Minutes::Always;
    Ok(match (letter, run) {
        ('y' | 'u', 1..=9) => Part::Year(run),
        ('M' | 'L', 1 | 2) => Part::Month,
        ('M' | 'L', 3) => Part::MonthName { short: true },
        ('M' | 'L', 4) => Part::MonthName { short: false },
        ('d', 1 | 2) => Part::Day,
        ('E', 1..=3) => Part::DayName { short: true },
        ('E', 4) => Part::DayName { short: false },
        ('H', 1 | 2) => Part::HourOfDay,
        ('k', 1 | 2) => Part::ClockHourOfDay,
        ('h', 1 | 2) => Part::HourOfHalf,
        ('a', 1) => Part::HalfOfDay,
        ('m', 1 | 2) => Part::Minute,
        ('s', 1 | 2) => Part::Second,
        ('S', 1..=9) => Part::Fraction(run),
        ('X', 1) => Part::Offset { zulu: true, colon: false, minutes: Minutes::Optional },
        ('X', 2) => Part::Offset { zulu: true, colon: false, minutes: always },
        ('X', 3) => Part::Offset { zulu: true, colon: true, minutes: always },
        ('x', 1) => Part::Offset { zulu: false, colon: false, minutes: Minutes::Optional },
        ('x', 2) | ('Z', 1..=3) => Part::Offset { zulu: false, colon: false, minutes: always },
        ('x', 3) => Part::Offset { zulu: false, colon: true, minutes: always },
        _ => {
            let run: String = std::iter::repeat_n(letter, run.min(12)).collect();
            return Err(format!("`{run}` is not supported in a format"));
        }
    })
}

impl Part {
    /// Its value and what comes after it.
    fn read<'t>(&self, text: &'t str) -> Option<(u32, &'t str)> {
        match self {
            Part::Literal(literal) => text.strip_prefix(literal.as_str()).map(|rest| (0, rest)),
            Part::Year(digits) => number(text, (*digits).max(1), 0..=u32::MAX),
            Part::Month => number(text, 2, 1..=12),
            Part::Day => number(text, 2, 1..=31),
            Part::HourOfDay => number(text, 2, 0..=23),
            Part::ClockHourOfDay => number(text, 2, 1..=24),
            Part::HourOfHalf => number(text, 2, 1..=12),
            Part::Minute => number(text, 2, 0..=59),
            Part::Second => number(text, 2, 0..=60),
            Part::Fraction(digits) => number(text, *digits, 0..=u32::MAX),
            Part::MonthName { short } => word(text, &MONTHS, *short),
            Part::DayName { short } => word(text, &DAYS, *short),
            Part::HalfOfDay => word(text, &["AM", "PM"], false),
            Part::Offset { zulu, colon, minutes } => offset(text, *zulu, *colon, *minutes).map(|rest| (0, rest)),
        }
    }
}

fn number(text: &str, digits: usize, range: std::ops::RangeInclusive<u32>) -> Option<(u32, &str)> {
    let end = text.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    let value = text[..end].parse().ok()?;
    range.contains(&value).then_some((value, &text[end..]))
}

fn word<'t>(text: &'t str, words: &[&str], short: bool) -> Option<(u32, &'t str)> {
    (1..).zip(words).find_map(|(n, word)| {
        let word = if short { &word[..3] } else { word };
        let beginning = text.get(..word.len())?;
        beginning.eq_ignore_ascii_case(word).then(|| (n, &text[word.len()..]))
    })
}

fn offset(text: &str, zulu: bool, colon: bool, minutes: Minutes) -> Option<&str> {
    if zulu && let Some(rest) = text.strip_prefix('Z') {
        return Some(rest);
    }
    let (_, rest) = number(text.strip_prefix(['+', '-'])?, 2, 0..=18)?;
    let after_colon = if colon { rest.strip_prefix(':') } else { Some(rest) };
    match after_colon.and_then(|rest| number(rest, 2, 0..=59)) {
        Some((_, rest)) => Some(rest),
        None if minutes == Minutes::Optional => Some(rest),
        None => None,
    }
}

fn days_in(year: Option<u32>, month: u32) -> u32 {
    // A year of two digits, or none, may be a leap year only if it can be divided by four.
    let leap = year.is_some_and(|y| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn matches(format: &str, text: &str) -> bool {
        Format::parse(format).unwrap().matches(text)
    }

    #[test]
    fn common_formats_are_matched() {
        for (format, text) in [
            (DATE, "2026-02-28"),
            (DATE, "2024-02-29"),
            (TIME, "23:59:59"),
            (DATE_TIME, "2026-01-31T11:43:45Z"),
            (DATE_TIME, "2026-01-31T11:43:45+13:00"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2026-01-31T11:43:45.123-05:30"),
            ("yyyy-MM-dd'T'HH:mm:ssZ", "2026-01-31T11:43:45+0000"),
            ("EEE, d MMM yyyy HH:mm:ss", "Sat, 31 Jan 2026 11:43:45"),
            ("hh:mm a", "11:30 pm"),
            ("yyyy''MM 'o''clock'", "2026'01 o'clock"),
            ("yyyyMMdd", "20260131"),
            ("HH:mmX", "10:00+02"),
        ] {
            assert!(matches(format, text), "`{text}` in `{format}`");
        }
    }

    #[test]
    fn what_is_no_such_time_is_not_matched() {
        for (format, text) in [
            (DATE, "2026-02-29"),
            (DATE, "2026-13-01"),
            (DATE, "2026-04-31"),
            (DATE, "2026-01-01x"),
            (DATE, ""),
            (TIME, "24:00:00"),
            (TIME, "10:00"),
            (DATE_TIME, "2026-01-31T11:43:45"),
            (DATE_TIME, "2026-01-31 11:43:45Z"),
            ("EEEE", "Caturday"),
            ("xxx", "Z"),
        ] {
            assert!(!matches(format, text), "`{text}` in `{format}`");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for format in ["", "yyyy-ww", "GGG", "VV", "z", "yyyy-MM-dd'T", "[yyyy]", "D", "yyyyyyyyyyyy", "MMMMM"] {
            assert!(Format::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn an_example_is_in_its_own_format() {
        for format in [DATE, TIME, DATE_TIME, "EEE, d MMM yyyy hh:mm a x", "yy/M/d k:s.SSSSSS Z", "MMMM EEEE xxx"] {
            let format = Format::parse(format).unwrap();
            for seed in [0, 1, 77, u64::MAX, 0x9E37_79B9_7F4A_7C15] {
                assert!(format.matches(&format.example(seed)), "{} in {format}", format.example(seed));
            }
        }
    }
}
