//! Deliberate mistakes, for proving that the harness's checks can fail.
//!
//! Only a build with the feature `mutants` has them; there `SQUALL_MUTANT` names the one that is on. An ordinary build
//! has no code for them and ignores the variable.

/// Whether the deliberate mistake called `name` is on.
#[cfg(feature = "mutants")]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("SQUALL_MUTANT").ok()).as_deref() == Some(name)
}

/// Whether the deliberate mistake called `name` is on: never, in an ordinary build.
#[cfg(not(feature = "mutants"))]
pub const fn is(_name: &str) -> bool {
    false
}
