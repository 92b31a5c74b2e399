//! HTTP/1 as it passes: heads are parsed, bodies measured; nothing is rewritten here (RFC 9112).

pub(crate) mod head;
pub(crate) mod chunked;
pub(crate) mod body;
pub(crate) mod capture;
