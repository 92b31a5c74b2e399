//! A session with a proxy: what hangs on one lease.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant as StdInstant},
};

use http::Method;
use serde::{Serialize, de::DeserializeOwned};
use squall_record::What;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    clock::Clock,
    error::Error,
    evidence,
    http::{Requests, WITHIN},
    link::RemoteLink,
    trigger::{Errand, RemoteHeld},
};
use crate::protocol::{Done, LinkSpec, LinkStarted, OpenSession, SessionOpened};

/// How often a lease is renewed while it lasts.
const RENEWALS_A_LEASE: u32 = 5;
/// How long a proxy may take to stop everything of a session.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// Takes facts with their times.
pub(super) type Facts = Arc<dyn Fn(What, StdInstant) + Send + Sync>;

/// A session. Dropping it ends its tasks, and its lease lapses; [`Session::close`] ends it in order.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    /// They are aborted when this is dropped.
    tasks: JoinSet<()>,
}

/// What the parts of a session share.
pub(super) struct Shared {
    pub(super) requests: Requests,
    path: String,
    pub(super) clock: Clock,
    /// The number of the last line of evidence that was read.
    pub(super) read: watch::Sender<u64>,
    over: watch::Sender<Option<Over>>,
    pub(super) dropped: AtomicU64,
    /// Who waits for calls to be held, by the trigger's number. Empty once it is over.
    triggers: Mutex<BTreeMap<u64, mpsc::UnboundedSender<RemoteHeld>>>,
    triggers_set: AtomicU64,
    pub(super) errands: mpsc::UnboundedSender<Errand>,
}

/// How a session ended.
#[derive(Clone, Debug)]
enum Over {
    Closed,
    Lost(String),
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("at", &self.requests.at).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) async fn open(
        requests: Requests,
        clock: Clock,
        lease: Duration,
        facts: Facts,
    ) -> Result<Session, Error> {
        let lease_ms = lease.as_millis() as u64;
        let what = "open a session";
        let opened: SessionOpened = requests.ask(Method::POST, "/sessions", &OpenSession { lease_ms }, what).await?;
        let (errands, due) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            requests,
            path: format!("/sessions/{}", opened.session),
            clock,
            read: watch::Sender::new(0),
            over: watch::Sender::new(None),
            dropped: AtomicU64::new(0),
            triggers: Mutex::default(),
            triggers_set: AtomicU64::new(0),
            errands,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(renew(shared.clone(), lease));
        let lines = evidence::open(&shared).await?;
        tasks.spawn(evidence::read(shared.clone(), lines, facts));
        tasks.spawn(run_errands(shared.clone(), due));
        Ok(Session { shared, tasks })
    }

    /// Starts a link. Its number must be free in this session.
    ///
    /// # Errors
    /// The proxy cannot listen there, refuses the link, or is lost.
    pub async fn start(&self, link: LinkSpec) -> Result<RemoteLink, Error> {
        let id = link.id();
        let started: LinkStarted = self.shared.ask(Method::POST, "/links", &link, &format!("start link {id}")).await?;
        Ok(RemoteLink::new(self.shared.clone(), id, started.addr))
    }

    /// Resolves when the proxy is gone, the lease has lapsed or the evidence broke off, and says why. Not when the
    /// session is closed or dropped.
    pub fn lost(&self) -> impl Future<Output = String> + Send + use<> {
        let mut over = self.shared.over.subscribe();
        async move {
            let ended = over.wait_for(Option::is_some).await.ok().and_then(|over| over.clone());
            match ended {
                Some(Over::Lost(why)) => why,
                _ => std::future::pending().await,
            }
        }
    }

    /// Facts that the proxy had to drop so far.
    pub fn dropped_facts(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Heals everything, stops the links, and returns when the sink was given the last fact: how many the proxy had to
    /// drop in all.
    ///
    /// # Errors
    /// The proxy is lost, or does not end in time; what it still holds goes when the lease lapses.
    pub async fn close(mut self) -> Result<u64, Error> {
        let what = "close the session";
        let path = self.shared.path.clone();
        let closed: Result<Done, Error> =
            self.shared.requests.within(CLOSE_WITHIN, Method::DELETE, &path, &(), what).await;
        closed.map_err(|error| self.shared.lost_or(error))?;
        let mut over = self.shared.over.subscribe();
        let ended = timeout(CLOSE_WITHIN, over.wait_for(Option::is_some)).await;
        self.tasks.abort_all();
        let at = self.shared.requests.at;
        match ended.as_ref().map(|over| over.as_deref()) {
            Ok(Ok(Some(Over::Closed))) => Ok(self.dropped_facts()),
            Ok(Ok(Some(Over::Lost(why)))) => Err(Error::Lost { at, why: why.clone() }),
            _ => Err(Error::Late { at, what: "send the end of its evidence".to_owned(), within: CLOSE_WITHIN }),
        }
    }
}

impl Shared {
    /// Asks for something of this session. `what` is what is asked in words, for errors.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        what: &str,
    ) -> Result<T, Error> {
        let path = format!("{}{path}", self.path);
        let answer = self.requests.ask(method, &path, body, what).await;
        answer.map_err(|error| self.lost_or(error))
    }

    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    /// Waits until everything was read that the proxy had seen when it gave this number.
    pub(super) async fn read_up_to(&self, seq: u64) -> Result<(), Error> {
        let (mut read, mut over) = (self.read.subscribe(), self.over.subscribe());
        let at = self.requests.at;
        let arrived = async {
            tokio::select! {
                biased;
                _ = read.wait_for(|read| *read >= seq) => Ok(()),
                _ = over.wait_for(Option::is_some) => Err(self.loss("it was closed meanwhile")),
            }
        };
        let late = |_| Error::Late { at, what: "deliver its evidence".to_owned(), within: WITHIN };
        timeout(WITHIN, arrived).await.map_err(late)?
    }

    /// The session is over as it was meant to be.
    pub(super) fn closed(&self) {
        self.end(Over::Closed);
    }

    /// The session is over.
    pub(super) fn lose(&self, why: String) {
        self.end(Over::Lost(why));
    }

    fn end(&self, how: Over) {
        self.over.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert(how);
            is_first
        });
        // Whoever waits for a call to be held learns of it.
        self.triggers().clear();
    }

    /// How the session was lost, or otherwise why it is over.
    pub(super) fn loss(&self, otherwise: &str) -> Error {
        let at = self.requests.at;
        match &*self.over.borrow() {
            Some(Over::Lost(why)) => Error::Lost { at, why: why.clone() },
            _ => Error::Lost { at, why: otherwise.to_owned() },
        }
    }

    /// Whether the session was closed as it was meant to be.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.over.borrow(), Some(Over::Closed))
    }

    /// The reason why the session is over, if it is; that explains an error better than the error does.
    fn lost_or(&self, error: Error) -> Error {
        if self.over.borrow().is_some() { self.loss("it was closed") } else { error }
    }

    pub(super) fn triggers(&self) -> MutexGuard<'_, BTreeMap<u64, mpsc::UnboundedSender<RemoteHeld>>> {
        // Nothing panics while it holds the lock.
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for one more trigger, and what is held by it.
    pub(super) fn next_trigger(&self) -> (u64, mpsc::UnboundedReceiver<RemoteHeld>) {
        let n = self.triggers_set.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, held) = mpsc::unbounded_channel();
        let mut triggers = self.triggers();
        if self.over.borrow().is_none() {
            triggers.insert(n, sender);
        }
        (n, held)
    }
}

/// Renews the lease until the session is lost.
async fn renew(shared: Arc<Shared>, lease: Duration) {
    let mut renewed = Instant::now();
    let within = (lease / 2).min(WITHIN);
    loop {
        sleep(lease / RENEWALS_A_LEASE).await;
        let asked = Instant::now();
        let path = shared.path("/renew");
        let answer: Result<Done, Error> =
            shared.requests.within(within, Method::POST, &path, &(), "renew the lease").await;
        match answer {
            Ok(_) => renewed = asked,
            Err(error @ (Error::Refused { .. } | Error::Foreign { .. })) => return shared.lose(error.to_string()),
            // It may be back in time.
            Err(_) if asked - renewed < lease => {}
            Err(error) => return shared.lose(format!("its lease of {lease:?} could not be renewed: {error}")),
        }
    }
}

/// Does what handles ask for as they are dropped. What fails is undone by the lease, or was done already.
async fn run_errands(shared: Arc<Shared>, mut due: mpsc::UnboundedReceiver<Errand>) {
    while let Some(errand) = due.recv().await {
        let path = match errand {
            Errand::Release(held) => format!("/held/{held}"),
            Errand::RemoveTrigger(trigger) => format!("/triggers/{trigger}"),
        };
        let _: Result<Done, Error> = shared.ask(Method::DELETE, &path, &(), "let go").await;
    }
}
