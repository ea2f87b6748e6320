//! The ID space on a terminal.

use std::fmt::Write as _;

use super::Style;
use super::clash::released;
use super::fit::{columns, fit, pad};
use super::space::{Cell, LETTERS, Picture, Stretch};
use crate::planner::{Space, Use};
use crate::range::{Kind, PerKind, Range};
use crate::text::thousands;

/// Columns of a row's first ID, with its distance to the row: `4,294,967,295` is the longest.
const LABEL: usize = 15;

/// Draws both files, once where they are alike. No line is wider than `width` (at least 40).
pub fn map_text(spaces: &PerKind<Space>, width: usize, style: Style) -> String {
    let width = width.max(40);
    let one = |kind: Kind| draw(&spaces[kind], width, style);
    let (uids, gids) = (one(Kind::Uid), one(Kind::Gid));
    let head = |name: &str| style.paint("1", name) + "\n";
    if uids == gids {
        return head("subuid and subgid, alike") + &uids;
    }
    head("subuid") + &uids + "\n" + &head("subgid") + &gids
}

fn draw(space: &Space, width: usize, style: Style) -> String {
    let cells_a_row = (width - LABEL) / 16 * 16;
    let picture = Picture::new(space, cells_a_row);
    let mut out = String::new();
    for line in key(&picture, space, width) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push('\n');
    for stretch in &picture.stretches {
        match stretch {
            Stretch::Folded(range, words) => {
                let line = format!("{:>13}  - {words}", thousands(u64::from(range.first())));
                out.push_str(&style.paint("2", &fit(&line, width)));
                out.push('\n');
            }
            Stretch::Drawn(first, cells) => {
                let mut id = u64::from(*first);
                for row in cells.chunks(cells_a_row) {
                    let _ = writeln!(out, "{:>13}  {}", thousands(id), paint(row, style));
                    id += picture.cell * u64::try_from(cells_a_row).unwrap_or(0);
                }
            }
        }
    }
    out.push('\n');
    out.push_str(&legend(space, &picture, width, style));
    out
}

/// What a character means, only those that occur.
fn key(picture: &Picture, space: &Space, width: usize) -> Vec<String> {
    if !picture.stretches.iter().any(|stretch| matches!(stretch, Stretch::Drawn(..))) {
        return vec!["no ranges".to_owned()];
    }
    let ids = if picture.cell == 1 { "1 ID".to_owned() } else { format!("{} IDs", thousands(picture.cell)) };
    let mut words = vec![format!("one character is {ids}")];
    if space.owners.len() <= LETTERS && !space.owners.is_empty() {
        words.push("a, b … an owner".to_owned());
    }
    let symbols = [
        ('#', "# full"),
        ('*', "* half full or more"),
        ('+', "+ less than half"),
        ('.', ". free"),
        ('~', "~ released"),
        ('=', "= kept"),
        ('X', "X held twice"),
        ('!', "! nobody may hold it"),
    ];
    words.extend(symbols.iter().filter(|(c, _)| picture.has(*c)).map(|(_, word)| (*word).to_owned()));
    let mut lines = vec![String::new()];
    for word in words {
        let fits = lines.last().is_some_and(|line| columns(line) + 3 + columns(&word) <= width);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&word),
            Some(line) if fits => {
                line.push_str("   ");
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

fn paint(row: &[Cell], style: Style) -> String {
    let mut out = String::new();
    for run in row.chunk_by(|a, b| a == b) {
        let text: String = run.iter().map(|cell| cell.symbol()).collect();
        let sgr = match run.first() {
            Some(Cell::Owner(index)) => ["36", "32", "35", "34"].get(index % 4).copied().unwrap_or("36"),
            Some(Cell::Several(_)) => "36",
            Some(Cell::Twice | Cell::Barred) => "1;31",
            Some(Cell::Kept) => "33",
            _ => "2",
        };
        out.push_str(&style.paint(sgr, &text));
    }
    out
}

/// The owners by letter, or how many there are; then what is held twice, and by whom.
fn legend(space: &Space, picture: &Picture, width: usize, style: Style) -> String {
    // What stands beside the name takes 58 columns at most.
    let name = width.saturating_sub(58).max(12);
    let name = space.owners.iter().map(|owner| columns(owner)).max().unwrap_or(0).min(name);
    let mut out = String::new();
    let mine = |owner: usize| {
        space.marks.iter().filter(move |mark| mark.what == Use::Owner(owner)).map(|mark| mark.range)
    };
    if space.owners.len() <= LETTERS {
        for (index, owner) in space.owners.iter().enumerate() {
            let ranges: Vec<Range> = mine(index).collect();
            let ids: u64 = ranges.iter().map(|range| range.count().get()).sum();
            let first = ranges.first().map(Range::to_string).unwrap_or_default();
            let more =
                if ranges.len() > 1 { format!(" and {} more", ranges.len() - 1) } else { String::new() };
            let line = format!(
                "{}  {}  {first}{more}  ({} IDs)",
                Cell::Owner(index).symbol(),
                pad(owner, name),
                thousands(ids)
            );
            let _ = writeln!(out, "{}", fit(&line, width));
        }
    } else {
        let lines: Vec<Range> = space
            .marks
            .iter()
            .filter(|mark| matches!(mark.what, Use::Owner(_)))
            .map(|mark| mark.range)
            .collect();
        let ids: u64 = lines.iter().map(|range| range.count().get()).sum();
        let owners = thousands(u64::try_from(space.owners.len()).unwrap_or(0));
        let _ = writeln!(out, "{}", fit(&format!("{owners} owners hold {} IDs", thousands(ids)), width));
    }
    for line in released(space) {
        let _ = writeln!(out, "{}", fit(&line, width));
    }
    for line in picture.clashes.lines(space) {
        let _ = writeln!(out, "{}", style.paint("1;31", &fit(&line, width)));
    }
    out
}
