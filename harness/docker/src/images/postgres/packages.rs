//! What of PostgreSQL is installed on this machine.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use super::{super::context::hex, root::ENTRYPOINT};

/// Where Debian and its like keep a server of each major version.
const SERVERS: &str = "/usr/lib/postgresql";
/// What a container needs of a server's programs.
const PROGRAMS: [&str; 5] = ["postgres", "initdb", "pg_ctl", "pg_isready", "psql"];
/// Where the shell is that `initdb` and the entry point need.
const SHELLS: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// An installed server, and everything that its programs load.
#[derive(Debug)]
pub(super) struct Packages {
    /// Its major version.
    pub(super) major: u32,
    /// The shell and its tools.
    pub(super) busybox: PathBuf,
    /// Programs, modules and libraries, each where it is also looked for in the image.
    pub(super) files: Vec<PathBuf>,
    /// Folders of data that are taken whole.
    pub(super) folders: [PathBuf; 2],
}

impl Packages {
    /// Finds the newest server, or says in words what is missing.
    pub(super) fn find() -> Result<Packages, String> {
        let (major, server) =
            newest_server(Path::new(SERVERS)).ok_or_else(|| format!("no PostgreSQL server is below {SERVERS}"))?;
        let busybox = SHELLS.iter().map(PathBuf::from).find(|path| path.is_file());
        let busybox = busybox.ok_or_else(|| "there is no busybox in /bin".to_owned())?;
        let mut files: Vec<PathBuf> = PROGRAMS.iter().map(|program| server.join("bin").join(program)).collect();
        files.extend(modules(&server.join("lib")).map_err(|why| format!("{}: {why}", server.display()))?);
        files.push(busybox.clone());
        let libraries = libraries(&files)?;
        files.pop();
        files.extend(libraries);
        files.sort();
        files.dedup();
        let share = PathBuf::from(format!("/usr/share/postgresql/{major}"));
        Ok(Packages { major, busybox, files, folders: [share, "/usr/share/zoneinfo".into()] })
    }

    /// Twelve digits that follow the installed versions and how the image is made of them. Files are told by their
    /// size and time, which a package sets: reading eighty megabytes at each start would take a second.
    pub(super) fn hash(&self, recipe: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(recipe);
        hash.update(ENTRYPOINT);
        for path in self.files.iter().chain([&self.busybox]).chain(&self.folders) {
            hash.update(path.as_os_str().as_encoded_bytes());
            if let Ok(about) = fs::metadata(path) {
                hash.update(about.mtime().to_le_bytes());
                hash.update(about.len().to_le_bytes());
            }
        }
        hex(&hash.finalize()[..6])
    }
}

/// The folder with the highest number in which every program is.
fn newest_server(servers: &Path) -> Option<(u32, PathBuf)> {
    let entries = fs::read_dir(servers).ok()?;
    let numbered = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))
    });
    let whole = numbered.filter(|(_, path)| PROGRAMS.iter().all(|program| path.join("bin").join(program).is_file()));
    whole.max_by_key(|(major, _)| *major)
}

/// What a server loads while it runs. The compiler of queries is left out: it is bigger than all the rest.
fn modules(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".so") && !name.starts_with("llvmjit") {
            modules.push(path);
        }
    }
    Ok(modules)
}

/// The shared libraries that programs and modules load, with the loader itself.
fn libraries(files: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let shown = Command::new("ldd").args(files).output().map_err(|why| format!("`ldd` cannot be run: {why}"))?;
    Ok(loaded(&String::from_utf8_lossy(&shown.stdout)))
}

/// The paths in the output of `ldd`: `libssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x…)`, or a path alone.
fn loaded(shown: &str) -> Vec<PathBuf> {
    let lines = shown.lines().filter(|line| line.starts_with(char::is_whitespace));
    let paths = lines.filter_map(|line| {
        let path = line.split_once("=>").map_or(line, |(_, path)| path);
        let path = path.split_once(" (0x").map_or(path, |(path, _)| path).trim();
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_the_rest_of_what_ldd_says() {
        let shown = "/usr/lib/postgresql/15/bin/postgres:\n\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f1)\n\
            \tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n\
            /bin/busybox:\n\tnot a dynamic executable\n";
        let expected = ["/lib/x86_64-linux-gnu/libssl.so.3", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(loaded(shown), expected.map(PathBuf::from));
    }

    #[test]
    fn the_newest_server_that_is_whole_is_taken() {
        let servers = tempfile::tempdir().unwrap();
        let install = |major: &str, programs: &[&str]| {
            let folder = servers.path().join(major).join("bin");
            fs::create_dir_all(&folder).unwrap();
            programs.iter().for_each(|program| fs::write(folder.join(program), "").unwrap());
        };
        assert_eq!(newest_server(servers.path()), None);
        install("9", &PROGRAMS);
        install("15", &PROGRAMS);
        install("16", &["psql"]);
        install("common", &PROGRAMS);
        assert_eq!(newest_server(servers.path()), Some((15, servers.path().join("15"))));
    }
}
