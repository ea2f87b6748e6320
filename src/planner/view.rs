//! Questions about the files as they are: whose is an ID, who owns what, what is free.

use super::Owner;
use super::rule::Rules;
use super::taken::{Taken, Witness, witnesses};
use crate::error::{Code, Error, Result};
use crate::idmap;
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range, Uid};
use crate::snapshot::Snapshot;

/// One range of the files. Borrowed: there may be millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned<'a> {
    /// Which file.
    pub kind: Kind,
    /// The owner as the line spells it, without `!`.
    pub owner: &'a [u8],
    /// The account's uid, where it is known.
    pub uid: Option<Uid>,
    /// The IDs.
    pub range: Range,
    /// The line, from 1; 0 where no file has it.
    pub line: usize,
    /// Whether it is a released line.
    pub released: bool,
    /// Whether all readers take the line alike.
    pub canonical: bool,
}

/// All ranges of both files, subuid first, in order of lines.
pub fn owners(snapshot: &Snapshot) -> impl Iterator<Item = Owned<'_>> {
    Kind::BOTH.into_iter().flat_map(move |kind| {
        snapshot.files[kind].claims().map(move |claim| Owned {
            kind,
            owner: claim.owner,
            uid: snapshot.accounts.by_owner(claim.owner).map(|a| a.uid),
            range: claim.range,
            line: claim.line,
            released: claim.released,
            canonical: claim.is_canonical(),
        })
    })
}

/// What first-fit has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Free {
    /// Free IDs in the pool.
    pub ids: u64,
    /// The largest hole.
    pub largest: Option<Range>,
}

/// Free space of the pools.
///
/// # Errors
/// As [`super::plan`]: a pool that makes no sense.
pub fn free(snapshot: &Snapshot, policy: &Policy) -> Result<PerKind<Free>> {
    let rules = Rules::new(snapshot, policy)?;
    let taken = Taken::new(snapshot, policy, &rules.windows);
    let spans: crate::range::RangeSet =
        rules.windows.iter().filter_map(crate::policy::Window::span).collect();
    PerKind::try_from_fn(|kind| {
        let pool = rules.pool(kind)?.range;
        let set = taken.set(kind).union(&spans);
        let ids = set.gaps(pool).map(|gap| gap.count().get()).sum();
        let largest = set.gaps(pool).max_by_key(|gap| (gap.count(), std::cmp::Reverse(gap.first())));
        Ok(Free { ids, largest })
    })
}

/// The one range that an owner has now in place of an old one: where files of the old one belong.
///
/// # Errors
/// `usage` where the owner has none or several, one with fewer IDs, or the old one still.
pub fn successor(snapshot: &Snapshot, owner: &Owner, kind: Kind, old: Range) -> Result<Range> {
    let spellings = owner.spellings(&snapshot.accounts);
    let lines = snapshot.files[kind].claims();
    let mine = lines.filter(|claim| !claim.released && spellings.iter().any(|s| s == claim.owner));
    let ranges: Vec<Range> = mine.map(|claim| claim.range).collect();
    let why = match ranges[..] {
        [range] if !range.overlaps(old) && range.count() >= old.count() => return Ok(range),
        [] => "has no range".to_owned(),
        [range] if range.overlaps(old) => format!("still has {range}"),
        [range] => format!("has {range}, fewer IDs than the old range"),
        _ => format!("has {} ranges", ranges.len()),
    };
    let fix = crate::text::shell_word(&owner.label).map_or_else(String::new, |name| {
        format!("to give another range first: sudo subidctl apply --replace {name}; else ")
    });
    let (name, file) = (kind.name(), kind.file());
    Err(Error::new(Code::Usage, format!("the template needs the first {name} of the new range"))
        .why(format!("{} {why} in /etc/{file}", owner.shown()))
        .fix(format!("{fix}add --set new_{name}=…")))
}

/// One answer to `who`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoAnswer {
    /// As a user or as a group ID.
    pub kind: Kind,
    /// `range`, `released`, `account`, `primary-group`, `group`, `reserved`, `declared`, `window`, `namespace`.
    pub what: &'static str,
    /// Whose it is, as bytes.
    pub owner: Vec<u8>,
    /// The account's uid, where it is known.
    pub uid: Option<Uid>,
    /// The range that the ID lies in.
    pub range: Range,
    /// The ID inside the owner's container, as podman maps it.
    pub inside: Option<u32>,
    /// Where it is known from, as a phrase, escaped.
    pub place: String,
}

/// Everything that is known of an ID.
///
/// # Errors
/// As [`super::plan`].
pub fn who(snapshot: &Snapshot, policy: &Policy, id: u32) -> Result<Vec<WhoAnswer>> {
    let rules = Rules::new(snapshot, policy)?;
    let mut answers = Vec::new();
    for kind in Kind::BOTH {
        for (range, witness) in witnesses(snapshot, policy, kind).filter(|(range, _)| range.contains(id)) {
            let answer = answer(snapshot, policy, kind, id, range, witness);
            // The ledger remembers what a line says; it is worth a word where the line was lost.
            let said = |a: &WhoAnswer| {
                (a.kind, a.what, &a.owner, a.range) == (kind, "released", &answer.owner, range)
            };
            if !(matches!(witness, Witness::Ledger(_)) && answers.iter().any(said)) {
                answers.push(answer);
            }
        }
        for window in rules.windows.iter().filter(|w| w.span().is_some_and(|span| span.contains(id))) {
            let index = id.checked_sub(window.start).map(|n| u64::from(n) / window.count.get());
            let uid =
                index.and_then(|n| u32::try_from(n).ok()).and_then(|n| window.uids.first().checked_add(n));
            let Some((uid, range)) = uid.and_then(|uid| Some((uid, window.slot(uid)?))) else { continue };
            let owner = snapshot.accounts.by_uid(Uid::new(uid)).map(|a| a.name.as_bytes().to_vec());
            let place =
                if window.line == 0 { snapshot.login_defs.path.clone() } else { policy.place(window.line) };
            answers.push(WhoAnswer {
                kind,
                what: "window",
                owner: owner.unwrap_or_else(|| uid.to_string().into_bytes()),
                uid: Some(Uid::new(uid)),
                range,
                inside: None,
                place,
            });
        }
    }
    Ok(answers)
}

fn answer(
    snapshot: &Snapshot,
    policy: &Policy,
    kind: Kind,
    id: u32,
    range: Range,
    witness: Witness<'_>,
) -> WhoAnswer {
    let (what, owner, uid) = match witness {
        Witness::Line(c) => {
            let uid = snapshot.accounts.by_owner(c.owner).map(|a| a.uid);
            (if c.released { "released" } else { "range" }, c.owner.to_vec(), uid)
        }
        Witness::Account(a) => ("account", a.name.as_bytes().to_vec(), Some(a.uid)),
        Witness::PrimaryGroup(a) => ("primary-group", a.name.as_bytes().to_vec(), Some(a.uid)),
        Witness::Group(g) => ("group", g.name.to_vec(), None),
        Witness::Nameless(_) => ("account", Vec::new(), None),
        Witness::Reserved(name) => ("reserved", name.as_bytes().to_vec(), None),
        Witness::Declared(_, d) => ("declared", d.name.as_bytes().to_vec(), None),
        Witness::Site(s) => ("declared", s.by.name().as_bytes().to_vec(), None),
        Witness::Ledger(r) => ("released", r.owner.clone(), r.uid),
        Witness::Namespace(n) => ("namespace", format!("pid {}", n.pid).into_bytes(), None),
    };
    let inside = match witness {
        Witness::Line(c) if !c.released => inside(snapshot, kind, c.owner, id),
        _ => None,
    };
    WhoAnswer { kind, what, owner, uid, range, inside, place: witness.place(kind, policy) }
}

/// The ID inside, in the map that podman would make of all lines of the owner.
fn inside(snapshot: &Snapshot, kind: Kind, owner: &[u8], id: u32) -> Option<u32> {
    let account = snapshot.accounts.by_owner(owner).cloned();
    let spellings = match account {
        Some(account) => Owner::account(account).spellings(&snapshot.accounts),
        None => vec![owner.into()],
    };
    let lines =
        snapshot.files[kind].claims().filter(|c| !c.released && spellings.iter().any(|s| s == c.owner));
    let ranges: Vec<Range> = lines.map(|c| c.range).collect();
    // Only the extents of the ranges count here: the first is that of the owner's own ID.
    let map = idmap::podman(0, &ranges)?;
    idmap::inside(map.get(1..)?, Range::single(id))
}
