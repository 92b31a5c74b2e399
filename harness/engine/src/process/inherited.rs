//! What programs on this machine are given of the harness's own environment.

/// What a program inherits of the harness's own environment. Everything else, secrets among it, it is not given
/// unless the system file or the scenario names it.
const INHERITED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
];

/// The part of the harness's environment that programs inherit.
pub(crate) fn inherited() -> impl Iterator<Item = (String, String)> {
    INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_harness_are_not_inherited() {
        assert!(inherited().any(|(name, _)| name == "PATH"));
        assert!(inherited().all(|(name, _)| INHERITED.contains(&name.as_str())));
        assert!(!INHERITED.iter().any(|name| name.contains("TOKEN") || name.contains("SQUALL")));
    }
}
