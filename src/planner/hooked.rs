//! What a login hook may do without a person: what a user has, and how many others have theirs from hooks.

use std::collections::{HashMap, HashSet};

use super::Owner;
use crate::range::{Kind, Uid};
use crate::snapshot::{Account, Snapshot};

/// Whether both files have a line that grants this owner something.
pub fn has_both(snapshot: &Snapshot, owner: &Owner) -> bool {
    let spellings = owner.spellings(&snapshot.accounts);
    Kind::BOTH.into_iter().all(|kind| {
        let mut claims = snapshot.files[kind].claims();
        claims.any(|claim| !claim.is_dormant() && spellings.iter().any(|s| *s == claim.owner))
    })
}

/// Whether a range of this owner was released, as a line or the ledger says: a person decides what follows.
pub fn gave_back(snapshot: &Snapshot, owner: &Owner) -> bool {
    let spellings = owner.spellings(&snapshot.accounts);
    let own = |name: &[u8]| spellings.iter().any(|s| *s == name);
    Kind::BOTH.into_iter().any(|kind| snapshot.files[kind].claims().any(|c| c.released && own(c.owner)))
        || snapshot.released.iter().any(|released| own(&released.owner))
}

/// How many owners other than `but` may have their lines, released ones too, from a hook. Only two kinds
/// surely have not: those whom the ledger knows a person's command gave theirs, and local accounts that
/// `selected` denies, since hooks add nobody else. So a ledger that is lost makes the number larger.
pub fn hooked(snapshot: &Snapshot, but: &Owner, selected: impl Fn(&Account) -> bool) -> usize {
    let by_hook: HashMap<&[u8], bool> = snapshot.known.iter().map(|k| (&k.owner[..], k.hook)).collect();
    let own = but.spellings(&snapshot.accounts);
    let mut seen: HashSet<&[u8]> = own.iter().map(|name| &name[..]).collect();
    // A user's name and uid are one user.
    let mut uids: HashSet<Uid> = but.uid().into_iter().collect();
    let mut count = 0;
    for claim in Kind::BOTH.into_iter().flat_map(|kind| snapshot.files[kind].claims()) {
        if !seen.insert(claim.owner) {
            continue;
        }
        let account = snapshot.accounts.by_owner(claim.owner);
        if account.is_some_and(|account| !uids.insert(account.uid)) {
            continue;
        }
        let counts = match (by_hook.get(claim.owner), account) {
            (Some(hook), _) => *hook,
            (None, Some(account)) => selected(account),
            (None, None) => true,
        };
        count += usize::from(counts);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idfile::Document;
    use crate::range::{Gid, Login, PerKind};
    use crate::snapshot::{Accounts, IdFile, Known, Source};

    fn account(name: &str, uid: u32) -> Account {
        let (name, home) = (Login::new(name.as_bytes()).unwrap(), b""[..].into());
        let (uid, gid) = (Uid::new(uid), Gid::new(uid));
        Account { name, uid, gid, home, shell: b""[..].into(), source: Source::File(1) }
    }

    fn snapshot(lines: &str, known: &[(&str, bool)]) -> Snapshot {
        let file = || IdFile { document: Some(Document::new(lines.into())), ..IdFile::default() };
        let known = known.iter().map(|(owner, hook)| Known {
            owner: owner.as_bytes().into(),
            uid: None,
            local: false,
            hook: *hook,
        });
        Snapshot {
            files: PerKind::from_fn(|_| file()),
            accounts: Accounts::new(vec![account("alice", 1001), account("bob", 1002)], vec![]),
            known: known.collect(),
            ..Snapshot::default()
        }
    }

    fn count(lines: &str, known: &[(&str, bool)], selected: &str) -> usize {
        let but = Owner::account(account("alice", 1001));
        let selected = |account: &Account| account.name.as_bytes() == selected.as_bytes();
        hooked(&snapshot(lines, known), &but, selected)
    }

    #[test]
    fn who_may_have_theirs_from_a_hook_counts() {
        let lines = "alice:1:1\n1001:9:1\nbob:2:1\n1002:3:1\nlena:4:1\n!mila:5:1\n";
        assert_eq!(count(lines, &[("lena", true), ("mila", true)], "nobody"), 2);
        assert_eq!(count(lines, &[("lena", false), ("mila", true)], "nobody"), 1, "a person gave lena hers");
        assert_eq!(count(lines, &[], "nobody"), 2, "a lost ledger");
        assert_eq!(count(lines, &[], "bob"), 3, "a hook may have added bob");
        assert_eq!(count(lines, &[("bob", false)], "bob"), 2);
    }

    #[test]
    fn what_a_user_has_is_said_by_both_files() {
        let alice = Owner::account(account("alice", 1001));
        for (lines, both, back) in [
            ("alice:1:1\n", true, false),
            ("1001:1:1\n", true, false),
            ("!alice:1:1\n", false, true),
            ("#alice:1:1\n", false, false),
            ("!alice:1:1\nalice:2:1\n", true, true),
            ("bob:1:1\n", false, false),
        ] {
            let snapshot = snapshot(lines, &[]);
            assert_eq!((has_both(&snapshot, &alice), gave_back(&snapshot, &alice)), (both, back), "{lines}");
        }
        let mut half = snapshot("alice:1:1\n", &[]);
        half.files.gid = IdFile::default();
        assert!(!has_both(&half, &alice));
    }
}
