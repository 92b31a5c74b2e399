//! The specifications of a system: its databases, what its services need, and its services.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use serde_json::{Value, json};
use squall_scenario::model::{Backing, DatabaseKind, Listen, Scenario, Service, System};

use super::{
    images::{Image, Images},
    names::{CONTROL_PORT, Names, SERVICE_PORT, database_of, link_port},
    postgres::{self, Login},
    specification::Specification,
};
use crate::{
    backend::{Address, Failed, Instance, Wiring},
    environment,
    folder::RunFolder,
    plan::Course,
    ready::Sign,
};

/// Where a service's own folder is in its container, if it has one.
const DATA: &str = "/data";

/// What a system is started from.
pub(crate) struct Place<'a> {
    pub system: &'a System,
    pub scenario: &'a Scenario,
    pub course: &'a Course,
    pub folder: &'a RunFolder,
    pub names: &'a Names,
    pub images: &'a Images,
}

impl Place<'_> {
    /// Every container but the proxy's: databases, backing services, services.
    pub(crate) fn all(&self) -> Result<Vec<Specification>, Failed> {
        let wiring = self.names.wiring(self.course);
        let mut all = Vec::new();
        for backing in &self.system.backing {
            all.push(self.backing(backing)?);
        }
        for service in &self.system.services {
            let login = match container_database(service) {
                Some(DatabaseKind::Postgres) => Some(Login::new(service)?),
                _ => None,
            };
            if let Some(login) = &login {
                let image = self.images.of(Image::Postgres)?.reference.clone();
                let log = self.folder.log(&database_of(&service.name).service);
                all.push(postgres::specification(service, login, image, self.names, log));
            }
            for number in 0..service.instances {
                all.push(self.service(service, number, login.as_ref(), &wiring)?);
            }
        }
        Ok(all)
    }

    /// The proxy's container: one listener for each link, of which this machine reaches the client's.
    pub(crate) fn proxy(&self) -> Result<Specification, Failed> {
        let of_client = self.course.listeners.iter().filter(|listener| listener.leads[0].edge.is_client());
        let published = of_client.map(|listener| link_port(listener.id)).chain([CONTROL_PORT]);
        let arguments = ["--host", "0.0.0.0", "--port", &CONTROL_PORT.to_string()].map(str::to_owned).to_vec();
        Ok(Specification {
            instance: Instance { service: "squall-proxy".to_owned(), number: 0 },
            shown: "squall-proxy".to_owned(),
            name: self.names.proxy(),
            image: self.images.of(Image::Proxy)?.reference.clone(),
            user: None,
            arguments,
            env: BTreeMap::new(),
            published: published.collect(),
            // Its client asks it.
            ready: Sign::Says(squall_scenario::model::Ready::Tcp),
            listens: CONTROL_PORT,
            folder: None,
            writes: false,
            log: self.folder.log("squall-proxy"),
        })
    }

    /// Where the instances of a callee listen on the network.
    pub(crate) fn callees(&self, callee: &str) -> Vec<Address> {
        let at = |instance: &Instance, port| Address { host: self.names.container(instance), port };
        if let Some(service) = self.system.service(callee) {
            let numbers = 0..service.instances;
            let instances = numbers.map(|number| Instance { service: callee.to_owned(), number });
            return instances.map(|instance| at(&instance, port_of(service))).collect();
        }
        let instance = Instance { service: callee.to_owned(), number: 0 };
        let port = match self.system.backing.iter().find(|backing| backing.name == callee) {
            Some(backing) => self.port_of_backing(backing),
            None => super::names::POSTGRES_PORT,
        };
        vec![at(&instance, port)]
    }

    fn service(
        &self,
        service: &Service,
        number: u32,
        login: Option<&Login>,
        wiring: &Wiring,
    ) -> Result<Specification, Failed> {
        let instance = Instance { service: service.name.clone(), number };
        let shown = if service.instances > 1 { instance.to_string() } else { service.name.clone() };
        let port = port_of(service);
        let listens = Address { host: "0.0.0.0".to_owned(), port };
        let is_sqlite = container_database(service) == Some(&DatabaseKind::Sqlite);
        let folder = if is_sqlite { Some((self.data(&service.name)?, DATA)) } else { None };
        let database = self.database(service, number, login, wiring)?;
        let names = environment::names_of(self.system, service, number, &listens, wiring, DATA, Some(database));
        let mut env = environment::address_variables(service, number, &listens, wiring)?;
        // Where there is none, nothing is said of it.
        let databases = service.database.iter().filter(|database| database.container != DatabaseKind::None);
        let own = databases.map(|database| &database.variables).chain([&service.env]);
        for variables in own.chain(self.scenario.env.get(&service.name)) {
            env.extend(environment::rendered(&shown, variables, &names)?);
        }
        Ok(Specification {
            name: self.names.container(&instance),
            image: self.images.of(Image::Of(&service.name))?.reference.clone(),
            user: None,
            arguments: Vec::new(),
            env,
            published: vec![port],
            ready: Sign::Says(service.ready.clone()),
            listens: port,
            folder,
            writes: false,
            log: self.folder.log(&shown),
            instance,
            shown,
        })
    }

    fn backing(&self, backing: &Backing) -> Result<Specification, Failed> {
        let instance = Instance { service: backing.name.clone(), number: 0 };
        let port = self.port_of_backing(backing);
        Ok(Specification {
            name: self.names.container(&instance),
            image: self.images.of(Image::Of(&backing.name))?.reference.clone(),
            user: None,
            arguments: Vec::new(),
            env: BTreeMap::new(),
            published: vec![port],
            ready: Sign::Says(backing.ready.clone()),
            listens: port,
            folder: None,
            writes: true,
            log: self.folder.log(&backing.name),
            shown: backing.name.clone(),
            instance,
        })
    }

    /// A backing service listens where its image says so: at the lowest port that it exposes.
    fn port_of_backing(&self, backing: &Backing) -> u16 {
        let exposed = self.images.of(Image::Of(&backing.name)).ok().and_then(|image| image.exposed.first().copied());
        exposed.unwrap_or(SERVICE_PORT)
    }

    /// What `{{ database.… }}` is for a service.
    fn database(
        &self,
        service: &Service,
        number: u32,
        login: Option<&Login>,
        wiring: &Wiring,
    ) -> Result<Value, Failed> {
        match (container_database(service), login) {
            (Some(DatabaseKind::Sqlite), _) => Ok(environment::sqlite_names(service, DATA)),
            (Some(DatabaseKind::Backing(name)), _) => {
                Ok(environment::backing_names(service, self.callees(name).first()))
            }
            (_, Some(login)) => {
                let edge = squall_record::Edge::calls(&service.name, database_of(&service.name).service);
                let at = wiring.of(&edge, number).cloned();
                let at = at.or_else(|| self.callees(&edge.to).into_iter().next());
                let at =
                    at.ok_or_else(|| Failed(format!("no address was made for `{edge}`: this is a mistake in squall")))?;
                Ok(login.names(&at))
            }
            _ => Ok(json!({})),
        }
    }

    /// A folder that a service's container writes to as whatever user it runs as.
    fn data(&self, name: &str) -> Result<PathBuf, Failed> {
        let made = || -> io::Result<PathBuf> {
            let path = self.folder.data(name)?;
            fs::set_permissions(&path, Permissions::from_mode(0o777))?;
            Ok(path)
        };
        made().map_err(|why| {
            let folder = self.folder.path().display();
            Failed(format!("no data folder for `{name}` could be made in `{folder}`: {why}; is the disk full?"))
        })
    }
}

fn container_database(service: &Service) -> Option<&DatabaseKind> {
    service.database.as_ref().map(|database| &database.container)
}

fn port_of(service: &Service) -> u16 {
    match service.listen {
        Listen::Fixed(at) => at.port(),
        Listen::Variable { .. } | Listen::InTemplate => SERVICE_PORT,
    }
}
