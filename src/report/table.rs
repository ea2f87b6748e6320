//! Columns.

/// Rows as columns two blanks apart; a column whose header begins with `>` is flush right. The last column
/// is not padded.
///
/// `cells` is asked twice for each row, for its widths and for its text: of a million rows the cells are
/// never there all at once.
pub(super) fn table<R, const N: usize>(
    header: [&str; N],
    rows: &[R],
    cells: impl Fn(&R) -> [String; N],
) -> String {
    let titles = header.map(|title| title.trim_start_matches('>').to_owned());
    let mut widths = titles.each_ref().map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(cells(row)) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    let mut line = |cells: [String; N]| {
        for ((cell, title), width) in cells.iter().zip(header).zip(widths) {
            let pad = width.saturating_sub(cell.chars().count());
            let (before, after) = if title.starts_with('>') { (pad, 0) } else { (0, pad) };
            out.extend(std::iter::repeat_n(' ', before));
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', after + 2));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    };
    line(titles);
    for row in rows {
        line(cells(row));
    }
    out
}
