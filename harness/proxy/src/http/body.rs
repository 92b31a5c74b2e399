//! Where a body ends.

use super::{
    capture::Capture,
    chunked::{Chunked, Malformed},
};

/// How the end of a body is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes more.
    Length(u64),
    /// Where the chunked coding says.
    Chunked(Chunked),
    /// With the connection.
    UntilClose,
}

impl Framing {
    pub(crate) fn chunked() -> Framing {
        Framing::Chunked(Chunked::new())
    }

    /// Whether nothing more belongs to the body. Never so for one that ends with the connection.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.is_done(),
            Framing::UntilClose => false,
        }
    }

    /// Shows the body's part of `bytes` to the capture and returns how many bytes that is.
    pub(crate) fn take(&mut self, bytes: &[u8], capture: &mut Capture) -> Result<usize, Malformed> {
        match self {
            Framing::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                capture.add(&bytes[..n]);
                *left -= n as u64;
                Ok(n)
            }
            Framing::Chunked(chunked) => chunked.take(bytes, |content| capture.add(content)),
            Framing::UntilClose => {
                capture.add(bytes);
                Ok(bytes.len())
            }
        }
    }
}
