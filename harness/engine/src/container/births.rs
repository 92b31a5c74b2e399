//! How a container comes to be, and to be ready.

use std::sync::Arc;

use squall_record::{FactSink, What};
use testcontainers::runners::AsyncRunner;
use tokio::time::Instant;

use super::{logs, system::Containers, trouble, unit::Unit};
use crate::{
    backend::Failed,
    progress::Event,
    ready::{self, NotReady},
};

impl Containers {
    /// Makes a container and starts it, to its end even if nobody waits for it any more: then it is known, and removed.
    pub(super) async fn make(&self, unit: &Arc<Unit>) -> Result<(), Failed> {
        let making = Arc::clone(&self.0.making).read_owned().await;
        if self.is_stopping() {
            return Err(Failed("the run is over".to_owned()));
        }
        let request = unit.made_of.request(&self.0.names.network(), &self.0.labels.map());
        let kept = Arc::clone(unit);
        unit.begin(0);
        let made = tokio::spawn(async move {
            let _making = making;
            let container = request.start().await;
            container.map(|container| kept.made(container)).map_err(|why| {
                let made_of = &kept.made_of;
                trouble::not_started(&made_of.shown, &made_of.image, &why)
            })
        });
        let made = made.await;
        made.map_err(|why| Failed(format!("a start was not waited for: {why}; this is a mistake in squall")))??;
        self.has_started(unit).await
    }

    /// What is done once the engine has started a life.
    async fn has_started(&self, unit: &Arc<Unit>) -> Result<(), Failed> {
        unit.log_is_followed(logs::follow(&self.0.docker, unit));
        unit.read_ports(&self.0.docker).await
    }

    /// Makes a container, and ends when it is ready.
    pub(super) async fn start_first(&self, unit: &Arc<Unit>) -> Result<(), Failed> {
        let began = Instant::now();
        self.make(unit).await?;
        self.until_ready(unit, began).await
    }

    /// Starts a container that has ended once more, and ends when it is ready.
    pub(super) async fn start_next(&self, unit: &Arc<Unit>) -> Result<(), Failed> {
        let began = Instant::now();
        // What is told of the life before is told before this one begins.
        unit.told().await;
        unit.log_is_whole().await;
        unit.begin(unit.life().number + 1);
        let started = self.0.docker.client().start_container(&unit.made_of.name, None).await;
        started.map_err(|why| unit.trouble("could not be started again", &why))?;
        self.has_started(unit).await?;
        self.until_ready(unit, began).await
    }

    /// Waits until a started life is ready. One that a fault ended, or that ended after a restart, is evidence.
    async fn until_ready(&self, unit: &Arc<Unit>, began: Instant) -> Result<(), Failed> {
        let inner = &self.0;
        let (instance, life) = (unit.made_of.instance.clone(), unit.life());
        // It may have made calls before the engine's answer was here.
        let (service, number) = (instance.service.clone(), instance.number);
        let started = What::ServiceStarted { service, instance: number, life: life.number, pid: None };
        inner.journal.observe_at(started, began);
        // What publishes no port says in its log that it is ready.
        let nowhere = std::net::SocketAddr::new(inner.docker.host(), 0);
        let asked = ready::Asked {
            sign: &unit.made_of.ready,
            at: unit.address(unit.made_of.listens).unwrap_or(nowhere),
            log: &unit.made_of.log,
            log_from: life.log_from,
            accepts_for_others: true,
        };
        match ready::wait(unit.ended(), &asked, inner.ready_within).await {
            Ok(()) => {
                unit.change(|life| life.ready = true);
                let (service, number) = (instance.service, instance.number);
                inner.journal.observe(What::ServiceReady {
                    service: service.clone(),
                    instance: number,
                    life: life.number,
                });
                inner.progress.report(Event::ServiceReady { service, instance: number, took: began.elapsed() });
                Ok(())
            }
            Err(NotReady::Ended(_)) if life.number > 0 || unit.life().fault.is_some() => Ok(()),
            Err(NotReady::Ended(end)) => {
                Err(self.not_ready(unit, &format!("ended with {} before it was ready", end.how)).await)
            }
            Err(NotReady::TimeUp(last)) => {
                let what = format!("was not ready within {:?}: {last}", inner.ready_within);
                Err(self.not_ready(unit, &what).await)
            }
        }
    }

    async fn not_ready(&self, unit: &Unit, what: &str) -> Failed {
        let made_of = &unit.made_of;
        let shown = if unit.is_alive() { crate::log::shown(&made_of.log) } else { unit.shown_log().await };
        Failed(format!("`{}` (a container of `{}`) {what}; {shown}", made_of.shown, made_of.image))
    }

    /// The proxy's container ended by itself.
    pub(super) async fn proxy_died(&self, proxy: &Unit) -> Failed {
        let how = proxy.life().end.map(|end| end.how).unwrap_or_default();
        let shown = proxy.shown_log().await;
        Failed(format!(
            "the proxy (a container of `{}`) ended with {how}, and the run's evidence with it; {shown}",
            proxy.made_of.image
        ))
    }
}
