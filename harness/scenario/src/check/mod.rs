//! What can be known before anything runs: parts that are right by themselves and do not go together.
//!
//! Each check looks at what could be decoded, so that its findings stand beside the mistakes of spelling;
//! where a part is missing because of such a mistake, checks that would need it are silent.

mod templates;
mod requests;
mod addresses;
mod databases;
mod sagas;
mod faults;
mod timing;
mod breakers;
mod expectations;
mod contracts;

use crate::decode::{desk::Desk, names::Names, scenario, system};

/// Everything about a system that can be checked without a scenario.
pub(crate) fn check_system(desk: &Desk<'_>, names: &Names, system: &system::Decoded<'_>) {
    for service in &system.services {
        addresses::check(desk, service, system);
        templates::check_service(desk, service, system);
        databases::check(desk, service);
    }
    addresses::check_fixed(desk, system);
    templates::check_backing(desk, system);
    sagas::check(desk, names, system);
}

/// A scenario against its system.
pub(crate) fn check_scenario(
    desk: &Desk<'_>,
    names: &Names,
    system: &system::Decoded<'_>,
    scenario: &scenario::Decoded<'_>,
) {
    let both = Both { desk, names, system, scenario };
    templates::check_scenario(&both);
    requests::check(&both);
    faults::check(&both);
    timing::check(&both);
    expectations::check(&both);
    breakers::check(&both);
}

/// Both files, as far as they could be decoded.
pub(crate) struct Both<'a, 'n> {
    pub(crate) desk: &'a Desk<'a>,
    pub(crate) names: &'a Names,
    pub(crate) system: &'a system::Decoded<'n>,
    pub(crate) scenario: &'a scenario::Decoded<'n>,
}
