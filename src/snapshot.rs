//! The facts that a plan or a finding is made from, frozen: plain data, read once by `host`.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::idfile::{Claim, Digest, Document};
use crate::idmap::Extent;
use crate::range::{Gid, Kind, Login, PerKind, Range, Uid};

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
    /// Ranges that the ledger says were released.
    pub released: Vec<Released>,
    /// A change that a crash left unfinished.
    pub unfinished: Option<Unfinished>,
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
}

impl IdFile {
    /// All IDs that any reader would see taken; none where the file does not exist.
    pub fn claims(&self) -> impl Iterator<Item = Claim<'_>> {
        self.document.iter().flat_map(Document::claims)
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
    pub home: Vec<u8>,
    /// Login shell, as the source spells it.
    pub shell: Vec<u8>,
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
    pub name: Vec<u8>,
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
    by_name: HashMap<Login, usize>,
    by_uid: HashMap<Uid, usize>,
    known_groups: HashSet<(Gid, Vec<u8>)>,
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
    /// IDs that were asked for, so that a candidate range is asked for once.
    pub asked: BTreeSet<(Kind, u32)>,
    /// Look-ups that got an error for an answer, one escaped sentence each.
    pub unanswered: Vec<String>,
}

impl Accounts {
    /// Indexes the accounts in the order given.
    pub fn new(users: Vec<Account>, groups: Vec<Group>) -> Self {
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
        if self.by_name.get(&user.name).and_then(|i| self.users.get(*i)).is_some_and(|u| u.uid == user.uid) {
            return;
        }
        let index = self.users.len();
        self.by_name.entry(user.name.clone()).or_insert(index);
        self.by_uid.entry(user.uid).or_insert(index);
        self.users.push(user);
    }

    /// Adds a group that a look-up found; one already known by gid and name is not added again.
    pub fn add_group(&mut self, group: Group) {
        if self.known_groups.insert((group.gid, group.name.clone())) {
            self.groups.push(group);
        }
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
        self.by_name.get(&Login::new(name)?).and_then(|i| self.users.get(*i))
    }

    /// The account with this uid.
    pub fn by_uid(&self, uid: Uid) -> Option<&Account> {
        self.by_uid.get(&uid).and_then(|i| self.users.get(*i))
    }

    /// The account that a file's owner field means: its name, else its uid in canonical decimal (a user
    /// whose name is a number is found by that name first, as newuidmap does).
    pub fn by_owner(&self, owner: &[u8]) -> Option<&Account> {
        self.by_name(owner)
            .or_else(|| std::str::from_utf8(owner).ok().and_then(Uid::parse).and_then(|u| self.by_uid(u)))
    }
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
    /// A key's value and where it stands.
    fn value(&self, key: &str) -> Option<(&str, &str, usize)> {
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

/// A change that was not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its transaction.
    pub transaction: String,
    /// What recovery will do, in one word: `rolled back`, `completed`, or what stands in the way.
    pub outcome: String,
}

/// What is needed to say why a container cannot start here.
#[derive(Debug, Clone)]
pub struct Machine {
    /// newuidmap and newgidmap.
    pub helpers: PerKind<Helper>,
    /// The kernel's switches and limits.
    pub kernel: Kernel,
    /// The process that would start the helpers.
    pub process: Process,
    /// The distribution's command that installs the helpers.
    pub install: String,
}

/// One of the two setuid helpers.
#[derive(Debug, Clone, Default)]
pub struct Helper {
    /// The one that is used: the first of the fixed folders that has it.
    pub path: Option<String>,
    /// Why it cannot be used though it is there: not root's, writable by others, not a regular file.
    pub untrusted: Option<String>,
    /// File mode with the setuid bit (`S_ISUID`), owner and group.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// The file capabilities' permitted set (`security.capability`), and whether its effective bit is set.
    pub file_caps: Option<(u64, bool)>,
    /// Whether its mount ignores setuid bits, and the mount point.
    pub nosuid_mount: Option<String>,
    /// Another program of this name that stands earlier in the caller's PATH.
    pub shadowed_by: Option<String>,
}

/// Kernel switches; `None` where the file does not exist.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    /// `/proc/self/ns/user` exists.
    pub user_namespaces: bool,
    /// `/proc/sys/user/max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// `/proc/sys/user/max_{mnt,pid,net,ipc,uts}_namespaces` that are 0.
    pub other_limits_zero: Vec<String>,
    /// `/proc/sys/kernel/unprivileged_userns_clone` (Debian's and Arch's older kernels).
    pub unprivileged_userns_clone: Option<u64>,
    /// `/proc/sys/kernel/apparmor_restrict_unprivileged_userns` (Ubuntu 23.10 and later).
    pub apparmor_restrict: Option<u64>,
}

/// The process's own restrictions, from `/proc/self/status` and `/proc/self/uid_map`.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// `NoNewPrivs: 1`.
    pub no_new_privs: bool,
    /// `CapBnd`.
    pub bounding: u64,
    /// `Seccomp` is not 0.
    pub seccomp: bool,
    /// The namespace's own maps; an identity map of everything on a host.
    pub maps: PerKind<Vec<Extent>>,
    /// `/proc/self/root` is not the mount namespace's root.
    pub chroot: bool,
    /// Effective group of the process and the account's primary group, where they differ.
    pub gid_differs: Option<(u32, u32)>,
}
