//! Bytes as hexadecimal digits, two for each.

use std::fmt;

/// Displays bytes in lower case.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads a text that is so many bytes and nothing else, in either case.
pub(crate) fn read<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != 2 * BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_as_they_are_written_and_nothing_else_is_read() {
        let bytes = [0x00, 0x7f, 0xa5, 0xff];
        assert_eq!(Hex(&bytes).to_string(), "007fa5ff");
        assert_eq!(read("007fa5ff"), Some(bytes));
        assert_eq!(read("007FA5FF"), Some(bytes));
        for wrong in ["", "007fa5f", "007fa5ff0", "007fa5fg", "+07fa5ff", "007fa5é"] {
            assert_eq!(read::<4>(wrong), None, "{wrong}");
        }
    }
}
