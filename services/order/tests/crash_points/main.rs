//! Kill -9 at every point of a saga: before and after each write of its log, before, in and after each send, forward
//! and undo, and around the outbox. The next lives find the database file as it was left. When everything is at rest
//! and what was still under way has arrived, the books must be right.
//!
//! The points are counted by a life that nothing ends, so that none can be forgotten.

mod ground;
mod life;
mod points;
mod world;

use ground::Ground;
use life::{LEASE, Seen, Setting, live};
use order::{
    domain::{Order, Status},
    saga::{Action, Entry, Saga, Step},
    store::LogRow,
};
use proptest::prelude::*;
use world::{Fate, Goods, Story};

const RESERVE: Action = Action::Do(Step::Reserve);
const CHARGE: Action = Action::Do(Step::Charge);
const REFUND: Action = Action::Undo(Step::Charge);
const RELEASE: Action = Action::Undo(Step::Reserve);

fn stories() -> Vec<Story> {
    vec![
        Story::called("everything goes well"),
        Story { payment_method: "pm_declined", ..Story::called("the payment is refused") },
        Story { in_stock: false, ..Story::called("the stock is short") },
        Story {
            fates: vec![(CHARGE, 1, Fate::AnswerLost)],
            ..Story::called("the answer to the charge is lost, the money taken")
        },
        Story {
            fates: vec![(CHARGE, 1, Fate::ArrivesLate)],
            ..Story::called("the charge arrives when everything is over")
        },
        Story {
            fates: vec![(RESERVE, 1, Fate::AnswerLost)],
            ..Story::called("the answer to the reservation is lost, the goods held")
        },
        Story {
            fates: vec![(RESERVE, 1, Fate::ArrivesLate)],
            ..Story::called("the reservation arrives when everything is over")
        },
        Story { fates: vec![(CHARGE, 1, Fate::NothingSent)], ..Story::called("payment cannot be reached") },
        Story {
            payment_method: "pm_declined",
            fates: vec![
                (RELEASE, 1, Fate::NothingSent),
                (RELEASE, 2, Fate::AnswerLost),
                (RELEASE, 3, Fate::NothingSent),
                (RELEASE, 4, Fate::NothingSent),
            ],
            ..Story::called("the payment is refused and the release fails four times")
        },
        Story {
            fates: vec![
                (CHARGE, 1, Fate::AnswerLost),
                (REFUND, 1, Fate::NothingSent),
                (REFUND, 2, Fate::AnswerLost),
                (RELEASE, 1, Fate::ArrivesLate),
            ],
            ..Story::called("the charge's answer is lost and every undo fails once or twice")
        },
        Story { cancelled_during: Some(RESERVE), ..Story::called("it is cancelled while the goods are reserved") },
        Story { cancelled_during: Some(CHARGE), ..Story::called("it is cancelled while the money is taken") },
    ]
}

/// The lives of one order, each but the last ended at a point of its own.
fn lives(ground: &Ground, story: &Story, ends: &[u32]) -> (Setting, Vec<Seen>) {
    let setting = Setting::new(story, ground);
    let mut seen = Vec::new();
    for (life, end) in ends.iter().map(|end| Some(*end)).chain([None]).enumerate() {
        seen.push(live(&setting, "0", life as u64, end, true));
    }
    (setting, seen)
}

/// How many points a life has that nothing ends.
fn points(ground: &Ground, story: &Story) -> u32 {
    lives(ground, story, &[]).1[0].points
}

/// What the last life left: the order and its log.
fn left(ground: &Ground) -> (Order, Vec<LogRow>) {
    ground.ask(async |store| {
        let order = store.order_by_key("key-1".into()).await.expect("it reads").expect("the order is there");
        let log = store.saga_log(order.order_id.clone()).await.expect("it reads").expect("its log is there");
        assert_eq!(store.summary().await.expect("it reads").needs_attention, 0);
        (order, log)
    })
}

/// The books agree with the order's status, with what the client was told, and with the log.
fn check(ground: &Ground, story: &Story, ends: &[u32]) {
    let (setting, seen) = lives(ground, story, ends);
    let (order, log) = left(ground);
    let told = format!("{}, killed at {ends:?}\nbooks: {:#?}\nlog: {log:#?}", story.name, setting.world.books());
    setting.world.deliver_what_is_under_way();
    let books = setting.world.books();
    let captures = books.captures.get(&order.order_id).cloned().unwrap_or_default();
    let goods = books.goods.get(&order.order_id).copied();
    let kind = format!("order.{}", order.progress.status.name());
    assert_eq!(books.events, [(order.order_id.clone(), kind)], "one event, once: {told}");
    match order.progress.status {
        Status::Confirmed => {
            assert!(matches!(captures.as_slice(), [one] if !one.refunded && one.amount == 998), "one capture: {told}");
            assert_eq!(goods, Some(Goods::Committed), "{told}");
        }
        Status::Cancelled => {
            assert!(captures.iter().all(|capture| capture.refunded), "all is given back: {told}");
            assert!(captures.len() <= 1, "{told}");
            assert_eq!(goods, Some(Goods::Released), "{told}");
        }
        Status::Pending => panic!("not at rest: {told}"),
    }
    for answer in seen.iter().filter_map(|life| life.answer.as_ref()) {
        assert_eq!(answer.order_id, order.order_id, "one key, one order: {told}");
        match (answer.progress.status, &answer.progress.cause) {
            (Status::Pending, None) => {}
            (Status::Pending, Some(_)) => assert_eq!(order.progress.status, Status::Cancelled, "{told}"),
            (status, _) => assert_eq!(order.progress.status, status, "what was acknowledged stays: {told}"),
        }
    }
    forward_before_undo(&log, &told);
}

fn forward_before_undo(log: &[LogRow], told: &str) {
    let began = log.iter().position(|row| matches!(row.entry, Entry::UndoBegan(_))).unwrap_or(log.len());
    let forward = |row: &LogRow| matches!(row.entry, Entry::Intent(Action::Do(_)));
    assert!(!log[began..].iter().any(forward), "nothing goes forward after the undoing began: {told}");
    let first = |action| log.iter().position(|row| row.entry == Entry::Intent(action));
    if let (Some(refund), Some(release)) = (first(REFUND), first(RELEASE)) {
        assert!(refund < release, "undone in reverse: {told}");
    }
}

#[test]
fn killed_at_any_point_of_any_story_the_books_are_right() {
    let ground = Ground::sqlite();
    for story in stories() {
        check_each_point(&ground, &story);
    }
}

/// The same over PostgreSQL, for the stories that write the most, each its own way: a life takes its time there, and what a
/// death within a transaction leaves is the matter of `tests/store`.
#[test]
fn killed_at_any_point_over_postgres_the_books_are_right() {
    let Some(ground) = Ground::postgres() else { return };
    let told = [
        "everything goes well",
        "the charge's answer is lost and every undo fails once or twice",
        "it is cancelled while the money is taken",
    ];
    for name in told {
        let story = stories().into_iter().find(|story| story.name == name).expect("a story has this name");
        check_each_point(&ground, &story);
    }
}

fn check_each_point(ground: &Ground, story: &Story) {
    let points = points(ground, story);
    assert!(points >= 12, "{}: {points} points are too few to be all", story.name);
    for point in 1..=points {
        check(ground, story, &[point]);
    }
}

#[test]
fn killed_at_any_point_and_again_at_any_point_of_the_next_life_the_books_are_right() {
    let story = Story {
        fates: vec![(CHARGE, 1, Fate::AnswerLost), (REFUND, 1, Fate::NothingSent)],
        ..Story::called("the charge's answer is lost and payment cannot be reached for the refund")
    };
    let ground = Ground::sqlite();
    for first in 1..=points(&ground, &story) {
        let points = lives(&ground, &story, &[first]).1[1].points;
        for second in 1..=points {
            check(&ground, &story, &[first, second]);
        }
    }
}

/// A crash-looping service sends the same charge at most once per life, under the same key, and still ends.
#[test]
fn a_service_that_dies_again_and_again_at_its_first_points_still_ends_right() {
    let story = Story::called("everything goes well but the service");
    let ground = Ground::sqlite();
    for point in 1..=12 {
        check(&ground, &story, &[point; 10]);
    }
}

#[test]
fn another_instance_takes_over_when_the_lease_is_over() {
    let story = Story { fates: vec![(CHARGE, 1, Fate::AnswerLost)], ..Story::called("the first instance dies") };
    let ground = Ground::sqlite();
    for point in 1..=points(&ground, &story) {
        let setting = Setting::new(&story, &ground);
        let first = live(&setting, "a", 1, Some(point), true);
        let before = setting.clock.load(std::sync::atomic::Ordering::SeqCst);
        // Nobody asks the second instance for anything.
        live(&setting, "b", 2, None, false);
        let took = setting.clock.load(std::sync::atomic::Ordering::SeqCst) - before;
        let (open, waited) = (first.crashed, took >= LEASE.as_millis() as u64 / 2);
        let found = ground.ask(async |store| store.order_by_key("key-1".into()).await.expect("it reads"));
        let Some(order) = found else { continue };
        assert_ne!(order.progress.status, Status::Pending, "killed at {point}");
        let ended_by_the_second = order.ended_at_ms.is_some_and(|at| at as u64 >= before);
        assert_eq!(open && ended_by_the_second, open && waited, "killed at {point}: it waits for the lease, no more");
    }
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Answered),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::ArrivesLate),
        1 => Just(Fate::NothingSent),
    ]
}

prop_compose! {
    fn any_story()(
        declined in prop::bool::weighted(0.3),
        in_stock in prop::bool::weighted(0.9),
        fates in prop::collection::vec((prop::sample::select(Action::ALL.to_vec()), 1..5u32, any_fate()), 0..8),
        cancelled_during in prop::option::weighted(0.2, prop::sample::select(Action::ALL.to_vec())),
    ) -> Story {
        let payment_method = if declined { "pm_declined" } else { "pm_ok" };
        Story { payment_method, in_stock, fates, cancelled_during, ..Story::called("any story") }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_story_with_any_crashes_ends_right(story in any_story(), ends in prop::collection::vec(1..40u32, 0..5)) {
        check(&Ground::sqlite(), &story, &ends);
    }
}

#[test]
fn the_log_of_every_story_is_one_that_the_machine_accepts() {
    let ground = Ground::sqlite();
    for story in stories() {
        lives(&ground, &story, &[9]);
        let (_, log) = left(&ground);
        let once: Vec<Entry> = log.iter().filter(|row| row.times == 1).map(|row| row.entry.clone()).collect();
        if once.len() == log.len() {
            assert!(Saga::replay(&once).expect(story.name).end().is_some());
        }
    }
}

/// The check can fail: without tombstones, a charge that arrives late is one that nobody gives back.
#[test]
fn without_tombstones_the_check_finds_a_charge_that_nobody_gives_back() {
    let story = Story {
        fates: vec![(CHARGE, 1, Fate::ArrivesLate)],
        tombstones: false,
        ..Story::called("the charge arrives when everything is over, and nobody remembers the void")
    };
    assert!(std::panic::catch_unwind(|| check(&Ground::sqlite(), &story, &[])).is_err());
}

/// The check can fail: each deliberate mistake in the service is found by some story at some point.
#[cfg(feature = "mutants")]
mod mutants {
    use super::*;

    /// Runs this very binary again with the mistake on; the choice is read once per process.
    fn is_found(mutant: &str, story: &str) -> bool {
        let myself = std::env::current_exe().expect("we run");
        let again = std::process::Command::new(myself)
            .args(["--exact", "mutants::one_story_killed_at_any_point"])
            .env("SQUALL_MUTANT", mutant)
            .env("ORDER_TEST_STORY", story)
            .output();
        !again.expect("it runs").status.success()
    }

    #[test]
    fn one_story_killed_at_any_point() {
        let Ok(name) = std::env::var("ORDER_TEST_STORY") else { return };
        let story = stories().into_iter().find(|story| story.name == name).expect("a story has this name");
        check_each_point(&Ground::sqlite(), &story);
    }

    #[test]
    fn a_compensation_lost_on_a_crash_is_found() {
        let story = "the answer to the charge is lost, the money taken";
        assert!(!is_found("none", story));
        assert!(is_found("compensation-lost-on-crash", story));
    }

    #[test]
    fn a_timeout_taken_for_a_failure_is_found() {
        let story = "the answer to the charge is lost, the money taken";
        assert!(is_found("timeout-taken-for-failure", story));
    }
}
