//! The ID space as a picture in SVG, on a card of its own, so that it is legible on any page.

use std::fmt::Write as _;

use super::clash::released;
use super::fit::{columns, fit};
use super::space::{Cell, LETTERS, Picture, Share, Stretch};
use crate::planner::{Space, Use};
use crate::range::{Kind, PerKind, Range};
use crate::text::thousands;

/// Cells a row, the size of one, the height of a row and of a line of words, in pixels.
const COLUMNS: usize = 96;
const CELL: usize = 8;
const ROW: usize = 26;
const LINE: usize = 20;

/// A monospaced character of 12 pixels is at most so wide.
const CHARACTER: usize = 8;

/// Where rows begin, and the width of all.
const LEFT: usize = 130;
const WIDTH: usize = LEFT + COLUMNS * CELL + 24;

/// Colours that differ for most eyes, also in grey beside each other.
const OWNERS: [&str; 6] = ["#4c78a8", "#9ecae9", "#54a24b", "#b5cf6b", "#8c6bb1", "#c5b0d5"];

/// Both files, once where they are alike.
pub fn map_svg(spaces: &PerKind<Space>) -> String {
    let mut body = String::new();
    let mut y = 24;
    let one = |kind: Kind| Picture::new(&spaces[kind], COLUMNS);
    if one(Kind::Uid) == one(Kind::Gid) && spaces.uid.owners == spaces.gid.owners {
        draw(&mut body, &mut y, "subuid and subgid, alike", &spaces.uid);
    } else {
        for kind in Kind::BOTH {
            draw(&mut body, &mut y, kind.file(), &spaces[kind]);
            y += LINE;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         role=\"img\">\n<title>Subordinate IDs of this host</title>\n<desc>Which IDs belong to whom, which are free, \
         released or kept, from ID 0 to 4294967295.</desc>\n<style>text{{font:12px monospace;fill:#222}}\
         .id{{text-anchor:end}}.fold{{fill:#666}}.name{{font-weight:bold}}.in{{text-anchor:middle;fill:#fff}}\
         .clash{{fill:#b3261e;font-weight:bold}}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" rx=\"8\" fill=\"#fff\" stroke=\"#ccc\"/>\n{body}</svg>\n"
    )
}

fn draw(out: &mut String, y: &mut usize, name: &str, space: &Space) {
    let picture = Picture::new(space, COLUMNS);
    let _ = writeln!(out, "<text x=\"16\" y=\"{y}\" class=\"name\">{name}</text>");
    *y += LINE;
    for stretch in &picture.stretches {
        match stretch {
            Stretch::Folded(range, words) => {
                id(out, *y + 4, u64::from(range.first()));
                let _ = writeln!(
                    out,
                    "<path d=\"M{x0} {y1}l6 -4 6 8 6 -4\" fill=\"none\" stroke=\"#999\"/>\
                     <text x=\"{x}\" y=\"{yt}\" class=\"fold\">{words}</text>",
                    x0 = LEFT,
                    y1 = *y,
                    x = LEFT + 28,
                    yt = *y + 4,
                    words = xml(&fit(words, (WIDTH - LEFT - 40) / CHARACTER))
                );
                *y += LINE;
            }
            Stretch::Drawn(first, cells) => {
                let mut next = u64::from(*first);
                for row in cells.chunks(COLUMNS) {
                    id(out, *y + 8, next);
                    strip(out, *y - 8, row, space);
                    next += picture.cell * u64::try_from(COLUMNS).unwrap_or(0);
                    *y += ROW;
                }
            }
        }
    }
    *y += 8;
    legend(out, y, space, &picture);
}

fn id(out: &mut String, y: usize, id: u64) {
    let _ = writeln!(out, "<text x=\"{}\" y=\"{y}\" class=\"id\">{}</text>", LEFT - 10, thousands(id));
}

/// One row: a box for each run of equal cells, with the owner's name where it fits.
fn strip(out: &mut String, y: usize, row: &[Cell], space: &Space) {
    let mut x = LEFT;
    for run in row.chunk_by(|a, b| a == b) {
        let width = run.len() * CELL;
        let cell = run.first().copied().unwrap_or(Cell::Free);
        let (fill, words) = look(cell, space);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{fill}\" stroke=\"#fff\"/>",
            ROW - 4
        );
        if !words.is_empty() && columns(&words) * CHARACTER + 4 <= width {
            let (middle, base) = (x + width / 2, y + 15);
            let dark = if light(fill) { " style=\"fill:#222\"" } else { "" };
            let _ =
                writeln!(out, "<text x=\"{middle}\" y=\"{base}\" class=\"in\"{dark}>{}</text>", xml(&words));
        }
        x += width;
    }
}

fn light(fill: &str) -> bool {
    matches!(fill, "#9ecae9" | "#b5cf6b" | "#c5b0d5" | "#f0f0f0" | "#f2cf5b" | "#d9d9d9")
}

fn look(cell: Cell, space: &Space) -> (&'static str, String) {
    let name = |owner: usize| space.owners.get(owner).cloned().unwrap_or_default();
    match cell {
        Cell::Free => ("#f0f0f0", String::new()),
        Cell::Owner(owner) => (OWNERS.get(owner % OWNERS.len()).copied().unwrap_or("#4c78a8"), name(owner)),
        Cell::Several(Share::All) => ("#4c78a8", String::new()),
        Cell::Several(Share::Most) => ("#7ba6cf", String::new()),
        Cell::Several(Share::Few) => ("#9ecae9", String::new()),
        Cell::Released => ("#d9d9d9", "released".to_owned()),
        Cell::Kept => ("#f2cf5b", "kept".to_owned()),
        Cell::Twice | Cell::Barred => ("#c62828", cell.symbol().to_string()),
    }
}

fn legend(out: &mut String, y: &mut usize, space: &Space, picture: &Picture) {
    let mut line = |words: &str, fill: Option<&str>, class: &str| {
        let x = if fill.is_some() { LEFT + 22 } else { LEFT };
        if let Some(fill) = fill {
            let _ = writeln!(
                out,
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"14\" height=\"14\" fill=\"{fill}\" stroke=\"#999\"/>",
                *y - 11
            );
        }
        let words = xml(&fit(words, (WIDTH - LEFT - 40) / CHARACTER));
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\"{class}>{words}</text>");
        *y += LINE;
    };
    let mine = |owner: usize| -> Vec<Range> {
        let live = space.marks.iter().filter(|mark| mark.what == Use::Owner(owner));
        live.map(|mark| mark.range).collect()
    };
    if space.owners.len() <= LETTERS {
        for (index, owner) in space.owners.iter().enumerate() {
            let ranges: Vec<String> = mine(index).iter().take(4).map(Range::to_string).collect();
            let words = format!("{}: {}", fit(owner, 40), ranges.join(", "));
            line(&words, Some(look(Cell::Owner(index), space).0), "");
        }
    } else {
        let owners = thousands(u64::try_from(space.owners.len()).unwrap_or(0));
        line(&format!("{owners} owners"), None, "");
    }
    for (cell, words) in [
        (Cell::Several(Share::All), "full"),
        (Cell::Several(Share::Most), "half full or more"),
        (Cell::Several(Share::Few), "less than half full"),
        (Cell::Free, "free"),
        (Cell::Kept, "kept for something else"),
        (Cell::Twice, "X: held by two lines"),
        (Cell::Barred, "!: nobody may hold it"),
    ] {
        if picture.has(cell.symbol()) {
            line(words, Some(look(cell, space).0), "");
        }
    }
    for words in released(space) {
        line(&words, Some(look(Cell::Released, space).0), "");
    }
    for clash in picture.clashes.lines(space) {
        line(&clash, None, " class=\"clash\"");
    }
}

/// Text for XML: what is escaped for terminals already has no control characters.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
