//! What every command begins with: the root, the policy, the facts.

use std::path::Path;

use super::args::Global;
use super::memory::{remember, remember_what_can_be};
use crate::commit;
use crate::error::{Code, Error, Result};
use crate::host::{self, Root, Trust, read_named};
use crate::idfile::Digest;
use crate::policy::{Policy, parse};
use crate::snapshot::Snapshot;

/// The policy that is used where none is named.
pub(super) const POLICY: &str = "/etc/subidctl/policy.toml";

/// The facts of one command.
pub(super) struct Context {
    pub(super) root: Root,
    pub(super) policy: Policy,
    pub(super) snapshot: Snapshot,
}

impl Context {
    pub(super) fn load(global: &Global) -> Result<Self> {
        Self::gather(global, host::snapshot, remember)
    }

    /// As [`Context::load`], for a command that reports what is wrong with the files instead of refusing.
    pub(super) fn survey(global: &Global) -> Result<Self> {
        Self::gather(global, host::survey, remember_what_can_be)
    }

    /// As [`Context::load`], for a command that plans nothing: whom running user namespaces and other programs
    /// give IDs is looked up only where an unfinished change is judged by it.
    pub(super) fn of_files(global: &Global) -> Result<Self> {
        let read =
            |root: &Root| if commit::pending(root) { host::snapshot(root) } else { host::glance(root) };
        Self::gather(global, read, remember)
    }

    fn gather(
        global: &Global,
        read: fn(&Root) -> Result<Snapshot>,
        recall: fn(Snapshot, &Root, &Policy) -> Result<Snapshot>,
    ) -> Result<Self> {
        let root = root(global)?;
        let (policy, digest) = policy(&root, global.policy.as_deref())?;
        let mut snapshot = recall(read(&root)?, &root, &policy)?;
        snapshot.facts.policy = digest;
        Ok(Self { root, policy, snapshot })
    }

    /// Whether a name service may know IDs that nothing here declares, so that candidates are asked for.
    pub(super) fn asks_for_candidates(&self) -> bool {
        let directory = self.snapshot.accounts.lookups.directory;
        directory && self.policy.directory.is_empty() && !self.snapshot.site.bounds_accounts()
    }

    /// The nsswitch line of a host whose subordinate IDs come from a directory; `None` where the files count.
    pub(super) fn directory(&self) -> Option<String> {
        let switch = &self.snapshot.nsswitch;
        let name = crate::text::escape(switch.directory()?.name.as_bytes());
        Some(format!("{} line {}: subid: {name}", switch.path, switch.subid.line))
    }

    /// Refuses on a host whose subordinate IDs come from a directory.
    pub(super) fn refuse_directory(&self) -> Result<()> {
        let Some(place) = self.directory() else { return Ok(()) };
        Err(Error::new(Code::Directory, "this host's subordinate IDs come from a directory, not from files")
            .why(place.clone())
            .fix(format!(
                "add the range in the directory ({}), or set subid: files",
                if place.ends_with(": sss") {
                    "FreeIPA: ipa subid-generate --owner USER"
                } else {
                    "its own tool"
                }
            )))
    }
}

/// The system that is worked on.
pub(super) fn root(global: &Global) -> Result<Root> {
    match &global.root {
        Some(path) => Root::below(path),
        None => Root::system(),
    }
}

/// Reads the policy and the map that it names; a digest over both, `None` without a policy.
fn policy(root: &Root, named: Option<&Path>) -> Result<(Policy, Option<Digest>)> {
    let path = match named {
        Some(path) => path,
        // A tree's own policy is the tree's word, not the caller's: only when named.
        None if !root.is_running() => return Ok((Policy::default(), None)),
        None => Path::new(POLICY),
    };
    let bytes = match read_named(path, Trust::Policy) {
        Ok(bytes) => bytes,
        Err(_) if named.is_none() && missing(path) => return Ok((Policy::default(), None)),
        Err(error) => return Err(error),
    };
    let mut policy = parse(&crate::text::path(path), &bytes)?;
    let mut content = bytes;
    if let Some(map) = policy.map_path.clone() {
        let map = read_named(Path::new(&map.value), Trust::Policy)?;
        policy = policy.with_map(&map)?;
        content.extend_from_slice(&map);
    }
    Ok((policy, Some(Digest::of(&content))))
}

/// The digest of the policy as it is now, for the comparison under the locks.
pub(super) fn policy_digest(root: &Root, named: Option<&Path>) -> Result<Option<Digest>> {
    policy(root, named).map(|(_, digest)| digest)
}

/// Whether nothing is there: not even a dangling link.
fn missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}
