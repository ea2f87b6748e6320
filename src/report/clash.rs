//! What a picture of the ID space names below it: what was released, and what must not be, IDs that two lines
//! hold and IDs that no line may hold.

use std::collections::BTreeSet;

use super::space::Cell;
use crate::planner::{Mark, Space, Use};
use crate::range::{Range, RangeSet};
use crate::text::thousands;

/// How many of each are named.
const NAMED: usize = 5;

/// The IDs concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clashes {
    /// IDs that two live lines hold.
    pub(super) twice: Vec<Range>,
    /// IDs of live lines that are an account's, reserved or declared.
    pub(super) barred: Vec<Range>,
}

impl Clashes {
    pub(super) fn new(space: &Space) -> Self {
        Self { twice: twice(space), barred: barred(space) }
    }

    /// A line each: the IDs, who holds them and what they are.
    pub(super) fn lines(&self, space: &Space) -> Vec<String> {
        let mut lines = named(&self.twice, Cell::Twice.symbol(), |range| (*range, holders(space, *range)));
        lines.extend(named(&self.barred, Cell::Barred.symbol(), |range| {
            (*range, format!("{} holds IDs of {}", holders(space, *range), kept(space, *range)))
        }));
        lines
    }
}

/// A line for each released range: the IDs, and who released them.
pub(super) fn released(space: &Space) -> Vec<String> {
    named(&space.released, Cell::Released.symbol(), |(range, owner)| (*range, format!("released by {owner}")))
}

/// The first few, a line each, and how many more there are.
fn named<T>(all: &[T], symbol: char, line: impl Fn(&T) -> (Range, String)) -> Vec<String> {
    let words = |item: &T| {
        let (range, words) = line(item);
        format!("{symbol}  {range}: {words}")
    };
    let mut lines: Vec<String> = all.iter().take(NAMED).map(words).collect();
    if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let more = thousands(u64::try_from(more).unwrap_or(u64::MAX));
        let all = if symbol == Cell::Released.symbol() { "list" } else { "audit" };
        lines.push(format!("{symbol}  and {more} more: subidctl {all} names all"));
    }
    lines
}

fn live(space: &Space) -> impl Iterator<Item = &Mark> {
    space.marks.iter().filter(|mark| matches!(mark.what, Use::Owner(_)))
}

fn twice(space: &Space) -> Vec<Range> {
    let mut reach: Option<u32> = None;
    let met: RangeSet = live(space)
        .filter_map(|mark| {
            let before = reach;
            reach = reach.max(Some(mark.range.last()));
            Range::between(mark.range.first(), before?.min(mark.range.last()))
        })
        .collect();
    met.iter().collect()
}

fn barred(space: &Space) -> Vec<Range> {
    let marks = space.marks.iter().filter(|mark| matches!(mark.what, Use::Barred(_)));
    let barred: RangeSet = marks.map(|mark| mark.range).collect();
    let met: RangeSet = live(space)
        .filter(|mark| barred.first_overlap(mark.range).is_some())
        .flat_map(|mark| {
            let allowed: RangeSet = barred.gaps(mark.range).collect();
            allowed.gaps(mark.range).collect::<Vec<_>>()
        })
        .collect();
    met.iter().collect()
}

/// The owners of live lines in a range.
fn holders(space: &Space, range: Range) -> String {
    let here = live(space).filter(|mark| mark.range.overlaps(range));
    let owners: BTreeSet<usize> = here
        .filter_map(|mark| match mark.what {
            Use::Owner(owner) => Some(owner),
            _ => None,
        })
        .collect();
    let more = if owners.len() > NAMED { ", …" } else { "" };
    let names: Vec<&str> =
        owners.iter().take(NAMED).filter_map(|owner| space.owners.get(*owner)).map(String::as_str).collect();
    names.join(", ") + more
}

/// What a range is kept for, in order of IDs, three of them.
pub(super) fn kept(space: &Space, range: Range) -> String {
    let mut names: Vec<&str> = Vec::new();
    for mark in space.marks.iter().filter(|mark| mark.range.overlaps(range)) {
        if let Use::Kept(name) | Use::Barred(name) = &mark.what
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
        if names.len() > 3 {
            break;
        }
    }
    let more = if names.len() > 3 { ", …" } else { "" };
    names.truncate(3);
    names.join(", ") + more
}
