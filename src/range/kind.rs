//! The two kinds of ID, and a value for each.

use std::ops::{Index, IndexMut};

/// Subordinate user IDs or subordinate group IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `/etc/subuid`, newuidmap, `uid_map`.
    Uid,
    /// `/etc/subgid`, newgidmap, `gid_map`.
    Gid,
}

impl Kind {
    /// Both, in the order in which shadow locks and writes them.
    pub const BOTH: [Self; 2] = [Self::Uid, Self::Gid];

    /// The other kind.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Uid => Self::Gid,
            Self::Gid => Self::Uid,
        }
    }

    /// `subuid` or `subgid`.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Uid => "subuid",
            Self::Gid => "subgid",
        }
    }

    /// `uid` or `gid`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Gid => "gid",
        }
    }

    /// `newuidmap` or `newgidmap`.
    pub const fn helper(self) -> &'static str {
        match self {
            Self::Uid => "newuidmap",
            Self::Gid => "newgidmap",
        }
    }
}

/// One value for subuid and one for subgid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PerKind<T> {
    /// For user IDs.
    pub uid: T,
    /// For group IDs.
    pub gid: T,
}

impl<T> PerKind<T> {
    /// Makes both values, user IDs first.
    pub fn from_fn(mut f: impl FnMut(Kind) -> T) -> Self {
        Self { uid: f(Kind::Uid), gid: f(Kind::Gid) }
    }

    /// Makes one value for both where they are the `same`, as what is made of both files is on most hosts.
    pub fn shared(same: bool, mut f: impl FnMut(Kind) -> T) -> Self
    where
        T: Clone,
    {
        let uid = f(Kind::Uid);
        let gid = if same { uid.clone() } else { f(Kind::Gid) };
        Self { uid, gid }
    }

    /// Makes both values, user IDs first; stops at the first error.
    pub fn try_from_fn<E>(mut f: impl FnMut(Kind) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { uid: f(Kind::Uid)?, gid: f(Kind::Gid)? })
    }

    /// Both values with their kind, user IDs first.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &T)> {
        [(Kind::Uid, &self.uid), (Kind::Gid, &self.gid)].into_iter()
    }
}

impl<T> Index<Kind> for PerKind<T> {
    type Output = T;
    fn index(&self, kind: Kind) -> &T {
        match kind {
            Kind::Uid => &self.uid,
            Kind::Gid => &self.gid,
        }
    }
}

impl<T> IndexMut<Kind> for PerKind<T> {
    fn index_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Uid => &mut self.uid,
            Kind::Gid => &mut self.gid,
        }
    }
}
