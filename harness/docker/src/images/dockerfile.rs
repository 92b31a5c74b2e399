//! What a Dockerfile needs: the images that it builds on, and the files that it copies.

use std::collections::BTreeMap;

use super::pattern::Pattern;

/// What stands in a Dockerfile, as far as it decides what a build needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// The images that it builds on or copies from, each once; neither `scratch` nor its own stages.
    pub(super) bases: Vec<String>,
    /// The paths that it copies from the context; `None` if they cannot be told, and it may copy anything.
    pub(super) sources: Option<Vec<Pattern>>,
}

/// A line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Which line, from 1.
    pub(super) line: usize,
    /// Why, in words.
    pub(super) why: String,
}

/// The instructions that there are. Anything else is a mistake of writing.
const INSTRUCTIONS: [&str; 18] = [
    "FROM",
    "ARG",
    "COPY",
    "ADD",
    "RUN",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Dockerfile {
    /// Reads a Dockerfile with the build arguments that it will be given.
    ///
    /// # Errors
    /// When it does not begin with `FROM`, has an instruction that does not exist, or has one without arguments.
    pub(super) fn read(text: &str, args: &BTreeMap<String, String>) -> Result<Dockerfile, Wrong> {
        let mut reading = Reading::new(args);
        for (line, instruction) in instructions(text) {
            let wrong = |why: String| Wrong { line, why };
            let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
            let (word, rest) = (word.to_ascii_uppercase(), rest.trim());
            if !INSTRUCTIONS.contains(&word.as_str()) {
                return Err(wrong(format!("`{word}` is no instruction")));
            }
            if rest.is_empty() {
                return Err(wrong(format!("`{word}` says nothing")));
            }
            if !reading.has_stage && !matches!(word.as_str(), "FROM" | "ARG") {
                return Err(wrong(format!("`{word}` stands before the first `FROM`")));
            }
            if matches!(word.as_str(), "RUN" | "COPY" | "ADD")
                && rest.split_whitespace().any(|word| word.starts_with("<<"))
            {
                return Err(wrong("a text in place (`<<`) needs BuildKit, which is not used: copy a file".to_owned()));
            }
            match word.as_str() {
                "FROM" => reading.from(rest).map_err(wrong)?,
                "ARG" => reading.arg(rest),
                "COPY" | "ADD" => reading.copy(rest).map_err(wrong)?,
                "ENV" => reading.env(rest),
                // Its trigger may copy anything.
                "ONBUILD" => reading.sources = None,
                _ => {}
            }
        }
        if reading.has_stage {
            Ok(Dockerfile { bases: reading.bases, sources: reading.sources })
        } else {
            Err(Wrong { line: 1, why: "there is no `FROM`".to_owned() })
        }
    }
}

struct Reading<'a> {
    given: &'a BTreeMap<String, String>,
    /// What `ARG`s before the first `FROM` say.
    global: BTreeMap<String, Option<String>>,
    /// What `ARG` and `ENV` of this stage say; `None`: known only to the builder.
    local: BTreeMap<String, Option<String>>,
    stages: Vec<String>,
    has_stage: bool,
    bases: Vec<String>,
    sources: Option<Vec<Pattern>>,
}

impl<'a> Reading<'a> {
    fn new(given: &'a BTreeMap<String, String>) -> Reading<'a> {
        Reading {
            given,
            global: BTreeMap::new(),
            local: BTreeMap::new(),
            stages: Vec::new(),
            has_stage: false,
            bases: Vec::new(),
            sources: Some(Vec::new()),
        }
    }

    fn from(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
        let image = words.next().ok_or("`FROM` names no image")?;
        let image =
            expand(image, &self.global).ok_or_else(|| format!("`{image}` is not known here: give it with `ARG`"))?;
        self.needs(&image);
        match (words.next(), words.next(), words.next()) {
            (None, ..) => {}
            (Some(word), Some(name), None) if word.eq_ignore_ascii_case("as") => {
                self.stages.push(name.to_ascii_lowercase());
            }
            _ => return Err("write `FROM image` or `FROM image AS name`".to_owned()),
        }
        self.has_stage = true;
        self.local.clear();
        Ok(())
    }

    fn needs(&mut self, image: &str) {
        let own = image == "scratch" || self.stages.contains(&image.to_ascii_lowercase());
        if !own && !self.bases.iter().any(|base| base == image) {
            self.bases.push(image.to_owned());
        }
    }

    fn arg(&mut self, rest: &str) {
        for word in rest.split_whitespace() {
            let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let default = default.and_then(|value| expand(unquoted(value), self.known()));
            let inherited = self.has_stage.then(|| self.global.get(name).cloned().flatten()).flatten();
            let value = self.given.get(name).cloned().or(default).or(inherited);
            let known = if self.has_stage { &mut self.local } else { &mut self.global };
            known.insert(name.to_owned(), value);
        }
    }

    fn env(&mut self, rest: &str) {
        // Its value may come from the base image, so it is only known that it is not the argument's any more.
        for word in rest.split_whitespace() {
            let name = word.split('=').next().unwrap_or(word);
            self.local.insert(name.to_owned(), None);
        }
    }

    fn known(&self) -> &BTreeMap<String, Option<String>> {
        if self.has_stage { &self.local } else { &self.global }
    }

    fn copy(&mut self, rest: &str) -> Result<(), String> {
        let mut rest = rest;
        while rest.starts_with("--") {
            let (option, after) = rest.split_once(char::is_whitespace).ok_or("it copies nothing")?;
            if let Some(from) = option.strip_prefix("--from=") {
                if from.parse::<usize>().is_err() {
                    let image = expand(from, &self.global).ok_or_else(|| format!("`{from}` is not known here"))?;
                    self.needs(&image);
                }
                return Ok(());
            }
            rest = after.trim_start();
        }
        let words = if rest.starts_with('[') { json_words(rest)? } else { plain_words(rest) };
        let Some((_, sources)) = words.split_last().filter(|(_, sources)| !sources.is_empty()) else {
            return Err("write what is copied, and where to".to_owned());
        };
        for source in sources {
            if source.contains("://") {
                continue;
            }
            match (expand(source, &self.local), &mut self.sources) {
                (Some(path), Some(sources)) => sources.push(Pattern::parse(&path)),
                _ => self.sources = None,
            }
        }
        Ok(())
    }
}

/// The instructions with the line that each begins at: comments gone, continued lines joined.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || (line.is_empty()) {
            continue;
        }
        let (from, mut joined) = open.take().unwrap_or((at + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(continued) => {
                joined.push_str(continued);
                joined.push(' ');
                open = Some((from, joined));
            }
            None => {
                joined.push_str(line);
                all.push((from, joined));
            }
        }
    }
    all.extend(open);
    all
}

fn plain_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| unquoted(word).to_owned()).collect()
}

fn json_words(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|why| format!("`{text}` is no list of texts: {why}"))
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// The text with `$name`, `${name}` and `${name:-default}` replaced. `None` if one of them is not known.
fn expand(text: &str, known: &BTreeMap<String, Option<String>>) -> Option<String> {
    let mut expanded = String::new();
    let mut left = text;
    while let Some(at) = left.find('$') {
        expanded.push_str(&left[..at]);
        let rest = &left[at + 1..];
        let (name, default, after) = match rest.strip_prefix('{') {
            Some(braced) => {
                let (inner, after) = braced.split_once('}')?;
                let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, value)| (name, Some(value)));
                (name, default, after)
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (&rest[..end], None, &rest[end..])
            }
        };
        let value = known.get(name).cloned().flatten().filter(|value| !value.is_empty() || default.is_none());
        expanded.push_str(&value.or_else(|| default.map(str::to_owned))?);
        left = after;
    }
    expanded.push_str(left);
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, args: &[(&str, &str)]) -> Result<Dockerfile, Wrong> {
        let args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Dockerfile::read(text, &args)
    }

    fn sources(paths: &[&str]) -> Option<Vec<Pattern>> {
        Some(paths.iter().map(|path| Pattern::parse(path)).collect())
    }

    #[test]
    fn bases_and_sources_are_found() {
        let text = r#"
            # syntax is not asked for
            ARG RUST=1.95
            FROM --platform=linux/amd64 rust:${RUST}-slim AS build
            WORKDIR /src
            COPY Cargo.toml Cargo.lock ./
            COPY --chown=1:1 ["harness/host", "harness/host"]
            ADD https://example.org/x.tar /x
            RUN cargo build \
                # a comment between
                --locked
            FROM build AS test
            FROM scratch
            ARG SERVICE
            COPY --from=build /out/$SERVICE /service
            COPY --from=busybox:1 /bin/busybox /sh
            COPY target/*/${SERVICE:-order} /x
        "#;
        let dockerfile = read(text, &[("SERVICE", "payment")]).unwrap();
        assert_eq!(dockerfile.bases, ["rust:1.95-slim", "busybox:1"]);
        assert_eq!(dockerfile.sources, sources(&["Cargo.toml", "Cargo.lock", "harness/host", "target/*/payment"]));
        assert_eq!(read(text, &[("RUST", "2")]).unwrap().bases[0], "rust:2-slim");
        assert_eq!(read(text, &[]).unwrap().sources.unwrap()[3], Pattern::parse("target/*/order"));
    }

    #[test]
    fn what_cannot_be_told_may_be_anything() {
        for copies in ["COPY $UNKNOWN /x", "ENV A=b\nCOPY $A /x", "ONBUILD COPY . /x"] {
            assert_eq!(read(&format!("FROM scratch\n{copies}"), &[("A", "b")]).unwrap().sources, None, "{copies}");
        }
    }

    #[test]
    fn an_argument_of_all_stages_must_be_asked_for_again() {
        let text = "ARG DIR=here\nFROM scratch\nARG DIR\nCOPY $DIR /\nFROM scratch\nCOPY fixed /";
        assert_eq!(read(text, &[]).unwrap().sources, sources(&["here", "fixed"]));
        assert_eq!(read("ARG DIR=here\nFROM scratch\nCOPY $DIR /", &[]).unwrap().sources, None);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let check = |text: &str, line: usize, part: &str| {
            let wrong = read(text, &[]).unwrap_err();
            assert_eq!(wrong.line, line, "{wrong:?}");
            assert!(wrong.why.contains(part), "{wrong:?}");
        };
        check("", 1, "no `FROM`");
        check("FROM scratch\n\nCOPPY a b", 3, "`COPPY` is no instruction");
        check("RUN true", 1, "before the first `FROM`");
        check("FROM scratch\nCOPY a", 2, "where to");
        check("FROM scratch\nCOPY [\"a\" \"b\"]", 2, "no list");
        check("FROM $WHAT", 1, "give it with `ARG`");
        check("FROM scratch AS", 1, "`FROM image AS name`");
        check("FROM scratch\nUSER", 2, "says nothing");
        check("FROM scratch\nCOPY <<EOF /x\nEOF", 2, "BuildKit");
    }
}
