//! The pacts of a system: the one place where its contracts' files are opened.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use squall_contract::{
    book::Book,
    mistake::Mistakes,
    model::{self, FILE_BYTES_MAX},
};
use squall_record::Source;

/// A system's contracts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PactsError {
    /// The folder cannot be read.
    #[error(
        "error: cannot read the contracts' folder `{path}`: {why}\n   = help: correct `contracts` in the system file"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// Nothing is in it.
    #[error("error: no pact is in the contracts' folder `{path}`\n   = help: the files of its pacts end in `.json`")]
    None {
        /// The folder.
        path: PathBuf,
    },
    /// A file in it cannot be read.
    #[error("error: cannot read the pact `{path}`: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// Files in it are no pacts.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Mistakes(Vec<Mistakes>),
    /// They are pacts, and not those that a fault of the scenario needs.
    #[error("error: {why}\n  --> {scenario}")]
    NotEnough {
        /// The scenario file.
        scenario: String,
        /// The fault, and what it lacks.
        why: String,
    },
}

/// The texts of every pact in a folder, in the order of their names, each found free of mistakes.
///
/// # Errors
/// When the folder or a file cannot be read, there is none, or with the mistakes of all.
pub fn read(folder: &Path) -> Result<Vec<Source>, PactsError> {
    let unreadable = |why| PactsError::Folder { path: folder.to_owned(), why };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(PactsError::None { path: folder.to_owned() });
    }
    let (mut sources, mut pacts, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let name = path.display().to_string();
        let source = text(&path).map(|text| Source { name, text });
        let source = source.map_err(|why| PactsError::Unreadable { path, why })?;
        match model::read(&source.name, &source.text) {
            Ok(pact) => pacts.push((source.name.clone(), pact)),
            Err(why) => mistakes.push(why),
        }
        sources.push(source);
    }
    if mistakes.is_empty() {
        let compiled = Book::new(pacts.iter().map(|(name, pact)| (name.as_str(), pact)));
        mistakes.extend(compiled.err());
    }
    if mistakes.is_empty() { Ok(sources) } else { Err(PactsError::Mistakes(mistakes)) }
}

/// A file's text; one byte more than a pact may have is read, and the reader of pacts then says that it is too long.
fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PACT: &str = r#"{"consumer":{"name":"a"},"provider":{"name":"b"},"interactions":[],
        "metadata":{"pactSpecification":{"version":"4.0"}}}"#;

    #[test]
    fn the_pacts_of_a_folder_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.json", "a.json", "README.md"] {
            fs::write(folder.path().join(name), PACT).unwrap();
        }
        let names: Vec<String> = read(folder.path()).unwrap().into_iter().map(|source| source.name).collect();
        assert_eq!(names, ["a.json", "b.json"].map(|name| folder.path().join(name).display().to_string()));
    }

    #[test]
    fn what_is_no_pact_is_told_of_every_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.json", "<html>"), ("b.json", PACT), ("c.json", "{}")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let told = read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("a.json") && told.contains("c.json") && !told.contains("b.json"), "{told}");
    }

    #[test]
    fn a_folder_that_is_not_there_or_is_empty_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| read(path).unwrap_err().to_string();
        assert!(told(&folder.path().join("none")).contains("correct `contracts` in the system file"));
        assert!(told(folder.path()).contains("end in `.json`"));
    }
}
