//! What everything of a run is called, and on which ports it listens: known before anything starts.

use std::{fs::File, io::Read};

use crate::{
    backend::{Address, Failed, Instance, Wiring},
    plan::Course,
};

/// Where a service listens in its container, unless it always listens elsewhere.
pub(crate) const SERVICE_PORT: u16 = 8080;
/// Where PostgreSQL listens.
pub(crate) const POSTGRES_PORT: u16 = 5432;
/// Where the proxy takes requests.
pub(crate) const CONTROL_PORT: u16 = 8474;
/// Where the proxy's links listen: this and the link's number.
const LINKS_FROM: u16 = 20_000;

/// The names of one run. The engine's own names resolve on the run's network, so they are the hosts' names too.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    id: String,
}

impl Names {
    /// Names that no other run has.
    pub(crate) fn new() -> Result<Names, Failed> {
        Ok(Names { id: random_hex::<4>()? })
    }

    /// The network.
    pub(crate) fn network(&self) -> String {
        format!("squall-{}", self.id)
    }

    /// The container of an instance, of a service or of what stands beside it.
    pub(crate) fn container(&self, of: &Instance) -> String {
        format!("squall-{}-{of}", self.id)
    }

    /// The container with the proxy.
    pub(crate) fn proxy(&self) -> String {
        format!("squall-{}-proxy", self.id)
    }

    /// Where every caller finds every callee: the proxy's listener for it.
    pub(crate) fn wiring(&self, course: &Course) -> Wiring {
        let mut wiring = Wiring::default();
        for listener in &course.listeners {
            for lead in &listener.leads {
                let to = Address { host: self.proxy(), port: link_port(listener.id) };
                wiring.lead(lead.edge.clone(), listener.caller, to);
            }
        }
        wiring
    }
}

/// Where a link listens in the proxy's container.
pub(crate) fn link_port(link: u32) -> u16 {
    LINKS_FROM.saturating_add(u16::try_from(link).unwrap_or(u16::MAX))
}

/// The instance that stands for a service's own database.
pub(crate) fn database_of(service: &str) -> Instance {
    Instance { service: format!("{service}.database"), number: 0 }
}

/// So many random bytes in hexadecimal: for names that must not clash and passwords that nobody guesses. Nothing
/// that a run does depends on them.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, Failed> {
    let mut bytes = [0; BYTES];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|why| Failed(format!("`/dev/urandom` could not be read: {why}; mount `/dev`")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_runs_and_instances_apart() {
        let (one, other) = (Names::new().unwrap(), Names::new().unwrap());
        assert_ne!(one.network(), other.network());
        let order = Instance { service: "order".to_owned(), number: 1 };
        assert_eq!(one.container(&order), format!("{}-order.1", one.network()));
        assert_eq!(one.container(&database_of("order")), format!("{}-order.database.0", one.network()));
    }

    #[test]
    fn every_link_has_a_port_of_its_own() {
        assert_eq!((link_port(0), link_port(7)), (20_000, 20_007));
    }
}
