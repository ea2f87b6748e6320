//! Limits of a user's processes: the caller's own, else those that logins set (limits.conf(5)).

use super::look::{listed, settings, text};
use crate::host::Root;
use crate::snapshot::{Account, Limit, Snapshot};

const FILE: &str = "/etc/security/limits.conf";
const FOLDER: &str = "/etc/security/limits.d";

/// The items, and how `/proc/self/limits` calls them.
const ITEMS: [(&str, &str); 2] = [("nproc", "Max processes"), ("nofile", "Max open files")];

/// The hard limits of the user's processes, as far as they are known and there is any.
pub(super) fn limits(
    root: &Root,
    snapshot: &Snapshot,
    account: &Account,
    groups: &[u32],
    own: bool,
) -> Vec<Limit> {
    if own {
        return text(root, "/proc/self/limits").seen().map(|text| own_limits(text)).unwrap_or_default();
    }
    let mut files = vec![FILE.to_owned()];
    let mut names = listed(root, FOLDER);
    names.retain(|name| name.ends_with(b".conf"));
    files.extend(
        names.into_iter().filter_map(|name| Some(format!("{FOLDER}/{}", String::from_utf8(name).ok()?))),
    );
    let concerns = |domain: &str| rank(domain, snapshot, account, groups);
    let mut found: Vec<(u8, Limit)> = Vec::new();
    for file in files {
        let Ok(Some(bytes)) = settings(root, &file, false) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for (line, number) in text.lines().zip(1..) {
            let Some((rank, item, value)) = parse(line, concerns) else { continue };
            let limit = Limit { item, value, place: format!("{file} line {number}") };
            // The more specific domain counts; of equals the last.
            match found.iter_mut().find(|(_, known)| known.item == item) {
                Some(known) if known.0 <= rank => *known = (rank, limit),
                Some(_) => {}
                None => found.push((rank, limit)),
            }
        }
    }
    found.into_iter().map(|(_, limit)| limit).collect()
}

/// Lines such as `Max processes    63432    63432    processes`: the second number is the hard limit.
fn own_limits(text: &str) -> Vec<Limit> {
    let item = |(item, name): (&'static str, &str)| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        let value = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(Limit { item, value, place: "/proc/self/limits".to_owned() })
    };
    ITEMS.into_iter().filter_map(item).collect()
}

/// `DOMAIN TYPE ITEM VALUE`: how specific its domain is, the item and the hard limit.
fn parse(line: &str, rank: impl Fn(&str) -> Option<u8>) -> Option<(u8, &'static str, u64)> {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [domain, kind, item, value] = words[..] else { return None };
    let (item, _) = ITEMS.into_iter().find(|(known, _)| *known == item)?;
    let value = match value {
        "unlimited" | "infinity" | "-1" => u64::MAX,
        number => number.parse().ok()?,
    };
    matches!(kind, "hard" | "-").then_some(())?;
    Some((rank(domain)?, item, value))
}

/// How specific a domain is for this user; `None` where it is not for this user.
fn rank(domain: &str, snapshot: &Snapshot, account: &Account, groups: &[u32]) -> Option<u8> {
    if domain.as_bytes() == account.name.as_bytes() {
        return Some(3);
    }
    if let Some(group) = domain.strip_prefix('@') {
        let named = snapshot.accounts.groups().iter().filter(|own| groups.contains(&own.gid.get()));
        let mut named = named.map(|own| &own.name[..]);
        let is = named.any(|name| name == group.as_bytes())
            || numbers(group).is_some_and(|(first, last)| groups.iter().any(|g| (first..=last).contains(g)));
        return is.then_some(2);
    }
    if numbers(domain).is_some_and(|(first, last)| (first..=last).contains(&account.uid.get())) {
        return Some(3);
    }
    (domain == "*").then_some(1)
}

/// `1000:2000`, `1000:`, `:1000`.
fn numbers(domain: &str) -> Option<(u32, u32)> {
    let (first, last) = domain.split_once(':')?;
    match (first.parse().ok(), last.parse().ok()) {
        (Some(first), Some(last)) => Some((first, last)),
        (Some(first), None) if last.is_empty() => Some((first, u32::MAX)),
        // limits.conf(5): `:max` is that ID alone.
        (None, Some(last)) if first.is_empty() => Some((last, last)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_of_a_line_is_read() {
        let all = |_: &str| Some(1);
        assert_eq!(parse("* hard nproc 100 # few", all), Some((1, "nproc", 100)));
        assert_eq!(parse("@dev - nofile unlimited", all), Some((1, "nofile", u64::MAX)));
        for other in ["* soft nproc 100", "#* hard nproc 1", "* hard core 0", "* hard nproc", "bob -"] {
            assert_eq!(parse(other, all), None, "{other}");
        }
    }

    #[test]
    fn the_kernels_table_is_read() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax processes   50  60  processes\n\
                    Max open files  1024  unlimited  files\n";
        let found = own_limits(text);
        assert_eq!(found.len(), 1, "unlimited is no limit: {found:?}");
        assert_eq!((found[0].item, found[0].value), ("nproc", 60));
    }

    #[test]
    fn ranges_of_ids_are_understood() {
        for (domain, range) in [
            ("1000:2000", Some((1000, 2000))),
            ("1000:", Some((1000, u32::MAX))),
            (":1000", Some((1000, 1000))),
            (":", None),
            ("bob", None),
        ] {
            assert_eq!(numbers(domain), range, "{domain}");
        }
    }
}
