//! Rows of text, aligned for the terminal.

/// Most characters of a cell.
const CELL_MAX_CHARS: usize = 40;

/// Aligns rows under their header. Cells are cut, and what would move the cursor is shown as a space.
pub(crate) fn table<const COLUMNS: usize>(header: [&str; COLUMNS], rows: Vec<[String; COLUMNS]>) -> String {
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| row.map(|cell| plain(&cell))));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);

    let mut text = String::new();
    for line in &lines {
        let padded: String = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        text += padded.trim_end();
        text += "\n";
    }
    text
}

/// Aligns names and their values, a line each.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

fn plain(cell: &str) -> String {
    let cut = cell.char_indices().nth(CELL_MAX_CHARS).map_or(cell.to_owned(), |(end, _)| format!("{}…", &cell[..end]));
    cut.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_cells_stay_on_their_line() {
        let rows = vec![["č".to_owned(), "one\ntwo".to_owned()], ["long".to_owned(), "x".repeat(50)]];
        let expected = format!("A     B\nč     one two\nlong  {}…\n", "x".repeat(40));
        assert_eq!(table(["A", "B"], rows), expected);
        assert_eq!(pairs(&[("a", "1".to_owned()), ("bcd", "2".to_owned())]), "a    1\nbcd  2\n");
    }
}
