//! winbind: `idmap config DOMAIN : range` of smb.conf(5), whatever the backend (`idmap_autorid(8)` too).

use super::ini::{Entry, entries, plain};
use super::{config, senseless};
use crate::host::Root;
use crate::range::{Kind, Range, SubId};
use crate::snapshot::{Allocator, Site, SiteRange};

const FILE: &str = "/etc/samba/smb.conf";
const PROGRAM: &str = "winbind";

/// Reads smb.conf.
pub(super) fn read(root: &Root, site: &mut Site) {
    let unread = site.unread.len();
    match config(root, FILE, PROGRAM, site) {
        Some((path, bytes)) => declared(&path, &bytes, site),
        None if site.unread.len() == unread => {
            site.unbounded.push(format!("winbind, whose {FILE} is not there"));
        }
        None => {}
    }
}

/// What one file declares. Another that it includes, or the registry, may declare more.
fn declared(path: &str, bytes: &[u8], site: &mut Site) {
    let before = site.declared.len();
    let global = |entry: &Entry| entry.section.is_empty() || plain(&entry.section) == "global";
    for entry in entries(bytes, true).into_iter().filter(global) {
        let place = format!("{path} line {}", entry.line);
        if entry.is("include") || (entry.is("config backend") && plain(&entry.value) != "file") {
            let what = format!("{} = {}, which is not read", entry.key, entry.value);
            site.unread.push(senseless(PROGRAM, &place, &what));
            continue;
        }
        let kind = old_kind(&entry);
        if kind.is_none() && !is_range(&entry) {
            continue;
        }
        if let Some(range) = range(&entry.value) {
            let name = entry.key.split_whitespace().collect::<Vec<_>>().join(" ");
            site.declared.push(SiteRange { by: Allocator::Winbind, kind, range, name, place });
        } else {
            let what = format!("{} is no range: {}", entry.key, entry.value);
            site.unread.push(senseless(PROGRAM, &place, &what));
        }
    }
    if site.declared.len() == before {
        site.unbounded.push(format!("winbind, which has no idmap range in {path}"));
    }
}

/// `idmap config * : range`, of uids and gids.
fn is_range(entry: &Entry) -> bool {
    let key = plain(&entry.key);
    key.starts_with("idmapconfig") && key.ends_with(":range")
}

/// `idmap uid` and `idmap gid` with their synonyms, which older versions have for it.
fn old_kind(entry: &Entry) -> Option<Kind> {
    match plain(&entry.key).as_str() {
        "idmapuid" | "winbinduid" => Some(Kind::Uid),
        "idmapgid" | "winbindgid" => Some(Kind::Gid),
        _ => None,
    }
}

/// `10000 - 20000`, both ends included.
fn range(text: &str) -> Option<Range> {
    let (first, last) = text.split_once('-')?;
    Range::between(SubId::parse(first.trim())?.get(), SubId::parse(last.trim())?.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> Site {
        let mut site = Site::default();
        declared("/smb.conf", text.as_bytes(), &mut site);
        site
    }

    #[test]
    fn every_idmap_range_counts() {
        let text = "# x\n[Global]\n  workgroup = CORP\n\
            idmap config * : backend = autorid\nidmap config * : range = 1000000-19999999\n\
            IDMAP Config CORP:Range=10000 - 20000\nidmap config CORP : rangesize = 5\n\
            idmap gid = 7-8\n[homes]\nidmap config X : range = 1-2\n";
        let site = site(text);
        let all: Vec<String> = site
            .declared
            .iter()
            .map(|d| format!("{} {} {} {:?}", d.range, d.name, d.place, d.kind.map(Kind::name)))
            .collect();
        assert_eq!(
            all,
            [
                "1000000-19999999 idmap config * : range /smb.conf line 5 None",
                "10000-20000 IDMAP Config CORP:Range /smb.conf line 6 None",
                "7-8 idmap gid /smb.conf line 8 Some(\"gid\")",
            ]
        );
        assert!(site.bounds_accounts());
    }

    #[test]
    fn what_is_not_read_is_said() {
        for (text, what) in [
            ("include = /etc/samba/%m.conf\n", "line 1: include = /etc/samba/%m.conf, which is not read"),
            ("[global]\nconfig backend = registry\n", "line 2: config backend = registry"),
            ("idmap config A : range = 5\n", "is no range: 5"),
            ("idmap config A : range = 9-5\n", "is no range: 9-5"),
        ] {
            let site = site(text);
            assert!(site.unread[0].contains(what), "{:?}", site.unread);
            assert!(!site.bounds_accounts());
        }
        assert!(!site("[global]\n").bounds_accounts());
        assert!(site("config backend = file\nidmap uid = 1-2\n").bounds_accounts());
    }
}
