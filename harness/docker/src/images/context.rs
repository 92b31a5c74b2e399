//! The files that a build sees: found, named by their content, and packed.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{dockerfile::Dockerfile, ignore::Ignore, pattern::Pattern};

/// Where runs are kept: it changes with each of them, so no build sees it.
const RUNS: &str = "target/squall";
/// What an image is made from, in the order in which it is named: change it when the way of building changes.
const RECIPE_VERSION: &str = "squall image 1";

/// What a build sees.
#[derive(Debug)]
pub(super) struct Context {
    root: PathBuf,
    /// Paths from the root with `/`, sorted.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    path: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Folder,
    File { executable: bool },
    Link(PathBuf),
}

/// A file that could not be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) path: PathBuf,
    pub(super) why: io::Error,
}

impl Context {
    /// Finds what a Dockerfile copies and `.dockerignore` does not hide.
    pub(super) fn find(root: &Path, dockerfile: &Dockerfile) -> Result<Context, Unreadable> {
        let ignored = root.join(".dockerignore");
        let ignore = match fs::read_to_string(&ignored) {
            Ok(text) => Ignore::parse(&text),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ignore::default(),
            Err(why) => return Err(Unreadable { path: ignored, why }),
        };
        let everything = [Pattern::parse(".")];
        let wanted = dockerfile.sources.as_deref().unwrap_or(&everything);
        let mut entries = Vec::new();
        search(root, &mut Vec::new(), wanted, &ignore, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Context { root: root.to_owned(), entries })
    }

    /// Whether it has a file or folder that a path with wildcards matches.
    pub(super) fn has(&self, pattern: &Pattern) -> bool {
        self.entries.iter().any(|entry| pattern.covers(&entry.path.split('/').collect::<Vec<_>>()))
    }

    /// How many bytes its files have in all.
    pub(super) fn size(&self) -> u64 {
        let sizes = self.entries.iter().filter_map(|entry| match entry.kind {
            Kind::File { .. } => Some(fs::metadata(self.root.join(&entry.path)).ok()?.len()),
            _ => None,
        });
        sizes.sum()
    }

    /// The name of what is built from this: twelve digits of a hash over the Dockerfile, its arguments, and every
    /// file with its path, its content and whether it is executable.
    pub(super) fn hash(&self, dockerfile: &str, args: &BTreeMap<String, String>) -> Result<String, Unreadable> {
        let mut hash = Sha256::new();
        // Each part with its length before it, so that no two lists of parts read alike.
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(RECIPE_VERSION.as_bytes());
        part(dockerfile.as_bytes());
        for (name, value) in args {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        for entry in &self.entries {
            part(entry.path.as_bytes());
            match &entry.kind {
                Kind::Folder => part(b"folder"),
                Kind::File { executable } => {
                    part(if *executable { b"program" } else { b"file" });
                    let path = self.root.join(&entry.path);
                    part(&fs::read(&path).map_err(|why| Unreadable { path, why })?);
                }
                Kind::Link(to) => {
                    part(b"link");
                    part(to.as_os_str().as_encoded_bytes());
                }
            }
        }
        Ok(hex(&hash.finalize()[..6]))
    }

    /// The archive that the engine builds from: the files, and the Dockerfile under `name`. Owners and times are left
    /// out, so that the engine's own cache finds what it has seen.
    pub(super) fn pack(&self, name: &str, dockerfile: &str) -> Result<Vec<u8>, Unreadable> {
        let mut archive = tar::Builder::new(Vec::new());
        for entry in &self.entries {
            let path = self.root.join(&entry.path);
            self.add(&mut archive, entry, &path).map_err(|why| Unreadable { path, why })?;
        }
        let mut header = header(tar::EntryType::Regular, 0o644, dockerfile.len() as u64);
        let done = archive.append_data(&mut header, name, dockerfile.as_bytes()).and_then(|()| archive.into_inner());
        done.map_err(|why| Unreadable { path: name.into(), why })
    }

    fn add(&self, archive: &mut tar::Builder<Vec<u8>>, entry: &Entry, path: &Path) -> io::Result<()> {
        match &entry.kind {
            Kind::Folder => {
                archive.append_data(&mut header(tar::EntryType::Directory, 0o755, 0), &entry.path, io::empty())
            }
            Kind::Link(to) => archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), &entry.path, to),
            Kind::File { executable } => {
                let content = fs::read(path)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                let mut header = header(tar::EntryType::Regular, mode, content.len() as u64);
                archive.append_data(&mut header, &entry.path, content.as_slice())
            }
        }
    }
}

fn search(
    root: &Path,
    folder: &mut Vec<String>,
    wanted: &[Pattern],
    ignore: &Ignore,
    entries: &mut Vec<Entry>,
) -> Result<(), Unreadable> {
    let path = root.join(folder.join("/"));
    let unreadable = |why| Unreadable { path: path.clone(), why };
    for found in fs::read_dir(&path).map_err(unreadable)? {
        let found = found.map_err(unreadable)?;
        // A name that is no text cannot be written in a Dockerfile either.
        let Ok(name) = found.file_name().into_string() else { continue };
        folder.push(name);
        let at = folder.join("/");
        let parts: Vec<&str> = folder.iter().map(String::as_str).collect();
        let is_wanted = !ignore.hides(&parts) && wanted.iter().any(|pattern| pattern.covers(&parts));
        let about = fs::symlink_metadata(found.path()).map_err(|why| Unreadable { path: found.path(), why })?;
        let kind = if about.is_dir() {
            let is_searched = at != RUNS
                && !ignore.hides_all_in(&parts)
                && wanted.iter().any(|pattern| pattern.reaches_below(&parts));
            if is_searched {
                search(root, folder, wanted, ignore, entries)?;
            }
            (at != RUNS).then_some(Kind::Folder)
        } else if about.is_symlink() {
            Some(Kind::Link(fs::read_link(found.path()).map_err(|why| Unreadable { path: found.path(), why })?))
        } else {
            about.is_file().then(|| Kind::File { executable: about.permissions().mode() & 0o111 != 0 })
        };
        if let (true, Some(kind)) = (is_wanted, kind) {
            entries.push(Entry { path: at, kind });
        }
        folder.pop();
    }
    Ok(())
}

/// An archive of these files: name and content.
pub(super) fn of_files(files: &[(&str, &[u8])]) -> Result<Vec<u8>, Unreadable> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = header(tar::EntryType::Regular, 0o644, content.len() as u64);
        archive.append_data(&mut header, name, *content).map_err(|why| Unreadable { path: (*name).into(), why })?;
    }
    archive.into_inner().map_err(|why| Unreadable { path: "archive".into(), why })
}

/// A header without owner and time.
pub(super) fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

/// Bytes as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn context(root: &Path, dockerfile: &str) -> Context {
        Context::find(root, &Dockerfile::read(dockerfile, &BTreeMap::new()).unwrap()).unwrap()
    }

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_build_sees_what_it_copies_and_nothing_that_is_hidden() {
        let root = tree(&[
            (".dockerignore", "target\n!target/image/*/image/*\n*.md"),
            ("README.md", ""),
            ("src/main.rs", "fn main() {}"),
            ("other/file", ""),
            ("target/image/x86/image/order", "program"),
            ("target/debug/order", ""),
            ("target/squall/runs/1/record", ""),
        ]);
        let check = |dockerfile: &str, expected: &[&str]| {
            let packed = context(root.path(), dockerfile).pack("Dockerfile", dockerfile).unwrap();
            assert_eq!(names(&packed), expected, "{dockerfile}");
        };
        check("FROM scratch\nCOPY src README.md /", &["src", "src/main.rs", "Dockerfile"]);
        check("FROM scratch\nCOPY target/image/*/image/order /", &["target/image/x86/image/order", "Dockerfile"]);
        let all = [
            ".dockerignore",
            "other",
            "other/file",
            "src",
            "src/main.rs",
            "target/image/x86/image/order",
            "Dockerfile",
        ];
        check("FROM scratch\nCOPY . /", &all);
        assert!(context(root.path(), "FROM scratch\nCOPY src /").has(&Pattern::parse("src/*.rs")));
        assert!(!context(root.path(), "FROM scratch\nCOPY src /").has(&Pattern::parse("other")));
    }

    #[test]
    fn the_name_follows_everything_that_the_image_is_made_from() {
        let root = tree(&[("a", "1"), ("b", "2")]);
        let text = "FROM scratch\nCOPY a /";
        let args = BTreeMap::from([("X".to_owned(), "1".to_owned())]);
        let hash = |text: &str, args: &BTreeMap<String, String>| context(root.path(), text).hash(text, args).unwrap();
        let first = hash(text, &args);
        assert_eq!(first.len(), 12);
        assert_ne!(first, hash("FROM scratch\nCOPY a /x", &args));
        assert_ne!(first, hash(text, &BTreeMap::new()));
        fs::write(root.path().join("b"), "3").unwrap();
        assert_eq!(first, hash(text, &args), "what is not copied does not count");
        fs::set_permissions(root.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        let executable = hash(text, &args);
        assert_ne!(first, executable);
        fs::write(root.path().join("a"), "4").unwrap();
        assert_ne!(executable, hash(text, &args));
    }
}
