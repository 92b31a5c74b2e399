//! What one program is started with, rendered and ready to be started again and again.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use squall_scenario::model::{Backing, DatabaseKind, Process, Ready, RenderedFile, Scenario, Service, System};

use super::{child::Program, inherited::inherited};
use crate::{
    backend::{Address, Failed, Wiring},
    environment::{self, Names},
    folder::{RUN_VARIABLE, RunFolder},
    ready::Sign,
    render,
};

/// A program, ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// What messages call it: `order`, or `order.1` where there are several.
    pub name: String,
    /// The program and its arguments.
    words: Vec<String>,
    /// Its whole environment.
    env: BTreeMap<String, String>,
    /// Its working directory.
    directory: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// How it says that it is ready.
    pub ready: Sign,
    /// Where it listens.
    pub at: SocketAddr,
}

/// Where programs are started, and with whom.
pub(crate) struct Place<'a> {
    pub system: &'a System,
    pub scenario: &'a Scenario,
    /// The folder that relative paths of the system file count from.
    pub root: &'a Path,
    pub folder: &'a RunFolder,
    /// Where each backing service listens.
    pub backing: &'a BTreeMap<String, SocketAddr>,
}

impl Place<'_> {
    /// Renders what an instance of a service is started with, its files included.
    pub(crate) fn service(
        &self,
        service: &Service,
        instance: u32,
        at: SocketAddr,
        wiring: &Wiring,
    ) -> Result<Launch, Failed> {
        let Some(process) = &service.process else {
            return Err(Failed(format!("service `{}` does not say how it runs as a process", service.name)));
        };
        let several = service.instances > 1;
        let name = if several { format!("{}.{instance}", service.name) } else { service.name.clone() };
        let data = self.data(&service.name)?;
        let listens = Address::from(at);
        let shared = data.to_string_lossy();
        let database = self.database(service, &shared);
        let mut names = environment::names_of(self.system, service, instance, &listens, wiring, &shared, database);
        let files = if several { data.join(instance.to_string()) } else { data.clone() };
        self.render_files(&name, &process.files, &files, &mut names)?;

        let mut env = environment::address_variables(service, instance, &listens, wiring)?;
        // Where there is none, nothing is said of it: a service may do without as a process, and not as a container.
        let databases = service.database.iter().filter(|database| database.process != DatabaseKind::None);
        let own = databases.map(|database| &database.variables);
        let own = own.chain([&service.env, &process.env]).chain(self.scenario.env.get(&service.name));
        for variables in own {
            env.extend(environment::rendered(&name, variables, &names)?);
        }
        self.launch(name, process, service.ready.clone(), at, env, &names)
    }

    /// Renders what a backing service is started with.
    pub(crate) fn backing(&self, backing: &Backing, at: SocketAddr) -> Result<Launch, Failed> {
        let Some(process) = &backing.process else {
            return Err(Failed(format!("backing `{}` does not say how it runs as a process", backing.name)));
        };
        let data = self.data(&backing.name)?;
        let mut names = environment::names_of_program(self.system, &backing.name, &at.into(), &data.to_string_lossy());
        self.render_files(&backing.name, &process.files, &data, &mut names)?;
        let env = environment::rendered(&backing.name, &process.env, &names)?;
        self.launch(backing.name.clone(), process, backing.ready.clone(), at, env, &names)
    }

    /// What `{{ database.… }}` is for a service.
    fn database(&self, service: &Service, data: &str) -> Option<Value> {
        Some(match &service.database.as_ref()?.process {
            DatabaseKind::Sqlite => environment::sqlite_names(service, data),
            DatabaseKind::Backing(name) => {
                let at = self.backing.get(name).map(|at| Address::from(*at));
                environment::backing_names(service, at.as_ref())
            }
            // Neither is there as a process; the plan refuses the second.
            DatabaseKind::None | DatabaseKind::Postgres => json!({}),
        })
    }

    fn data(&self, name: &str) -> Result<PathBuf, Failed> {
        self.folder.data(name).map_err(|why| {
            let folder = self.folder.path().display();
            Failed(format!("no data folder for `{name}` could be made in `{folder}`: {why}; is the disk full?"))
        })
    }

    /// Writes each file with the edges' addresses in it, and names its path in `files`.
    fn render_files(&self, name: &str, files: &[RenderedFile], into: &Path, names: &mut Names) -> Result<(), Failed> {
        let mut paths = serde_json::Map::new();
        for file in files {
            let failed = |why: io::Error, path: &Path| {
                let file = &file.name;
                Failed(format!("file `{file}` of `{name}` could not be written to `{}`: {why}", path.display()))
            };
            let text = environment::file_text(name, file, self.root, names)?;
            fs::create_dir_all(into).map_err(|why| failed(why, into))?;
            let path = into.join(&file.name);
            fs::write(&path, text).map_err(|why| failed(why, &path))?;
            paths.insert(file.name.clone(), json!(path.to_string_lossy()));
        }
        names.insert("files".to_owned(), Value::Object(paths));
        Ok(())
    }

    fn launch(
        &self,
        name: String,
        process: &Process,
        ready: Ready,
        at: SocketAddr,
        own: BTreeMap<String, String>,
        names: &Names,
    ) -> Result<Launch, Failed> {
        let directory = process.directory.as_ref().map_or_else(|| self.root.to_owned(), |path| self.root.join(path));
        let words = process.run.iter().map(|word| render::text(word, names));
        let mut words: Vec<String> =
            words.collect::<Result<_, _>>().map_err(|why| Failed(format!("`run` of `{name}`: {why}")))?;
        match words.first_mut() {
            // A relative path counts from where the program runs, on every system.
            Some(first) if first.contains('/') && Path::new(first).is_relative() => {
                *first = directory.join(&first).to_string_lossy().into_owned();
            }
            Some(_) => {}
            None => return Err(Failed(format!("`run` of `{name}` is empty: name a program"))),
        }
        let mut env: BTreeMap<String, String> = inherited().collect();
        env.extend(own);
        env.insert(RUN_VARIABLE.to_owned(), self.folder.path().to_string_lossy().into_owned());
        let log = self.folder.log(&name);
        Ok(Launch { name, words, env, directory, log, ready: Sign::Says(ready), at })
    }
}

impl Launch {
    /// Starts the program with its output at the end of its log. Says where in the log this life begins.
    pub(crate) fn start(&self) -> Result<(Program, u64), Failed> {
        let output = fs::OpenOptions::new().create(true).append(true).open(&self.log);
        let output = output.and_then(|file| Ok((file.metadata()?.len(), file.try_clone()?, file)));
        let (log_from, out, err) = output.map_err(|why| {
            Failed(format!("the log `{}` could not be opened: {why}; is the disk full?", self.log.display()))
        })?;
        if !self.directory.is_dir() {
            let (name, directory) = (&self.name, self.directory.display());
            return Err(Failed(format!(
                "`{name}` could not be started: its folder `{directory}` is not there; correct `directory` or `root` in the system file"
            )));
        }
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(&self.directory).env_clear().envs(&self.env);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let program = Program::start(&mut command).map_err(|why| self.could_not_start(&why))?;
        Ok((program, log_from))
    }

    fn could_not_start(&self, why: &io::Error) -> Failed {
        let remedy = match why.kind() {
            io::ErrorKind::NotFound => "is it built (`build` in the system file), or installed and in PATH?",
            io::ErrorKind::PermissionDenied => "is it a program, and marked as one (`chmod +x`)?",
            _ if why.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                "is it a program for this machine, or a script without its `#!` line?"
            }
            _ => "see `ulimit -a` for limits on processes and memory",
        };
        let (name, program, directory) = (&self.name, &self.words[0], self.directory.display());
        Failed(format!("`{name}` could not be started: `{program}` in `{directory}`: {why}; {remedy}"))
    }

    /// The command as one would type it.
    pub(crate) fn command(&self) -> String {
        self.words.join(" ")
    }
}
