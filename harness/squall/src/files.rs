//! Finding and reading the files: the only place where scenario and system files are opened.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use squall_record::Source;

/// The most a scenario or system file may hold, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or may not be read.
    #[error("cannot read `{path}`: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// It is too large to be what it should be.
    #[error("`{path}` is larger than {bytes_max} bytes: is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        bytes_max: u64,
    },
    /// It is not text.
    #[error("`{path}` is not UTF-8 text: is it the right file?")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds no pact.
    #[error("no pact found under `{path}`: a pact ends in .json and has `\"interactions\"` or `\"messages\"`")]
    NoPact {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds no scenario.
    #[error("no scenario found under `{path}`: a scenario file ends in .yaml or .yml and has a line `scenario: …`")]
    NoneFound {
        /// The folder.
        path: PathBuf,
    },
}

/// Reads one file whole, within bounds.
///
/// # Errors
/// When it cannot be read, is larger than [`FILE_BYTES_MAX`], or is not UTF-8.
pub fn read(path: &Path) -> Result<Source, FileError> {
    read_up_to(path, FILE_BYTES_MAX)
}

/// Reads one pact whole, within bounds.
///
/// # Errors
/// When it cannot be read, is larger than a pact may be, or is not UTF-8.
pub fn read_pact(path: &Path) -> Result<Source, FileError> {
    read_up_to(path, squall_contract::model::FILE_BYTES_MAX as u64)
}

fn read_up_to(path: &Path, bytes_max: u64) -> Result<Source, FileError> {
    let unreadable = |why| FileError::Unreadable { path: path.to_owned(), why };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes_max });
    }
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.to_owned() })?;
    Ok(Source { name: path.display().to_string(), text })
}

/// The scenario files that these paths mean, in a stable order, each once.
///
/// A file is taken as named. A folder is searched through; in it a YAML file counts when one of its
/// lines begins with `scenario:`, so that system files and the like may lie beside scenarios.
///
/// # Errors
/// When a path does not exist or a folder holds no scenario.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|why| FileError::Unreadable { path: path.clone(), why })?;
        if metadata.is_dir() {
            let before = found.len();
            search(path, &["yaml", "yml"], looks_like_a_scenario, &mut found)?;
            if found.len() == before {
                return Err(FileError::NoneFound { path: path.clone() });
            }
        } else {
            found.push(path.clone());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

/// The pacts that a path means, in a stable order: the file itself, or those in a folder and below.
///
/// In a folder a JSON file counts when it speaks of interactions or messages.
///
/// # Errors
/// When the path does not exist or a folder holds no pact.
pub fn pacts(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let metadata = std::fs::metadata(path).map_err(|why| FileError::Unreadable { path: path.to_owned(), why })?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    search(path, &["json"], looks_like_a_pact, &mut found)?;
    if found.is_empty() { Err(FileError::NoPact { path: path.to_owned() }) } else { Ok(found) }
}

fn search(
    folder: &Path,
    extensions: &[&str],
    counts: fn(&Path) -> bool,
    found: &mut Vec<PathBuf>,
) -> Result<(), FileError> {
    let unreadable = |why| FileError::Unreadable { path: folder.to_owned(), why };
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>())
        .map_err(unreadable)?;
    entries.sort();
    for path in entries {
        // Links are not followed into folders: a link to a parent would never end.
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        let has_extension = || path.extension().is_some_and(|e| extensions.iter().any(|extension| e == *extension));
        if is_folder {
            search(&path, extensions, counts, found)?;
        } else if has_extension() && counts(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// A file that cannot be read counts, so that its error is shown rather than the file passed over.
fn looks_like_a_scenario(path: &Path) -> bool {
    match read(path) {
        Ok(source) => source.text.lines().any(|line| line.starts_with("scenario:")),
        Err(_) => true,
    }
}

/// A file that cannot be read counts, as above.
fn looks_like_a_pact(path: &Path) -> bool {
    match read_pact(path) {
        Ok(source) => source.text.contains("\"interactions\"") || source.text.contains("\"messages\""),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_gives_its_scenarios_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        for (name, text) in [
            ("b.yaml", "scenario: b\n"),
            ("deep/a.yml", "schema: 1\nscenario: a\n"),
            ("system.yaml", "system: shop\n"),
            ("notes.txt", "scenario: no\n"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let found = scenarios(&[folder.path().to_owned(), folder.path().join("b.yaml")]).unwrap();
        assert_eq!(found, [folder.path().join("b.yaml"), folder.path().join("deep/a.yml")]);
    }

    #[test]
    fn a_folder_without_scenarios_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(scenarios(&[folder.path().to_owned()]), Err(FileError::NoneFound { .. })));
    }

    #[test]
    fn what_is_not_text_or_too_large_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(matches!(read(&path), Err(FileError::NotText { .. })));
        fs::write(&path, vec![b'a'; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(read(&path), Err(FileError::TooLarge { .. })));
        assert!(matches!(read(folder.path()), Err(FileError::Unreadable { .. })));
    }
}
