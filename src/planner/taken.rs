//! What is taken, by whom: one list of witnesses from which the sets are made and refusals explained.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::request::Owner;
use super::reserved::{FIXED_RULE, reserved};
use crate::idfile::Claim;
use crate::policy::{Declared, Policy, Window};
use crate::range::{Count, Kind, PerKind, Range, RangeSet};
use crate::snapshot::{Account, Group, IdFile, LiveExtent, Released, SiteRange, Snapshot, Source};
use crate::text::{Part, escape};

/// Why an ID is not free.
#[derive(Debug, Clone, Copy)]
pub(super) enum Witness<'a> {
    Line(Claim<'a>),
    Account(&'a Account),
    PrimaryGroup(&'a Account),
    Group(&'a Group),
    Nameless(u32),
    Reserved(&'static str),
    Declared(&'static str, &'a Declared),
    /// What another program declares for accounts.
    Site(&'a SiteRange),
    Ledger(&'a Released),
    Namespace(LiveExtent),
}

impl Witness<'_> {
    /// One phrase for a message, escaped: `bob (/etc/subuid line 1)`.
    pub(super) fn phrase(&self, kind: Kind, policy: &Policy) -> String {
        let file = kind.file();
        match self {
            Self::Line(c) if c.released => {
                format!("a range released by {} (/etc/{file} line {})", escape(c.owner), c.line)
            }
            Self::Line(c) => format!("{} (/etc/{file} line {})", escape(c.owner), c.line),
            Self::Account(a) => format!("uid {} of the account {}", a.uid, a.name),
            Self::PrimaryGroup(a) => format!("gid {}, the primary group of {}", a.gid, a.name),
            Self::Group(g) => format!("gid {} of the group {}", g.gid, escape(&g.name)),
            Self::Nameless(id) => format!("{} {id} of an account or group with an odd name", kind.name()),
            Self::Reserved(who) => format!("IDs reserved for {who}"),
            Self::Declared(key, d) => {
                format!("{key} \"{}\" ({})", escape(d.name.as_bytes()), policy.place(d.line))
            }
            Self::Site(s) => {
                format!("IDs that {} may give to accounts ({}, {})", s.by.name(), s.name, s.place)
            }
            Self::Ledger(r) => format!("a range released by {} (subidctl's ledger)", escape(&r.owner)),
            Self::Namespace(n) => format!("a running user namespace (pid {})", n.pid),
        }
    }
}

impl Witness<'_> {
    /// Where it is known from, escaped: `/etc/subuid line 1`.
    pub(super) fn place(&self, kind: Kind, policy: &Policy) -> String {
        let source = |source: Source, file: &str| match source {
            Source::File(line) => format!("/etc/{file} line {line}"),
            Source::Nss => "the name service".to_owned(),
        };
        match self {
            Self::Line(c) => format!("/etc/{} line {}", kind.file(), c.line),
            Self::Account(a) | Self::PrimaryGroup(a) => source(a.source, "passwd"),
            Self::Group(g) => source(g.source, "group"),
            Self::Nameless(_) => "/etc/passwd or /etc/group".to_owned(),
            Self::Reserved(_) => FIXED_RULE.to_owned(),
            Self::Declared(key, d) => format!("{key}, {}", policy.place(d.line)),
            Self::Site(s) => format!("{}, {}", s.name, s.place),
            Self::Ledger(_) => "subidctl's ledger".to_owned(),
            Self::Namespace(_) => "/proc".to_owned(),
        }
    }
}

/// Everything that takes IDs of a kind.
pub(super) fn witnesses<'a>(
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    kind: Kind,
) -> impl Iterator<Item = (Range, Witness<'a>)> {
    let lines = snapshot.files[kind].claims().map(|c| (c.range, Witness::Line(c)));
    lines.chain(beyond_lines(snapshot, policy, kind))
}

/// The same without the lines of the file.
fn beyond_lines<'a>(
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    kind: Kind,
) -> impl Iterator<Item = (Range, Witness<'a>)> {
    let ledger =
        snapshot.released.iter().filter(move |r| r.kind == kind).map(|r| (r.range, Witness::Ledger(r)));
    let namespaces = snapshot.namespaces.extents.iter().filter(move |n| n.kind == kind);
    let namespaces = namespaces.map(|n| (n.range, Witness::Namespace(*n)));
    let site = snapshot.site.of_accounts(kind).map(|s| (s.range, Witness::Site(s)));
    standing(snapshot, policy, kind).chain(site).chain(ledger).chain(namespaces)
}

/// Every ID of a kind that is known to be somebody's or kept for somebody: lines, accounts, reserved,
/// declared and released ranges, those that directories declare, running namespaces.
pub fn taken(snapshot: &Snapshot, policy: &Policy, kind: Kind) -> RangeSet {
    with_lines(snapshot, policy, kind, &lines(&snapshot.files[kind]))
}

fn lines(file: &IdFile) -> RangeSet {
    file.claims().map(|claim| claim.range).collect()
}

fn with_lines(snapshot: &Snapshot, policy: &Policy, kind: Kind, lines: &RangeSet) -> RangeSet {
    lines.union(&beyond_lines(snapshot, policy, kind).map(|(range, _)| range).collect())
}

/// What takes IDs whatever the files say: accounts, groups, reserved and declared ranges. What a directory
/// declares for itself is not among it: SSSD's default takes most of shadow's pool, and whoever has a range
/// there already keeps it.
pub(super) fn standing<'a>(
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    kind: Kind,
) -> impl Iterator<Item = (Range, Witness<'a>)> {
    let users = snapshot.accounts.users().iter().map(move |a| match kind {
        Kind::Uid => (Range::single(a.uid.get()), Witness::Account(a)),
        Kind::Gid => (Range::single(a.gid.get()), Witness::PrimaryGroup(a)),
    });
    let groups = snapshot.accounts.groups().iter().filter(move |_| kind == Kind::Gid);
    let groups = groups.map(|g| (Range::single(g.gid.get()), Witness::Group(g)));
    let nameless = snapshot.accounts.nameless[kind].iter();
    let nameless = nameless.map(|id| (Range::single(*id), Witness::Nameless(*id)));
    let fixed = reserved(kind, &snapshot.login_defs).map(|(range, who)| (range, Witness::Reserved(who)));
    let reserve = policy.reserve.iter().map(|d| (d.range, Witness::Declared("reserve", d)));
    let directory = policy.directory.iter().map(|d| (d.range, Witness::Declared("directory", d)));
    users.chain(groups).chain(nameless).chain(fixed).chain(reserve).chain(directory)
}

/// The taken IDs of both files, kept up to date while a plan is made.
pub(super) struct Taken<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    /// Taken in each file, windows not counted.
    sets: PerKind<RangeSet>,
    /// Taken in either file or part of a window: where first-fit must not go.
    pub(super) joint: RangeSet,
    /// The windows' spans.
    windows: Vec<(Range, &'a Window)>,
    /// Given in this plan, and to whom.
    given: Vec<(Kind, Range, Part)>,
    /// For each count and alignment, below which no free range starts any more.
    cursors: HashMap<(u64, u32), u32, RandomState>,
}

impl<'a> Taken<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, policy: &'a Policy, windows: &'a [Window]) -> Self {
        let lines = snapshot.of_lines(lines);
        let sets = PerKind::from_fn(|kind| with_lines(snapshot, policy, kind, &lines[kind]));
        let windows: Vec<(Range, &Window)> = windows.iter().filter_map(|w| Some((w.span()?, w))).collect();
        let spans: RangeSet = windows.iter().map(|(span, _)| *span).collect();
        let both = sets.uid.union(&sets.gid);
        let joint = if spans.is_empty() { both } else { both.union(&spans) };
        Self { snapshot, policy, sets, joint, windows, given: Vec::new(), cursors: HashMap::default() }
    }

    /// Who stands in the way of a range, as a phrase; `None` where it is free.
    pub(super) fn blocker(&self, kind: Kind, range: Range) -> Option<String> {
        self.sets[kind].first_overlap(range)?;
        let planned = self.given.iter().find(|(k, r, _)| *k == kind && r.overlaps(range));
        let found = witnesses(self.snapshot, self.policy, kind).find(|(taken, _)| taken.overlaps(range));
        Some(match (found, planned) {
            (Some((_, witness)), _) => witness.phrase(kind, self.policy),
            (None, Some((_, _, label))) => format!("{} in this plan", escape(label)),
            (None, None) => "IDs in use".to_owned(),
        })
    }

    /// The window that a range meets.
    pub(super) fn window(&self, range: Range) -> Option<&'a Window> {
        self.windows.iter().find(|(span, _)| span.overlaps(range)).map(|(_, window)| *window)
    }

    /// Whether first-fit may give this range in one file.
    pub(super) fn is_free(&self, kind: Kind, range: Range) -> bool {
        self.sets[kind].first_overlap(range).is_none() && self.window(range).is_none()
    }

    /// The lowest start that is free in both files.
    pub(super) fn first_fit_both(&mut self, pool: Range, count: Count, align: u32) -> Option<Range> {
        // What is taken grows, so a later search may begin where an equal one ended.
        let cursor = self.cursors.get(&(count.get(), align)).copied().unwrap_or(0).max(pool.first());
        let range = self.joint.first_fit(Range::between(cursor, pool.last())?, count, align)?;
        self.cursors.insert((count.get(), align), range.first());
        Some(range)
    }

    /// The lowest start that is free in one file and meets none of the owner's own IDs.
    pub(super) fn first_fit(
        &self,
        kind: Kind,
        owner: &Owner,
        pool: Range,
        count: Count,
        align: u32,
    ) -> Option<Range> {
        let spans: RangeSet = self.windows.iter().map(|(span, _)| *span).chain(owner.own_ids()).collect();
        self.sets[kind].union(&spans).first_fit(pool, count, align)
    }

    /// Takes a range.
    pub(super) fn give(&mut self, kind: Kind, range: Range, label: Part) {
        self.sets[kind].insert(range);
        self.joint.insert(range);
        self.given.push((kind, range, label));
    }

    /// How many ranges this plan gives so far.
    pub(super) fn given(&self) -> usize {
        self.given.len()
    }

    /// Frees what was given after the first `given` ranges, all of which were free before.
    pub(super) fn take_back(&mut self, given: usize) {
        if given == self.given.len() {
            return;
        }
        for (kind, range, _) in self.given.drain(given..) {
            self.sets[kind].remove(range);
        }
        let spans: RangeSet = self.windows.iter().map(|(span, _)| *span).collect();
        self.joint = self.sets.uid.union(&self.sets.gid).union(&spans);
        self.cursors.clear();
    }

    /// How many IDs of a pool this plan gives.
    pub(super) fn given_within(&self, kind: Kind, pool: Range) -> u64 {
        let given = self.given.iter().filter(|(k, _, _)| *k == kind);
        given.filter_map(|(_, range, _)| range.intersection(pool)).map(|range| range.count().get()).sum()
    }

    /// What is taken in one file.
    pub(super) fn set(&self, kind: Kind) -> &RangeSet {
        &self.sets[kind]
    }
}
