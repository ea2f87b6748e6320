//! The rules in force: for people, in 80 columns, and as `subidctl.policy.v1`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::planner::{Effective, SettingValue};
use crate::range::Kind;
use crate::text::thousands;

/// Columns in all.
const WIDTH: usize = 80;
/// Where values begin.
const VALUES: usize = 21;
/// Where places begin, if they fit behind the value.
const PLACES: usize = 40;

/// Names of a list that are shown.
const SHOWN: usize = 20;

/// Every value with its place.
pub fn policy_text(policy: &Effective) -> String {
    let mut out = String::new();
    for setting in &policy.settings {
        row(&mut out, &of_kind(setting.key, setting.kind), &value(&setting.value), &setting.place);
    }
    for (window, place) in &policy.windows {
        let text = format!("uids {}: {} each from {}", window.uids, window.count, window.start);
        row(&mut out, "window", &text, place);
    }
    out.push_str("\nNobody gets these IDs:\n");
    for kept in &policy.kept_free {
        let text = format!("{:<22} {}", kept.range.to_string(), kept.name);
        // What is reserved by a rule that never changes has no place to go and look.
        let place = if kept.by == "reserved" { "" } else { &kept.place };
        row(&mut out, &of_kind(kept.by, kept.kind), &text, place);
    }
    if !policy.unknown.is_empty() {
        out.push_str("\nNot known:\n");
        for sentence in &policy.unknown {
            row(&mut out, "", sentence, "");
        }
    }
    out
}

fn of_kind(name: &str, kind: Option<Kind>) -> String {
    kind.map_or_else(|| name.to_owned(), |kind| format!("{name} ({})", kind.name()))
}

fn value(value: &SettingValue) -> String {
    match value {
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Text(text) => text.clone(),
        SettingValue::Switch(on) => if *on { "yes" } else { "no" }.to_owned(),
        SettingValue::List(names) if names.is_empty() => "none".to_owned(),
        SettingValue::List(names) => {
            let more = names.len().saturating_sub(SHOWN);
            let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            if more == 0 { shown } else { format!("{shown} and {} more", thousands(more)) }
        }
    }
}

/// `key  value  place`; what does not fit goes on below the value.
fn row(out: &mut String, key: &str, value: &str, place: &str) {
    let mut line = format!("{key:<VALUES$}");
    let wide = |text: &str| text.chars().count();
    for word in value.split(' ') {
        if wide(&line) > VALUES && wide(&line) + 1 + wide(word) > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = " ".repeat(VALUES);
        } else if wide(&line) > VALUES {
            line.push(' ');
        }
        line.push_str(word);
    }
    let at = PLACES.max(wide(&line) + 2);
    if at + wide(place) <= WIDTH {
        let _ = writeln!(out, "{}", format!("{line:<at$}{place}").trim_end());
        return;
    }
    let _ = writeln!(out, "{}", line.trim_end());
    row(out, "", place, "");
}

/// `subidctl.policy.v1`.
pub fn policy_json(policy: &Effective) -> Value {
    let settings: Vec<Value> = policy
        .settings
        .iter()
        .map(|s| json!({ "key": s.key, "kind": s.kind.map(Kind::name), "value": s.value, "place": s.place }))
        .collect();
    let windows: Vec<Value> = policy
        .windows
        .iter()
        .map(|(window, place)| {
            json!({
                "uids": { "first": window.uids.first(), "last": window.uids.last() },
                "start": window.start,
                "count": window.count.get(),
                "place": place,
            })
        })
        .collect();
    let kept_free: Vec<Value> = policy
        .kept_free
        .iter()
        .map(|kept| {
            json!({
                "by": kept.by,
                "kind": kept.kind.map(Kind::name),
                "start": kept.range.first(),
                "count": kept.range.count().get(),
                "name": kept.name,
                "place": kept.place,
            })
        })
        .collect();
    json!({
        "schema": "subidctl.policy.v1",
        "settings": settings,
        "windows": windows,
        "kept_free": kept_free,
        "unknown": policy.unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{EffectiveSetting, KeptFree};
    use crate::range::Range;

    #[test]
    fn no_line_is_wider_than_a_terminal_and_nothing_is_lost() {
        let names = (0..30).map(|i| format!("user{i}")).collect();
        let setting =
            |key, value, place: &str| EffectiveSetting { key, kind: None, value, place: place.into() };
        let policy = Effective {
            settings: vec![
                setting("count", SettingValue::Number(65536), "/etc/login.defs line 5"),
                setting("users.names", SettingValue::List(names), "/etc/subidctl/policy.toml line 12"),
            ],
            kept_free: vec![KeptFree {
                by: "SSSD",
                kind: Some(Kind::Gid),
                range: Range::parse("200000-2000199999").unwrap(),
                name: "[domain/corp.example.com] ldap_idmap_range_min".to_owned(),
                place: "SSSD's default for id_provider = ad, /etc/sssd/conf.d/corp.conf line 3".to_owned(),
            }],
            unknown: vec!["word ".repeat(40)],
            ..Effective::default()
        };
        let text = policy_text(&policy);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            text.starts_with("count                65536              /etc/login.defs line 5\n"),
            "{text}"
        );
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "user0, user1",
            "user19 and 10 more",
            "/etc/subidctl/policy.toml line 12",
            "SSSD (gid) 200000-2000199999 [domain/corp.example.com] ldap_idmap_range_min SSSD's default for",
        ] {
            assert!(flat.contains(part), "{part}: {text}");
        }
    }
}
