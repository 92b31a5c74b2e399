//! One link while it runs.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use squall_record::{ConnectionId, Edge, FactSink, What};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    config::LinkConfig,
    fault::{CannotInject, Fault, Hits, Injected},
    proxy::OpenCall,
    timer::Timer,
    trigger::{Trigger, Triggered},
};

pub(crate) struct Link {
    config: LinkConfig,
    facts: Arc<dyn FactSink>,
    accepting: Mutex<Option<tokio::task::AbortHandle>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("config", &self.config).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its sockets and tasks are real")]
impl Link {
    pub(crate) fn start(
        config: LinkConfig,
        _timer: Arc<dyn Timer>,
        facts: Arc<dyn FactSink>,
    ) -> io::Result<(Arc<Link>, SocketAddr)> {
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let addr = listener.local_addr()?;
        let link = Arc::new(Link { config, facts, accepting: Mutex::default() });
        let serving = link.clone();
        let task = tokio::spawn(async move {
            let mut n = 0;
            while let Ok((mut caller, _)) = listener.accept().await {
                n += 1;
                let link = serving.clone();
                tokio::spawn(async move {
                    let connection = ConnectionId { link: link.config.id, n };
                    link.facts.observe(What::ConnectionOpened { connection, callee: Some(0), decisions: vec![] });
                    let upstream = link.config.upstreams[0].instances[0];
                    let (up_bytes, down_bytes) = match tokio::net::TcpStream::connect(upstream).await {
                        Ok(mut callee) => {
                            tokio::io::copy_bidirectional(&mut caller, &mut callee).await.unwrap_or_default()
                        }
                        Err(_) => (0, 0),
                    };
                    link.facts.observe(What::ConnectionClosed {
                        connection,
                        up_bytes,
                        down_bytes,
                        how: "closed".into(),
                        http: false,
                        decisions: vec![],
                    });
                });
            }
        });
        *link.accepting.lock().expect("not poisoned") = Some(task.abort_handle());
        Ok((link, addr))
    }

    pub(crate) async fn inject(&self, _fault: Fault) -> Result<Injected, CannotInject> {
        Ok(Injected::default())
    }
    pub(crate) async fn heal(&self, _fault: &str) -> Hits {
        Hits::default()
    }
    pub(crate) fn hits(&self, _fault: &str) -> Hits {
        Hits::default()
    }
    pub(crate) fn retarget(&self, _edge: &Edge, _instances: Vec<SocketAddr>) {}
    pub(crate) fn trigger(&self, _trigger: Trigger) -> Triggered {
        Triggered { held: mpsc::unbounded_channel().1 }
    }
    pub(crate) fn open_calls(&self) -> Vec<OpenCall> {
        Vec::new()
    }
    pub(crate) fn last_change(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn live_connections(&self) -> usize {
        0
    }
    pub(crate) async fn stop(&self) {
        self.abort();
    }
    pub(crate) fn abort(&self) {
        if let Some(task) = self.accepting.lock().expect("not poisoned").take() {
            task.abort();
        }
    }
}
