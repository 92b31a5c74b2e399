//! The chunked coding (RFC 9112, 7.1), followed without being taken apart: extensions and trailers pass.

/// Where in the coding the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a chunk's size.
    Size,
    /// After a chunk's size, in its extensions or before the line's end.
    Extension,
    /// In a chunk's data.
    Data,
    /// In the line's end after a chunk's data.
    DataEnd,
    /// In the trailer section, at the beginning of a line.
    LineBegin,
    /// In the trailer section, within a line.
    Line,
    /// After the last byte.
    Done,
}

/// Follows a chunked body to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunked {
    at: At,
    left: u64,
    digits: u8,
}

/// The bytes are not in the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Chunked {
    pub(crate) fn new() -> Chunked {
        Chunked { at: At::Size, left: 0, digits: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Follows the coding through `bytes`, hands its content to `content`, and returns how many bytes belong to it.
    pub(crate) fn take(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        let mut i = 0;
        while i < bytes.len() && self.at != At::Done {
            if self.at == At::Data {
                let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - i);
                content(&bytes[i..i + n]);
                i += n;
                self.left -= n as u64;
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                continue;
            }
            self.step(bytes[i])?;
            i += 1;
        }
        Ok(i)
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.at = match (self.at, byte) {
            (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // Sixteen digits are all that a length of 64 bits can have.
                if self.digits == 16 {
                    return Err(Malformed);
                }
                let digit = (byte as char).to_digit(16).ok_or(Malformed)?;
                self.left = self.left << 4 | u64::from(digit);
                self.digits += 1;
                At::Size
            }
            (At::Size, b'\n') | (At::Extension, b'\n') => self.after_size()?,
            (At::Size, b';' | b' ' | b'\t' | b'\r') | (At::Extension, _) => At::Extension,
            (At::DataEnd, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => {
                self.digits = 0;
                At::Size
            }
            (At::LineBegin, b'\r') => At::LineBegin,
            (At::LineBegin, b'\n') => At::Done,
            (At::Line, b'\n') => At::LineBegin,
            (At::LineBegin | At::Line, _) => At::Line,
            _ => return Err(Malformed),
        };
        Ok(())
    }

    fn after_size(&self) -> Result<At, Malformed> {
        match (self.digits, self.left) {
            (0, _) => Err(Malformed),
            (_, 0) => Ok(At::LineBegin),
            _ => Ok(At::Data),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        let (mut chunked, mut content, mut taken) = (Chunked::new(), Vec::new(), 0);
        for piece in pieces {
            taken += chunked.take(piece, |bytes| content.extend_from_slice(bytes))?;
        }
        Ok((content, taken, chunked.is_done()))
    }

    #[test]
    fn a_chunked_body_ends_after_its_trailers() {
        for (coded, content, rest) in [
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\nGET /", "hello", "GET /"),
            ("5;a=b\r\nhello\r\n00a \r\n0123456789\r\n0\r\nx: y\r\nz: \r\n\r\n!", "hello0123456789", "!"),
        ] {
            let (found, taken, done) = decode(&[coded.as_bytes()]).unwrap();
            assert_eq!((found, &coded[taken..], done), (content.into(), rest, true));
        }
    }

    #[test]
    fn what_is_not_chunked_is_malformed() {
        for coded in ["\r\n", "x\r\n", "5\r\nhelloworld", "11111111111111111\r\n"] {
            assert_eq!(decode(&[coded.as_bytes()]), Err(Malformed), "{coded}");
        }
    }

    proptest! {
        #[test]
        fn the_end_is_found_however_the_bytes_arrive(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5), cut in 1usize..9
        ) {
            let mut coded = Vec::new();
            for chunk in &chunks {
                coded.extend(format!("{:x}\r\n", chunk.len()).bytes());
                coded.extend(chunk);
                coded.extend(b"\r\n");
            }
            coded.extend(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = coded.chunks(cut).collect();
            prop_assert_eq!(decode(&pieces), Ok((chunks.concat(), coded.len(), true)));
        }
    }
}
