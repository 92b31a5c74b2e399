//! The proxies that the API made, and what may be done to them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use squall_record::{Edge, FactSink, Seed, What, identity};

use super::{address, fields::Fields, refused::Refused, toxic::Toxic};
use crate::{
    config::ByteLinkConfig,
    fault::{CannotInject, Fault, Side},
    proxy::{self, Proxy},
    timer::Timer,
};

/// All proxies, by name.
pub(crate) struct Proxies {
    by_name: BTreeMap<String, Entry>,
    seed: Seed,
    timer: Arc<dyn Timer>,
}

/// One proxy, whether it is enabled or not.
struct Entry {
    name: String,
    /// As written; once it was started, as resolved.
    listen: String,
    upstream: String,
    /// In order of creation.
    toxics: Vec<Toxic>,
    toxics_made: u32,
    /// The link, while it is enabled.
    running: Option<Proxy>,
}

/// What a populate came to: the proxies as they are now, and what stopped it.
pub(crate) struct Populated {
    pub(crate) proxies: Vec<Value>,
    pub(crate) refused: Option<Refused>,
}

/// Nothing reads the facts of these links yet.
struct Unread;

impl FactSink for Unread {
    fn observe(&self, _: What) {}
}

fn cannot_inject(error: CannotInject) -> Refused {
    match error {
        CannotInject::BadParameter { .. } => Refused::BadBody(error.to_string()),
        _ => Refused::CannotInject(error.to_string()),
    }
}

impl Proxies {
    pub(crate) fn new(seed: Seed, timer: Arc<dyn Timer>) -> Proxies {
        Proxies { by_name: BTreeMap::new(), seed, timer }
    }

    pub(crate) fn all(&self) -> Value {
        self.by_name.iter().map(|(name, entry)| (name.clone(), entry.shown())).collect()
    }

    pub(crate) fn show(&mut self, proxy: &str) -> Result<Value, Refused> {
        Ok(self.entry(proxy)?.shown())
    }

    pub(crate) async fn create(&mut self, fields: &Fields) -> Result<Value, Refused> {
        let (mut entry, is_enabled) = Entry::read(fields)?;
        entry.check("")?;
        if self.by_name.contains_key(&entry.name) {
            return Err(Refused::ProxyExists);
        }
        if is_enabled {
            entry.start(self.seed, &self.timer).await?;
        }
        let shown = entry.shown();
        self.by_name.insert(entry.name.clone(), entry);
        Ok(shown)
    }

    /// Makes many proxies. Those that exist as they are asked for stay untouched; it stops at the first that fails.
    pub(crate) async fn populate(&mut self, all: &[Fields]) -> Populated {
        let mut proxies = Vec::new();
        let refused = self.populate_into(all, &mut proxies).await.err();
        Populated { proxies, refused }
    }

    async fn populate_into(&mut self, all: &[Fields], shown: &mut Vec<Value>) -> Result<(), Refused> {
        let wanted = all.iter().map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        for (index, (entry, _)) in wanted.iter().enumerate() {
            entry.check(&format!(" at proxy {}", index + 1))?;
        }
        for (mut entry, is_enabled) in wanted {
            if let Some(existing) = self.by_name.get_mut(&entry.name) {
                if !existing.differs(&entry.listen, &entry.upstream).await? {
                    shown.push(existing.shown());
                    continue;
                }
                existing.stop().await;
            }
            if is_enabled {
                entry.start(self.seed, &self.timer).await?;
            }
            shown.push(entry.shown());
            self.by_name.insert(entry.name.clone(), entry);
        }
        Ok(())
    }

    /// Changes where a proxy listens or leads, or enables or disables it. Its name stays.
    pub(crate) async fn update(&mut self, proxy: &str, fields: &Fields) -> Result<Value, Refused> {
        let (seed, timer) = (self.seed, self.timer.clone());
        let entry = self.entry(proxy)?;
        let listen = fields.text("listen")?.unwrap_or_else(|| entry.listen.clone());
        let upstream = fields.text("upstream")?.unwrap_or_else(|| entry.upstream.clone());
        let is_enabled = fields.flag("enabled")?.unwrap_or(entry.running.is_some());
        if entry.differs(&listen, &upstream).await? {
            entry.stop().await;
            (entry.listen, entry.upstream) = (listen, upstream);
        }
        if is_enabled {
            entry.start(seed, &timer).await?;
        } else {
            entry.stop().await;
        }
        Ok(entry.shown())
    }

    pub(crate) async fn delete(&mut self, proxy: &str) -> Result<(), Refused> {
        self.by_name.remove(proxy).ok_or(Refused::NoProxy)?.stop().await;
        Ok(())
    }

    /// Removes every toxic and enables every proxy.
    pub(crate) async fn reset(&mut self) -> Result<(), Refused> {
        for entry in self.by_name.values_mut() {
            entry.start(self.seed, &self.timer).await?;
            for toxic in std::mem::take(&mut entry.toxics) {
                entry.heal(&toxic).await;
            }
        }
        Ok(())
    }

    pub(crate) async fn stop(&mut self) {
        for entry in self.by_name.values_mut() {
            entry.stop().await;
        }
    }

    pub(crate) fn toxics(&mut self, proxy: &str) -> Result<Value, Refused> {
        Ok(Value::Array(self.entry(proxy)?.shown_toxics()))
    }

    pub(crate) fn toxic(&mut self, proxy: &str, toxic: &str) -> Result<Value, Refused> {
        let entry = self.entry(proxy)?;
        Ok(entry.toxics[entry.toxic(toxic)?].shown())
    }

    pub(crate) async fn add_toxic(&mut self, proxy: &str, fields: &Fields) -> Result<Value, Refused> {
        let entry = self.entry(proxy)?;
        let toxic = Toxic::read(fields, entry.toxics_made)?;
        if entry.toxic(&toxic.name).is_ok() {
            return Err(Refused::ToxicExists);
        }
        let toxic = toxic.with_attributes(fields)?;
        let fault = toxic.fault()?;
        if let (Some(fault), Some(link)) = (fault, &entry.running) {
            link.inject(fault).await.map_err(cannot_inject)?;
        }
        entry.toxics_made += 1;
        let shown = toxic.shown();
        entry.toxics.push(toxic);
        Ok(shown)
    }

    pub(crate) async fn update_toxic(&mut self, proxy: &str, toxic: &str, fields: &Fields) -> Result<Value, Refused> {
        let entry = self.entry(proxy)?;
        let place = entry.toxic(toxic)?;
        let updated = entry.toxics[place].clone().updated(fields)?;
        if let (Some(fault), Some(link)) = (updated.fault()?, &entry.running) {
            link.replace(fault).await.map_err(cannot_inject)?;
        }
        let shown = updated.shown();
        entry.toxics[place] = updated;
        Ok(shown)
    }

    pub(crate) async fn remove_toxic(&mut self, proxy: &str, toxic: &str) -> Result<(), Refused> {
        let entry = self.entry(proxy)?;
        let toxic = entry.toxics.remove(entry.toxic(toxic)?);
        entry.heal(&toxic).await;
        Ok(())
    }

    fn entry(&mut self, proxy: &str) -> Result<&mut Entry, Refused> {
        self.by_name.get_mut(proxy).ok_or(Refused::NoProxy)
    }
}

impl Entry {
    /// Reads a proxy that is to be made, and whether it is to be enabled.
    fn read(fields: &Fields) -> Result<(Entry, bool), Refused> {
        let text = |name| fields.text(name).map(Option::unwrap_or_default);
        let (name, listen, upstream) = (text("name")?, text("listen")?, text("upstream")?);
        let entry = Entry { name, listen, upstream, toxics: Vec::new(), toxics_made: 0, running: None };
        Ok((entry, fields.flag("enabled")?.unwrap_or(true)))
    }

    fn check(&self, place: &str) -> Result<(), Refused> {
        for (name, value) in [("name", &self.name), ("upstream", &self.upstream)] {
            if value.is_empty() {
                return Err(Refused::MissingField(format!("{name}{place}")));
            }
        }
        Ok(())
    }

    /// Whether it listens or leads elsewhere. Two texts for one address do not differ.
    async fn differs(&self, listen: &str, upstream: &str) -> Result<bool, Refused> {
        let listens_there = listen == self.listen || address::resolve(listen).await?.to_string() == self.listen;
        Ok(!listens_there || upstream != self.upstream)
    }

    /// Enables it, if it is not enabled.
    async fn start(&mut self, seed: Seed, timer: &Arc<dyn Timer>) -> Result<(), Refused> {
        if self.running.is_some() {
            return Ok(());
        }
        let listen = address::resolve(&self.listen).await?;
        // In force before the first connection: none slips through as a proxy is enabled.
        let faults = self.toxics.iter().map(Toxic::fault).collect::<Result<Vec<_>, _>>()?;
        let faults: Vec<Fault> = faults.into_iter().flatten().collect();
        let link = |listen| ByteLinkConfig {
            // Draws go by the proxy's name, not by the order in which proxies are made.
            id: identity::choice(seed, &["proxy", &self.name]) as u32,
            listen,
            edge: Edge::calls("client", &self.name),
            upstream: self.upstream.clone(),
            faults: faults.clone(),
            seed,
        };
        let carry = |listen| proxy::carry(link(listen), timer.clone(), Arc::new(Unread));
        let started = match carry(listen).await {
            Err(error) => match address::instead_of(listen, &error) {
                Some(instead) => carry(instead).await,
                None => Err(error),
            },
            started => started,
        };
        let running = started.map_err(|error| address::cannot_bind(listen, &error))?;
        self.listen = running.addr().to_string();
        self.running = Some(running);
        Ok(())
    }

    /// Disables it: its port is free and its connections are closed when this returns.
    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.close().await;
        }
    }

    async fn heal(&self, toxic: &Toxic) {
        if let Some(running) = &self.running {
            running.heal(&toxic.name).await;
        }
    }

    fn toxic(&self, name: &str) -> Result<usize, Refused> {
        self.toxics.iter().position(|toxic| toxic.name == name).ok_or(Refused::NoToxic)
    }

    /// Upstream ones first, each in order of creation.
    fn shown_toxics(&self) -> Vec<Value> {
        let on = |side| self.toxics.iter().filter(move |toxic| toxic.side == side).map(Toxic::shown);
        on(Side::Upstream).chain(on(Side::Downstream)).collect()
    }

    fn shown(&self) -> Value {
        json!({
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.running.is_some(),
            // Toxiproxy's has this key by mistake; it is part of the shape all the same.
            "Logger": {},
            "toxics": self.shown_toxics(),
        })
    }
}
