//! Lines that meet other lines.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::files::{each, overlap as two_overlap};
use super::owned::{Holder, Owned};
use super::peers::{is_wide, one_fewer};
use super::survey::path;
use super::{ANOTHER, BASE, Entry, Found, Group, Seen, Sight, Status, Survey, all, is_map};
use crate::idfile::Claim;
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::Account;
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "overlap",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "two owners hold the same IDs",
        explain: "Whoever of the two starts a container there can read, change and give away the files of the \
                  other's containers, and end their processes. Nothing in shadow prevents it: usermod -v takes \
                  another user's range with exit 0, and editors, scripts and copied lines do it without a word. \
                  Apptainer's own allocator asks only whether the first ID of its range is free. The line that \
                  comes later in the file is the one named here.",
        consequence: "each of the two is root over the files of the other's containers",
        repair: "sudo subidctl apply --replace USER of the line that came later; then, as USER, \
                 podman system reset, or for files that must be kept: subidctl template render \
                 chown-script. One ID too many of usermod -S: sudo usermod --del-subuids ID-ID USER",
        audit: Some(|survey| all(overlaps(survey))),
        ..BASE
    },
    Entry {
        id: "duplicate-line",
        group: Group::Ranges,
        severity: Status::Error,
        title: "a line stands in the file twice",
        explain: "Scripts that append without looking make such lines. newuidmap is content with them, but podman \
                  and buildah put every line into the map, and the kernel refuses a map that names an ID twice. \
                  rootlesskit drops exact duplicates. Removing one of the two takes nothing from anybody.",
        consequence: "newuidmap: write to uid_map failed: Invalid argument",
        repair: "sudo subidctl audit --fix",
        audit: Some(duplicates),
        ..BASE
    },
    Entry {
        id: "own-ranges-overlap",
        group: Group::Ranges,
        severity: Status::Error,
        title: "two lines of the same owner overlap",
        explain: "The map would name IDs twice, which the kernel refuses. One line by name and one by uid are \
                  lines of one owner too: newuidmap and podman add both up (shadow issue 424).",
        consequence: "newuidmap: write to uid_map failed: Invalid argument",
        repair: ANOTHER,
        explains: |step, words| is_map(step) && words.contains("Invalid argument"),
        find: |facts| each(facts, two_overlap),
        audit: Some(own_overlaps),
        ..BASE
    },
    Entry {
        id: "over-released",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range lies over one that was given back",
        explain: "A line with a ! before its owner keeps IDs from being given to anybody: files of the former \
                  owner's containers may still have them. subidctl, Apptainer ('config fakeroot --disable') and \
                  shadow's useradd leave such IDs alone; usermod -v and editors do not. A range that was \
                  commented out counts as kept too, since shadow still reads it, and so does a range that the \
                  ledger remembers when its line is gone.",
        consequence: "the new owner can read and change the files that the former owner's containers left behind",
        repair: ANOTHER,
        audit: Some(|survey| all(over_released(survey))),
        ..BASE
    },
];

/// A line that begins within the reach of another owner's line.
fn overlaps(survey: &Survey<'_>) -> Vec<Seen> {
    let starts = LazyCell::new(|| starts(survey));
    let of_kind = |kind: Kind| {
        let mut seen = Vec::new();
        // The claims that reach highest so far, of two owners, the highest first.
        let mut reach: [Option<&Owned<'_>>; 2] = [None, None];
        // Readers that differ about a line make several claims of it.
        let mut told = HashSet::new();
        for claim in survey.live(kind) {
            let holder = survey.holder(claim);
            let same = |held: Option<&Owned<'_>>| held.is_some_and(|held| survey.holder(held) == holder);
            let other = reach.into_iter().find(|held| !same(*held)).flatten();
            if let Some(other) =
                other.filter(|other| other.line != claim.line && other.range.overlaps(claim.range))
                && told.insert((
                    claim.line.max(other.line),
                    claim.line.min(other.line),
                    claim.range.intersection(other.range),
                ))
            {
                seen.push(overlap(survey, &starts, kind, claim, other));
            }
            let further =
                |held: Option<&Owned<'_>>| held.is_none_or(|held| held.range.last() < claim.range.last());
            let slot = usize::from(!same(reach[0]));
            if further(reach[slot]) {
                reach[slot] = Some(claim);
            }
            if further(reach[0]) || reach[0].map(|c| c.range.last()) < reach[1].map(|c| c.range.last()) {
                reach.swap(0, 1);
            }
        }
        seen
    };
    Kind::BOTH.into_iter().flat_map(of_kind).collect()
}

/// Where the ranges of each holder start, the lowest first.
type Starts = PerKind<HashMap<Holder, Vec<u32>>>;

fn starts(survey: &Survey<'_>) -> Starts {
    PerKind::from_fn(|kind| {
        let mut starts: HashMap<_, Vec<u32>> = HashMap::new();
        for claim in survey.live(kind) {
            starts.entry(survey.holder(claim)).or_default().push(claim.range.first());
        }
        starts
    })
}

fn overlap<'a>(
    survey: &Survey<'a>,
    starts: &Starts,
    kind: Kind,
    claim: &Owned<'a>,
    other: &Owned<'a>,
) -> Seen {
    let common = claim.range.intersection(other.range).unwrap_or(claim.range);
    // usermod -S gave one of the two an ID too many, whoever came first: that one goes, and nobody moves.
    let wide = |c: &&Owned<'_>| is_wide(c) && common == Range::single(c.range.last());
    if let Some(wide) = [other, claim].into_iter().find(wide) {
        let (owner, next) = (escape(wide.owner), if wide.line == claim.line { other } else { claim });
        let message = format!(
            "{} of {owner}, one ID too many as usermod -S gives, is also {}'s ({} line {})",
            common.last(),
            escape(next.owner),
            path(kind),
            next.line
        );
        return survey.of_claim(kind, wide, message, one_fewer(survey, kind, wide));
    }
    // Whoever was there first keeps the IDs.
    let (later, first) = if claim.line > other.line { (claim, other) } else { (other, claim) };
    let (owner, file) = (escape(later.owner), path(kind));
    let ids = if common == Range::single(common.first()) {
        format!("{} of {owner} is", common.first())
    } else {
        format!("{common} of {owner} are")
    };
    let message = format!("{ids} also {}'s ({file} line {})", escape(first.owner), first.line);
    let mut fix = survey.another(later.owner);
    if let Some(account) = survey.account_of(later) {
        // The range of the other file that goes with it: the one of the same start, else the lowest.
        let (first, none) = (later.range.first(), Vec::new());
        let starts = starts[kind.other()].get(&survey.holder(later)).unwrap_or(&none);
        let other = starts.binary_search(&first).map_or(starts.first().copied(), |_| Some(first));
        let _ = write!(
            fix,
            "\nthen, as {owner}, to begin anew: podman system reset\n\
             or, to keep the files: subidctl template render chown-script {}",
            moved(survey, kind, later, account, other)
        );
    }
    Seen { other: Some(first.owner.to_vec()), ..survey.of_claim(kind, later, message, fix) }
}

/// The values of the script that are known before the new range is: its starts are then in the files.
fn moved(
    survey: &Survey<'_>,
    kind: Kind,
    claim: &Claim<'_>,
    account: &Account,
    other: Option<u32>,
) -> String {
    let first = claim.range.first();
    let (uid, gid) = match kind {
        Kind::Uid => (first, other.unwrap_or(first)),
        Kind::Gid => (other.unwrap_or(first), first),
    };
    let owner = shell_word(account.name.as_bytes()).unwrap_or_else(|| account.uid.to_string());
    let path = survey.word(&String::from_utf8_lossy(&account.home));
    format!(
        "--set owner={owner} --set path={path} --set count={} --set old_uid={uid} --set old_gid={gid}",
        claim.range.count()
    )
}

/// Lines that take IDs and are the same, byte for byte, as one before them: such lines have the same range.
fn duplicates<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let of_range = move |kind: Kind, claims: &'s [Owned<'s>]| {
        let mut first: HashMap<&[u8], usize> = HashMap::new();
        claims.iter().filter_map(move |claim| {
            let before = *first.entry(survey.bytes(kind, claim.line)).or_insert(claim.line);
            let words = move || {
                let message = format!("the same line as {} line {before}", path(kind));
                survey.of_claim(kind, claim, message, String::new())
            };
            (before != claim.line).then(|| Sight::line(kind, claim.line, words))
        })
    };
    let of_kind = move |kind: Kind| {
        let same = survey.claims[kind].chunk_by(|a, b| a.range == b.range).filter(|same| same.len() > 1);
        // Readers that differ about a line make several claims of it.
        let mut told = HashSet::new();
        let sights = same.flat_map(move |same| of_range(kind, same));
        sights.filter(move |sight| matches!(sight, Sight::Line(_, line, _) if told.insert(*line)))
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}

/// Lines that begin within the reach of another line of their owner.
fn own_overlaps<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let of_kind = move |kind: Kind| {
        let mut reach: Vec<Option<&Owned<'_>>> = vec![None; survey.holders()];
        survey.live(kind).filter_map(move |claim| {
            let held = reach.get_mut(survey.holder(claim).index())?;
            let other = *held.get_or_insert(claim);
            if other.range.last() < claim.range.last() {
                *held = Some(claim);
            }
            let (later, first) = if claim.line > other.line { (claim, other) } else { (other, claim) };
            let words = move || {
                let spelled = if first.owner == later.owner {
                    String::new()
                } else {
                    format!(", as {}", escape(first.owner))
                };
                let (owner, file) = (escape(later.owner), path(kind));
                let common = later.range.intersection(first.range).unwrap_or(later.range);
                let message = format!("{common} of {owner} are in {file} line {} too{spelled}", first.line);
                survey.of_claim(kind, later, message, survey.another(later.owner))
            };
            let meets = later.line != first.line && later.range.overlaps(first.range);
            meets.then(|| Sight::line(kind, later.line, words))
        })
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}

/// IDs that are kept for nobody: whose they were, and where that stands.
struct Kept<'a> {
    range: Range,
    /// The former owner, and whether the line is commented out: the owner's own later line is then right.
    owner: &'a [u8],
    commented: bool,
    place: String,
}

/// Live lines over released or commented-out ones.
fn over_released(survey: &Survey<'_>) -> Vec<Seen> {
    let of_kind = |kind: Kind| {
        let dormant = survey.claims[kind].iter().filter(|claim| claim.is_dormant()).map(|claim| Kept {
            range: claim.range,
            owner: claim.commented().unwrap_or(claim.owner),
            commented: claim.commented().is_some(),
            place: format!("{} line {}", path(kind), claim.line),
        });
        let ledger =
            survey.snapshot.released.iter().filter(|released| released.kind == kind).map(|released| Kept {
                range: released.range,
                owner: &released.owner,
                commented: false,
                place: "subidctl's ledger".to_owned(),
            });
        let mut kept: Vec<Kept<'_>> = dormant.chain(ledger).collect();
        if kept.is_empty() {
            return Vec::new();
        }
        kept.sort_by_key(|kept| kept.range);
        let mut reach = 0;
        let reach: Vec<u32> = kept
            .iter()
            .map(|kept| {
                reach = reach.max(kept.range.last());
                reach
            })
            .collect();
        let mut told = HashSet::new();
        let mut seen = Vec::new();
        for claim in survey.live(kind) {
            let end = kept.partition_point(|kept| kept.range.first() <= claim.range.last());
            let candidates = kept.iter().zip(&reach).take(end).rev();
            let mut near =
                candidates.take_while(|(_, reach)| **reach >= claim.range.first()).map(|(kept, _)| kept);
            let meets = |kept: &&Kept<'_>| {
                kept.range.overlaps(claim.range) && !(kept.commented && kept.owner == claim.owner)
            };
            let Some(kept) = near.find(meets).filter(|_| told.insert(claim.line)) else { continue };
            let common = claim.range.intersection(kept.range).unwrap_or(claim.range);
            let (owner, former) = (escape(claim.owner), escape(kept.owner));
            let how = if kept.commented { "commented out as" } else { "released by" };
            let message = format!("{common} of {owner} were {how} {former} ({})", kept.place);
            seen.push(survey.of_claim(kind, claim, message, survey.another(claim.owner)));
        }
        seen
    };
    Kind::BOTH.into_iter().flat_map(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Survey, audit};
    use crate::idfile::Document;
    use crate::policy::Policy;
    use crate::snapshot::Snapshot;
    use proptest::prelude::*;

    fn found(subuid: &str) -> Vec<(&'static str, usize)> {
        let mut snapshot = Snapshot::default();
        snapshot.files.uid.document = Some(Document::new(subuid.as_bytes().to_vec()));
        let policy = Policy::default();
        let found = audit(&Survey::new(&snapshot, &policy)).findings;
        let of_line = found.iter().filter(|f| f.group == super::Group::Ranges);
        of_line.filter_map(|f| Some((f.id, f.line?))).collect()
    }

    #[test]
    fn each_later_line_is_named() {
        assert_eq!(found("a:100000:10\nb:100010:10\n"), []);
        assert_eq!(found("a:100005:10\nb:100000:10\n"), [("overlap", 2)]);
        assert_eq!(found("a:100000:100\na:100050:10\nb:100055:10\n")[..1], [("overlap", 3)]);
        assert_eq!(found("a:100000:10\na:100000:10\n"), [("duplicate-line", 2)]);
        assert_eq!(found("a:100000:10\na:100009:10\n"), [("own-ranges-overlap", 2)]);
        let wide = "a:100000:65537\nb:165536:65536\n";
        assert_eq!(found(wide), [("overlap", 1)], "the one ID too many is the fault");
        assert_eq!(found("b:165536:65536\na:100000:65537\n"), [("overlap", 2)]);
        assert_eq!(found("a:100000:65537\nb:165530:65536\n"), [("overlap", 2)]);
        let joined = "c:1:1\na\0x:1:2\nb:300000:10\nb:300000:10\n";
        let twice = found(joined).into_iter().filter(|fault| *fault == ("overlap", 4)).count();
        assert_eq!(twice, 1, "{:?}", found(joined));
        assert_eq!(found("!a:100000:10\nb:100009:10\n"), [("over-released", 2)]);
        assert_eq!(found("#a:100000:10\na:100009:10\n"), [], "an owner's own former line");
        assert_eq!(found("!a:100000:90\n!c:100010:1\nb:100080:10\n"), [("over-released", 3)]);
    }

    proptest! {
        /// Whoever shares an ID with another owner is part of a pair that is named.
        #[test]
        fn no_overlap_is_missed(list in prop::collection::vec((0usize..4, 0u32..60, 1u32..20), 1..12)) {
            let lines: Vec<String> =
                list.iter().map(|(o, start, n)| format!("{}:{}:{n}\n", ["a", "b", "c", "d"][*o], 100_000 + start)).collect();
            let any = list.iter().enumerate().any(|(i, (o, s, n))| {
                list.iter().take(i).any(|(p, t, m)| o != p && s < &(t + m) && t < &(s + n))
            });
            let named = found(&lines.concat()).iter().any(|(id, _)| *id == "overlap");
            prop_assert_eq!(named, any, "{}", lines.concat());
        }
    }
}
