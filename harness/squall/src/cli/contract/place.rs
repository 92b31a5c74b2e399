//! Where contracts are exchanged, as it is said on the command line and in the environment.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use squall_publish::{Auth, Broker, Error, Exchange, Folder};

/// A Pact Broker, or a folder.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The Pact Broker. Default: PACT_BROKER_BASE_URL.
    #[arg(long, value_name = "URL", conflicts_with = "folder")]
    broker: Option<String>,
    /// A folder instead of a broker: files that git can keep.
    #[arg(long = "to", visible_alias = "from", value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Place {
    /// The exchange that is meant.
    pub(super) fn exchange(&self) -> Result<Exchange, Error> {
        if let Some(folder) = &self.folder {
            return Ok(Exchange::Folder(Folder::at(folder)));
        }
        let variables = variables();
        let given = variables.get("PACT_BROKER_BASE_URL").filter(|url| !url.is_empty());
        let Some(url) = self.broker.as_ref().or(given) else {
            return Err(Error::Mistake(
                "it is not said where contracts are exchanged: name a Pact Broker with `--broker URL`, or a folder with \
                 `--to FOLDER`"
                    .to_owned(),
            ));
        };
        Ok(Exchange::Broker(Broker::at(url, Auth::from_variables(&variables)?)?))
    }
}

/// The environment's variables that are text.
pub(super) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
