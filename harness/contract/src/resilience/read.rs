//! Text to [`Resilience`], or every mistake at once.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Clause, FAILURES, Failure, Operation, Resilience,
    tree::{self, Node, Value},
};
use crate::mistake::{MISTAKES_MAX, Mistake, Mistakes};

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// The longest that an answer may take.
const WITHIN_MAX: Duration = Duration::from_secs(600);

/// Reads a resilience file. `file` is its name for messages.
///
/// # Errors
/// Every mistake that was found, each with its line and a remedy.
pub fn read(file: &str, text: &str) -> Result<Resilience, Mistakes> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes, and {FILE_BYTES_MAX} are read at most", text.len());
        return Err(Mistakes::one(file, "line 1, column 1", message, "is this the right file?"));
    }
    let root = tree::read(text).map_err(|mistake| Mistakes { file: file.to_owned(), list: vec![mistake] })?;
    let mut reader = Reader { list: Vec::new() };
    let read = reader.root(&root);
    match read {
        Some(resilience) if reader.list.is_empty() => Ok(resilience),
        _ => Err(Mistakes { file: file.to_owned(), list: reader.list }),
    }
}

struct Reader {
    list: Vec<Mistake>,
}

impl Reader {
    fn wrong(&mut self, at: &Node, message: impl Into<String>, remedy: &str) {
        if self.list.len() < MISTAKES_MAX {
            let remedy = Some(remedy.to_owned());
            self.list.push(Mistake { place: at.place.clone(), message: message.into(), remedy });
        }
    }

    /// The values of a mapping by key, in the order of `keys`; what is not among them is a mistake.
    fn fields<'n, const N: usize>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: [&str; N],
    ) -> Option<[Option<&'n Node>; N]> {
        let Value::Map(entries) = &node.value else {
            let known = keys.map(|key| format!("`{key}`")).join(", ");
            self.wrong(node, format!("{what} is a mapping, and this is {}", node.kind()), &format!("give it {known}"));
            return None;
        };
        let mut values = [None; N];
        for (key, value) in entries {
            let Value::Text(name) = &key.value else {
                self.wrong(key, format!("a key is a text, and this is {}", key.kind()), "write a word");
                continue;
            };
            match keys.iter().position(|known| known == name) {
                Some(n) if values[n].is_some() => {
                    self.wrong(key, format!("`{name}` stands here twice"), "take one away")
                }
                Some(n) => values[n] = Some(value),
                None => {
                    let known = keys.map(|key| format!("`{key}`")).join(", ");
                    self.wrong(key, format!("{what} has no `{name}`"), &format!("one of {known}"));
                }
            }
        }
        Some(values)
    }

    fn text<'n>(&mut self, above: &Node, node: Option<&'n Node>, key: &str, example: &str) -> Option<&'n str> {
        match node.map(|node| (node, &node.value)) {
            Some((_, Value::Text(text))) if !text.trim().is_empty() => Some(text.trim()),
            Some((node, _)) => {
                self.wrong(
                    node,
                    format!("`{key}` is a text, and this is {}", node.kind()),
                    &format!("write `{key}: {example}`"),
                );
                None
            }
            None => {
                self.wrong(above, format!("`{key}` is missing"), &format!("add `{key}: {example}`"));
                None
            }
        }
    }

    fn root(&mut self, root: &Node) -> Option<Resilience> {
        let [schema, consumer, provider, clauses] =
            self.fields(root, "a resilience file", ["schema", "consumer", "provider", "clauses"])?;
        if self.text(root, schema, "schema", "1").is_some_and(|version| version != "1") {
            let at = schema.unwrap_or(root);
            self.wrong(at, "the version of the format is not known", "write `schema: 1`");
        }
        let consumer = self.text(root, consumer, "consumer", "order").map(str::to_owned);
        let provider = self.text(root, provider, "provider", "payment").map(str::to_owned);
        let mut read = Vec::new();
        match clauses.map(|node| (node, &node.value)) {
            Some((node, Value::List(items))) if items.is_empty() => {
                self.wrong(node, "there is no clause", "add one: `- when: timeout`")
            }
            Some((_, Value::List(items))) => read.extend(items.iter().filter_map(|item| self.clause(item))),
            Some((node, _)) => {
                self.wrong(
                    node,
                    format!("`clauses` is a list, and this is {}", node.kind()),
                    "begin each clause with `- when:`",
                );
            }
            None => self.wrong(root, "`clauses` is missing", "add `clauses:` with a list"),
        }
        let mut names = BTreeSet::new();
        for (at, clause) in &read {
            for (_, name) in clause.cases() {
                if !names.insert(name.clone()) {
                    self.wrong(at, format!("`{name}` is promised twice"), "leave it in one clause");
                }
            }
        }
        let clauses = read.into_iter().map(|(_, clause)| clause).collect();
        Some(Resilience { consumer: consumer?, provider: provider?, clauses })
    }

    fn clause<'n>(&mut self, node: &'n Node) -> Option<(&'n Node, Clause)> {
        let [when, of, to, within, answers] =
            self.fields(node, "a clause", ["when", "of", "to", "within", "answers"])?;
        let when = self.when(node, when);
        let of = of.map(|of| self.operation(of, "of"));
        let to = to.map(|to| self.operation(to, "to"));
        let within = self.within(node, within);
        let answers = self.answers(node, answers);
        // An operation that cannot be read must not widen the clause to all.
        let (of, to) = (of.map_or(Some(None), |of| of.map(Some))?, to.map_or(Some(None), |to| to.map(Some))?);
        Some((node, Clause { when: when?, of, to, within: within?, answers: answers? }))
    }

    fn when(&mut self, above: &Node, node: Option<&Node>) -> Option<Vec<Failure>> {
        const WORDS: &str = "one of `timeout`, `refusal`, `5xx`, `garbage`, or a list of them";
        let Some(node) = node else {
            self.wrong(above, "`when` is missing", WORDS);
            return None;
        };
        let mut failures = Vec::new();
        for item in one_or_more(node) {
            let word = match &item.value {
                Value::Text(word) => word.as_str(),
                _ => "",
            };
            match FAILURES.into_iter().find(|failure| failure.word() == word) {
                Some(failure) if failures.contains(&failure) => {
                    self.wrong(item, format!("`{word}` stands here twice"), "take one away")
                }
                Some(failure) => failures.push(failure),
                None => self.wrong(item, format!("`{word}` is no failure"), WORDS),
            }
        }
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            self.wrong(node, "`when` is empty", WORDS);
        }
        (!failures.is_empty()).then_some(failures)
    }

    fn operation(&mut self, node: &Node, key: &str) -> Option<Operation> {
        let text = match &node.value {
            Value::Text(text) => text.trim(),
            _ => "",
        };
        let parts = text.split_once(char::is_whitespace).map(|(method, path)| (method, path.trim()));
        match parts.filter(|(method, path)| method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/')) {
            Some((method, path)) => Some(Operation { method: method.to_owned(), path: path.to_owned() }),
            None => {
                self.wrong(node, format!("`{text}` is no call"), &format!("write `{key}: POST /api/v1/orders/{{id}}`"));
                None
            }
        }
    }

    fn within(&mut self, above: &Node, node: Option<&Node>) -> Option<Duration> {
        let text = self.text(above, node, "within", "3s")?;
        let within = duration(text).filter(|within| !within.is_zero() && *within <= WITHIN_MAX);
        if within.is_none() {
            self.wrong(
                node.unwrap_or(above),
                format!("`{text}` is no time"),
                "write it like `250ms` or `3s`, at most `600s`",
            );
        }
        within
    }

    fn answers(&mut self, above: &Node, node: Option<&Node>) -> Option<Vec<u16>> {
        const REMEDY: &str = "write it like `answers: [202, 503]`";
        let Some(node) = node else {
            self.wrong(above, "`answers` is missing", REMEDY);
            return None;
        };
        let mut statuses = Vec::new();
        for item in one_or_more(node) {
            let status = match &item.value {
                Value::Text(text) => text.parse().ok().filter(|status| (100..600).contains(status)),
                _ => None,
            };
            match status {
                Some(status) if statuses.contains(&status) => {
                    self.wrong(item, format!("{status} stands here twice"), "take one away")
                }
                Some(status) => statuses.push(status),
                None => self.wrong(item, "this is no HTTP status", REMEDY),
            }
        }
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            self.wrong(node, "`answers` is empty", REMEDY);
        }
        (!statuses.is_empty()).then_some(statuses)
    }
}

fn one_or_more(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// `250ms`, `3s`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}
