//! How many entries below each child of a directory have which mark.

use crate::list::columns::{Reader, put_len};
use crate::list::marks::Marks;

/// Entries by mark, as `(code, count)` with rising codes.
pub(crate) type CodeCounts = Vec<(u16, u32)>;

/// A table of counts: a row per child, a column per mark that occurs below any of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CountTable {
    /// The columns, rising.
    codes: Vec<u16>,
    /// Row by row.
    cells: Vec<u32>,
}

/// Counts one more of each mark.
pub(crate) fn count_in(counts: &mut CodeCounts, marks: Marks) {
    for code in marks.codes() {
        match counts.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => counts[at].1 += 1,
            Err(at) => counts.insert(at, (code, 1)),
        }
    }
}

impl CountTable {
    /// Counts one entry more below a child. O(log of the columns), and O(cells) where a mark is the first of its kind.
    pub(crate) fn put_in(&mut self, row: usize, marks: Marks) {
        for code in marks.codes() {
            *self.cell(row, code) += 1;
        }
    }

    /// Counts one entry less below a child.
    pub(crate) fn take_out(&mut self, row: usize, marks: Marks) {
        for code in marks.codes() {
            let cell = self.cell(row, code);
            *cell = cell.saturating_sub(1);
        }
    }

    /// Counts an entry below a child under other marks.
    pub(crate) fn exchange(&mut self, row: usize, old: Marks, new: Marks) {
        for (old, new) in old.codes().into_iter().zip(new.codes()).filter(|(old, new)| old != new) {
            let cell = self.cell(row, old);
            *cell = cell.saturating_sub(1);
            *self.cell(row, new) += 1;
        }
    }

    /// Takes counts from a child over to a new one behind it.
    pub(crate) fn split_row(&mut self, row: usize, right: &CodeCounts) {
        for (code, count) in right {
            let cell = self.cell(row, *code);
            *cell = cell.saturating_sub(*count);
        }
        self.insert_row(row + 1, right);
    }

    pub(crate) fn insert_row(&mut self, row: usize, counts: &CodeCounts) {
        for (code, _) in counts {
            self.column(*code);
        }
        let at = row * self.codes.len();
        self.cells.splice(at..at, self.codes.iter().map(|_| 0));
        for (code, count) in counts {
            *self.cell(row, *code) = *count;
        }
    }

    pub(crate) fn remove_row(&mut self, row: usize) {
        let width = self.codes.len();
        self.cells.drain(row * width..(row + 1) * width);
    }

    pub(crate) fn split_off(&mut self, row: usize) -> Self {
        Self { codes: self.codes.clone(), cells: self.cells.split_off(row * self.codes.len()) }
    }

    /// How many entries below a child have a mark.
    #[cfg(test)]
    pub(crate) fn of(&self, row: usize, code: u16) -> u32 {
        self.codes.binary_search(&code).map_or(0, |column| self.cells[row * self.codes.len() + column])
    }

    /// The counts of all children together.
    pub(crate) fn sum(&self) -> CodeCounts {
        let mut sums: CodeCounts = self.codes.iter().map(|code| (*code, 0)).collect();
        for row in self.cells.chunks(self.codes.len().max(1)) {
            sums.iter_mut().zip(row).for_each(|((_, sum), count)| *sum += count);
        }
        sums.retain(|(_, sum)| *sum > 0);
        sums
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.codes.capacity() * size_of::<u16>() + self.cells.capacity() * size_of::<u32>()
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        put_len(bytes, self.codes.len());
        bytes.extend(self.codes.iter().flat_map(|code| code.to_le_bytes()));
        bytes.extend(self.cells.iter().flat_map(|cell| cell.to_le_bytes()));
    }

    pub(crate) fn decode(from: &mut Reader<'_>, rows: usize) -> Option<Self> {
        let width = from.len()?;
        let codes = from.numbers(width, u16::from_le_bytes)?;
        let cells = from.numbers(width.checked_mul(rows)?, u32::from_le_bytes)?;
        codes.is_sorted().then_some(Self { codes, cells })
    }

    fn cell(&mut self, row: usize, code: u16) -> &mut u32 {
        let column = self.column(code);
        &mut self.cells[row * self.codes.len() + column]
    }

    /// The column of a mark, which is made if there is none.
    fn column(&mut self, code: u16) -> usize {
        self.codes.binary_search(&code).unwrap_or_else(|column| {
            let width = self.codes.len();
            if width > 0 {
                let with_new = |row: &[u32]| [&row[..column], &[0], &row[column..]].concat();
                self.cells = self.cells.chunks(width).flat_map(with_new).collect();
            }
            self.codes.insert(column, code);
            column
        })
    }
}
