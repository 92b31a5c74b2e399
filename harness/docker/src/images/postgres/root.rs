//! The root folder of our PostgreSQL image, packed.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use tar::EntryType;

use super::{
    super::context::{Unreadable, header},
    packages::Packages,
};

/// What a container starts with.
pub(super) const ENTRYPOINT: &str = include_str!("entrypoint.sh");

/// The user that everything runs as, and its group.
const POSTGRES: u64 = 999;

const PASSWD: &str = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n";
const GROUP: &str = "root:x:0:\npostgres:x:999:\n";

/// The tools that `initdb`, the entry point and somebody who looks into a container use.
const TOOLS: [&str; 17] = [
    "sh", "cat", "chmod", "chown", "echo", "env", "grep", "head", "id", "ls", "mkdir", "mktemp", "printf", "ps", "rm",
    "sed", "touch",
];

/// Folders that a server does not read: manuals, and time zones a second and a third time.
const LEFT_OUT: [&str; 3] = ["man", "posix", "right"];

/// An archive that knows which folders it has.
struct Packing {
    archive: tar::Builder<Vec<u8>>,
    folders: BTreeSet<PathBuf>,
}

/// Packs the server, what it loads, its data, a shell, and an entry point.
pub(super) fn pack(packages: &Packages) -> Result<Vec<u8>, Unreadable> {
    let mut packing = Packing { archive: tar::Builder::new(Vec::new()), folders: BTreeSet::new() };
    let in_place = |why| Unreadable { path: "root.tar".into(), why };
    for (path, mode, owner) in
        [("tmp", 0o1777, 0), ("run/postgresql", 0o2775, POSTGRES), ("var/lib/postgresql", 0o755, POSTGRES)]
    {
        packing.folder(Path::new(path), mode, owner).map_err(in_place)?;
    }
    packing.link(Path::new("var/run"), Path::new("/run")).map_err(in_place)?;
    for (path, mode, text) in
        [("etc/passwd", 0o644, PASSWD), ("etc/group", 0o644, GROUP), ("bin/entrypoint.sh", 0o755, ENTRYPOINT)]
    {
        packing.file(Path::new(path), mode, text.as_bytes()).map_err(in_place)?;
    }
    packing.copy_as(&packages.busybox, Path::new("bin/busybox"))?;
    for tool in TOOLS {
        packing.link(&Path::new("bin").join(tool), Path::new("busybox")).map_err(in_place)?;
    }
    for file in &packages.files {
        packing.copy(file)?;
    }
    for folder in &packages.folders {
        packing.copy_folder(folder)?;
    }
    packing.archive.into_inner().map_err(in_place)
}

impl Packing {
    /// A folder, and those that it is in.
    fn folder(&mut self, path: &Path, mode: u32, owner: u64) -> io::Result<()> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.folder(parent, 0o755, 0)?;
        }
        if !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        let mut header = header(EntryType::Directory, mode, 0);
        header.set_uid(owner);
        header.set_gid(owner);
        self.archive.append_data(&mut header, path, io::empty())
    }

    fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("")), 0o755, 0)?;
        self.archive.append_data(&mut header(EntryType::Regular, mode, content.len() as u64), path, content)
    }

    fn link(&mut self, path: &Path, to: &Path) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("")), 0o755, 0)?;
        self.archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, to)
    }

    /// What a path leads to, under that very path: links between folders of this machine do not matter in the image.
    fn copy(&mut self, file: &Path) -> Result<(), Unreadable> {
        self.copy_as(file, file.strip_prefix("/").unwrap_or(file))
    }

    fn copy_as(&mut self, file: &Path, path: &Path) -> Result<(), Unreadable> {
        use std::os::unix::fs::PermissionsExt;

        let unreadable = |why| Unreadable { path: file.to_owned(), why };
        let executable = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o111 != 0;
        let content = fs::read(file).map_err(unreadable)?;
        self.file(path, if executable { 0o755 } else { 0o644 }, &content).map_err(unreadable)
    }

    /// A folder with everything in it that a server reads.
    fn copy_folder(&mut self, folder: &Path) -> Result<(), Unreadable> {
        let unreadable = |why| Unreadable { path: folder.to_owned(), why };
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?.path());
        }
        entries.sort();
        for entry in entries {
            let about = fs::symlink_metadata(&entry).map_err(unreadable)?;
            if about.is_dir() {
                if entry.file_name().is_some_and(|name| LEFT_OUT.iter().all(|left_out| name != *left_out)) {
                    self.copy_folder(&entry)?;
                }
            } else if let Some(neighbour) = neighbour(folder, &entry) {
                self.link(entry.strip_prefix("/").unwrap_or(&entry), &neighbour).map_err(unreadable)?;
            } else if entry.is_file() {
                self.copy(&entry)?;
            }
            // A link that leads nowhere, or to a folder elsewhere, is not needed to serve.
        }
        Ok(())
    }
}

/// What a link leads to, if that is a file of the same folder.
fn neighbour(folder: &Path, link: &Path) -> Option<PathBuf> {
    fs::read_link(link).ok().filter(|to| to.components().count() == 1 && folder.join(to).is_file())
}
