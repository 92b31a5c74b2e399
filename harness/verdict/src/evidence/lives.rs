//! Lives: each start of each process, from its start to its death.

use std::collections::BTreeMap;

use squall_record::What;

use super::At;

/// One life of one instance of a service.
#[derive(Clone, Debug)]
pub struct Life<'r> {
    /// The service.
    pub service: &'r str,
    /// The instance.
    pub instance: u32,
    /// How many lives this instance had before.
    pub life: u32,
    /// When it was started.
    pub started: At,
    /// When it said that it was ready.
    pub ready: Option<At>,
    /// When it was seen dead.
    pub exited: Option<Exit<'r>>,
}

/// A death.
#[derive(Clone, Copy, Debug)]
pub struct Exit<'r> {
    /// When it was seen.
    pub at: At,
    /// In words.
    pub how: &'r str,
    /// The fault that did it.
    pub fault: Option<&'r str>,
}

impl Life<'_> {
    /// Whether it was alive at this time, as far as the record shows.
    pub fn lives_at(&self, us: u64) -> bool {
        self.started.us <= us && self.exited.is_none_or(|exit| us <= exit.at.us)
    }
}

/// Every life of every process.
#[derive(Debug, Default)]
pub struct Lives<'r> {
    by_instance: BTreeMap<(&'r str, u32), Vec<Life<'r>>>,
}

const NO_LIVES: &[Life<'static>] = &[];

impl<'r> Lives<'r> {
    /// Every life, by service and instance, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Life<'r>> {
        self.by_instance.values().flatten()
    }

    /// The lives of every instance of a service.
    pub fn of_service<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Life<'r>> {
        self.iter().filter(move |life| life.service == service)
    }

    /// The lives of one instance.
    pub fn of<'a>(&'a self, service: &'a str, instance: u32) -> &'a [Life<'a>] {
        let known: &'a BTreeMap<(&'a str, u32), Vec<Life<'a>>> = &self.by_instance;
        known.get(&(service, instance)).map_or(NO_LIVES, Vec::as_slice)
    }

    pub(super) fn take(&mut self, at: At, what: &'r What) -> bool {
        match what {
            What::ServiceStarted { service, instance, life, .. } => {
                self.by_instance.entry((service, *instance)).or_default().push(Life {
                    service,
                    instance: *instance,
                    life: *life,
                    started: at,
                    ready: None,
                    exited: None,
                });
            }
            What::ServiceReady { service, instance, life } => {
                if let Some(known) = self.life(service, *instance, *life) {
                    known.ready.get_or_insert(at);
                }
            }
            What::ServiceExited { service, instance, life, how, fault } => {
                if let Some(known) = self.life(service, *instance, *life) {
                    known.exited.get_or_insert(Exit { at, how, fault: fault.as_deref() });
                }
            }
            _ => return false,
        }
        true
    }

    fn life(&mut self, service: &'r str, instance: u32, life: u32) -> Option<&mut Life<'r>> {
        self.by_instance.get_mut(&(service, instance))?.iter_mut().rfind(|known| known.life == life)
    }
}
