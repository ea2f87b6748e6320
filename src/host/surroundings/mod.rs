//! What a user's containers find around them. Reads only, starts nothing. Below a root everything is what the
//! tree's own files say, `/proc`, `/sys`, `/run` and `/dev` among them where it has some.

mod limits;
mod look;
mod security;
mod session;
mod storage;

use std::collections::BTreeMap;

pub(super) use look::{search_path, status, status_id};
pub use session::is_own_session;

use look::{listed, number, text, there};

use super::{FOLDERS, Root, mounts};
use crate::error::{Error, Result};
use crate::findings::Engine;
use crate::snapshot::{
    Account, Cgroup, Fact, Hierarchy, Mount, Mounts, Network, Packages, Snapshot, Surroundings,
};

/// Looks at everything around the containers of `account`, of one engine.
///
/// # Errors
/// `read-failed` where what is mounted, or what the distribution calls itself, cannot be read.
pub fn surroundings(
    root: &Root,
    snapshot: &Snapshot,
    account: &Account,
    engine: Engine,
) -> Result<Surroundings> {
    let environment = session::environment(root, account);
    let groups = groups(snapshot, account);
    let mounted = mounts::mounts(root)?;
    let release = text(root, "/proc/sys/kernel/osrelease").seen().cloned().unwrap_or_default();
    let container =
        ["/run/.containerenv", "/.dockerenv", "/run/systemd/container"].into_iter().find(|p| there(root, p));
    let home = session::home(root, account, environment.as_ref());
    let storage = storage::Place { root, account, environment: environment.as_ref(), home: &home.0 };
    Ok(Surroundings {
        live: root.is_running() || there(root, "/proc/self/status"),
        systemd: there(root, "/run/systemd/system"),
        packages: packages(root)?,
        grub: there(root, "/etc/default/grub"),
        wsl: release.to_ascii_lowercase().contains("microsoft"),
        container: container.map(str::to_owned),
        release: version(&release),
        programs: programs(root),
        session: session::session(root, account, environment.as_ref(), home.clone()),
        cgroup: cgroup(root, account),
        storage: storage.of(engine, &mounted, &release),
        network: network(root, &release, container.is_some()),
        mounts: mounts_of(root, &mounted, &groups),
        security: security::security(root, environment.is_some()),
        limits: limits::limits(root, snapshot, account, &groups, environment.is_some()),
        environment,
    })
}

/// How the distribution installs packages, by its own names for itself (`os-release(5)`).
pub(super) fn packages(root: &Root) -> Result<Packages> {
    let read = |path: &str| Ok::<_, Error>(root.read(path)?.map(|(bytes, _)| bytes).unwrap_or_default());
    let mut text = read("/usr/lib/os-release")?;
    if text.is_empty() {
        text = read("/etc/os-release")?;
    }
    let text = String::from_utf8_lossy(&text);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    Ok(Packages::of(&format!("{} {}", field("ID"), field("ID_LIKE"))))
}

/// The gids of the user's groups, as the known accounts say.
fn groups(snapshot: &Snapshot, account: &Account) -> Vec<u32> {
    let groups = snapshot.accounts.groups().iter().filter(|group| group.members.contains(&account.name));
    groups.map(|group| group.gid.get()).chain([account.gid.get()]).collect()
}

/// `6.1.0-18-amd64` → (6, 1).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Programs that containers need or run in, and that a finding asks for.
const PROGRAMS: &[&str] = &[
    "apptainer",
    "buildah",
    "crun",
    "dbus-daemon",
    "dbus-broker",
    "dockerd-rootless.sh",
    "fuse-overlayfs",
    "lxc-usernsexec",
    "nerdctl",
    "pasta",
    "podman",
    "rootlesskit",
    "runc",
    "slirp4netns",
];

/// Where podman looks for its helpers beside PATH (containers.conf(5), `helper_binaries_dir`).
const HELPER_FOLDERS: &[&str] =
    &["/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman"];

fn programs(root: &Root) -> BTreeMap<String, String> {
    let path = search_path(root).unwrap_or_default();
    let mut folders: Vec<String> = FOLDERS.iter().chain(HELPER_FOLDERS).map(|f| (*f).to_owned()).collect();
    folders.extend(std::env::split_paths(&path).filter_map(|folder| Some(folder.to_str()?.to_owned())));
    let find = |name: &&str| {
        let path = folders.iter().map(|folder| format!("{folder}/{name}")).find(|path| there(root, path))?;
        Some(((*name).to_owned(), crate::text::escape(path.as_bytes())))
    };
    PROGRAMS.iter().filter_map(find).collect()
}

fn cgroup(root: &Root, account: &Account) -> Cgroup {
    let top = "/sys/fs/cgroup";
    let hierarchy = if there(root, &format!("{top}/cgroup.controllers")) {
        Some(Hierarchy::V2)
    } else if there(root, &format!("{top}/unified/cgroup.controllers")) {
        Some(Hierarchy::Hybrid)
    } else {
        ["memory", "cpu", "pids", "systemd"]
            .iter()
            .any(|name| there(root, &format!("{top}/{name}")))
            .then_some(Hierarchy::V1)
    };
    let uid = account.uid;
    let own = format!("{top}/user.slice/user-{uid}.slice/user@{uid}.service/cgroup.controllers");
    let words = |text: String| {
        Some(text.split_ascii_whitespace().map(|word| crate::text::escape(word.as_bytes())).collect())
    };
    Cgroup { hierarchy, delegated: text(root, &own).and_then(words) }
}

fn network(root: &Root, release: &str, container: bool) -> Network {
    let ping = text(root, "/proc/sys/net/ipv4/ping_group_range").and_then(|text| {
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    // A container's kernel is the host's, and so are its modules.
    let gone = !container
        && !release.is_empty()
        && modules(root).is_some_and(|kernels| {
            !kernels.iter().any(|kernel| kernel.as_slice() == release.trim().as_bytes())
        });
    Network {
        tun: status(root, "/dev/net/tun"),
        port_start: number(root, "/proc/sys/net/ipv4/ip_unprivileged_port_start"),
        ping,
        modules_gone: gone.then(|| crate::text::escape(release.trim().as_bytes())),
    }
}

/// The kernels that have modules here; `None` where none has, as in most containers and small machines.
fn modules(root: &Root) -> Option<Vec<Vec<u8>>> {
    let folder = ["/usr/lib/modules", "/lib/modules"].into_iter().find(|folder| there(root, folder))?;
    let mut kernels = listed(root, folder);
    kernels.retain(|name| {
        std::str::from_utf8(name).is_ok_and(|name| there(root, &format!("{folder}/{name}/modules.dep")))
    });
    (!kernels.is_empty()).then_some(kernels)
}

/// Mount points below `/proc` that hide nothing: the kernel made the folder for them.
const NO_MASKS: &[&str] = &["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];

fn mounts_of(root: &Root, mounted: &[Mount], groups: &[u32]) -> Mounts {
    let at = |point: &str| mounted.iter().rev().find(|mount| mount.point == point);
    let proc = at("/proc").filter(|mount| mount.kind == "proc");
    let option = |name: &str| proc?.super_options.iter().find_map(|o| Some(o.strip_prefix(name)?.to_owned()));
    let hidden = option("hidepid=").filter(|value| value != "0" && value != "off");
    let gid: Option<u32> = option("gid=").and_then(|gid| gid.parse().ok());
    let masks = mounted.iter().filter(|mount| mount.point.starts_with("/proc/"));
    let masks = masks.filter(|mount| !NO_MASKS.contains(&mount.point.as_str()));
    let setgroups = text(root, "/proc/self/setgroups");
    Mounts {
        root: at("/").cloned(),
        hidepid: hidden.map(|value| (crate::text::escape(value.as_bytes()), gid)),
        exempt: gid.is_some_and(|gid| gid != 0 && groups.contains(&gid)),
        masks: masks.map(|mount| crate::text::escape(mount.point.as_bytes())).collect(),
        setgroups_denied: matches!(setgroups, Fact::Seen(text) if text.trim() == "deny"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.10.16.3-microsoft-standard-WSL2"), Some((5, 10)));
        assert_eq!(version("7.0"), Some((7, 0)));
        assert_eq!(version(""), None);
    }
}
