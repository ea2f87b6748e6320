//! The kubelet: pods with user namespaces get their IDs from the line of an account `kubelet` (Kubernetes'
//! page "user-namespaces").

use super::{config, exists};
use crate::host::Root;
use crate::snapshot::{Allocator, Site, SiteOwner};

const DATA: &str = "/var/lib/kubelet";
/// kubeadm's name for its configuration.
const FILE: &str = "/var/lib/kubelet/config.yaml";
/// The kubelet's own default of `maxPods`.
const PODS: u64 = 110;

/// Reads what there is.
pub(super) fn read(root: &Root, site: &mut Site) {
    if !exists(root, DATA) {
        return;
    }
    let file = config(root, FILE, "the kubelet", site);
    let (pods, place) = match file.as_ref().and_then(|(path, bytes)| Some((max_pods(bytes)?, path))) {
        Some((pods, path)) => (pods, format!("{path}: maxPods: {pods}")),
        None => (PODS, format!("{DATA}, and the kubelet's default of {PODS} pods")),
    };
    let ids = pods.saturating_mul(65536);
    site.owners.push(SiteOwner {
        by: Allocator::Kubelet,
        kind: None,
        owner: b"kubelet".to_vec(),
        ids,
        place,
    });
}

/// The top-level key; the kubelet's configuration is flat enough for that.
fn max_pods(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let value = text.lines().filter_map(|line| line.strip_prefix("maxPods:")).next_back()?;
    value.split('#').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree_of;
    use super::*;

    #[test]
    fn the_number_of_pods_decides() {
        for (text, expected) in [
            ("", None),
            ("kind: KubeletConfiguration\nmaxPods: 250 # many\n", Some(250)),
            ("x:\n  maxPods: 5\n", None),
            ("maxPods: many\n", None),
        ] {
            assert_eq!(max_pods(text.as_bytes()), expected, "{text}");
        }
        let mut site = Site::default();
        let tree = tree_of(&[("var/lib/kubelet/config.yaml", "maxPods: 10\n")]);
        read(&Root::below(tree.path()).unwrap(), &mut site);
        assert_eq!((site.owners[0].ids, site.unread.len()), (655_360, 0));
        let mut site = Site::default();
        read(&Root::below(tree_of(&[("etc/x", "")]).path()).unwrap(), &mut site);
        assert_eq!(site, Site::default());
    }
}
