//! What else hands out IDs on this host, as its own configuration says.

use crate::range::{Kind, Range};

/// Other programs that give IDs to accounts or containers here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Ranges that they declare.
    pub declared: Vec<SiteRange>,
    /// Owners whose lines other programs need; only `audit` asks for them.
    pub owners: Vec<SiteOwner>,
    /// What was there and could not be read or understood, one escaped sentence each.
    pub unread: Vec<String>,
    /// Sources of accounts beyond the files of whose IDs nothing here says where they end, one escaped
    /// phrase each.
    pub unbounded: Vec<String>,
}

impl Site {
    /// Ranges of accounts that this host does not list: no container may have their IDs.
    pub fn of_accounts(&self, kind: Kind) -> impl Iterator<Item = &SiteRange> {
        let of_kind = move |declared: &&SiteRange| declared.kind.is_none_or(|k| k == kind);
        self.declared.iter().filter(|declared| declared.by.of_accounts()).filter(of_kind)
    }

    /// Whether every source of accounts beyond the files declares its IDs, so that an ID outside of these
    /// ranges needs no look-up.
    pub fn bounds_accounts(&self) -> bool {
        self.unbounded.is_empty() && self.unread.is_empty()
    }
}

/// A range that another program's configuration declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRange {
    /// Whose.
    pub by: Allocator,
    /// Of uids or gids; `None`: of both.
    pub kind: Option<Kind>,
    /// The IDs.
    pub range: Range,
    /// The section and key, escaped: `[domain/example] ldap_idmap_range_min`.
    pub name: String,
    /// Where it is declared: `/etc/sssd/sssd.conf line 12`, or `sssd's default` and its like.
    pub place: String,
}

/// An owner whose lines another program takes IDs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOwner {
    /// Which program.
    pub by: Allocator,
    /// Of uids or gids; `None`: of both.
    pub kind: Option<Kind>,
    /// The owner, as that program looks for it.
    pub owner: Vec<u8>,
    /// How many IDs it needs at least.
    pub ids: u64,
    /// What says so: a file, with what stands in it.
    pub place: String,
}

/// A program that hands out IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allocator {
    /// SSSD: IDs of directory accounts, by algorithm (`ldap_idmap_range_*`) or by `min_id` and `max_id`.
    Sssd,
    /// winbind: `idmap config DOMAIN : range`.
    Winbind,
    /// `FreeIPA`'s subordinate IDs.
    FreeIpa,
    /// systemd-nspawn, machined and nsresourced.
    SystemdContainers,
    /// systemd-homed.
    Homed,
    /// LXD or Incus without subid files.
    Lxd,
    /// Docker's userns-remap.
    Docker,
    /// The kubelet's user namespaces.
    Kubelet,
    /// podman's `--userns=auto` for root.
    Podman,
}

impl Allocator {
    /// For messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sssd => "SSSD",
            Self::Winbind => "winbind",
            Self::FreeIpa => "FreeIPA",
            Self::SystemdContainers => "systemd's containers",
            Self::Homed => "systemd-homed",
            Self::Lxd => "LXD or Incus",
            Self::Docker => "Docker",
            Self::Kubelet => "the kubelet",
            Self::Podman => "podman --userns=auto",
        }
    }

    /// Whether the IDs are those of accounts, so that no container may have one of them.
    pub const fn of_accounts(self) -> bool {
        matches!(self, Self::Sssd | Self::Winbind | Self::Homed)
    }
}
