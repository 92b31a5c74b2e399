//! Contracts shared: published, verified, deployed and asked about, at a Pact Broker or in a folder.
//!
//! ```text
//!              ┌─▶ broker: a Pact Broker over HTTP, its links followed
//! pacts ──▶ Exchange                                              ──▶ notices, can-i-deploy
//!              └─▶ folder: a tree of files ──▶ ledger: the same rules, pure
//! ```
//!
//! Without a broker, a folder does: in a repository of its own, or beside the code.
//!
//! ```
//! use squall_publish::{Exchange, Folder, Moment, Pact, Publication, Version};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! let text = r#"{ "consumer": { "name": "order" }, "provider": { "name": "payment" }, "interactions": [] }"#;
//! let pact = Pact::read("order-payment.json", text)?;
//! let exchange = Exchange::Folder(Folder::at(folder.path()));
//! let version = Version::new("1.0.0").on_branch("main");
//! exchange.publish(&Publication { participant: "order".into(), version, pacts: vec![pact], clauses: vec![] }, Moment::now()).await?;
//!
//! exchange.create_environment("production", true, Moment::now()).await?;
//! let answer = exchange.can_deploy("order", "1.0.0", "production").await?;
//! // No version of payment is in production, so nobody knows.
//! assert_eq!(answer.deployable, None);
//! # Ok::<_, squall_publish::Error>(())
//! # }).unwrap();
//! ```
//!
//! Modules in reading order:
//! - [`pact`]: a pact on its way, and what makes two of them the same;
//! - [`clauses`]: resilience clauses on their way;
//! - [`origin`]: which version this is, by git and by the build that runs;
//! - [`answer`]: what is said back;
//! - [`ledger`]: what is known, and who may be deployed by it: pure;
//! - [`folder`]: a ledger in files;
//! - [`broker`]: a Pact Broker;
//! - [`exchange`]: either of them;
//! - [`error`]: what can go wrong, each with its remedy; `words`: what a broker's client and a folder say alike.

pub mod pact;
pub mod clauses;
pub mod origin;
pub mod answer;
pub mod ledger;
pub mod folder;
pub mod broker;
pub mod exchange;
pub mod error;
mod words;

pub use answer::{Answer, Notice, NoticeKind, Row};
pub use broker::{Auth, Broker};
pub use clauses::Clauses;
pub use error::Error;
pub use exchange::{Exchange, wait_until_known};
pub use folder::Folder;
pub use ledger::{ClauseResult, InteractionResult, Presence, VerificationResult};
pub use origin::{Moment, Origin, Version};
pub use pact::{ContentId, Pact, Publication};
