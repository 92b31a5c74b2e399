//! The end of a log, for a message.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// How much of a log's end is looked at, in bytes.
const END_BYTES: u64 = 8 * 1024;
/// How many of its last lines are shown.
const END_LINES: usize = 20;

/// The last lines of a log as they are, or none if it is empty or not there.
pub(crate) fn end_of(path: &Path) -> Vec<String> {
    let text = last_bytes(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(END_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

fn last_bytes(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(END_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A paragraph's part: `the end of LOG:` and the lines, indented; or that the log is empty.
pub(crate) fn shown(path: &Path) -> String {
    let lines = end_of(path);
    if lines.is_empty() {
        return format!("it wrote nothing (`{}` is empty)", path.display());
    }
    let mut text = format!("the end of `{}`:", path.display());
    for line in lines {
        text.push_str("\n    ");
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order.log");
        let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, text).unwrap();
        let end = end_of(&path);
        assert_eq!(end.len(), END_LINES);
        assert_eq!(end.last().unwrap(), "line 9999");
    }

    #[test]
    fn a_log_that_says_nothing_is_said_to() {
        assert_eq!(shown(Path::new("/nonexistent.log")), "it wrote nothing (`/nonexistent.log` is empty)");
    }
}
