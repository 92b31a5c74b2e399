//! Time: faults begin while there is load, and leave room for what must follow.

use std::time::Duration;

use super::{Both, faults::window};
use crate::{
    decode::Placed,
    mistake::{Note, Rule},
    model::{Expectation, Fault, Quantity, When},
};

/// When the load ends.
pub(super) fn load_ends(both: &Both<'_, '_>) -> Duration {
    both.scenario.load.iter().map(|stream| stream.value.from + stream.value.lasts).max().unwrap_or_default()
}

/// Whether every stream of the load could be decoded: otherwise nothing can be said of what it lacks.
pub(super) fn load_is_whole(both: &Both<'_, '_>) -> bool {
    let items = both.scenario.node.get("load").map(|node| node.items().len()).unwrap_or_default();
    items > 0 && items == both.scenario.load.len()
}

pub(super) fn check(both: &Both<'_, '_>) {
    if !load_is_whole(both) {
        return;
    }
    let load_ends = load_ends(both);
    for placed in &both.scenario.faults {
        check_fault(both, placed, load_ends);
    }
}

fn check_fault(both: &Both<'_, '_>, placed: &Placed<'_, Fault>, load_ends: Duration) {
    let fault = &placed.value;
    let When::Times { from, lasts } = &fault.when else { return };
    if *from >= load_ends {
        both.desk.wrong(
            Note::new(
                Rule::Timing,
                placed.node.place("from"),
                format!("`{}` starts when the load has ended", fault.name),
            )
            .label(format!("the load ends after {}", load_ends.show()))
            .help(format!("start it before {}, or make the load longer", load_ends.show())),
        );
        return;
    }
    let (_, ends) = window(fault, load_ends);
    let (key, span) = ["for", "inject"]
        .into_iter()
        .find(|key| placed.node.get(key).is_some() && (*key != "inject" || lasts.is_none()))
        .map_or(("name", placed.name), |key| (key, placed.node.place(key)));
    let (room, why) = room_needed(both, &fault.name);
    let longest = load_ends.saturating_sub(room);
    if ends <= longest || (room.is_zero() && ends <= load_ends) {
        return;
    }
    let until = if lasts.is_none() && key != "inject" {
        "it is in force until the load ends".to_owned()
    } else {
        format!("it ends after {}, the load after {}", ends.show(), load_ends.show())
    };
    let message = match why {
        Some(why) => format!("`{}` leaves {why} no time", fault.name),
        None => format!("`{}` ends after the load", fault.name),
    };
    let needed = ends.min(load_ends) + room;
    let shorter = longest.saturating_sub(*from);
    let help = if shorter.is_zero() {
        format!("make the load last {}", needed.show())
    } else {
        format!("write `for: {}` or less, or make the load last {}", shorter.show(), needed.show())
    };
    both.desk.wrong(Note::new(Rule::Timing, span, message).label(until).help(help));
}

/// How long the load must go on after a fault, and what needs it.
fn room_needed(both: &Both<'_, '_>, fault: &str) -> (Duration, Option<String>) {
    let needs = both.scenario.expect.iter().filter_map(|expectation| match &expectation.value {
        Expectation::Recovers { within, after, of, .. } if after.as_deref().is_none_or(|after| after == fault) => {
            Some((*within, format!("the recovery of `{of}` ({})", within.show())))
        }
        Expectation::Breaker { on, of: Some(of), closes_within: Some(within), .. } if of == fault => {
            Some((*within, format!("the closing of the breaker `{on}` ({})", within.show())))
        }
        _ => None,
    });
    let longest = needs.max_by_key(|(room, _)| *room);
    longest.map_or((Duration::ZERO, None), |(room, why)| (room, Some(why)))
}
