//! What else hands out IDs on this host, read from the configuration of each such program: a file a
//! program, and only where something says that it is in use here.

mod docker;
mod ini;
mod ipa;
mod kubelet;
mod lxd;
mod podman;
mod samba;
mod sssd;
mod systemd;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::Root;
use super::follow::read_following;
use crate::error::{Code, Error};
use crate::snapshot::{Nsswitch, Site};

/// Everything that declares IDs of its own. A file that cannot be read or understood is a sentence in
/// `unread`: what it says is not known, which is not the same as nothing.
pub(super) fn site(root: &Root, nsswitch: &Nsswitch) -> Site {
    let mut site = Site::default();
    directories(root, nsswitch, &mut site);
    site
}

/// Everybody else who takes or gives IDs here, which no new range depends on. Which of them are in use is told
/// by their files alone: nothing is started or asked, and below a root it is the same.
pub(super) fn allocators(root: &Root, site: &mut Site) {
    systemd::read(root, site);
    ipa::read(root, site);
    lxd::read(root, site);
    docker::read(root, site);
    kubelet::read(root, site);
    podman::read(root, site);
}

/// Whether something is there; a link counts.
fn exists(root: &Root, path: &str) -> bool {
    root.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW, Mode::empty()).is_ok()
}

/// The names in a folder that can be written in a message as they are, sorted; none where it is not there
/// or not for this caller to see.
fn names(root: &Root, folder: &str) -> Vec<String> {
    let names = root.list(folder).unwrap_or_default().into_iter();
    names.map(|name| crate::text::escape(&name)).collect()
}

/// The sources of accounts that nsswitch.conf names beyond the files: the file of a directory that is
/// installed and not asked says nothing of this host's accounts.
fn directories(root: &Root, nsswitch: &Nsswitch, site: &mut Site) {
    let mut seen: Vec<&str> = vec!["files", "systemd"];
    for service in [&nsswitch.passwd, &nsswitch.group] {
        for source in &service.sources {
            if seen.contains(&source.as_str()) {
                continue;
            }
            seen.push(source);
            match source.as_str() {
                "sss" => sssd::read(root, site),
                "winbind" => samba::read(root, site),
                _ => site.unbounded.push(format!("{source} ({} line {})", nsswitch.path, service.line)),
            }
        }
    }
}

/// A configuration file with its name for messages; `None` where it is missing, or cannot be read and is
/// in `unread` for that.
fn config(root: &Root, path: &str, program: &str, site: &mut Site) -> Option<(String, Vec<u8>)> {
    match read_following(root, path) {
        Ok(found) => Some((crate::text::path(&root.full(path)), found?.0)),
        Err(error) => {
            site.unread.push(unknown(program, &error));
            None
        }
    }
}

/// `SSSD's ID ranges are not known: cannot read /etc/sssd/sssd.conf (Permission denied)`.
fn unknown(program: &str, error: &Error) -> String {
    let hint = if error.code == Code::ReadFailed { "; root may read it" } else { "" };
    let hint = if nix::unistd::geteuid().is_root() { "" } else { hint };
    format!("{program}'s ID ranges are not known: {} ({}{hint})", error.what, error.why)
}

/// The sentence for a line that is there and makes no sense.
fn senseless(program: &str, place: &str, what: &str) -> String {
    format!("{program}'s ID ranges are not known: {place}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Allocator;

    /// A tree with these files.
    pub(super) fn tree_of(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree
    }

    /// What a tree with these files and this `passwd:` line declares.
    fn tree(passwd: &str, files: &[(&str, &str)]) -> Site {
        let tree = tree_of(files);
        let switch =
            crate::host::parse_nsswitch("/etc/nsswitch.conf", format!("passwd: {passwd}\n").as_bytes());
        site(&Root::below(tree.path()).unwrap(), &switch)
    }

    const FILES: &[(&str, &str)] = &[
        ("etc/sssd/sssd.conf", "[sssd]\ndomains = a\n[domain/a]\nid_provider = ad\n"),
        ("etc/sssd/conf.d/20.conf", "[domain/a]\nldap_idmap_range_max = 400000\n"),
        ("etc/sssd/conf.d/10.conf", "[domain/a]\nldap_idmap_range_max = 300000\n"),
        ("etc/sssd/conf.d/.99.conf", "[domain/a]\nldap_idmap_range_max = 500000\n"),
        ("etc/sssd/conf.d/99.bak", "[domain/a]\nldap_idmap_range_max = 600000\n"),
        ("etc/samba/smb.conf", "[global]\nidmap config * : range = 70000-80000\n"),
    ];

    #[test]
    fn only_what_nsswitch_names_counts() {
        let by = |passwd| tree(passwd, FILES).declared.iter().map(|d| d.by).collect::<Vec<_>>();
        assert_eq!(by("files systemd"), []);
        assert_eq!(by("files sss"), [Allocator::Sssd]);
        assert_eq!(by("sss winbind sss"), [Allocator::Sssd, Allocator::Winbind]);
        assert!(tree("files sss winbind", FILES).bounds_accounts());
        let site = tree("files ldap", FILES);
        assert_eq!(site.unbounded, ["ldap (/etc/nsswitch.conf line 1)"]);
        assert!(!tree("winbind", &[]).bounds_accounts());
    }

    #[test]
    fn snippets_count_in_order_of_their_names() {
        let site = tree("sss", FILES);
        assert_eq!(site.declared[0].range.to_string(), "200000-399999");
        assert!(site.declared[0].place.ends_with("/etc/sssd/conf.d/20.conf line 2"), "{site:?}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said() {
        for path in ["etc/sssd/sssd.conf/x", "etc/sssd/conf.d", "etc/samba/smb.conf/x"] {
            let site = tree("sss winbind", &[(path, "")]);
            assert_eq!(site.unread.len(), 1, "{path}: {site:?}");
            assert!(site.unread[0].contains(path.trim_end_matches("/x")), "{site:?}");
        }
    }
}
