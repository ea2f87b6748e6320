//! What must hold between the keys of one policy.

use super::{CEILING, Policy, Strategy, Window};
use crate::error::{Code, Error, Result};
use crate::range::Range;

/// Refuses windows that overlap each other, a `directory` or a `reserve` range, or pass 2^31; a pool that
/// is upside down or too small; and a strategy without what it needs.
pub(super) fn consistent(policy: &Policy) -> Result<()> {
    let bad = |line: usize, why: String| {
        Error::new(Code::InvalidPolicy, format!("the policy {} cannot be used: line {line}", policy.path))
            .why(why)
    };
    let mut spans: Vec<(Range, &Window)> = Vec::new();
    for window in &policy.windows {
        let span = window.span().filter(|span| span.last() < CEILING);
        let span = span.ok_or_else(|| {
            bad(
                window.line,
                format!(
                    "the window from {} passes 2^31: {} uids of {} IDs each",
                    window.start,
                    window.uids.count(),
                    window.count
                ),
            )
        })?;
        if span.first() < 65536 {
            return Err(bad(
                window.line,
                "the window begins below 65536, among the IDs of accounts".to_owned(),
            ));
        }
        spans.push((span, window));
    }
    for (i, (span, window)) in spans.iter().enumerate() {
        if let Some((other, earlier)) = spans.iter().take(i).find(|(other, _)| other.overlaps(*span)) {
            return Err(bad(
                window.line,
                format!("the window {span} overlaps {other} of line {}", earlier.line),
            ));
        }
        if let Some((_, earlier)) = spans.iter().take(i).find(|(_, w)| w.uids.overlaps(window.uids)) {
            return Err(bad(
                window.line,
                format!("uids {} are in the window of line {} too", window.uids, earlier.line),
            ));
        }
        let declared = policy.directory.iter().chain(&policy.reserve).find(|d| d.range.overlaps(*span));
        if let Some(declared) = declared {
            let (name, range, line) =
                (crate::text::escape(declared.name.as_bytes()), declared.range, declared.line);
            return Err(bad(
                window.line,
                format!("the window {span} overlaps {name} {range} of line {line}"),
            ));
        }
    }
    match (policy.min, policy.max) {
        (Some(min), Some(max)) if min.value > max.value => {
            return Err(bad(
                max.line,
                format!("max {} lies below min {} of line {}", max.value, min.value, min.line),
            ));
        }
        _ => {}
    }
    if let Some(map) = policy.map_path.as_ref().filter(|map| !map.value.starts_with('/')) {
        return Err(bad(
            map.line,
            "map must be an absolute path: the working folder decides nothing".to_owned(),
        ));
    }
    let missing = match policy.strategy {
        Some(Strategy::Windows) if policy.windows.is_empty() => {
            Some("strategy \"windows\" needs at least one [[window]]")
        }
        Some(Strategy::Map) if policy.map_path.is_none() => Some("strategy \"map\" needs map = \"FILE\""),
        _ => None,
    };
    match missing {
        Some(why) => {
            Err(Error::new(Code::InvalidPolicy, format!("the policy {} cannot be used", policy.path))
                .why(why))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::parse;

    fn why(text: &str) -> String {
        let error = parse("/p", text.as_bytes()).unwrap_err();
        format!("{} | {} | {}", error.what, error.why, error.fix)
    }

    const WINDOW: &str = "[[window]]\nuids = \"1000-1999\"\nstart = 100000\ncount = 65536\n";

    #[test]
    fn contradictions_name_both_lines() {
        let second = "[[window]]\nuids = \"3000-3999\"\nstart = 200000\ncount = 65536\n";
        let text = why(&format!("{WINDOW}{second}"));
        assert!(text.contains("line 5") && text.contains("of line 1"), "{text}");
        let uids = "[[window]]\nuids = \"1999-2000\"\nstart = 1000000000\ncount = 10\n";
        assert!(why(&format!("{WINDOW}{uids}")).contains("of line 1 too"));
        let ldap = "directory = [{ name = \"ldap\", first = 150000, last = 160000 }]\n";
        let text = why(&format!("{ldap}{WINDOW}"));
        assert!(text.contains("line 2") && text.contains("ldap 150000-160000 of line 1"), "{text}");
        assert!(
            why("[[window]]\nuids = \"1000-60000\"\nstart = 100000\ncount = 65536\n").contains("passes 2^31")
        );
        assert!(why("min = 5000\nmax = 4000\n").contains("below min 5000 of line 1"));
        assert!(why("strategy = \"windows\"\n").contains("[[window]]"));
    }

    #[test]
    fn wrong_keys_and_types_name_line_and_remedy() {
        assert!(why("\nstratgy = \"windows\"\n").contains("line 2"));
        assert!(why("stratgy = \"windows\"\n").contains("did you mean strategy?"));
        assert!(why("[users]\nname = [\"a\"]\n").contains("did you mean names?"));
        assert!(why("count = \"many\"\n").contains("whole number, not string"));
        assert!(why("count = 0\n").contains("from 1 to"));
        assert!(why("count = -5\n").contains("from 1 to"));
        assert!(why("strategy = \"best-fit\"\n").contains("\"first-fit\" or"));
        assert!(why("[history]\nkep = 5\n").contains("did you mean keep?"));
        assert!(
            why("[history]\nkeep = 0\n").contains("line 2")
                && why("[history]\nkeep = 0\n").contains("keep must be from 1 to")
        );
        assert_eq!(parse("/p", b"[history]\nkeep = 7\n").unwrap().history_keep(), 7);
        assert_eq!(parse("/p", b"").unwrap().history_keep(), 1000);
        let max = |text: &str| parse("/p", text.as_bytes()).unwrap().users.unwrap().max_auto_users();
        assert_eq!((max("[users]\n"), max("[users]\nmax_auto_users = 0\n")), (1000, 0));
        assert!(why("[users]\nmax_auto_users = -1\n").contains("from 0 to"));
        assert!(why("[users]\nmax_auto_user = 1\n").contains("did you mean max_auto_users?"));
        assert!(why("max_auto_users = 1\n").contains("line 1"));
        assert!(why("count = \n").contains("line 1"));
        assert!(why("[[window]]\nuids = \"5\"\nstart = 100000\ncount = 1\n").contains("FIRST-LAST"));
    }

    #[test]
    fn every_error_has_a_remedy_and_no_raw_byte() {
        for text in ["count = 0\n", "strategy = \"map\"\n", "count = \n", "owner = \"gid\"\n"] {
            assert!(!parse("/p", text.as_bytes()).unwrap_err().fix.is_empty(), "{text}");
        }
        let text = why("reserve = [{ name = \"\\u001b[31m\", first = 2, last = 1 }]\n");
        assert!(text.contains("last of ") && !text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_map_does_not_depend_on_the_working_folder() {
        assert!(why("count = 1\nmap = \"map\"\n").contains("line 2"));
        assert!(parse("/p", b"map = \"/etc/subidctl/map\"\n").is_ok());
    }

    #[test]
    fn a_whole_policy_is_read() {
        let text = "strategy = \"windows\"\ncount = 65536\nowner = \"uid\"\nalign = 65536\nmin = 100000\nmax = 200000\n\
            reserve = [{ name = \"old\", first = 1, last = 2 }]\n[users]\nnames = [\"a\"]\ngroups = []\n\
            login_accounts = true\nexclude = [\"b\"]\n";
        let policy = parse("/p", format!("{text}{WINDOW}").as_bytes()).unwrap();
        assert_eq!((policy.windows.len(), policy.count.unwrap().line, policy.alignment()), (1, 2, 65536));
        let lines =
            ["count", "users", "users.names", "users.exclude"].map(|key| policy.place_of(key).unwrap());
        assert_eq!(lines, ["/p line 2", "/p line 8", "/p line 9", "/p line 12"]);
        assert_eq!(policy.place_of("directory"), None);
        assert!(policy.users.unwrap().login_accounts);
    }
}
