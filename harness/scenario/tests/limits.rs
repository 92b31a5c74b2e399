//! Files that nobody would write: a clear mistake, in bounded time and memory, never a panic.

use proptest::prelude::*;
use squall_scenario::{Mistakes, Rule, Source, load, load_system, system_path_of};

const SHOP: &str = include_str!("../../../services/system.yaml");
const OUTAGE: &str = include_str!("../../../scenarios/breaker/payment-outage.yaml");

fn source(text: impl Into<String>) -> Source {
    Source { name: "file.yaml".to_owned(), text: text.into() }
}

fn first_rule(text: impl Into<String>) -> Rule {
    let found = load_system(&source(text)).expect_err("there are mistakes");
    found.list()[0].rule
}

#[test]
fn a_file_of_megabytes_is_refused_unread() {
    assert_eq!(first_rule("x: ".to_owned() + &"y".repeat(50 << 20)), Rule::TooMuch);
    assert_eq!(first_rule("a: 1\n".repeat(300_000)), Rule::TooMuch);
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        (0..1_000).map(|depth| " ".repeat(depth) + "a:\n").collect(),
        format!("x: {}1{}", "[".repeat(33), "]".repeat(33)),
    ] {
        assert_eq!(first_rule(text), Rule::TooMuch);
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "));
    }
    assert_eq!(first_rule(bomb), Rule::TooMuch);
    assert_eq!(first_rule("a: &a [*a]\n"), Rule::Syntax);
    assert_eq!(first_rule("a: *nothing\n"), Rule::Syntax);
}

#[test]
fn an_alias_stands_for_what_it_names() {
    let text = SHOP.replacen("{ SERVICE: order }", "&args { SERVICE: order }", 1);
    let text = text.replacen("{ SERVICE: payment }", "*args", 1);
    let system = load_system(&source(text)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(system.service("payment").unwrap().container, system.service("order").unwrap().container);
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(first_rule("schema: 1\0\n"), Rule::NotText);
    assert_eq!(first_rule("\u{7f}ELF\u{2}\u{1}"), Rule::NotText);
    for bytes in [&b"schema: \xff\xfe"[..], b"\x1f\x8b\x08"] {
        let found = squall_scenario::source("file.yaml", bytes).expect_err("not text");
        assert_eq!(found.list()[0].rule, Rule::NotText);
    }
    assert_eq!(first_rule("\u{feff}schemas: 1\n"), Rule::UnknownKey);
    let latin = squall_scenario::source("file.yaml", b"schema: 1\ntitle: caf\xe9 au lait\n").unwrap_err();
    assert_eq!((latin.list()[0].line, latin.list()[0].column), (2, 11), "{latin}");
    assert_eq!(squall_scenario::source("f", "\u{feff}schema: 1".as_bytes()).unwrap().text, "schema: 1");
}

#[test]
fn an_empty_file_says_how_to_begin() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "~"] {
        let found = load_system(&source(text)).unwrap_err();
        assert_eq!(found.list().len(), 1, "{found}");
        assert!(found.to_string().contains("schema: 1"), "{found}");
    }
}

#[test]
fn a_file_of_another_kind_is_told_so() {
    for text in ["just a text", "[1, 2]", "42", "a: &x !!binary abc", "{a: 1, a: 2}", "? [complex]\n: 1\n"] {
        assert!(load_system(&source(text)).is_err(), "{text}");
    }
    assert_eq!(first_rule(SHOP.to_owned() + "---\nschema: 1\n"), Rule::Syntax);
}

#[test]
fn a_mistake_beside_a_character_of_many_bytes_is_shown() {
    for text in ["%𑇡", "a: [é", "é: {", "a: \"é", "- é\n é: [", "a: &é", "𑇡"] {
        survives(text, text);
    }
}

#[test]
fn lines_may_end_as_they_do_on_windows() {
    let crlf = |text: &str| source(text.replace('\n', "\r\n"));
    load(&crlf(SHOP), &crlf(OUTAGE)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let found = load(&crlf(SHOP), &crlf(&OUTAGE.replace("seed:", "seeed:"))).unwrap_err();
    assert_eq!((found.list()[0].line, found.list()[0].column), (5, 1), "{found}");
    assert!(!found.to_string().contains('\r'));
}

#[test]
fn a_thousand_mistakes_are_counted_beyond_the_first_hundred() {
    let text: String = (0..1_000).map(|n| format!("key{n}: 1\n")).collect();
    let found = load_system(&source(text)).unwrap_err();
    assert!(found.list().len() >= 1_000);
    assert!(found.to_string().ends_with("more"), "{found}");
}

#[test]
fn ten_thousand_mistakes_cost_one_walk_through_the_file() {
    // Each of these once cost a walk, or a comparison, for every other: a square of the file's length.
    for text in [
        (0..9_000).map(|n| format!("key{n}: 1\n")).collect::<String>(),
        format!("{{{}}}", (0..9_000).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join(", ")),
        format!("schema: 1\nvars: {{{}}}", (0..9_000).map(|n| format!("é-{n}: 1")).collect::<Vec<_>>().join(", ")),
    ] {
        let found = load_system(&source(text)).unwrap_err();
        assert!(found.list().len() > 9_000);
    }
    let columns = format!("{{\n  ü: [{}], x: 1 }}\n", "1, ".repeat(50));
    let found = load_system(&source(columns.clone())).unwrap_err();
    let last = found.list().iter().find(|mistake| mistake.message.contains("`x`")).unwrap();
    let line = columns.lines().nth(1).unwrap();
    assert_eq!((last.line, last.column), (2, line.chars().position(|c| c == 'x').unwrap() + 1));
}

#[test]
fn a_mistake_on_a_very_long_line_shows_the_part_that_matters() {
    let text = format!("schema: 1\nvars: {{ long: \"{}\" }}\n{{", "é".repeat(50_000));
    let shown = load_system(&source(text)).unwrap_err().to_string();
    assert!(shown.len() < 3_000, "{} bytes", shown.len());
    let line = format!("schema: 1\nsystem: {}é!\n", "x".repeat(5_000));
    let shown = load_system(&source(line)).unwrap_err().to_string();
    assert!(shown.len() < 9_000, "{} bytes", shown.len());
}

/// Loads what may be anything; whatever is found is rendered too.
fn survives(system: &str, scenario: &str) {
    let render = |found: &Mistakes| (found.render(false).len(), found.render(true).len());
    match load(&source(system), &source(scenario)) {
        Ok(loaded) => drop(render(&loaded.warnings)),
        Err(found) => {
            assert!(!found.is_empty());
            render(&found);
        }
    }
    let _ = system_path_of(&source(scenario));
}

/// One change of a text: bytes taken away, put in, doubled or moved.
fn change(text: &str, at: usize, length: usize, with: &str, kind: u8) -> String {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = boundary(at % (text.len() + 1));
    let to = boundary(from + length);
    match kind % 4 {
        0 => text[..from].to_owned() + &text[to..],
        1 => text[..from].to_owned() + with + &text[from..],
        2 => text[..to].to_owned() + &text[from..],
        _ => text[to..].to_owned() + &text[..from],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_is_survived(text in any::<String>(), more in "[-a-z0-9:{}\\[\\]&*!|>'\"%@`, \n\t#]{0,200}") {
        survives(&text, &more);
        survives(&more, &text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(source) = squall_scenario::source("file.yaml", &bytes) {
            let _ = load_system(&source);
        }
    }

    #[test]
    fn a_damaged_file_is_survived(
        changes in prop::collection::vec((any::<usize>(), 0usize..40, "[-a-z0-9:{}\\[\\]&*'\", \n]{0,12}", any::<u8>()), 1..4),
        of_system: bool,
    ) {
        let mut text = if of_system { SHOP } else { OUTAGE }.to_owned();
        for (at, length, with, kind) in changes {
            text = change(&text, at, length, &with, kind);
        }
        if of_system { survives(&text, OUTAGE) } else { survives(SHOP, &text) }
    }
}
