//! Contracts of the reference system: written by its consumers, verified against its providers.
//!
//! ```text
//!   consumer's real client ──▶ mock server ──▶ contracts/order-inventory.json ──▶ verifier ──▶ provider's real service
//!     (consumer::Case)          (a pact's)        (files: the same bytes)        (verify)       (provider::Provider)
//! ```
//!
//! The modules in reading order: [`storefront`] (the one consumer that is no service here), [`consumer`] (what each
//! consumer relies on), [`files`] (the contracts as they stand in the repository), [`contract`] (reading one),
//! [`provider`] (the services, in the states that contracts speak of), [`verify`](mod@verify) (an interaction against a
//! service), and what several need: [`delivery`], [`orders`], [`patience`].

pub mod storefront;
pub mod consumer;
pub mod files;
pub mod contract;
pub mod provider;
pub mod verify;
pub mod delivery;
pub mod orders;
pub mod patience;

/// Makes this process fit for the pact crates: a TLS provider for the HTTP client that they build, and no telemetry.
///
/// # Panics
///
/// If `PACT_DO_NOT_TRACK` is not `true`: the mock server would report each run to somebody's analytics. Cargo sets it
/// (`.cargo/config.toml`), so that only a binary started by hand can lack it.
pub fn prepare() {
    let told = std::env::var("PACT_DO_NOT_TRACK");
    assert_eq!(told.as_deref(), Ok("true"), "run it through cargo, or with `PACT_DO_NOT_TRACK=true`");
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    pact_matching::matchingrules::configure_core_catalogue();
}
