//! Docker: `userns-remap` of daemon.json (dockerd's manual; `daemon_unix.go`, parsing of the user).

use super::config;
use crate::host::Root;
use crate::range::Kind;
use crate::snapshot::{Allocator, Site, SiteOwner};

const FILE: &str = "/etc/docker/daemon.json";
const PROGRAM: &str = "Docker";

/// The account that `default` means. Where it does not exist the daemon makes it, with ranges.
const DEFAULT: &str = "dockremap";

/// Reads what there is.
pub(super) fn read(root: &Root, site: &mut Site) {
    let Some((path, bytes)) = config(root, FILE, PROGRAM, site) else { return };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        site.unread.push(super::senseless(PROGRAM, &path, "it is not JSON, and dockerd refuses to start"));
        return;
    };
    let Some(remap) = document.get("userns-remap").and_then(serde_json::Value::as_str) else { return };
    for (kind, owner) in owners(remap) {
        site.owners.push(SiteOwner {
            by: Allocator::Docker,
            kind: Some(kind),
            owner: owner.as_bytes().to_vec(),
            ids: 1,
            place: format!("{path}: userns-remap {}", crate::text::escape(remap.as_bytes())),
        });
    }
}

/// Whose lines of subuid and subgid are used. A group is that of the same name unless another is named.
fn owners(remap: &str) -> Vec<(Kind, String)> {
    let (user, group) = remap.split_once(':').unwrap_or((remap, remap));
    let named = |name: &str| if name == "default" { DEFAULT.to_owned() } else { name.to_owned() };
    let pairs = [(Kind::Uid, named(user)), (Kind::Gid, named(group))];
    pairs.into_iter().filter(|(_, name)| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree_of;
    use super::*;

    fn site(text: &str) -> Site {
        let tree = tree_of(&[("etc/docker/daemon.json", text)]);
        let mut site = Site::default();
        read(&Root::below(tree.path()).unwrap(), &mut site);
        site
    }

    #[test]
    fn remapping_names_a_user_and_a_group() {
        for (remap, expected) in [
            ("default", vec!["dockremap", "dockremap"]),
            ("eva", vec!["eva", "eva"]),
            ("eva:staff", vec!["eva", "staff"]),
            ("1000", vec!["1000", "1000"]),
            ("", vec![]),
        ] {
            let found = site(&format!("{{\"debug\": true, \"userns-remap\": \"{remap}\"}}"));
            let owners: Vec<_> =
                found.owners.iter().map(|o| String::from_utf8_lossy(&o.owner).into_owned()).collect();
            assert_eq!(owners, expected, "{remap}");
        }
    }

    #[test]
    fn a_file_that_says_nothing_of_it_is_none() {
        for text in ["", " \n", "{}", "[]", "{\"userns-remap\": 5}"] {
            assert_eq!(site(text), Site::default(), "{text:?}");
        }
        assert_eq!(site("{").unread.len(), 1);
    }
}
