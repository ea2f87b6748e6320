//! What the table says that a reader answers.

use subidctl::idfile::{Dialect, Document, Verdict};

/// One line that means something to a reader.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) owner: Vec<u8>,
    pub(super) start: u64,
    pub(super) count: u64,
}

/// What a reader gets out of a file; `None` where it takes nothing of it.
pub(super) type Reading = Option<Vec<Entry>>;

/// The table's reading.
pub(super) fn reading(dialect: Dialect, file: &[u8]) -> Reading {
    let document = Document::new(file.to_vec());
    let lines = dialect.lines(&document).ok()?;
    let entry = |line: &[u8]| match dialect.read(line) {
        Verdict::Grants { owner, start, count } => Some(Entry { owner: owner.to_vec(), start, count }),
        Verdict::Ignored | Verdict::Fails { .. } => None,
    };
    Some(lines.iter().filter_map(|(_, line)| entry(line)).collect())
}

/// The accounts of the sandbox: name, uid, gid. But for twin, a second name of um's, each has a group of its name.
pub(super) const USERS: [(&str, u32, u32); 3] =
    [("um", 5000, 5000), ("twin", 5000, 5000), ("al", 1001, 7001)];

/// Its accounts and root.
fn account(name: &[u8]) -> Option<(u32, u32)> {
    USERS
        .into_iter()
        .chain([("root", 0, 0)])
        .find(|(other, ..)| other.as_bytes() == name)
        .map(|(_, uid, gid)| (uid, gid))
}

/// The ranges that `getsubids` lists for an owner, in its order.
pub(super) fn listed(dialect: Dialect, entries: &[Entry], owner: &[u8], gid: bool) -> Vec<(u64, u64)> {
    let same = |entry: &&Entry| {
        if dialect >= Dialect::Shadow420 {
            let uid = resolved(dialect, owner);
            return uid.is_some() && uid == resolved(dialect, &entry.owner);
        }
        let id = account(owner).filter(|_| !gid || owner != b"twin");
        let id = id.map(|(uid, group)| if gid { group } else { uid }.to_string().into_bytes());
        entry.owner == owner || id.is_some_and(|id| entry.owner == id)
    };
    entries.iter().filter(same).map(|entry| (entry.start, entry.count)).collect()
}

/// What `newuidmap` or `newgidmap` grants to a user: spans of IDs, both ends inside, sorted, joined.
pub(super) fn granted(dialect: Dialect, entries: &[Entry], name: &str) -> Vec<(u64, u64)> {
    let uid = account(name.as_bytes()).map(|(uid, _)| uid);
    let same = |owner: &[u8]| {
        owner == name.as_bytes() && dialect < Dialect::Shadow420
            || uid.is_some() && resolved(dialect, owner) == uid
    };
    let mut spans: Vec<(u64, u64)> = entries
        .iter()
        .filter(|entry| same(&entry.owner))
        .filter(|entry| dialect < Dialect::Shadow420 || entry.count != 0)
        .map(|entry| (entry.start, entry.start.wrapping_add(entry.count).wrapping_sub(1)))
        .filter(|(first, last)| first <= last)
        .collect();
    spans.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in spans {
        match joined.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// The uid of the account that an owner is, where there is one.
fn resolved(dialect: Dialect, owner: &[u8]) -> Option<u32> {
    let known = |uid: &u32| *uid == 0 || USERS.iter().any(|(_, other, _)| other == uid);
    match dialect.owner_uid(owner) {
        Some(uid) => Some(uid).filter(known),
        None => account(owner).map(|(uid, _)| uid),
    }
}
