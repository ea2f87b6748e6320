//! The ID space as a picture: what is drawn cell by cell, what is folded into a line. Terminal and SVG
//! draw the same one.

use super::clash::Clashes;
use super::folded::folded;
use crate::planner::{Space, Use};
use crate::range::{Range, RangeSet};

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
    /// What must not be.
    pub(super) clashes: Clashes,
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
    /// IDs that two lines hold.
    Twice,
    /// IDs of a line that no line may hold.
    Barred,
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
            Self::Twice => 'X',
            Self::Barred => '!',
        }
    }
}

impl Picture {
    /// Draws the space with rows of so many cells.
    pub(super) fn new(space: &Space, columns: usize) -> Self {
        let clashes = Clashes::new(space);
        let clusters = clusters(space);
        let cell = cell(space, &clusters, columns);
        let mut stretches = Vec::new();
        let mut next = Some(0);
        for cluster in clusters {
            let before = cluster.first().checked_sub(1).and_then(|last| Range::between(next?, last));
            stretches.extend(before.into_iter().flat_map(|gap| folded(space, gap)));
            stretches.push(Stretch::Drawn(cluster.first(), cells(space, &clashes, cluster, cell)));
            next = cluster.last().checked_add(1);
        }
        let rest = next.and_then(|next| Range::between(next, u32::MAX));
        stretches.extend(rest.into_iter().flat_map(|gap| folded(space, gap)));
        Self { cell, stretches, clashes }
    }

    /// Whether any cell is this one; of owners any.
    pub(super) fn has(&self, wanted: char) -> bool {
        self.stretches.iter().any(|stretch| match stretch {
            Stretch::Drawn(_, cells) => cells.iter().any(|cell| cell.symbol() == wanted),
            Stretch::Folded(..) => false,
        })
    }
}

/// Lines that lie near each other, and the space between them. What is far is folded: far is more than a
/// quarter of all that the lines hold, and more where there would be too many stretches.
fn clusters(space: &Space) -> Vec<Range> {
    let busy: RangeSet = lines(space).collect();
    gathered(&busy, busy.ids() / 4, STRETCHES)
}

/// Live and released lines.
fn lines(space: &Space) -> impl Iterator<Item = Range> + '_ {
    let lines = space.marks.iter().filter(|mark| matches!(mark.what, Use::Owner(_) | Use::Released));
    lines.map(|mark| mark.range)
}

/// The set with the gaps of up to `far` IDs filled, and larger ones until at most so many ranges are left.
pub(super) fn gathered(set: &RangeSet, mut far: u64, most: usize) -> Vec<Range> {
    loop {
        let mut gathered: Vec<Range> = Vec::new();
        for range in set.iter() {
            let near = gathered.last().copied().filter(|last| {
                u64::from(range.first()).saturating_sub(u64::from(last.last())) <= far.saturating_add(1)
            });
            match near.and_then(|last| Range::between(last.first(), range.last())) {
                Some(joined) => {
                    gathered.pop();
                    gathered.push(joined);
                }
                None => gathered.push(range),
            }
        }
        if gathered.len() <= most {
            return gathered;
        }
        far = far.saturating_mul(2).max(1);
    }
}

/// IDs a cell: a power of two, so that all fits, and the usual range is not longer than it must be.
fn cell(space: &Space, clusters: &[Range], columns: usize) -> u64 {
    let mut counts: Vec<u64> = lines(space).map(|range| range.count().get()).collect();
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
    twice: bool,
    barred: bool,
}

fn cells(space: &Space, clashes: &Clashes, cluster: Range, cell: u64) -> Vec<Cell> {
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
            Use::Kept(_) | Use::Barred(_) => load.kept = true,
        });
    }
    for range in &clashes.twice {
        each(*range, &mut |load, _| load.twice = true);
    }
    for range in &clashes.barred {
        each(*range, &mut |load, _| load.barred = true);
    }
    let look = |load: &Load| match load.owner {
        _ if load.twice => Cell::Twice,
        _ if load.barred => Cell::Barred,
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
