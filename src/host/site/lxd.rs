//! LXD and Incus: once /etc/subuid exists they take their containers' IDs from root's lines, and have none
//! without (Incus' page "userns-idmap").

use super::names;
use crate::host::Root;
use crate::snapshot::{Allocator, Site, SiteOwner};

/// Where a daemon that has run keeps its data. LXD as a snap sees an /etc of its own and has no part in this.
const DATA: [&str; 2] = ["/var/lib/incus", "/var/lib/lxd"];

/// One container with the usual 65536 IDs.
const LEAST: u64 = 65536;

/// Reads what there is.
pub(super) fn read(root: &Root, site: &mut Site) {
    let data = DATA.iter().find_map(|folder| Some(format!("{folder}/{}", names(root, folder).first()?)));
    if let Some(place) = data {
        site.owners.push(SiteOwner {
            by: Allocator::Lxd,
            kind: None,
            owner: b"root".to_vec(),
            ids: LEAST,
            place,
        });
    }
}
