//! Inventory and payment as their contract has them: idempotent, with tombstones; and a network between that follows a
//! script. They outlive every life of the order service.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use chassis::outbox::CloudEvent;
use order::{
    domain::Order,
    saga::{Action, Outcome, Refusal, Step},
};

/// What the network does with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and so does its answer.
    Answered,
    /// It arrives; its answer is lost.
    AnswerLost,
    /// No answer, and it arrives when everything is over.
    ArrivesLate,
    /// Nobody accepts a connection.
    NothingSent,
}

/// What happens, apart from the crashes.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// Its name, a sentence.
    pub(crate) name: &'static str,
    /// `pm_ok` or `pm_declined`.
    pub(crate) payment_method: &'static str,
    /// Whether there is enough in stock.
    pub(crate) in_stock: bool,
    /// The n-th call of this action, from 1, and what becomes of it; others are answered.
    pub(crate) fates: Vec<(Action, u32, Fate)>,
    /// The cancellation is asked for while this call is under way.
    pub(crate) cancelled_during: Option<Action>,
    /// Whether the services remember an undo of what they never did.
    pub(crate) tombstones: bool,
}

impl Story {
    /// A story in which nothing goes wrong.
    pub(crate) fn called(name: &'static str) -> Story {
        let (payment_method, in_stock, tombstones) = ("pm_ok", true, true);
        Story { name, payment_method, in_stock, fates: Vec::new(), cancelled_during: None, tombstones }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goods {
    Held,
    Released,
    Committed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) key: String,
    pub(crate) amount: i64,
    pub(crate) refunded: bool,
}

/// What the two services have in their books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) goods: BTreeMap<String, Goods>,
    pub(crate) captures: BTreeMap<String, Vec<Capture>>,
    pub(crate) voided: BTreeSet<String>,
    /// Events taken, each once, in the order in which they took effect.
    pub(crate) events: Vec<(String, String)>,
    inbox: BTreeSet<String>,
    calls: BTreeMap<Action, u32>,
    under_way: Vec<(Order, Action)>,
}

/// The world outside the order service. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    story: Arc<Story>,
    books: Arc<Mutex<Books>>,
}

impl World {
    pub(crate) fn new(story: &Story) -> World {
        World { story: Arc::new(story.clone()), books: Arc::default() }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no test panics while it holds the books")
    }

    pub(crate) fn cancels_during(&self, action: Action) -> bool {
        self.story.cancelled_during == Some(action)
    }

    /// One call, as its caller sees it.
    pub(crate) fn called(&self, order: &Order, action: Action) -> Outcome {
        let mut books = self.books();
        let calls = books.calls.entry(action).or_default();
        *calls += 1;
        let nth = *calls;
        let fate = self.story.fates.iter().find(|(a, n, _)| (*a, *n) == (action, nth));
        match fate.map_or(Fate::Answered, |(_, _, fate)| *fate) {
            Fate::Answered => self.carry_out(&mut books, order, action),
            Fate::AnswerLost => {
                self.carry_out(&mut books, order, action);
                Outcome::Indeterminate
            }
            Fate::ArrivesLate => {
                books.under_way.push((order.clone(), action));
                Outcome::Indeterminate
            }
            Fate::NothingSent => Outcome::NothingSent,
        }
    }

    /// A call whose sender has died.
    pub(crate) fn keep_under_way(&self, order: &Order, action: Action) {
        self.books().under_way.push((order.clone(), action));
    }

    /// Everything that was still under way arrives.
    pub(crate) fn deliver_what_is_under_way(&self) {
        let mut books = self.books();
        for (order, action) in std::mem::take(&mut books.under_way) {
            self.carry_out(&mut books, &order, action);
        }
    }

    /// An event arrives; its effect is once.
    pub(crate) fn told(&self, event: &CloudEvent) {
        let mut books = self.books();
        if !books.inbox.insert(event.id.clone()) {
            return;
        }
        let order_id = event.subject.clone().expect("our events have a subject");
        let goods = match event.kind.as_str() {
            "order.confirmed" => Goods::Committed,
            _ => Goods::Released,
        };
        books.goods.insert(order_id.clone(), goods);
        books.events.push((order_id, event.kind.clone()));
    }

    fn carry_out(&self, books: &mut Books, order: &Order, action: Action) -> Outcome {
        let id = order.order_id.clone();
        let refused = |status, problem: &str| {
            let (problem, detail) = (problem.to_owned(), String::new());
            Outcome::Refused(Refusal { status, problem, detail, sku: None, after_doubt: false })
        };
        match action {
            Action::Do(Step::Reserve) => match books.goods.get(&id) {
                Some(Goods::Held | Goods::Committed) => Outcome::Done,
                Some(Goods::Released) => refused(409, "reservation-released"),
                None if !self.story.in_stock => refused(409, "out-of-stock"),
                None => {
                    books.goods.insert(id, Goods::Held);
                    Outcome::Done
                }
            },
            Action::Undo(Step::Reserve) => match books.goods.insert(id.clone(), Goods::Released) {
                Some(Goods::Committed) => {
                    books.goods.insert(id, Goods::Committed);
                    refused(409, "reservation-committed")
                }
                _ => Outcome::Done,
            },
            Action::Do(Step::Charge) => {
                let key = order.call_key(action);
                let captures = books.captures.entry(id.clone()).or_default();
                if captures.iter().any(|capture| capture.key == key) {
                    return Outcome::Done;
                }
                if self.story.tombstones && books.voided.contains(&id) {
                    return refused(409, "payment-voided");
                }
                if order.request.payment_method == "pm_declined" {
                    return refused(402, "card-declined");
                }
                captures.push(Capture { key, amount: order.amount, refunded: false });
                Outcome::Done
            }
            Action::Undo(Step::Charge) => {
                books.captures.entry(id.clone()).or_default().iter_mut().for_each(|capture| capture.refunded = true);
                books.voided.insert(id);
                Outcome::Done
            }
        }
    }
}
