//! Where pacts come from, and where results go.

use std::{path::Path, sync::Arc};

use squall_publish::{Auth, Broker, Exchange, Folder, Origin, Version};

use super::{
    Verify,
    failed::{Failed, mistake},
};
use crate::cli::contract::place::variables;

/// What was published, and where results are recorded; a broker may be both.
pub(super) struct Exchanges {
    pub(super) from: Option<Arc<Exchange>>,
    pub(super) to: Option<Arc<Exchange>>,
}

impl Exchanges {
    pub(super) fn of(args: &Verify) -> Result<Exchanges, Failed> {
        if let Some(url) = &args.broker {
            let broker = Arc::new(Exchange::Broker(Broker::at(url, Auth::from_variables(&variables())?)?));
            let to = args.version.is_some().then(|| Arc::clone(&broker));
            return Ok(Exchanges { from: Some(broker).filter(|_| args.pacts.is_empty()), to });
        }
        if args.to.is_none() && args.version.is_some() {
            return Err(mistake(
                "it is not said where results are recorded: name a folder with `--to`, or a `--broker`",
            ));
        }
        let folder = |path| Arc::new(Exchange::Folder(Folder::at(path)));
        Ok(Exchanges { from: args.from.as_ref().map(folder), to: args.to.as_ref().map(folder) })
    }

    /// The version of which results are recorded, if any are.
    pub(super) async fn version(&self, args: &Verify) -> Result<Option<Version>, Failed> {
        if self.to.is_none() {
            return Ok(None);
        }
        let of_origin = Origin::of(Path::new("."), &variables()).await.version(args.version.clone())?;
        Ok(Some(Version { branch: args.branch.clone().or(of_origin.branch.clone()), ..of_origin }))
    }
}
