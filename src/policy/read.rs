//! The keys of the policy, each read by the one function that knows its type.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::reader::{Table, Text};
use super::{CEILING, Declared, OwnerStyle, Policy, Setting, Strategy, Users, Window, check};
use crate::error::{Code, Error, Result};
use crate::range::{Count, Range};

/// Reads and validates a policy.
///
/// # Errors
/// `invalid-policy`, with the line (and the other line, where two contradict each other).
pub fn parse(path: &str, bytes: &[u8]) -> Result<Policy> {
    read(path, bytes).map_err(|error| {
        let known = !error.fix.is_empty();
        if known { error } else { error.fix("correct the policy: it counts as a whole or not at all") }
    })
}

fn read(path: &str, bytes: &[u8]) -> Result<Policy> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::new(Code::InvalidPolicy, format!("the policy {path} cannot be used"))
            .why("it is not UTF-8 text")
    })?;
    let text = Text { path, text };
    let document = DeTable::parse(text.text).map_err(|e| {
        let first = crate::text::escape(e.message().lines().next().unwrap_or_default().as_bytes());
        text.error(e.span().map_or(0, |span| span.start), first)
    })?;
    let lines = lines(text, document.get_ref());
    let mut top = Table::new(text, "", document.into_inner());
    let policy = Policy {
        path: path.to_owned(),
        strategy: strategy(&mut top, text)?,
        count: count(&mut top)?,
        min: id(&mut top, "min", 1)?,
        max: id(&mut top, "max", 1)?,
        align: id(&mut top, "align", 1)?,
        owner: owner(&mut top, text)?,
        users: top.table("users")?.map(users).transpose()?,
        history_keep: top.table("history")?.map(history).transpose()?.flatten(),
        reserve: declared(&mut top, "reserve", text)?,
        directory: declared(&mut top, "directory", text)?,
        world_block: world_block(&mut top)?,
        windows: windows(&mut top, text)?,
        map_path: top.string("map")?,
        map: super::IdMap::default(),
        lines,
    };
    top.finish()?;
    check::consistent(&policy)?;
    Ok(policy)
}

/// The line of every key, those of tables with the table's name in front.
fn lines(text: Text<'_>, table: &DeTable<'_>) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (key, value) in table {
        let inner = value.get_ref().as_table().into_iter().flatten();
        lines.extend(inner.map(|(name, _)| {
            (format!("{}.{}", key.get_ref(), name.get_ref()), text.line(name.span().start))
        }));
        lines.insert(key.get_ref().to_string(), text.line(key.span().start));
    }
    lines
}

fn strategy(table: &mut Table<'_>, text: Text<'_>) -> Result<Option<Strategy>> {
    word(
        table,
        text,
        "strategy",
        &[("first-fit", Strategy::FirstFit), ("windows", Strategy::Windows), ("map", Strategy::Map)],
    )
}

fn owner(table: &mut Table<'_>, text: Text<'_>) -> Result<OwnerStyle> {
    let style = word(table, text, "owner", &[("name", OwnerStyle::Name), ("uid", OwnerStyle::Uid)])?;
    Ok(style.unwrap_or_default())
}

fn word<T: Copy>(
    table: &mut Table<'_>,
    text: Text<'_>,
    key: &'static str,
    words: &[(&str, T)],
) -> Result<Option<T>> {
    let Some(set) = table.string(key)? else { return Ok(None) };
    words.iter().find(|(word, _)| *word == set.value).map(|(_, value)| Some(*value)).ok_or_else(|| {
        let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        bad_line(text, set.line, format!("{key} must be {}", all.join(" or ")))
    })
}

/// An error of a line that is already known.
fn bad_line(text: Text<'_>, line: usize, why: String) -> Error {
    Error::new(Code::InvalidPolicy, format!("the policy {} cannot be used: line {line}", text.path)).why(why)
}

fn count(table: &mut Table<'_>) -> Result<Option<Setting<Count>>> {
    let set = table.number("count", 1, u64::from(CEILING))?;
    Ok(set.and_then(|s| Count::new(s.value).map(|value| Setting { value, line: s.line })))
}

fn id(table: &mut Table<'_>, key: &'static str, low: u64) -> Result<Option<Setting<u32>>> {
    let set = table.number(key, low, u64::from(CEILING - 1))?;
    Ok(set.and_then(|s| u32::try_from(s.value).ok().map(|value| Setting { value, line: s.line })))
}

/// Unlike what users get it may lie beyond 2^31: only a test container ever has these IDs.
fn world_block(table: &mut Table<'_>) -> Result<Option<Setting<u32>>> {
    let set = table.number("world_block", 65536, u64::from(u32::MAX - 65536))?;
    Ok(set.and_then(|s| u32::try_from(s.value).ok().map(|value| Setting { value, line: s.line })))
}

fn users(mut table: Table<'_>) -> Result<Users> {
    let max_auto = table.number("max_auto_users", 0, 1_000_000)?;
    let users = Users {
        names: table.strings("names")?,
        groups: table.strings("groups")?,
        login_accounts: table.switch("login_accounts")?,
        exclude: table.strings("exclude")?,
        max_auto: max_auto
            .and_then(|s| usize::try_from(s.value).ok().map(|value| Setting { value, line: s.line })),
    };
    table.finish()?;
    Ok(users)
}

fn history(mut table: Table<'_>) -> Result<Option<Setting<usize>>> {
    let keep = table.number("keep", 1, 1_000_000)?;
    table.finish()?;
    Ok(keep.and_then(|s| usize::try_from(s.value).ok().map(|value| Setting { value, line: s.line })))
}

fn declared(table: &mut Table<'_>, key: &'static str, text: Text<'_>) -> Result<Vec<Declared>> {
    let mut all = Vec::new();
    for (offset, mut item) in table.tables(key)? {
        let name = item.string("name")?.map(|s| s.value);
        let first = item.number("first", 0, u64::from(u32::MAX))?;
        let last = item.number("last", 0, u64::from(u32::MAX))?;
        item.finish()?;
        let (Some(name), Some(first), Some(last)) = (name, first, last) else {
            return Err(text.error(offset, format!("an entry of {key} needs name, first and last")));
        };
        let ends = u32::try_from(first.value).ok().zip(u32::try_from(last.value).ok());
        let range = ends.and_then(|(first, last)| Range::between(first, last));
        let range = range.ok_or_else(|| {
            let name = crate::text::escape(name.as_bytes());
            text.error(offset, format!("last of {name} lies before first"))
        })?;
        all.push(Declared { name, range, line: text.line(offset) });
    }
    Ok(all)
}

fn windows(table: &mut Table<'_>, text: Text<'_>) -> Result<Vec<Window>> {
    let mut all = Vec::new();
    for (offset, mut item) in table.tables("window")? {
        let uids = item.string("uids")?;
        let start = id(&mut item, "start", 1)?;
        let count = count(&mut item)?;
        item.finish()?;
        let (Some(uids), Some(start), Some(count)) = (uids, start, count) else {
            return Err(text.error(offset, "a window needs uids, start and count"));
        };
        let range = uids.value.split_once('-').and_then(|_| Range::parse(&uids.value));
        let uids =
            range.ok_or_else(|| bad_line(text, uids.line, "uids must be \"FIRST-LAST\"".to_owned()))?;
        all.push(Window { uids, start: start.value, count: count.value, line: text.line(offset) });
    }
    Ok(all)
}
