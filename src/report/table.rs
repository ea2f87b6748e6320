//! Columns.

use super::fit::{columns, hanging};

/// Columns that the last column needs to stand beside the others.
const LAST: usize = 24;

/// Rows as columns two blanks apart; a column whose header begins with `>` is flush right. The last column
/// is not padded; where it does not fit into `width` (0: no limit) it goes on below itself, or where there is
/// no room for it beside the others, in lines of its own.
///
/// `cells` is asked twice for each row, for its widths and for its text: of a million rows the cells are
/// never there all at once.
pub(super) fn table<R, const N: usize>(
    header: [&str; N],
    rows: &[R],
    width: usize,
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
    let before: usize = widths.iter().take(N.saturating_sub(1)).map(|width| width + 2).sum();
    let mut line = |mut cells: [String; N]| {
        if let Some(last) = cells.last_mut() {
            *last = if width == 0 || before + columns(last) <= width {
                std::mem::take(last)
            } else if before + LAST <= width {
                hanging(last, before, before, width)
            } else {
                format!("\n    {}", hanging(last, 4, 4, width))
            };
        }
        for ((cell, title), width) in cells.iter().zip(header).zip(widths) {
            let pad = width.saturating_sub(cell.chars().count());
            let (before, after) = if title.starts_with('>') { (pad, 0) } else { (0, pad) };
            out.extend(std::iter::repeat_n(' ', before));
            if cell.starts_with('\n') {
                out.truncate(out.trim_end_matches(' ').len());
            }
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
