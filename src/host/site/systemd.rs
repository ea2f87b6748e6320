//! systemd: the range from which nspawn, machined and nsresourced take IDs, and homed's users
//! (systemd's UIDS-GIDS document).

use super::{exists, names};
use crate::host::Root;
use crate::range::Range;
use crate::snapshot::{Allocator, Site, SiteOwner, SiteRange};

/// Where machines, and settings and units of machines, say that containers run here. That the program is
/// installed, or `machines.target` enabled, says nothing: distributions do so by default.
const MACHINES: [&str; 3] =
    ["/var/lib/machines", "/etc/systemd/nspawn", "/etc/systemd/system/machines.target.wants"];

const RANGE: (u32, u32) = (524_288, 1_879_048_191);

/// Reads what there is.
pub(super) fn read(root: &Root, site: &mut Site) {
    let machine = MACHINES.iter().find_map(|folder| {
        let name = names(root, folder).into_iter().find(|name| !name.starts_with('.'))?;
        Some(format!("{folder}/{name}"))
    });
    if let (Some(place), Some(range)) = (machine, Range::between(RANGE.0, RANGE.1)) {
        let name = "systemd-nspawn --private-users=pick".to_owned();
        let by = Allocator::SystemdContainers;
        site.declared.push(SiteRange { by, kind: None, range, name, place });
    }
    homes(root, site);
}

/// Users of systemd-homed, by the record of each and by their homes.
fn homes(root: &Root, site: &mut Site) {
    let mut seen = std::collections::BTreeSet::new();
    for (folder, suffixes) in
        [("/var/lib/systemd/home", &[".identity"][..]), ("/home", &[".homedir", ".home"][..])]
    {
        if !exists(root, folder) {
            continue;
        }
        for name in names(root, folder) {
            let Some(user) = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)) else { continue };
            if !user.is_empty() && seen.insert(user.to_owned()) {
                site.owners.push(SiteOwner {
                    by: Allocator::Homed,
                    kind: None,
                    owner: user.as_bytes().to_vec(),
                    ids: 1,
                    place: format!("{folder}/{name}"),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree_of;
    use super::*;

    fn site(files: &[&str]) -> Site {
        let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "")).collect();
        let tree = tree_of(&files);
        let mut site = Site::default();
        read(&Root::below(tree.path()).unwrap(), &mut site);
        site
    }

    #[test]
    fn only_machines_say_that_there_are_containers() {
        assert_eq!(site(&["etc/systemd/system/multi-user.target.wants/machines.target"]), Site::default());
        assert_eq!(site(&["var/lib/machines/.raw"]), Site::default());
        for file in ["var/lib/machines/sid/etc/os-release", "etc/systemd/nspawn/sid.nspawn"] {
            let found = site(&[file]);
            assert_eq!(found.declared[0].by, Allocator::SystemdContainers);
            assert!(file.starts_with(found.declared[0].place.trim_start_matches('/')), "{found:?}");
        }
    }

    #[test]
    fn users_of_homed_are_known_by_record_or_home() {
        let found = site(&["home/eva.homedir/x", "home/eva.home", "home/bob/x", "home/.home"]);
        let owners: Vec<_> = found.owners.iter().map(|o| (o.owner.clone(), o.place.as_str())).collect();
        assert_eq!(owners, [(b"eva".to_vec(), "/home/eva.home")]);
    }
}
