//! Calls that are given up half way, as when a client hangs up or a deadline passes: whole or not at all, and nobody has
//! to wait for what was given up.

use std::{pin::pin, task::Poll};

use order::{
    domain::Status,
    saga::{Cause, Entry},
    store::{NewOrder, Placed, Whose, Written},
};

use crate::{
    backing::Backing,
    on_every_database,
    samples::{RELEASE, RESERVE, end, entries, lease, new, page, placed},
};

on_every_database! {
    a_page_given_up_at_any_point_is_whole_or_not_at_all,
    a_placing_given_up_at_any_point_is_whole_or_not_at_all,
    a_take_over_given_up_at_any_point_is_whole_or_not_at_all,
}

/// Whether `work` ended before it was polled for the `polls`-th time; if not, it is dropped there.
async fn ended_within<F: Future>(polls: u32, work: F) -> bool {
    let mut work = pin!(work);
    let mut polled = 0;
    std::future::poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(false);
        }
        polled += 1;
        work.as_mut().poll(cx).map(|_| true)
    })
    .await
}

async fn a_page_given_up_at_any_point_is_whole_or_not_at_all(backing: &Backing) {
    let store = backing.open().await;
    for polls in 0.. {
        let open = placed(&*store, polls, lease("a", 1, 5_000)).await;
        let order_id = open.order.order_id.clone();
        let mut ending = end(1, &open.order, Entry::Cancelled);
        let undone = [Entry::Intent(RELEASE), Entry::UndoBegan(Cause::Requested), Entry::Cancelled];
        ending.entries = undone.to_vec();
        let ended = ended_within(polls, store.write(open.claim.clone(), ending.clone())).await;
        // Whoever comes next sees all of it or nothing, at once. What is still under way in a store thread ends first.
        let again = store.write(open.claim, ending).await.unwrap();
        assert_eq!(again, Written::Yes, "given up after {polls} polls");
        assert_eq!(entries(&*store, &order_id).await, undone.clone().map(|entry| (entry, 1)));
        let events = store.pending(1_000).await.unwrap();
        let events = events.iter().filter(|pending| pending.event.subject.as_ref() == Some(&order_id));
        assert_eq!(events.count(), 1, "given up after {polls} polls");
        assert_eq!(store.order(order_id).await.unwrap().unwrap().progress.status, Status::Cancelled);
        if ended {
            return;
        }
    }
}

async fn a_placing_given_up_at_any_point_is_whole_or_not_at_all(backing: &Backing) {
    let store = backing.open().await;
    for polls in 0.. {
        let ended = ended_within(polls, store.place(new(polls, 2), lease("a", 1, 5_000))).await;
        let again = NewOrder { order_id: format!("again{polls}"), ..new(polls, 2) };
        let order_id = match store.place(again, lease("a", 1, 5_000)).await.unwrap() {
            Placed::New(open) => open.order.order_id,
            Placed::Known(order) => order.order_id,
            Placed::KeyReused => panic!("it is the same request"),
        };
        assert_eq!(store.summary().await.unwrap().pending, i64::from(polls) + 1);
        assert!(store.order(order_id).await.unwrap().is_some());
        if ended {
            return;
        }
    }
}

async fn a_take_over_given_up_at_any_point_is_whole_or_not_at_all(backing: &Backing) {
    let store = backing.open().await;
    for n in 0..3 {
        let open = placed(&*store, n, lease("a", 1, 5_000)).await;
        store.write(open.claim, page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
    }
    for polls in 0.. {
        let life = 10 + 2 * i64::from(polls);
        let ended = ended_within(polls, store.take_over(lease("a", life, 5_000), Whose::OwnOfEarlierLives, 10)).await;
        // All three are the given-up life's, or none is; the next life has them at once either way.
        let held = store.prolong(lease("a", life, 5_000)).await.unwrap();
        assert!(matches!(held.len(), 0 | 3), "{held:?}");
        let taken = store.take_over(lease("a", life + 1, 5_000), Whose::OwnOfEarlierLives, 10).await.unwrap();
        assert_eq!(taken.len(), 3, "given up after {polls} polls");
        if ended {
            return;
        }
    }
}
