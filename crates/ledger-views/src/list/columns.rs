//! Columns of integers as bytes: little-endian, one behind the other.

/// What is left to be read; every read is `None` where too little is left.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// A number that was put by [`put_len`].
    pub(crate) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.numbers(1, u32::from_le_bytes)?[0]).ok()
    }

    /// A column of `count` numbers.
    pub(crate) fn numbers<T, const N: usize>(&mut self, count: usize, of: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let bytes = self.bytes(count.checked_mul(N)?)?;
        let numbers = bytes.chunks_exact(N).map(|bytes| of(bytes.try_into().expect("chunks are of that size")));
        Some(numbers.collect())
    }

    /// A column of `count` numbers that was put by [`put_differences`].
    pub(crate) fn differences(&mut self, count: usize) -> Option<Vec<i64>> {
        let mut numbers = self.numbers(count, i64::from_le_bytes)?;
        let mut sum = 0_i64;
        for number in &mut numbers {
            sum = sum.wrapping_add(*number);
            *number = sum;
        }
        Some(numbers)
    }
}

pub(crate) fn put_len(bytes: &mut Vec<u8>, len: usize) {
    bytes.extend(u32::try_from(len).expect("pages are small").to_le_bytes());
}

/// Puts each number as its difference to the one before: neighbours are alike, and zeros compress.
pub(crate) fn put_differences(bytes: &mut Vec<u8>, numbers: impl IntoIterator<Item = i64>) {
    let mut last = 0_i64;
    for number in numbers {
        bytes.extend(number.wrapping_sub(last).to_le_bytes());
        last = number;
    }
}
