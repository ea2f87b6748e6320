//! The facts that a plan or a finding is made from, frozen: plain data, read once by `host`.

mod accounts;
mod disk;
mod distribution;
mod machine;
mod owned;
mod places;
mod site;
mod surroundings;

pub use accounts::{Account, Accounts, Group, Lookups, Source};
pub use disk::{Attributes, Disk, Leftover, Remnant};
pub use distribution::{Package, Packages};
pub use machine::{Helper, Kernel, Machine, Process, Processes};
pub use owned::{OwnedFile, OwnedFiles};
pub use site::{Allocator, Site, SiteOwner, SiteRange};
pub use surroundings::{
    Cgroup, Environment, Fact, Hierarchy, Limit, Mount, Mounts, Network, Security, Session, Storage,
    Surroundings,
};

use std::collections::HashMap;

use crate::error::Error;
use crate::idfile::{Claims, Digest, Document};
use crate::range::{Kind, PerKind, Range, Uid};
use crate::text::Part;

/// Everything that was read before planning.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Where it was read.
    pub host: Host,
    /// `/etc/subuid` and `/etc/subgid`, as they will be once an unfinished change is recovered.
    pub files: PerKind<IdFile>,
    /// Known accounts.
    pub accounts: Accounts,
    /// `login.defs`.
    pub login_defs: LoginDefs,
    /// `nsswitch.conf`.
    pub nsswitch: Nsswitch,
    /// Digests of everything else that the plan rests on.
    pub facts: Facts,
    /// IDs that running user namespaces map.
    pub namespaces: Namespaces,
    /// Other programs that hand out IDs here.
    pub site: Site,
    /// What lies around the files; only `audit` looks.
    pub disk: Disk,
    /// Ranges that the ledger says were released.
    pub released: Vec<Released>,
    /// Where the ledger is and what is wrong with it, escaped, where it says nothing for that reason.
    pub ledger_damaged: Option<String>,
    /// Owners that the ledger says were given ranges.
    pub known: Vec<Known>,
    /// A change that a crash left unfinished.
    pub unfinished: Option<Unfinished>,
    /// Programs installed here that find a range by its owner's name alone.
    pub name_readers: Vec<String>,
}

/// The machine or tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Host {
    /// `/etc/machine-id`, empty where there is none.
    pub machine_id: String,
    /// The node's name.
    pub hostname: String,
    /// `/` for the running system, else the folder given by `--root`, escaped.
    #[serde(skip)]
    pub root: String,
    /// False below `--root`: no NSS, no namespaces, no container.
    #[serde(skip)]
    pub running: bool,
}

/// One of the two files.
#[derive(Debug, Clone, Default)]
pub struct IdFile {
    /// `None` where the file does not exist.
    pub document: Option<Document>,
    /// Digest of the content as it was read; `None` where it does not exist.
    pub digest: Option<Digest>,
    /// What `stat` said; `None` where it does not exist.
    pub status: Option<FileStatus>,
    /// Why it is there and was not read; only where the reader goes on all the same (`audit`).
    pub trouble: Option<Error>,
}

/// Kind, permissions and owner of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Type and permission bits (`st_mode`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Snapshot {
    /// What each file's lines give, worked out once where both files hold the same: as on most hosts.
    pub fn of_lines<'a, T: Clone>(&'a self, mut of: impl FnMut(&'a IdFile) -> T) -> PerKind<T> {
        PerKind::shared(self.files.uid.document == self.files.gid.document, |kind| of(&self.files[kind]))
    }
}

impl IdFile {
    /// All IDs that any reader would see taken; none where the file does not exist.
    pub fn claims(&self) -> Claims<'_> {
        self.document.as_ref().map(Document::claims).unwrap_or_default()
    }
}

/// Digests of the files that a plan rests on; `None` where a file does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `/etc/passwd`.
    pub passwd: Option<Digest>,
    /// `/etc/group`.
    pub group: Option<Digest>,
    /// `/etc/login.defs`, or the one that stands in for it; of both, one after the other, where both are
    /// there.
    pub login_defs: Option<Digest>,
    /// `/etc/nsswitch.conf`.
    pub nsswitch: Option<Digest>,
    /// The policy.
    pub policy: Option<Digest>,
}

/// Values of `login.defs`, each with the line that it comes from.
#[derive(Debug, Clone, Default)]
pub struct LoginDefs {
    /// The file that was read, for messages; empty where there is none.
    pub path: String,
    /// Key → value's text and line number (from 1). Of several lines the last counts, as for shadow.
    pub values: HashMap<String, (String, usize)>,
    /// The distribution's file (`/usr/etc/login.defs`), whose values count where this file has none.
    pub vendor: Option<Box<Self>>,
}

impl LoginDefs {
    /// A key's value, and the file and line where it stands.
    pub fn value(&self, key: &str) -> Option<(&str, &str, usize)> {
        let own = self.values.get(key).map(|(text, line)| (text.as_str(), self.path.as_str(), *line));
        own.or_else(|| self.vendor.as_ref()?.value(key))
    }

    /// The number of a key, as shadow reads it: decimal, hexadecimal or octal. `None` where the key is
    /// absent or not a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        let (text, _, _) = self.value(key)?;
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
            None => (text, 10),
        };
        u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
    }

    /// Whether a switch says yes, as shadow reads it (`getdef_bool`: case is ignored).
    pub fn yes(&self, key: &str) -> bool {
        self.value(key).is_some_and(|(value, _, _)| value.eq_ignore_ascii_case("yes"))
    }

    /// `/etc/login.defs line 7`, or the built-in default's name.
    pub fn place(&self, key: &str) -> String {
        match self.value(key) {
            Some((_, path, line)) => format!("{path} line {line}"),
            None => "shadow's default".to_owned(),
        }
    }
}

/// `nsswitch.conf`, as far as it decides about IDs.
#[derive(Debug, Clone, Default)]
pub struct Nsswitch {
    /// The file that was read, for messages.
    pub path: String,
    /// The sources of `passwd:` with the line's number; empty where there is no such line.
    pub passwd: Service,
    /// The sources of `group:`.
    pub group: Service,
    /// The `subid:` line.
    pub subid: Service,
    /// Whether the `subid:` line is the file's last and has no newline: shadow from 4.17 on takes it for none.
    pub subid_unterminated: bool,
    /// The first word of `subid:`, where it is not `files`.
    pub subid_module: Option<SubidModule>,
}

/// One line of `nsswitch.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its sources, in order, without `[...]` actions.
    pub sources: Vec<String>,
    /// Its number, from 1; 0 where there is none.
    pub line: usize,
}

/// A source of subordinate IDs other than the files (shadow's lib/nss.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubidModule {
    /// The first word after `subid:`.
    pub name: String,
    /// Whether `libsubid_NAME.so` was found where the loader looks. Where it was not, shadow falls back to
    /// the files.
    pub found: bool,
}

impl Nsswitch {
    /// The module that answers instead of the files on this host.
    pub fn directory(&self) -> Option<&SubidModule> {
        self.subid_module.as_ref().filter(|module| module.found)
    }
}

/// What running user namespaces map, without our own namespace's ancestors and identity extents.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    /// One for each extent of each namespace seen.
    pub extents: Vec<LiveExtent>,
    /// Why some could not be seen, one sentence each.
    pub unseen: Vec<String>,
}

/// One extent of a running user namespace, in host IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveExtent {
    /// Of `uid_map` or `gid_map`.
    pub kind: Kind,
    /// The IDs on the host.
    pub range: Range,
    /// A process in it.
    pub pid: i32,
}

/// A released range of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Which file.
    pub kind: Kind,
    /// The owner as it stood in the file.
    pub owner: Vec<u8>,
    /// The account's uid at that time, where it was known.
    pub uid: Option<Uid>,
    /// The IDs.
    pub range: Range,
}

/// An owner of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As it was written in the files.
    pub owner: Part,
    /// The account's uid, where there was an account.
    pub uid: Option<Uid>,
    /// Whether the account stood in `/etc/passwd`: then its absence there means that it was deleted.
    pub local: bool,
    /// Whether a login hook gave it, and nobody since.
    pub hook: bool,
}

/// A change that was not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its transaction; `None` where its journal cannot be read.
    pub transaction: Option<String>,
    /// What recovery will do, in one word: `rolled back`, `completed`, or what stands in the way.
    pub outcome: String,
}

impl Unfinished {
    /// For messages: `the change ID`, or `a change`.
    pub fn name(&self) -> String {
        self.transaction.as_ref().map_or_else(|| "a change".to_owned(), |id| format!("the change {id}"))
    }
}
