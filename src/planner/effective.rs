//! The rules in force, each with the place that sets it.

use super::reserved::{FIXED_RULE, declared_by_login_defs, fixed};
use super::rule::{DEFAULTS, Rules, keys, window_place};
use crate::error::Result;
use crate::policy::{OwnerStyle, Policy, Strategy, Users, Window};
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::Snapshot;
use crate::text::escape;

/// Where a value comes from that nobody sets.
const BUILT_IN: &str = "built-in default";

/// What holds on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective {
    /// Values, one for each key; two where uids and gids have their own.
    pub settings: Vec<EffectiveSetting>,
    /// Windows, `login.defs`' own among them.
    pub windows: Vec<(Window, String)>,
    /// IDs that nobody gets.
    pub kept_free: Vec<KeptFree>,
    /// What could not be read, and directories that declare no bounds: one escaped sentence each.
    pub unknown: Vec<String>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The policy's key.
    pub key: &'static str,
    /// Of uids or gids, where each has its own.
    pub kind: Option<Kind>,
    /// The value.
    pub value: SettingValue,
    /// Where it comes from, escaped.
    pub place: String,
}

/// A value of the policy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A count or an ID.
    Number(u64),
    /// A word, or an escaped name.
    Text(String),
    /// A switch.
    Switch(bool),
    /// Escaped names.
    List(Vec<String>),
}

/// A range that nobody gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFree {
    /// What keeps it: `reserved`, `reserve`, `directory`, `login.defs`, or the program that declares it.
    pub by: &'static str,
    /// In one of the files only.
    pub kind: Option<Kind>,
    /// The IDs.
    pub range: Range,
    /// For whom or what, escaped.
    pub name: String,
    /// Where it comes from, escaped.
    pub place: String,
}

/// Collects what holds.
///
/// # Errors
/// As [`super::plan`].
pub fn effective(snapshot: &Snapshot, policy: &Policy) -> Result<Effective> {
    let rules = Rules::new(snapshot, policy)?;
    let mut settings = vec![strategy(snapshot, policy, rules.strategy)];
    settings.extend(numbers(snapshot, policy));
    let place = |key: &str| policy.place_of(key).unwrap_or_else(|| BUILT_IN.to_owned());
    let mut set = |key, value| settings.push(EffectiveSetting { key, kind: None, value, place: place(key) });
    set("align", SettingValue::Number(u64::from(policy.alignment())));
    let owner = if policy.owner == OwnerStyle::Uid { "uid" } else { "name" };
    set("owner", SettingValue::Text(owner.to_owned()));
    if let Some(map) = &policy.map_path {
        set("map", SettingValue::Text(escape(map.value.as_bytes())));
    }
    let block = policy.world_block.map(|block| SettingValue::Number(u64::from(block.value)));
    set("world_block", block.unwrap_or_else(|| SettingValue::Text("random".to_owned())));
    let users = policy.users.clone().unwrap_or_default();
    let most = u64::try_from(users.max_auto_users()).unwrap_or(u64::MAX);
    let Users { names, groups, login_accounts, exclude, max_auto: _ } = users;
    let list = |names: Vec<String>| SettingValue::List(names.iter().map(|n| escape(n.as_bytes())).collect());
    set("users.names", list(names));
    set("users.groups", list(groups));
    set("users.login_accounts", SettingValue::Switch(login_accounts));
    set("users.exclude", list(exclude));
    set("users.max_auto_users", SettingValue::Number(most));
    let kept = u64::try_from(policy.history_keep()).unwrap_or(u64::MAX);
    set("history.keep", SettingValue::Number(kept));
    let windows = rules.windows.iter().map(|w| (*w, window_place(snapshot, policy, w))).collect();
    let unbounded = |source: &String| format!("nothing here says which IDs it may give: {source}");
    let unknown = snapshot.site.unread.iter().cloned().chain(snapshot.site.unbounded.iter().map(unbounded));
    Ok(Effective { settings, windows, kept_free: kept_free(snapshot, policy), unknown: unknown.collect() })
}

fn strategy(snapshot: &Snapshot, policy: &Policy, strategy: Strategy) -> EffectiveSetting {
    let word = match strategy {
        Strategy::FirstFit => "first-fit",
        Strategy::Windows => "windows",
        Strategy::Map => "map",
    };
    let by_login_defs =
        (strategy == Strategy::Windows).then(|| snapshot.login_defs.place("SUB_UID_DETERMINISTIC"));
    let place = policy.place_of("strategy").or(by_login_defs).unwrap_or_else(|| BUILT_IN.to_owned());
    EffectiveSetting { key: "strategy", kind: None, value: SettingValue::Text(word.to_owned()), place }
}

/// `min`, `max` and `count`: the policy's for both files, or `login.defs`' for each.
fn numbers(snapshot: &Snapshot, policy: &Policy) -> Vec<EffectiveSetting> {
    let set = [
        ("min", policy.min.map(|s| u64::from(s.value))),
        ("max", policy.max.map(|s| u64::from(s.value))),
        ("count", policy.count.map(|s| s.value.get())),
    ];
    let defaults = [DEFAULTS.0, DEFAULTS.1, DEFAULTS.2];
    let of = PerKind::from_fn(|kind| <[_; 3]>::from(keys(kind)));
    let mut all = Vec::new();
    for (index, (key, value)) in set.into_iter().enumerate() {
        if let Some(number) = value {
            let place = policy.place_of(key).unwrap_or_default();
            all.push(EffectiveSetting { key, kind: None, value: SettingValue::Number(number), place });
            continue;
        }
        for (kind, keys) in of.iter() {
            let (Some(name), Some(default)) = (keys.get(index), defaults.get(index)) else { continue };
            let number = snapshot.login_defs.number(name).unwrap_or(*default);
            let place = format!("{name}, {}", snapshot.login_defs.place(name));
            all.push(EffectiveSetting { key, kind: Some(kind), value: SettingValue::Number(number), place });
        }
    }
    all
}

/// Every range that nobody gets, whoever says so.
fn kept_free(snapshot: &Snapshot, policy: &Policy) -> Vec<KeptFree> {
    let mut all = Vec::new();
    for (by, declared) in [("reserve", &policy.reserve), ("directory", &policy.directory)] {
        all.extend(declared.iter().map(|d| KeptFree {
            by,
            kind: None,
            range: d.range,
            name: escape(d.name.as_bytes()),
            place: policy.place(d.line),
        }));
    }
    all.extend(snapshot.site.declared.iter().map(|s| KeptFree {
        by: s.by.name(),
        kind: s.kind,
        range: s.range,
        name: s.name.clone(),
        place: s.place.clone(),
    }));
    for kind in Kind::BOTH {
        all.extend(declared_by_login_defs(kind, &snapshot.login_defs).map(|d| KeptFree {
            by: "login.defs",
            kind: Some(kind),
            range: d.range,
            name: d.name.to_owned(),
            place: format!("{}_MAX, {}", d.prefix, snapshot.login_defs.place(&format!("{}_MAX", d.prefix))),
        }));
    }
    all.extend(fixed().map(|(range, name)| KeptFree {
        by: "reserved",
        kind: None,
        range,
        name: name.to_owned(),
        place: FIXED_RULE.to_owned(),
    }));
    all
}
