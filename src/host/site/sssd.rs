//! SSSD: the IDs that each of its domains may give to accounts (sssd.conf(5), sssd-ad(5)).

use super::ini::{Entry, entries, plain};
use super::{config, senseless, unknown};
use crate::host::Root;
use crate::range::Range;
use crate::snapshot::{Allocator, Site, SiteRange};

const FILE: &str = "/etc/sssd/sssd.conf";
const FOLDER: &str = "/etc/sssd/conf.d";
const PROGRAM: &str = "SSSD";

/// `ldap_idmap_range_min` and `ldap_idmap_range_max` where nobody sets them; the second is the first ID
/// that is not mapped any more (sssd-ldap(5)).
const MAPPED: (u64, u64) = (200_000, 2_000_200_000);

/// Reads sssd.conf and its snippets.
pub(super) fn read(root: &Root, site: &mut Site) {
    let unread = site.unread.len();
    let mut files: Vec<(String, Vec<u8>)> = config(root, FILE, PROGRAM, site).into_iter().collect();
    if site.unread.len() == unread {
        let names = root.list(FOLDER).unwrap_or_else(|error| {
            site.unread.push(unknown(PROGRAM, &error));
            Vec::new()
        });
        let snippet = |name: &&Vec<u8>| name.ends_with(b".conf") && !name.starts_with(b".");
        for name in names.iter().filter(snippet).filter_map(|name| std::str::from_utf8(name).ok()) {
            files.extend(config(root, &format!("{FOLDER}/{name}"), PROGRAM, site));
        }
    }
    declared(&files, site);
}

/// What the domains of these files declare; a later file's value counts before an earlier one's.
fn declared(files: &[(String, Vec<u8>)], site: &mut Site) {
    let mut all: Vec<(&str, Entry)> = Vec::new();
    for (path, bytes) in files {
        all.extend(entries(bytes, false).into_iter().map(|entry| (path.as_str(), entry)));
    }
    let mut domains: Vec<String> = Vec::new();
    for (_, entry) in &all {
        if let Some((kind, name)) = entry.section.split_once('/')
            && plain(kind) == "domain"
            && !domains.iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            domains.push(name.to_owned());
        }
    }
    let listed = Section { name: "sssd".to_owned(), all: &all };
    let listed = listed.value("domains").map_or("", |(value, _)| value);
    let mut active = 0_usize;
    for name in domains {
        let domain = Section { name: format!("domain/{name}"), all: &all };
        let named = listed.split(',').any(|word| word.trim().eq_ignore_ascii_case(&name));
        if domain.switch("enabled").unwrap_or(named) {
            active = active.saturating_add(1);
            self::domain(&domain, site);
        }
    }
    // A container may use the socket of an SSSD whose files it does not see.
    if active == 0 && site.unread.is_empty() {
        site.unbounded.push("sss, of which no domain is configured here".to_owned());
    }
}

/// One domain: a range, or the reason why there is none.
fn domain(domain: &Section<'_>, site: &mut Site) {
    let name = &domain.name;
    let (provider, place) = domain.value("id_provider").unwrap_or_default();
    let mapped = match domain.switch("ldap_id_mapping") {
        // Its server gives IDs, and trusted domains', from ranges of the same bounds.
        _ if provider == "ipa" => true,
        Some(switch) => switch,
        None => provider == "ad",
    };
    let keys = if mapped { ["ldap_idmap_range_min", "ldap_idmap_range_max"] } else { ["min_id", "max_id"] };
    let defaults = if mapped { MAPPED } else { (1, 0) };
    let numbers =
        keys.map(|key| domain.value(key).map(|(value, place)| (value.parse::<u64>(), value, place)));
    for (key, number) in keys.iter().zip(&numbers) {
        if let Some((Err(_), value, place)) = number {
            let what = format!("{key} is no number: {value}");
            site.unread.push(senseless(PROGRAM, place, &what));
            return;
        }
    }
    let [low, high] = numbers.map(|number| number.and_then(|(n, _, place)| Some((n.ok()?, place))));
    let first = low.as_ref().map_or(defaults.0, |(n, _)| *n);
    let end = high.as_ref().map_or(defaults.1, |(n, _)| *n);
    // max_id is the last ID and 0 no bound; ldap_idmap_range_max the first one that is not mapped.
    let last = if mapped { end.checked_sub(1) } else { Some(end).filter(|end| *end > 0) };
    let Some(last) = last else {
        // The accounts of /etc/passwd, which are known.
        if provider != "files" {
            site.unbounded.push(format!("SSSD's [{name}], which has no max_id ({})", or_file(&place)));
        }
        return;
    };
    let set = low.map(|l| (keys[0], l.1)).or_else(|| high.map(|h| (keys[1], h.1)));
    let (key, place) =
        set.unwrap_or_else(|| (keys[0], format!("SSSD's default for id_provider = {provider}, {place}")));
    let range = u32::try_from(first).ok().zip(Some(u32::try_from(last).unwrap_or(u32::MAX)));
    let Some(range) = range.and_then(|(first, last)| Range::between(first, last)) else {
        let what = format!("[{name}] declares {first} to {last}, which is no range");
        site.unread.push(senseless(PROGRAM, &place, &what));
        return;
    };
    let name = format!("[{name}] {key}");
    site.declared.push(SiteRange { by: Allocator::Sssd, kind: None, range, name, place });
}

/// A domain without a provider has no line that names it.
fn or_file(place: &str) -> &str {
    if place.is_empty() { FILE } else { place }
}

/// One section, of all files together.
struct Section<'a> {
    name: String,
    all: &'a [(&'a str, Entry)],
}

impl<'a> Section<'a> {
    /// The last value of a key, and where it stands.
    fn value(&self, key: &str) -> Option<(&'a str, String)> {
        let mut entries = self.all.iter().rev();
        let (path, entry) = entries.find(|(_, entry)| {
            // An empty value is as none: `sss_confdb_create_ldif`.
            plain(&entry.section) == plain(&self.name) && entry.is(key) && !entry.value.is_empty()
        })?;
        Some((&entry.value, format!("{path} line {}", entry.line)))
    }

    /// A switch that is set: whatever is not plainly false counts as on.
    fn switch(&self, key: &str) -> Option<bool> {
        self.value(key).map(|(value, _)| !value.eq_ignore_ascii_case("false"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[&str]) -> Site {
        let named = |(i, text): (usize, &&str)| (format!("/f{i}"), text.as_bytes().to_vec());
        let files: Vec<_> = files.iter().enumerate().map(named).collect();
        let mut site = Site::default();
        declared(&files, &mut site);
        site
    }

    /// The one range that a domain with these lines declares; empty where it declares none.
    fn range(lines: &str) -> String {
        let site = site(&[&format!("[sssd]\ndomains = corp\n[domain/corp]\n{lines}")]);
        assert!(site.declared.len() <= 1, "{site:?}");
        assert_eq!(site.declared.is_empty(), !site.bounds_accounts(), "{site:?}");
        let shown = |found: &SiteRange| {
            let key = found.name.strip_prefix("[domain/corp] ").unwrap();
            format!("{} {key}: {}", found.range, found.place)
        };
        site.declared.first().map(shown).unwrap_or_default()
    }

    #[test]
    fn mapped_domains_have_a_range_also_where_nobody_says_so() {
        let default = |provider: &str| {
            let default = format!("SSSD's default for id_provider = {provider}, /f0 line 4");
            format!("200000-2000199999 ldap_idmap_range_min: {default}")
        };
        assert_eq!(range("id_provider = ad\n"), default("ad"));
        assert_eq!(range("id_provider = ipa\nmax_id = 5\n"), default("ipa"));
        assert_eq!(range("id_provider = ldap\nldap_id_mapping = True\n"), default("ldap"));
        let set = "id_provider = ad\nLDAP_idmap_range_min = 1000000\nldap_idmap_range_max = 2000000\n";
        assert_eq!(range(set), "1000000-1999999 ldap_idmap_range_min: /f0 line 5");
        let half = "id_provider = ad\nldap_idmap_range_max = 300000\n";
        assert_eq!(range(half), "200000-299999 ldap_idmap_range_max: /f0 line 5");
    }

    #[test]
    fn other_domains_have_one_where_max_id_bounds_them() {
        let bounded = "id_provider = ldap\nmin_id = 5000\nmax_id = 1200009999\n";
        assert_eq!(range(bounded), "5000-1200009999 min_id: /f0 line 5");
        assert_eq!(range("id_provider = ldap\nmax_id = 9\n"), "1-9 max_id: /f0 line 5");
        assert_eq!(range("id_provider = ad\nldap_id_mapping = false\nmin_id = 5\n"), "");
        assert_eq!(range("id_provider = ldap\nmax_id = 0\n"), "");
        assert_eq!(range("enumerate = true\n"), "");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (lines, what) in [
            ("id_provider = ldap\nmax_id = many\n", "max_id is no number: many"),
            ("id_provider = ad\nldap_idmap_range_min = 7\nldap_idmap_range_max = 7\n", "7 to 6"),
            ("id_provider = ad\nldap_idmap_range_min = 4294967296\n", "no range"),
        ] {
            let site = site(&[&format!("[sssd]\ndomains = corp\n[domain/corp]\n{lines}")]);
            assert!(site.declared.is_empty() && !site.bounds_accounts(), "{lines}");
            assert!(site.unread[0].contains(what) && site.unread[0].contains("/f0 line 5"), "{site:?}");
        }
    }

    #[test]
    fn only_domains_in_force_count() {
        let ad = |name: &str, rest: &str| format!("[domain/{name}]\nid_provider = ad\n{rest}");
        let count = |text: String| site(&[&text]).declared.len();
        assert_eq!(count(ad("a", "")), 0);
        assert_eq!(count(ad("a", "enabled = true\n")), 1);
        assert_eq!(count(format!("[sssd]\ndomains = b, A\n{}{}", ad("a", ""), ad("c", ""))), 1);
        assert_eq!(count(format!("[sssd]\ndomains = a\n{}", ad("a", "enabled = false\n"))), 0);
        // Options of a trusted domain, which is no domain of its own.
        assert_eq!(count(format!("[sssd]\ndomains = a\n{}", ad("a/child", ""))), 0);
        assert!(!site(&[""]).bounds_accounts(), "who uses sss without a domain?");
    }

    #[test]
    fn a_later_file_wins() {
        let main = "[sssd]\ndomains = a\n[domain/a]\nid_provider = ldap\nmin_id = 1000\nmax_id = 5000\n";
        let found = site(&[main, "[Domain/A]\nmax_id = 6000\nmin_id =\n"]).declared;
        assert_eq!(found[0].range, Range::between(1000, 6000).unwrap());
        assert_eq!((found[0].place.as_str(), found.len()), ("/f0 line 5", 1));
        let moved = site(&[main, "[domain/a]\nmin_id = 2000\n"]).declared;
        assert_eq!(moved[0].place, "/f1 line 2");
    }
}
