//! Deliberate mistakes, for proving that the harness's checks can fail.
//!
//! Only a build with the feature `mutants` has them; there `SQUALL_MUTANT` names the one that is on. An ordinary build
//! has no code for them and ignores the variable.

/// The mistakes there are, and `none`.
#[cfg(feature = "mutants")]
const KNOWN: [&str; 7] = [
    "none",
    "breaker-never-opens",
    "breaker-leaks-while-open",
    "compensation-lost-on-crash",
    "timeout-taken-for-failure",
    "fresh-key-per-retry",
    "retry-without-bound",
];

/// The value of `SQUALL_MUTANT`: a mistake that there is, so that a misspelt one does not pass for a right service.
#[cfg(feature = "mutants")]
#[derive(Clone, Debug)]
pub(crate) struct Mutant(&'static str);

#[cfg(feature = "mutants")]
impl Mutant {
    /// Reads the variable; a value that names no mistake is one.
    pub(crate) fn read(variables: &mut crate::Variables) -> Option<Self> {
        variables.optional("SQUALL_MUTANT", Mutant(KNOWN[0]), "the deliberate mistake that is on")
    }
}

#[cfg(feature = "mutants")]
impl crate::config::Value for Mutant {
    fn parse(text: &str) -> Result<Self, String> {
        let known = KNOWN.into_iter().find(|known| *known == text).map(Mutant);
        known.ok_or_else(|| format!("one of {}", KNOWN.join(", ")))
    }

    fn text(&self) -> String {
        self.0.to_owned()
    }
}

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
