//! Squall: scenarios played against real services, judged from evidence on the wire.
//!
//! ```text
//! scenario.yaml ─┐
//! system.yaml ───┴▶ Subject ──play──▶ Judged { verdict, folder }
//!                   files, checked     engine runs, verdict judges
//! ```
//!
//! Modules in reading order:
//! - [`facade`]: what tests use;
//! - [`suite`]: every scenario of a folder as a named test;
//! - [`play`]: one scenario from its files to its verdict;
//! - [`files`]: finding and reading the files;
//! - [`pacts`]: reading the contracts that a system names;
//! - [`resilience`]: reading what its consumers promise for the time when a provider fails;
//! - [`mod@verify`]: providers held to what their consumers rely on;
//! - [`mod@probe`]: consumers met with broken answers;
//! - [`cli`]: the command line.
//!
//! In a test:
//!
//! ```no_run
//! # async fn example() {
//! squall::scenario("scenarios/breaker/payment-outage.yaml").seed(7).run().await.assert_held();
//! # }
//! ```
//!
//! A scenario file can be read and checked without starting anything:
//!
//! ```
//! let mistaken = squall::play::Subject::read(std::path::Path::new("no-such-file.yaml"));
//! assert!(mistaken.unwrap_err().to_string().contains("no-such-file.yaml"));
//! ```

pub mod facade;
pub mod suite;
pub mod play;
pub mod files;
pub mod pacts;
pub mod resilience;
pub mod verify;
pub mod probe;
pub mod cli;

pub use facade::{Play, Played, built, prepare_containers, scenario};
pub use squall_record::{Backend, Seed};
pub use squall_scenario::build;
pub use squall_verdict::{CheckVerdict, State, Status, Verdict};
