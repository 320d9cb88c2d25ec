//! A page as values of sled's: compressed, and in parts where it is long.
//!
//! sled moves a large value, and a leaf of several, out into a file that it never syncs. So no value is longer than
//! [`PART_MAX_BYTES`].

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Longest value in sled, in bytes.
pub(super) const PART_MAX_BYTES: usize = 96 * 1024;

/// Pages are written often and read seldom, and higher levels hardly make them smaller.
const ZSTD_LEVEL: i32 = 1;

/// Longest page, before it is compressed: a block of rows each as large as an event may be.
const PAGE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A page, or its first part: how long the page is, how many parts there are, both 32 bits and little-endian, and bytes.
const HEADER_BYTES: usize = 8;

thread_local! {
    // Making them anew for each page would cost more than a small page.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(ZSTD_LEVEL).expect("the level is one of zstd's"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("it needs some memory alone"));
}

/// The values of a page, the first with the header.
pub(super) fn pack(page: &[u8]) -> Vec<Vec<u8>> {
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(page)).expect("memory is all it needs");
    let count = (HEADER_BYTES + packed.len()).div_ceil(PART_MAX_BYTES);
    let number =
        |number: usize| u32::try_from(number).expect("a page is bounded by the limits of events").to_le_bytes();
    let first_len = packed.len().min(PART_MAX_BYTES - HEADER_BYTES);
    let (first, rest) = packed.split_at(first_len);
    let mut parts = vec![[&number(page.len())[..], &number(count), first].concat()];
    parts.extend(rest.chunks(PART_MAX_BYTES).map(<[u8]>::to_vec));
    parts
}

/// How many parts there are behind a first one.
pub(super) fn parts_behind(first: &[u8]) -> Option<u32> {
    u32::from_le_bytes(first.get(4..HEADER_BYTES)?.try_into().ok()?).checked_sub(1)
}

/// The page of a first part and what stands in the ones behind it.
pub(super) fn unpack(first: &[u8], behind: &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(u32::from_le_bytes(first.get(..4)?.try_into().ok()?)).ok()?;
    if len > PAGE_MAX_BYTES {
        return None;
    }
    let first = &first[HEADER_BYTES..];
    let unpack = |packed: &[u8]| DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(packed, len)).ok();
    let page = if behind.is_empty() { unpack(first)? } else { unpack(&[first, behind].concat())? };
    (page.len() == len).then_some(page)
}
