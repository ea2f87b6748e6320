//! Accounts and groups, by name and by number.

use std::collections::BTreeSet;

use super::places::Places;
use crate::range::{Gid, Kind, Login, PerKind, Uid};
use crate::text::Part;

/// A user account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the source spells it.
    pub name: Login,
    /// User ID.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
    /// Home folder, as the source spells it.
    pub home: Part,
    /// Login shell, as the source spells it.
    pub shell: Part,
    /// Where it is known from.
    pub source: Source,
}

/// Where an account or group is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `/etc/passwd` or `/etc/group`, with the line's number from 1.
    File(usize),
    /// A name service.
    Nss,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name's bytes.
    pub name: Part,
    /// Group ID.
    pub gid: Gid,
    /// Supplementary members.
    pub members: Vec<Login>,
    /// Where it is known from.
    pub source: Source,
}

/// The known accounts, found by name or uid. Of several with one name or uid the first counts, as for NSS.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: Vec<Account>,
    groups: Vec<Group>,
    by_name: Places,
    by_uid: Places,
    by_gid: Places,
    /// IDs of accounts and groups whose names no [`Login`] can hold: nobody can ask for them by name, and
    /// their IDs are as taken as any other's.
    pub nameless: PerKind<BTreeSet<u32>>,
    /// Name-service look-ups: what was asked and what went unanswered.
    pub lookups: Lookups,
}

/// What was asked of a name service beyond the files.
#[derive(Debug, Clone, Default)]
pub struct Lookups {
    /// Whether the nsswitch lines of passwd or group name any source but files, compat and systemd.
    pub directory: bool,
    /// Whether the directory was asked for all its accounts and listed none.
    pub silent: bool,
    /// IDs that were asked for, so that a candidate range is asked for once.
    pub asked: BTreeSet<(Kind, u32)>,
    /// Look-ups that got an error for an answer, one escaped sentence each.
    pub unanswered: Vec<String>,
    /// Owners of lines of whom nobody knows whether they are accounts, since a look-up got no answer.
    pub owners: BTreeSet<Vec<u8>>,
}

impl Accounts {
    /// Indexes the accounts in the order given.
    pub fn new(users: Vec<Account>, groups: Vec<Group>) -> Self {
        let mut accounts = Self {
            by_name: Places::with_capacity(users.len()),
            by_uid: Places::with_capacity(users.len()),
            by_gid: Places::with_capacity(groups.len()),
            users,
            groups,
            ..Self::default()
        };
        let (users, groups) = (accounts.users.len(), accounts.groups.len());
        let once = (0..users).all(|place| accounts.note_user(place))
            && (0..groups).all(|place| accounts.note_group(place));
        if once {
            return accounts;
        }
        // Somebody stands there twice, which is rare: one by one.
        let Self { users, groups, .. } = accounts;
        let mut accounts = Self::default();
        for user in users {
            accounts.add_user(user);
        }
        for group in groups {
            accounts.add_group(group);
        }
        accounts
    }

    /// Adds an account that a look-up found; one already known by name and uid is not added again.
    pub fn add_user(&mut self, user: Account) {
        let place = self.users.len();
        self.users.push(user);
        if !self.note_user(place) {
            self.users.truncate(place);
        }
    }

    /// Adds a group that a look-up found; one already known by gid and name is not added again.
    pub fn add_group(&mut self, group: Group) {
        let place = self.groups.len();
        self.groups.push(group);
        if !self.note_group(place) {
            self.groups.truncate(place);
        }
    }

    /// Indexes the account at this place, behind those that are indexed; false where one of them is the same.
    fn note_user(&mut self, place: usize) -> bool {
        let Self { users, by_name, by_uid, .. } = self;
        let user = |place: usize| users.get(place);
        let known = by_name.note(place, |place| user(place).map(|user| user.name.as_bytes()));
        if known.is_some_and(|known| user(known).map(|user| user.uid) == user(place).map(|user| user.uid)) {
            return false;
        }
        by_uid.note(place, |place| user(place).map(|user| user.uid));
        true
    }

    /// The same of a group.
    fn note_group(&mut self, place: usize) -> bool {
        let Self { groups, by_gid, .. } = self;
        let Some(first) = by_gid.note(place, |place| groups.get(place).map(|group| group.gid)) else {
            return true;
        };
        // Several groups with one gid are rare.
        let among = groups.get(first..=place).unwrap_or_default();
        let same = |(new, known): (&Group, &[Group])| {
            known.iter().any(|known| (known.gid, &known.name) == (new.gid, &new.name))
        };
        !among.split_last().is_some_and(same)
    }

    /// All users, files first.
    pub fn users(&self) -> &[Account] {
        &self.users
    }

    /// All groups, files first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Every ID of this kind that belongs to an account or a group, in no order and not once each: uids,
    /// or the gids of groups and primary groups.
    pub fn ids(&self, kind: Kind) -> impl Iterator<Item = u32> + '_ {
        let groups = if kind == Kind::Gid { self.groups.as_slice() } else { &[] };
        let of_user = move |user: &Account| match kind {
            Kind::Uid => user.uid.get(),
            Kind::Gid => user.gid.get(),
        };
        let named = self.users.iter().map(of_user).chain(groups.iter().map(|group| group.gid.get()));
        named.chain(self.nameless[kind].iter().copied())
    }

    /// The account with exactly this name.
    pub fn by_name(&self, name: &[u8]) -> Option<&Account> {
        let is = |place: usize| self.users.get(place).is_some_and(|user| user.name.as_bytes() == name);
        self.by_name.find(&Some(name), is).and_then(|place| self.users.get(place))
    }

    /// The account with this uid.
    pub fn by_uid(&self, uid: Uid) -> Option<&Account> {
        let is = |place: usize| self.users.get(place).is_some_and(|user| user.uid == uid);
        self.by_uid.find(&Some(uid), is).and_then(|place| self.users.get(place))
    }

    /// The account that a file's owner field means: its name, else its uid in canonical decimal (a user
    /// whose name is a number is found by that name first, as newuidmap does).
    pub fn by_owner(&self, owner: &[u8]) -> Option<&Account> {
        self.by_name(owner)
            .or_else(|| std::str::from_utf8(owner).ok().and_then(Uid::parse).and_then(|u| self.by_uid(u)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, uid: u32, line: usize) -> Account {
        let (name, source) = (Login::new(name.as_bytes()).unwrap(), Source::File(line));
        Account {
            name,
            uid: Uid::new(uid),
            gid: Gid::new(7),
            home: Part::default(),
            shell: Part::default(),
            source,
        }
    }

    fn group(name: &str, gid: u32, line: usize) -> Group {
        let (name, source) = (name.as_bytes().into(), Source::File(line));
        Group { name, gid: Gid::new(gid), members: vec![], source }
    }

    /// Also where somebody stands there twice, for which the lists are made anew.
    #[test]
    fn the_first_of_several_counts_and_nobody_is_there_twice() {
        let once = vec![user("al", 1, 1), user("al", 2, 2), user("bo", 1, 3)];
        let groups = vec![group("g", 5, 1), group("h", 5, 2), group("g", 6, 3)];
        let twice = |line| [once.clone(), vec![user("al", 1, line), user("bo", 1, line)]].concat();
        let doubled = [groups.clone(), vec![group("h", 5, 4), group("g", 6, 5)]].concat();
        for (users, groups) in [(once.clone(), groups.clone()), (twice(4), groups), (once.clone(), doubled)] {
            let accounts = Accounts::new(users, groups);
            let of = |account: Option<&Account>| account.map(|account| account.source);
            assert_eq!(accounts.users().len(), 3);
            assert_eq!(accounts.groups().len(), 3);
            assert_eq!(of(accounts.by_name(b"al")), Some(Source::File(1)));
            assert_eq!(of(accounts.by_name(b"bo")), Some(Source::File(3)));
            assert_eq!(of(accounts.by_uid(Uid::new(1))), Some(Source::File(1)));
            assert_eq!(of(accounts.by_uid(Uid::new(2))), Some(Source::File(2)));
            assert_eq!(of(accounts.by_owner(b"2")), Some(Source::File(2)));
        }
    }
}
