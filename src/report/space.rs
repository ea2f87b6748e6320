//! The ID space as a picture: what is drawn cell by cell, what is folded into a line. Terminal and SVG
//! draw the same one.

use crate::planner::{Space, Use};
use crate::range::{Range, RangeSet};
use crate::text::thousands;

/// Up to so many owners have a letter each.
pub(super) const LETTERS: usize = 26;

/// How many rows of cells there are at most, and how many stretches of them.
const ROWS: usize = 8;
const STRETCHES: usize = 10;

/// How many cells the usual range takes, where there is room.
const USUAL: u64 = 16;

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// IDs a cell.
    pub(super) cell: u64,
    /// From ID 0 to the last.
    pub(super) stretches: Vec<Stretch>,
    /// IDs that two lines hold.
    pub(super) conflicts: Vec<Range>,
}

/// A part of the space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stretch {
    /// One line of words.
    Folded(Range, String),
    /// Cells from this ID on.
    Drawn(u32, Vec<Cell>),
}

/// What one cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Free,
    /// IDs of one owner, by index.
    Owner(usize),
    /// IDs of several owners: all of the cell's, at least half of them, or fewer.
    Several(Share),
    Released,
    Kept,
    Conflict,
}

/// How much of a cell is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    All,
    Most,
    Few,
}

impl Cell {
    /// Its character.
    pub(super) fn symbol(self) -> char {
        match self {
            Self::Free => '.',
            Self::Owner(index) => {
                char::from(b"abcdefghijklmnopqrstuvwxyz".get(index).copied().unwrap_or(b'#'))
            }
            Self::Several(Share::All) => '#',
            Self::Several(Share::Most) => '*',
            Self::Several(Share::Few) => '+',
            Self::Released => '~',
            Self::Kept => '=',
            Self::Conflict => 'X',
        }
    }
}

impl Picture {
    /// Draws the space with rows of so many cells.
    pub(super) fn new(space: &Space, columns: usize) -> Self {
        let conflicts = conflicts(space);
        let clusters = clusters(space);
        let cell = cell(space, &clusters, columns);
        let mut stretches = Vec::new();
        let mut next = Some(0);
        for cluster in clusters {
            let before = cluster.first().checked_sub(1).and_then(|last| Range::between(next?, last));
            stretches.extend(before.into_iter().flat_map(|gap| folded(space, gap)));
            stretches.push(Stretch::Drawn(cluster.first(), cells(space, &conflicts, cluster, cell)));
            next = cluster.last().checked_add(1);
        }
        let rest = next.and_then(|next| Range::between(next, u32::MAX));
        stretches.extend(rest.into_iter().flat_map(|gap| folded(space, gap)));
        Self { cell, stretches, conflicts }
    }

    /// Whether any cell is this one; of owners any.
    pub(super) fn has(&self, wanted: char) -> bool {
        self.stretches.iter().any(|stretch| match stretch {
            Stretch::Drawn(_, cells) => cells.iter().any(|cell| cell.symbol() == wanted),
            Stretch::Folded(..) => false,
        })
    }
}

/// IDs that two live lines hold.
fn conflicts(space: &Space) -> Vec<Range> {
    let mut reach: Option<u32> = None;
    let live = space.marks.iter().filter(|mark| matches!(mark.what, Use::Owner(_)));
    let met: RangeSet = live
        .filter_map(|mark| {
            let before = reach;
            reach = reach.max(Some(mark.range.last()));
            Range::between(mark.range.first(), before?.min(mark.range.last()))
        })
        .collect();
    met.iter().collect()
}

/// Lines that lie near each other, and the space between them. What is far is folded: far is more than a
/// quarter of all that the lines hold, and more where there would be too many stretches.
fn clusters(space: &Space) -> Vec<Range> {
    let lines = space.marks.iter().filter(|mark| !matches!(mark.what, Use::Kept(_)));
    let busy: RangeSet = lines.map(|mark| mark.range).collect();
    let mut far = busy.ids() / 4;
    loop {
        let mut clusters: Vec<Range> = Vec::new();
        for range in busy.iter() {
            let near = clusters.last().copied().filter(|last| {
                u64::from(range.first()).saturating_sub(u64::from(last.last())) <= far.saturating_add(1)
            });
            match near.and_then(|last| Range::between(last.first(), range.last())) {
                Some(joined) => {
                    clusters.pop();
                    clusters.push(joined);
                }
                None => clusters.push(range),
            }
        }
        if clusters.len() <= STRETCHES {
            return clusters;
        }
        far = far.saturating_mul(2).max(1);
    }
}

/// IDs a cell: a power of two, so that all fits, and the usual range is not longer than it must be.
fn cell(space: &Space, clusters: &[Range], columns: usize) -> u64 {
    let lines = space.marks.iter().filter(|mark| !matches!(mark.what, Use::Kept(_)));
    let mut counts: Vec<u64> = lines.map(|mark| mark.range.count().get()).collect();
    counts.sort_unstable();
    let usual = counts.get(counts.len() / 2).copied().unwrap_or(1);
    let rows = |cell: u64| -> u64 {
        let per_row = u64::try_from(columns).unwrap_or(1).max(1);
        clusters.iter().map(|c| c.count().get().div_ceil(cell).div_ceil(per_row)).sum()
    };
    let most = u64::try_from(ROWS.max(clusters.len())).unwrap_or(1);
    let mut cell = usual.div_ceil(USUAL).next_power_of_two();
    while rows(cell) > most && cell < 1 << 32 {
        cell *= 2;
    }
    cell
}

#[derive(Default, Clone)]
struct Load {
    owned: u64,
    owner: Option<usize>,
    several: bool,
    released: bool,
    kept: bool,
    conflict: bool,
}

fn cells(space: &Space, conflicts: &[Range], cluster: Range, cell: u64) -> Vec<Cell> {
    let many = space.owners.len() > LETTERS;
    let count = usize::try_from(cluster.count().get().div_ceil(cell)).unwrap_or(0);
    let mut loads = vec![Load::default(); count];
    let mut each = |range: Range, put: &mut dyn FnMut(&mut Load, u64)| {
        let Some(inside) = range.intersection(cluster) else { return };
        let offset = |id: u32| u64::from(id.saturating_sub(cluster.first()));
        let (first, last) = (offset(inside.first()), offset(inside.last()));
        for index in first / cell..=last / cell {
            let (from, to) = (first.max(index * cell), last.min(index * cell + cell - 1));
            if let Some(load) = usize::try_from(index).ok().and_then(|index| loads.get_mut(index)) {
                put(load, to - from + 1);
            }
        }
    };
    for mark in &space.marks {
        each(mark.range, &mut |load, ids| match mark.what {
            Use::Owner(owner) => {
                load.owned += ids;
                load.several |= load.owner.is_some_and(|other| other != owner);
                load.owner = Some(owner);
            }
            Use::Released => load.released = true,
            Use::Kept(_) => load.kept = true,
        });
    }
    for range in conflicts {
        each(*range, &mut |load, _| load.conflict = true);
    }
    let look = |load: &Load| match load.owner {
        _ if load.conflict => Cell::Conflict,
        Some(owner) if !many && !load.several => Cell::Owner(owner),
        Some(_) if load.owned >= cell => Cell::Several(Share::All),
        Some(_) if load.owned >= cell / 2 => Cell::Several(Share::Most),
        Some(_) => Cell::Several(Share::Few),
        None if load.released => Cell::Released,
        None if load.kept => Cell::Kept,
        None => Cell::Free,
    };
    loads.iter().map(look).collect()
}

/// A stretch without lines, in words: what is kept for something, what is free in a pool, what is neither.
fn folded(space: &Space, gap: Range) -> Vec<Stretch> {
    let kept: RangeSet = space
        .marks
        .iter()
        .filter(|mark| matches!(mark.what, Use::Kept(_)))
        .filter_map(|mark| mark.range.intersection(gap))
        .collect();
    let mut pieces: Vec<(Range, String)> = Vec::new();
    // Outside of every pool what is kept there is of no interest, but for the system's own at the beginning.
    let mut outside = RangeSet::default();
    let pools: RangeSet = space.pools.iter().copied().collect();
    for free in pools.gaps(gap) {
        let system = kept.iter().find(|range| range.first() == 0 && free.first() == 0);
        match system {
            Some(system) => {
                pieces.push((system, names(space, system)));
                let rest = system.last().checked_add(1).and_then(|next| Range::between(next, free.last()));
                if let Some(rest) = rest {
                    outside.insert(rest);
                }
            }
            None => outside.insert(free),
        }
    }
    pieces.extend(outside.iter().map(|range| (range, format!("{} IDs outside the pool", count(range)))));
    for pool in pools.iter().filter_map(|pool| pool.intersection(gap)) {
        pieces.extend(kept.gaps(pool).map(|free| (free, format!("{} free in the pool", count(free)))));
        let inside = kept.iter().filter_map(|range| range.intersection(pool));
        pieces.extend(inside.map(|range| (range, names(space, range))));
    }
    pieces.sort();
    pieces.into_iter().map(|(range, words)| Stretch::Folded(range, words)).collect()
}

fn count(range: Range) -> String {
    thousands(range.count().get())
}

/// What a stretch is kept for: the widest first, three of them.
fn names(space: &Space, range: Range) -> String {
    let mut all: Vec<(u64, &str)> = space
        .marks
        .iter()
        .filter(|mark| mark.range.overlaps(range))
        .filter_map(|mark| match &mark.what {
            Use::Kept(name) => Some((mark.range.count().get(), name.as_str())),
            _ => None,
        })
        .collect();
    all.sort_by(|a, b| b.cmp(a));
    all.dedup_by_key(|(_, name)| *name);
    let more = if all.len() > 3 { ", …" } else { "" };
    let named: Vec<&str> = all.iter().take(3).map(|(_, name)| *name).collect();
    format!("{} kept: {}{more}", count(range), named.join(", "))
}
