//! Where an instance of a callee is: an address, or a name that is looked up for each connection.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// One instance of a callee. It is written, shown and serialised as `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Instance {
    /// An address.
    At(SocketAddr),
    /// `host:port`. The name is looked up for each connection: it may lead elsewhere after a restart.
    Named(String),
}

/// The text was not an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not where an instance is: write `host:port`, as in `payment.0:8080`")]
pub struct NotAnInstance(pub String);

impl From<SocketAddr> for Instance {
    fn from(at: SocketAddr) -> Instance {
        Instance::At(at)
    }
}

impl FromStr for Instance {
    type Err = NotAnInstance;

    fn from_str(text: &str) -> Result<Instance, NotAnInstance> {
        if let Ok(at) = text.parse() {
            return Ok(Instance::At(at));
        }
        let is_host =
            |host: &str| !host.is_empty() && !host.contains([':', '/']) && !host.contains(char::is_whitespace);
        match text.rsplit_once(':') {
            Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(Instance::Named(text.to_owned())),
            _ => Err(NotAnInstance(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Instance {
    type Error = NotAnInstance;

    fn try_from(text: String) -> Result<Instance, NotAnInstance> {
        text.parse()
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instance::At(at) => at.fmt(f),
            Instance::Named(name) => name.fmt(f),
        }
    }
}

impl From<Instance> for String {
    fn from(instance: Instance) -> String {
        instance.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_reads_back_as_it_is_written() {
        for text in ["127.0.0.1:80", "[::1]:80", "payment.0:8080", "localhost:1"] {
            let instance: Instance = text.parse().unwrap();
            assert_eq!(instance.to_string(), text);
            assert_eq!(matches!(instance, Instance::At(_)), text.starts_with(['1', '[']), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_instance_is_refused() {
        for text in ["", "payment", ":80", "payment:", "payment:http", "payment:70000", "http://payment:80", "a b:1"] {
            assert!(text.parse::<Instance>().is_err(), "{text}");
        }
    }
}
