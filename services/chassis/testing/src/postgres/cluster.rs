//! The files and processes of a server of our own, which are gone when the test is, however it ends.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio_postgres::Config;

/// Whether what is acknowledged is on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    On,
    Off,
}

/// How a server ends.
#[derive(Clone, Copy)]
pub(super) enum Signal {
    /// Its "fast shutdown": transactions are rolled back, and a checkpoint is written.
    Fast,
    /// As by `kill -9`.
    Kill,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Fast => "INT",
            Signal::Kill => "KILL",
        }
    }
}

/// Runs the server, and ends it by the signal that its input names. If the input ends without one, whoever held it is
/// gone: then the files go, too.
const SUPERVISOR: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
exec 3<&0
(
    read -r signal <&3
    kill -"${signal:-QUIT}" "$server" 2>/dev/null
    [ -n "$signal" ] && exit
    while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
    rm -rf "$folder"
) &
wait "$server"
"#;

/// How often a server is started anew that ends while it starts.
const STARTS_MAX: u32 = 100;

const USER: &str = "squall";
const PASSWORD: &str = "of-no-use-elsewhere";

/// One server: its files, and its processes while it runs.
pub(super) struct Cluster {
    binaries: PathBuf,
    /// Holds the data and the server's log.
    folder: PathBuf,
    port: u16,
    sync: Sync,
    /// Whom it runs as, if not as us.
    user: Option<User>,
    supervisor: Option<Child>,
    starts: u32,
}

/// A user of the system.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes the files of a new server.
    pub(super) fn create(sync: Sync) -> Result<Self, String> {
        let binaries = binaries().ok_or(
            "no `postgres` and `initdb` on the PATH or where packages put them; \
             install a PostgreSQL server, or set `SQUALL_TEST_POSTGRES_URL`",
        )?;
        let user = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        let folder = tempfile::Builder::new().prefix("squall-postgres-").tempdir().map_err(of("a folder"))?.keep();
        let password = folder.join("password");
        fs::write(&password, PASSWORD).map_err(of("a file"))?;
        if let Some(User { uid, gid }) = user {
            for path in [&folder, &password] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(of("a folder of another user"))?;
            }
        }
        let cluster = Cluster { binaries, folder, port: free_port()?, sync, user, supervisor: None, starts: 0 };
        let mut initdb = cluster.command(&cluster.binaries.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--username", USER]);
        initdb.arg("--pwfile").arg(&password).arg("--pgdata").arg(cluster.folder.join("data"));
        let made = initdb.output().map_err(of("`initdb`"))?;
        match made.status.success() {
            true => Ok(cluster),
            false => Err(format!("`initdb` failed: {}", String::from_utf8_lossy(&made.stderr).trim_end())),
        }
    }

    /// How its first user logs in.
    pub(super) fn login(&self) -> Config {
        let mut login = Config::new();
        login.host("127.0.0.1").port(self.port).user(USER).password(PASSWORD).dbname("postgres");
        login
    }

    /// Starts its processes. It answers some time later.
    pub(super) fn start(&mut self) -> Result<(), String> {
        let mut supervisor = self.command(Path::new("/bin/sh"));
        supervisor.args(["-c", SUPERVISOR, "supervisor"]).arg(&self.folder).arg(self.binaries.join("postgres"));
        supervisor.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string()]);
        let sync = if self.sync == Sync::On { "on" } else { "off" };
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"] {
            supervisor.args(["-c", setting]);
        }
        supervisor.args(["-c", &format!("fsync={sync}"), "-c", &format!("full_page_writes={sync}")]);
        // A group of its own: a Ctrl-C at the terminal ends the test, and the end of the test ends this.
        supervisor.process_group(0).stdin(Stdio::piped());
        self.supervisor = Some(supervisor.spawn().map_err(of("`sh`"))?);
        Ok(())
    }

    /// Starts it once more if it ended while it started: another process was faster at its port, or what is left of its
    /// last life still holds its memory.
    pub(super) fn start_again_if_it_ended(&mut self) -> Result<(), String> {
        let ended = self.supervisor.as_mut().is_none_or(|supervisor| !matches!(supervisor.try_wait(), Ok(None)));
        if !ended {
            return Ok(());
        }
        self.starts += 1;
        if self.starts > STARTS_MAX {
            return Err(format!("the server does not start: {}", self.log()));
        }
        // It is gone, and its files stay.
        self.end(Signal::Fast);
        self.start()
    }

    /// Ends its processes and waits until they are gone; its files stay.
    pub(super) fn end(&mut self, signal: Signal) {
        let Some(mut supervisor) = self.supervisor.take() else { return };
        if let Some(mut input) = supervisor.stdin.take() {
            // If nobody reads it, it has ended already.
            let _ = writeln!(input, "{}", signal.name());
        }
        let _ = supervisor.wait();
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            drop(supervisor.stdin.take());
            let _ = supervisor.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn of(what: &str) -> impl Fn(io::Error) -> String {
    move |error| format!("{what} cannot be had: {error}")
}

/// The folder of the server's binaries.
fn binaries() -> Option<PathBuf> {
    let has_both = |folder: &PathBuf| ["postgres", "initdb"].iter().all(|name| folder.join(name).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(has_both);
    // Debian's and Homebrew's packages keep versions side by side, and none on the PATH.
    let packaged = || {
        let parents = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"].map(fs::read_dir);
        let folders = parents.into_iter().flatten().flatten().flatten().map(|entry| entry.path());
        let mut versions: Vec<(u32, PathBuf)> =
            folders.filter_map(|folder| Some((version(&folder)?, folder))).collect();
        versions.sort();
        versions.into_iter().rev().map(|(_, folder)| folder.join("bin")).find(has_both)
    };
    on_path.or_else(packaged)
}

/// The version that a package's folder names: `15`, or `postgresql@15`.
fn version(folder: &Path) -> Option<u32> {
    let name = folder.file_name()?.to_str()?;
    name.strip_prefix("postgresql@").unwrap_or(name).parse().ok()
}

/// Whom a server can run as where we are root, whom it refuses.
fn unprivileged() -> Result<User, String> {
    let users = fs::read_to_string("/etc/passwd").map_err(of("a user to run it as"))?;
    let named = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields.first() == Some(&name))?;
        Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    };
    let user = named("postgres").or_else(|| named("nobody"));
    user.ok_or_else(|| "root cannot run it, and there is no user `postgres` or `nobody`".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a server of another kind listens there; no service is involved")]
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(of("a port"))?;
    listener.local_addr().map(|address| address.port()).map_err(of("a port"))
}
