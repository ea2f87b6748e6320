//! podman as root with `--userns=auto`: containers get IDs from the lines of one owner, `containers` unless
//! storage.conf names another (containers-storage.conf(5), `root-auto-userns-user`).

use super::{config, names};
use crate::host::Root;
use crate::snapshot::{Allocator, Site, SiteOwner};

const FILE: &str = "/etc/containers/storage.conf";
const PROGRAM: &str = "podman";

/// Units of root's containers (podman-systemd.unit(5)).
const QUADLETS: &str = "/etc/containers/systemd";

/// Whose lines are taken where nothing names anybody.
const DEFAULT: &str = "containers";

/// The IDs that a container gets at least, unless it asks for fewer (`auto-userns-min-size`).
const LEAST: u64 = 1024;

/// Reads what there is. That somebody may call podman so by hand is no reason to ask for lines.
pub(super) fn read(root: &Root, site: &mut Site) {
    let conf = config(root, FILE, PROGRAM, site);
    let named = conf.as_ref().and_then(|(path, bytes)| Some((path.clone(), owner(bytes)?)));
    let unit = quadlet(root, site);
    let (owner, place) = match (named, unit) {
        (Some((path, owner)), _) => (owner.clone(), format!("{path}: root-auto-userns-user {owner}")),
        (None, Some(place)) => (DEFAULT.to_owned(), place),
        (None, None) => return,
    };
    let (owner, place) = (owner.into_bytes(), crate::text::escape(place.as_bytes()));
    site.owners.push(SiteOwner { by: Allocator::Podman, kind: None, owner, ids: LEAST, place });
}

fn owner(conf: &[u8]) -> Option<String> {
    let table: toml::Table = String::from_utf8_lossy(conf).parse().ok()?;
    let owner = table.get("storage")?.get("options")?.get("root-auto-userns-user")?.as_str()?;
    (!owner.is_empty()).then(|| owner.to_owned())
}

/// The first unit whose containers get IDs by themselves.
fn quadlet(root: &Root, site: &mut Site) -> Option<String> {
    let units = names(root, QUADLETS)
        .into_iter()
        .filter(|name| [".container", ".pod", ".kube"].iter().any(|end| name.ends_with(end)));
    units.into_iter().find_map(|name| {
        let (path, bytes) = config(root, &format!("{QUADLETS}/{name}"), PROGRAM, site)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text.lines().find(|line| {
            let value =
                line.trim().strip_prefix("UserNS").and_then(|rest| rest.trim_start().strip_prefix('='));
            value.is_some_and(|value| value.trim() == "auto" || value.trim().starts_with("auto:"))
        })?;
        Some(format!("{path}: {}", line.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree_of;
    use super::*;

    #[test]
    fn whoever_is_named_needs_lines_where_podman_takes_them() {
        let owner = |files: &[(&str, &str)]| {
            let (tree, mut site) = (tree_of(files), Site::default());
            read(&Root::below(tree.path()).unwrap(), &mut site);
            site.owners.pop().map(|need| String::from_utf8(need.owner).unwrap())
        };
        let unit = ("etc/containers/systemd/web.container", "[Container]\nImage=x\nUserNS=auto:size=5000\n");
        let other = ("etc/containers/systemd/web.container", "[Container]\nUserNS=keep-id\n");
        let conf = "[storage.options]\nroot-auto-userns-user = \"storage\"\n";
        assert_eq!(owner(&[]), None);
        assert_eq!(owner(&[other]), None);
        assert_eq!(owner(&[unit]).as_deref(), Some("containers"));
        assert_eq!(owner(&[unit, ("etc/containers/storage.conf", conf)]).as_deref(), Some("storage"));
        assert_eq!(owner(&[("etc/containers/storage.conf", "[storage]\ndriver = \"overlay\"\n")]), None);
    }
}
