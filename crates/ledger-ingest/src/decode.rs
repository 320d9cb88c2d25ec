//! What was packed for the way: gzip and zstd.
//!
//! What comes out is bounded as a request is, and takes room as it comes out: a bomb is stopped at the bound, and
//! memory grows with what was unpacked, not with what a header claims. A body is unpacked to its end, with its
//! checksums, before anything of it is read.

use std::io::{self, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ledger_event::limits::REQUEST_MAX_BYTES;

use crate::room::{NoRoom, Taken};

/// The largest window of zstd that is read, as a power of two in bytes: 8 MiB, as
/// [RFC 9659](https://www.rfc-editor.org/rfc/rfc9659) has it for a `Content-Encoding`.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How much is unpacked at a time, in bytes.
const STEP_BYTES: usize = 64 * 1024;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// One gzip stream, or several after each other.
    Gzip,
    /// One zstd frame, or several after each other.
    Zstd,
}

/// A `Content-Encoding` that is not read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content encoding {0:?} is not read here: send gzip, zstd, or the body as it is")]
pub(crate) struct UnknownEncoding(String);

/// Why a body cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It unpacks to more than [`REQUEST_MAX_BYTES`].
    #[error("the body unpacks to more than {REQUEST_MAX_BYTES} bytes: send fewer events in a request")]
    TooLarge,
    /// There is no room for what comes out.
    #[error("there is no room for the body")]
    NoRoom,
    /// It ends before its stream does.
    #[error("the body is a {} stream that ends early", .0.name())]
    EndsEarly(Encoding),
    /// It is something else, is damaged, or something follows it.
    #[error("the body is {}", .0.demand())]
    Damaged(Encoding),
}

impl Encoding {
    /// What can be read, as `Accept-Encoding` says it.
    pub(crate) const ACCEPTED: &str = "gzip, zstd";

    /// The encoding that the headers name; `None` for a body as it is.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, UnknownEncoding> {
        let named: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| name.trim_ascii().escape_ascii().to_string().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        match named.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Ok(None),
            // RFC 9110, section 8.4.1.3: the two are equivalent.
            ["gzip" | "x-gzip"] => Ok(Some(Self::Gzip)),
            ["zstd"] => Ok(Some(Self::Zstd)),
            _ => Err(UnknownEncoding(named.join(", "))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn demand(self) -> &'static str {
        match self {
            Self::Gzip => "not gzip, is damaged, or goes on after its end",
            Self::Zstd => "not zstd, is damaged, goes on after its end, or needs a window of more than 8 MiB",
        }
    }

    /// Unpacks a body. What comes out takes room beside the body itself.
    ///
    /// # Errors
    ///
    /// When the body is not of this encoding to its very end, is too large, or there is no room.
    pub(crate) fn unpack(self, body: &[u8], room: &mut Taken) -> Result<Vec<u8>, UnpackError> {
        match self {
            Self::Gzip => self.read_all(MultiGzDecoder::new(body), body.len(), room),
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(body).map_err(|_| UnpackError::Damaged(self))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| UnpackError::Damaged(self))?;
                self.read_all(decoder, body.len(), room)
            }
        }
    }

    fn read_all(self, mut reader: impl Read, packed_bytes: usize, room: &mut Taken) -> Result<Vec<u8>, UnpackError> {
        let mut unpacked = Vec::new();
        let mut step = vec![0; STEP_BYTES];
        loop {
            let read = match reader.read(&mut step) {
                Ok(0) => return Ok(unpacked),
                Ok(read) => read,
                Err(error) => return Err(self.refusal(&error)),
            };
            let length = unpacked.len() + read;
            if length > REQUEST_MAX_BYTES {
                return Err(UnpackError::TooLarge);
            }
            room.grow_to(packed_bytes + length).map_err(|NoRoom| UnpackError::NoRoom)?;
            unpacked.extend_from_slice(&step[..read]);
        }
    }

    fn refusal(self, error: &io::Error) -> UnpackError {
        if error.kind() == ErrorKind::UnexpectedEof { UnpackError::EndsEarly(self) } else { UnpackError::Damaged(self) }
    }
}

#[cfg(test)]
mod tests;
