//! Commands whose answers never came, and which are sent again: each happens once.

use std::time::Duration;

use chassis_testing::{Databases, on_every_database};
use inventory::store;
use proptest::collection::vec;
use proptest::prelude::*;
use squall_host::{Env, real::Real};
use tokio::time::timeout;

use crate::model::{Contents, Model, command};

on_every_database! { a_command_given_up_half_way_and_sent_again_happens_once }

async fn a_command_given_up_half_way_and_sent_again_happens_once(databases: &Databases) {
    let patience = prop_oneof![0u64..20, 20u64..20_000];
    databases.for_all(vec((command(), patience), 1..20), async |commands| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let mut model = Model::default();
        for (command, patience_us) in &commands {
            // Dropped wherever it stands: before it was asked, while it was, or after it was done.
            let _ = timeout(Duration::from_micros(*patience_us), command.on(&*store)).await;
            let again = command.on(&*store).await.expect("it answers");
            let (first, repeated) = (model.answers(command), model.answers(command));
            assert!(
                again == first || again == repeated,
                "{command:?}: `{again}` is neither `{first}` nor `{repeated}`"
            );
        }
        assert_eq!(Contents::of(&*store).await, model.contents());
    });
}
