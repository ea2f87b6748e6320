//! A user's session: environment, home, runtime folder, systemd.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;

use super::look::{status, text, variables};
use crate::host::Root;
use crate::snapshot::{Account, Environment, Fact, FileStatus, Session};

/// The variables that say something about a session.
const VARIABLES: &[&str] = &["HOME", "USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// Whether the caller is this user; below a root whoever its `/proc/self` is.
pub fn is_own_session(root: &Root, account: &Account) -> bool {
    if root.is_running() {
        return nix::unistd::getuid().as_raw() == account.uid.get();
    }
    variables(root).is_some() && real_uid(root, "self") == Some(account.uid.get())
}

/// The caller's environment, where it is this user's.
pub(super) fn environment(root: &Root, account: &Account) -> Option<Environment> {
    if !is_own_session(root, account) {
        return None;
    }
    let own = || {
        let own = std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec()));
        own.collect::<Vec<_>>()
    };
    let all = if root.is_running() { own() } else { variables(root)? };
    let known = |(name, value): (Vec<u8>, Vec<u8>)| {
        let name = VARIABLES.iter().find(|known| known.as_bytes() == name)?;
        Some(((*name).to_owned(), value))
    };
    Some(Environment(all.into_iter().filter_map(known).collect::<BTreeMap<_, _>>()))
}

/// The home folder that engines will use, and what is there.
pub(super) fn home(
    root: &Root,
    account: &Account,
    environment: Option<&Environment>,
) -> (String, Fact<FileStatus>) {
    let named = environment.and_then(|environment| environment.get("HOME")).unwrap_or(&account.home);
    // A name that is not UTF-8 is looked for as it can be shown, and so not found.
    let path = String::from_utf8(named.to_vec()).unwrap_or_else(|_| crate::text::escape(named));
    let status = status(root, &path);
    (path, status)
}

pub(super) fn session(
    root: &Root,
    account: &Account,
    environment: Option<&Environment>,
    home: (String, Fact<FileStatus>),
) -> Session {
    let named = environment.and_then(|environment| environment.get("XDG_RUNTIME_DIR"));
    let named = named.map(|path| String::from_utf8_lossy(path).into_owned());
    let own = format!("/run/user/{}", account.uid);
    let linger = std::str::from_utf8(account.name.as_bytes()).ok().filter(|name| !name.contains('/'));
    Session {
        runtime_dir: named.map_or(Fact::Missing, |path| status(root, &path)),
        manager: status(root, &format!("{own}/systemd/private")),
        bus: status(root, &format!("{own}/bus")),
        linger: linger.map_or(Fact::Missing, |name| status(root, &format!("/var/lib/systemd/linger/{name}"))),
        home,
    }
}

/// The real uid of a process.
fn real_uid(root: &Root, pid: &str) -> Option<u32> {
    let status = text(root, &format!("/proc/{pid}/status"));
    let line = status.seen()?.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
