//! Reading and writing, one process at a time, each file whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::layout::Layout;
use crate::error::Error;

/// The folder, held against other processes until it is dropped.
#[derive(Debug)]
pub(crate) struct Files {
    /// What was written so far, for the message of what fails after it.
    done: Vec<PathBuf>,
    _lock: File,
}

impl Files {
    /// Makes the folder if it is not there, and waits for whoever writes in it.
    pub(crate) fn open(layout: &Layout) -> Result<Files, Error> {
        let root = layout.root();
        fs::create_dir_all(root).map_err(Error::file(root))?;
        let path = root.join(".lock");
        let lock = File::options().create(true).write(true).truncate(false).open(&path).map_err(Error::file(&path))?;
        lock.lock().map_err(Error::file(&path))?;
        Ok(Files { done: Vec::new(), _lock: lock })
    }

    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, Error> {
        read(path)
    }

    pub(crate) fn read_json<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, Error> {
        read_json(path)
    }

    pub(crate) fn write_json(&mut self, path: &Path, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|why| Error::Damaged { path: path.to_owned(), why: why.to_string() })?;
        self.write(path, &format!("{text}\n"))
    }

    /// Writes the file beside its place, and renames it into it.
    pub(crate) fn write(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let written = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".new");
            let beside = folder.join(name);
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        written().map_err(|why| Error::File { path: path.to_owned(), why, done: std::mem::take(&mut self.done) })?;
        self.done.push(path.to_owned());
        Ok(())
    }
}

/// The text of a file; `None` if it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Error::file(path)(why)),
    }
}

/// What a file holds; `None` if it is not there.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let Some(text) = read(path)? else { return Ok(None) };
    let damaged = |why: serde_json::Error| Error::Damaged { path: path.to_owned(), why: why.to_string() };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// What is in a folder, by name; nothing if it is not there.
pub(crate) fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(Error::file(folder)(why)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(Error::file(folder))?;
    // A write that was cut off leaves its draft.
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "new"));
    paths.sort();
    Ok(paths)
}
