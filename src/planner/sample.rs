//! Whose containers stand for those of many users.

use std::collections::{BTreeSet, HashMap};

use crate::idfile::Document;
use crate::range::{Kind, PerKind, Range};
use crate::text::Part;

/// The lines of each owner of a file: number and range.
type Lines<'a> = HashMap<&'a [u8], Vec<(usize, Range)>>;

/// The ranges of every owner of both files, found with one pass over each.
#[derive(Debug)]
pub struct Holders<'a>(PerKind<Lines<'a>>);

impl<'a> Holders<'a> {
    /// Indexes the lines that all readers take alike and that are not released.
    pub fn new(files: PerKind<&'a Document>) -> Self {
        Self(PerKind::from_fn(|kind| {
            let mut all: Lines<'a> = HashMap::new();
            for claim in files[kind].claims().filter(|claim| claim.is_canonical() && !claim.released) {
                all.entry(claim.owner).or_default().push((claim.line, claim.range));
            }
            all
        }))
    }

    /// The ranges of an owner whom lines may spell in these ways, in the order of the files.
    pub fn ranges(&self, spellings: &[Part]) -> PerKind<Vec<Range>> {
        let lines = |kind: Kind| spellings.iter().filter_map(move |name| self.0[kind].get(&name[..]));
        PerKind::from_fn(|kind| {
            let mut all: Vec<(usize, Range)> = lines(kind).flatten().copied().collect();
            all.sort_unstable();
            all.dedup_by_key(|(line, _)| *line);
            all.into_iter().map(|(_, range)| range).collect()
        })
    }
}

/// Which of many users are tried, by their index, ascending: `several` says for each whether there is more
/// than one range. At most `most` of them, but all with several: the first, the last, those with several,
/// and the rest evenly spaced.
pub fn sample(several: &[bool], most: usize) -> Vec<usize> {
    let Some(last) = several.len().checked_sub(1) else { return Vec::new() };
    let mut chosen: BTreeSet<usize> =
        several.iter().enumerate().filter(|(_, several)| **several).map(|(index, _)| index).collect();
    for end in [0, last].into_iter().take(most) {
        chosen.insert(end);
    }
    let rest: Vec<usize> = (0..several.len()).filter(|index| !chosen.contains(index)).collect();
    let wanted = most.saturating_sub(chosen.len()).min(rest.len());
    let spaced = (0..wanted).filter_map(|n| rest.get(n.checked_mul(rest.len())? / wanted));
    chosen.extend(spaced);
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sample_has_both_ends_and_everybody_with_several(
            several in prop::collection::vec(prop::bool::weighted(0.05), 1..400), most in 2usize..30
        ) {
            let chosen = sample(&several, most);
            prop_assert!(chosen.is_sorted() && chosen.contains(&0) && chosen.contains(&(several.len() - 1)));
            let all = several.iter().enumerate().filter(|(_, s)| **s);
            prop_assert!(all.clone().all(|(index, _)| chosen.contains(&index)));
            let must = all.count() + 2;
            prop_assert!(chosen.len() >= most.min(several.len()) && chosen.len() <= most.max(must));
            let widest = chosen.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
            prop_assert!(must > most / 2 || widest <= several.len() / (most - must).max(1) * 2 + must);
        }
    }

    #[test]
    fn small_samples() {
        assert_eq!(sample(&[], 20), [0usize; 0]);
        assert_eq!(sample(&[false; 3], 20), [0, 1, 2]);
        assert_eq!(sample(&[false; 100], 1), [0]);
        assert_eq!(sample(&[false; 100], 4), [0, 1, 50, 99]);
        assert_eq!(sample(&[true; 3], 1), [0, 1, 2]);
    }

    #[test]
    fn ranges_come_in_the_order_of_the_files() {
        let uid = Document::new(b"a:5000:10\nb:1:1\n7:300:10\n!a:9:9\na:100:10\n".to_vec());
        let gid = Document::default();
        let holders = Holders::new(PerKind { uid: &uid, gid: &gid });
        let ranges = holders.ranges(&[b"a"[..].into(), b"7"[..].into()]);
        let firsts: Vec<u32> = ranges.uid.iter().map(|r| r.first()).collect();
        assert_eq!((firsts, ranges.gid.len()), (vec![5000, 300, 100], 0));
    }
}
