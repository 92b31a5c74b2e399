//! One call after another.

use order::{
    domain::Status,
    saga::{Action, Cause, Entry, Outcome, Saga, Step},
    store::{Backlog, Cancellation, Filter, NewOrder, Placed, Whose, Written},
};

use crate::{
    backing::Backing,
    on_every_database,
    samples::{RELEASE, RESERVE, end, entries, lease, new, page, placed, refusal},
};

on_every_database! {
    a_key_stands_for_one_request,
    an_order_comes_back_as_it_was_placed,
    a_page_written_again_is_written_once,
    an_end_comes_with_its_event_and_nothing_comes_after_it,
    an_instance_that_slept_through_its_lease_can_write_nothing_more,
    a_new_life_takes_over_its_own_at_once_and_nobody_elses,
    at_most_so_many_are_taken_over_and_the_oldest_first,
    a_cancellation_stops_what_goes_forward_and_nothing_else,
    rounds_of_an_undo_are_counted_and_come_back_as_a_log,
    a_refusal_comes_back_with_every_character,
    a_list_is_newest_first_and_filtered,
    figures_count_what_is_there,
    of_each_order_only_the_oldest_event_is_due,
    a_text_that_no_column_can_hold_names_nothing,
    what_one_instance_wrote_the_next_reads,
    instances_that_start_together_make_one_schema,
}

async fn a_key_stands_for_one_request(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    let known = store.place(NewOrder { order_id: "other".into(), ..new(1, 2) }, lease("a", 1, 5_000)).await.unwrap();
    assert_eq!(known, Placed::Known(Box::new(open.order.clone())));
    assert_eq!(store.place(new(1, 3), lease("a", 1, 5_000)).await.unwrap(), Placed::KeyReused);
    assert_eq!(store.order_by_key("k1".into()).await.unwrap(), Some(open.order));
    assert_eq!(store.order("other".into()).await.unwrap(), None);
}

async fn an_order_comes_back_as_it_was_placed(backing: &Backing) {
    let store = backing.open().await;
    let mut new = new(1, 1_000_000);
    new.request.customer_id = "Ada \u{1f469}\u{200d}\u{1f4bb} O'Lovelace; DROP TABLE orders --\\".to_owned();
    new.request.payment_method = "\"pm\"\n%s\u{0}".to_owned();
    (new.amount, new.now_ms) = (i64::MAX, i64::MAX);
    let order = new.clone().order();
    let Placed::New(open) = store.place(new, lease("a", i64::MAX, i64::MIN)).await.unwrap() else {
        panic!("it is new")
    };
    assert_eq!(open.order, order);
    assert_eq!(store.order("o1".into()).await.unwrap().as_ref(), Some(&order));
    let of_them = Filter { customer_id: Some(order.request.customer_id.clone()), limit: 9, ..Filter::default() };
    assert_eq!(store.list(of_them).await.unwrap().into_iter().map(|(_, order)| order).collect::<Vec<_>>(), [order]);
}

async fn a_page_written_again_is_written_once(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    for _ in 0..2 {
        let written = store.write(open.claim.clone(), page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
        assert_eq!(written, Written::Yes);
    }
    assert_eq!(entries(&*store, "o1").await, [(Entry::Intent(RESERVE), 1)]);
}

async fn an_end_comes_with_its_event_and_nothing_comes_after_it(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    let end = end(1, &open.order, Entry::Confirmed);
    // Twice, as after a commit of unknown fate.
    for _ in 0..2 {
        assert_eq!(store.write(open.claim.clone(), end.clone()).await.unwrap(), Written::Yes);
    }
    let pending = store.pending(10).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].event.kind.as_str(), &pending[0].context), ("order.confirmed", &open.order.context));
    assert_eq!(Some(&pending[0].event), end.event.as_ref());
    assert_eq!(store.write(open.claim, page(2, &[Entry::Cancelled])).await.unwrap(), Written::ClaimLost);
    for _ in 0..2 {
        store.delivered(pending[0].position).await.unwrap();
    }
    assert_eq!(store.pending(10).await.unwrap(), []);
    let order = store.order("o1".into()).await.unwrap().unwrap();
    assert_eq!((order.progress.status, order.ended_at_ms), (Status::Confirmed, Some(2_000)));
}

async fn an_instance_that_slept_through_its_lease_can_write_nothing_more(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    let expired = |now_ms| store.take_over(lease("b", 2, 20_000), Whose::Expired { now_ms }, 10);
    assert_eq!(expired(5_000).await.unwrap(), [], "not yet");
    let taken = expired(5_001).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(store.write(open.claim, page(1, &[Entry::Intent(RESERVE)])).await.unwrap(), Written::ClaimLost);
    let written = store.write(taken[0].claim.clone(), page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
    assert_eq!(written, Written::Yes);
    assert_eq!(store.prolong(lease("a", 1, 99_000)).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.prolong(lease("b", 2, 99_000)).await.unwrap(), ["o1"]);
    assert_eq!(store.take_over(lease("a", 1, 99_000), Whose::Expired { now_ms: 98_000 }, 10).await.unwrap(), []);
}

async fn a_new_life_takes_over_its_own_at_once_and_nobody_elses(backing: &Backing) {
    let store = backing.open().await;
    placed(&*store, 1, lease("a", 1, 5_000)).await;
    placed(&*store, 2, lease("b", 2, 5_000)).await;
    let taken = store.take_over(lease("a", 3, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap();
    assert_eq!(taken.iter().map(|open| open.order.order_id.as_str()).collect::<Vec<_>>(), ["o1"]);
    assert_eq!(store.take_over(lease("a", 3, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap(), []);
    let orphan = |order_id: &str| Whose::Orphan { order_id: order_id.to_owned() };
    assert_eq!(store.take_over(lease("a", 3, 9_000), orphan("o1"), 1).await.unwrap().len(), 1);
    assert_eq!(store.take_over(lease("a", 3, 9_000), orphan("o2"), 1).await.unwrap(), []);
}

async fn at_most_so_many_are_taken_over_and_the_oldest_first(backing: &Backing) {
    let store = backing.open().await;
    for n in 1..=9 {
        let open = placed(&*store, n, lease("a", 1, 5_000)).await;
        let entries: Vec<Entry> = (0..n % 3).flat_map(|_| [Entry::Intent(RESERVE)]).collect();
        store.write(open.claim, page(1, &entries)).await.unwrap();
    }
    for oldest in [1, 5, 9] {
        let taken = store.take_over(lease("b", 2, 9_000), Whose::Expired { now_ms: 9_001 }, 4).await.unwrap();
        let ids: Vec<_> = taken.iter().map(|open| open.order.order_id.clone()).collect();
        assert_eq!(ids, (oldest..=9).take(4).map(|n| format!("o{n}")).collect::<Vec<_>>());
        for (n, open) in (oldest..).zip(taken) {
            assert_eq!(open.log.len(), n as usize % 3, "each has its own log");
            assert_eq!((open.claim.order_id, open.claim.number), (open.order.order_id, 2));
        }
    }
}

async fn a_cancellation_stops_what_goes_forward_and_nothing_else(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    assert_eq!(store.request_cancellation("nobody".into()).await.unwrap(), Cancellation::Unknown);
    assert!(matches!(store.request_cancellation("o1".into()).await.unwrap(), Cancellation::Accepted(_)));
    for forward in [Entry::Intent(RESERVE), Entry::Confirmed] {
        let written = store.write(open.claim.clone(), page(1, &[forward])).await.unwrap();
        assert_eq!(written, Written::CancellationRequested);
    }
    assert_eq!(entries(&*store, "o1").await, []);
    let undo = [Entry::UndoBegan(Cause::Requested), Entry::Cancelled];
    assert_eq!(store.write(open.claim, page(1, &undo)).await.unwrap(), Written::Yes);
    let order = store.order("o1".into()).await.unwrap().unwrap();
    assert_eq!((order.progress.status, order.progress.cause), (Status::Cancelled, Some(Cause::Requested)));
    assert!(matches!(store.request_cancellation("o1".into()).await.unwrap(), Cancellation::Cancelled(_)));
}

async fn rounds_of_an_undo_are_counted_and_come_back_as_a_log(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    let begun = [Entry::Intent(RESERVE), Entry::UndoBegan(Cause::Requested)];
    store.write(open.claim.clone(), page(1, &begun)).await.unwrap();
    for round in 0..10 {
        let outcome = if round % 2 == 0 { Outcome::NothingSent } else { Outcome::Indeterminate };
        let rows = [Entry::Intent(RELEASE), Entry::Result(RELEASE, outcome)];
        let mut page = page(2 + round, &rows);
        (page.needs_attention, page.now_ms) = (true, 3_000 + round);
        store.write(open.claim.clone(), page).await.unwrap();
    }
    assert_eq!(store.summary().await.unwrap().needs_attention, 1);
    let rows = store.saga_log("o1".into()).await.unwrap().unwrap();
    assert_eq!(rows.iter().map(|row| row.times).collect::<Vec<_>>(), [1, 1, 10, 5, 5]);
    assert_eq!((rows[2].first_at_ms, rows[2].last_at_ms, rows[2].key.as_deref()), (3_000, 3_009, Some("release-o1")));
    assert_eq!((rows[3].first_at_ms, rows[3].last_at_ms, rows[3].key.as_deref()), (3_000, 3_008, None));
    let taken = store.take_over(lease("a", 2, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap();
    let saga = Saga::replay(&taken[0].log).unwrap();
    assert_eq!(saga.fruitless(), 10);
}

async fn a_refusal_comes_back_with_every_character(backing: &Backing) {
    let store = backing.open().await;
    let open = placed(&*store, 1, lease("a", 1, 5_000)).await;
    let cause = Cause::Refused(Step::Reserve, refusal());
    let written = [
        Entry::Intent(RESERVE),
        Entry::Result(RESERVE, Outcome::Refused(refusal())),
        Entry::UndoBegan(cause.clone()),
        Entry::Intent(Action::Undo(Step::Charge)),
    ];
    store.write(open.claim, page(1, &written)).await.unwrap();
    assert_eq!(entries(&*store, "o1").await, written.map(|entry| (entry, 1)));
    assert_eq!(store.order("o1".into()).await.unwrap().unwrap().progress.cause, Some(cause));
}

async fn a_list_is_newest_first_and_filtered(backing: &Backing) {
    let store = backing.open().await;
    for n in 1..=4 {
        placed(&*store, n, lease("a", 1, 5_000)).await;
    }
    let ids = |filter: Filter| async {
        let orders = store.list(filter).await.unwrap();
        orders.into_iter().map(|(seq, order)| (seq, order.order_id)).collect::<Vec<_>>()
    };
    let all = ids(Filter { limit: 10, ..Filter::default() }).await;
    assert_eq!(all.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["o4", "o3", "o2", "o1"]);
    let of_ada = Filter { customer_id: Some("ada".into()), limit: 10, ..Filter::default() };
    assert_eq!(ids(of_ada.clone()).await.len(), 2);
    assert_eq!(ids(Filter { before: Some(all[1].0), limit: 1, ..Filter::default() }).await, [all[2].clone()]);
    assert_eq!(ids(Filter { status: Some(Status::Pending), limit: 10, ..Filter::default() }).await, all);
    assert_eq!(ids(Filter { status: Some(Status::Confirmed), ..of_ada }).await, []);
}

async fn figures_count_what_is_there(backing: &Backing) {
    let store = backing.open().await;
    assert_eq!(store.summary().await.unwrap(), Default::default());
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    for (n, ends) in [(1, Some(Entry::Confirmed)), (2, Some(Entry::Confirmed)), (3, Some(Entry::Cancelled)), (4, None)]
    {
        let open = placed(&*store, n, lease("a", 1, 5_000)).await;
        let mut page = match ends {
            Some(entry) => end(1, &open.order, entry),
            None => page(1, &[Entry::Intent(RESERVE)]),
        };
        page.needs_attention = n == 4;
        store.write(open.claim, page).await.unwrap();
    }
    let summary = store.summary().await.unwrap();
    assert_eq!((summary.confirmed, summary.confirmed_total, summary.confirmed_quantity), (2, 2 * 998, 4));
    assert_eq!((summary.cancelled, summary.pending, summary.needs_attention), (1, 1, 1));
    let backlog = store.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { pending: 1, needs_attention: 1, undelivered: 3 });
    assert_eq!(store.pending(2).await.unwrap().len(), 2);
}

async fn of_each_order_only_the_oldest_event_is_due(backing: &Backing) {
    let store = backing.open().await;
    for n in 1..=2 {
        let open = placed(&*store, n, lease("a", 1, 5_000)).await;
        for number in 1..=2 {
            let mut page = page(number, &[]);
            page.event = end(number, &open.order, Entry::Confirmed).event;
            page.event.as_mut().unwrap().id = format!("{n}.{number}");
            store.write(open.claim.clone(), page).await.unwrap();
        }
    }
    let due = async || {
        let pending = store.pending(10).await.unwrap();
        pending.into_iter().map(|pending| (pending.event.id, pending.position)).collect::<Vec<_>>()
    };
    let first = due().await;
    assert_eq!(first.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["1.1", "2.1"]);
    store.delivered(first[1].1).await.unwrap();
    assert_eq!(due().await.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["1.1", "2.2"]);
    store.delivered(first[0].1).await.unwrap();
    assert_eq!(due().await.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["1.2", "2.2"]);
}

async fn a_text_that_no_column_can_hold_names_nothing(backing: &Backing) {
    let store = backing.open().await;
    placed(&*store, 1, lease("a", 1, 5_000)).await;
    let text = || "o1\u{0}".to_owned();
    assert_eq!(store.order(text()).await.unwrap(), None);
    assert_eq!(store.order_by_key(text()).await.unwrap(), None);
    assert_eq!(store.saga_log(text()).await.unwrap(), None);
    assert_eq!(store.request_cancellation(text()).await.unwrap(), Cancellation::Unknown);
    let of_nobody = Filter { customer_id: Some(text()), limit: 10, ..Filter::default() };
    assert_eq!(store.list(of_nobody).await.unwrap(), []);
}

async fn what_one_instance_wrote_the_next_reads(backing: &Backing) {
    let open = placed(&*backing.open().await, 1, lease("a", 1, 5_000)).await;
    let store = backing.open().await;
    store.ping().await.unwrap();
    assert_eq!(store.order("o1".into()).await.unwrap(), Some(open.order));
}

async fn instances_that_start_together_make_one_schema(backing: &Backing) {
    let (a, b, c) = tokio::join!(backing.open(), backing.open(), backing.open());
    for (n, store) in (1..).zip([&a, &b, &c]) {
        placed(&**store, n, lease("a", 1, 5_000)).await;
    }
    assert_eq!(a.summary().await.unwrap().pending, 3);
}
