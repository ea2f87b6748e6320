//! `subidctl history`: who changed what, and when.

use std::collections::HashMap;
use std::ffi::OsString;

use super::args::{Global, History as Args};
use super::facts::Context;
use super::output::Output;
use super::select::bytes;
use super::state;
use crate::commit::pending;
use crate::error::{Code, Error, Result};
use crate::host::{self, Root, records};
use crate::idfile::Document;
use crate::range::Uid;
use crate::report::history as report;
use crate::state::{HistoryEntry, Timeline};
use crate::text::escape;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    need_root(global)?;
    // Facts of files that cannot be read are no reason not to say what happened to them.
    let mut context = Context::survey(global)?;
    state::note_state(&context.snapshot, output);
    let timeline = load(&context.root, output)?;
    let (mut ids, mut users) = (Vec::new(), Vec::new());
    for operand in &args.what {
        let text = operand.to_string_lossy();
        if is_id(&text, &timeline) { ids.push(one(&timeline, &text)?) } else { users.push(operand) }
    }
    let wanted: Vec<Vec<u8>> = users.into_iter().flat_map(|user| spellings(&context, user)).collect();
    let all = ids.is_empty() && wanted.is_empty();
    let chosen = |e: &&HistoryEntry| {
        all || ids.iter().any(|id| id.transaction == e.transaction) || concerns(e, &wanted)
    };
    let entries: Vec<&HistoryEntry> = timeline.entries().iter().filter(chosen).collect();
    let names = logins(&mut context, &entries);
    let local = report::Local { offset: &crate::sys::utc_offset, names: &names };
    let text = if ids.is_empty() || !wanted.is_empty() {
        report::history_text(&timeline, &entries, &local, output.style)
    } else {
        let texts = entries.iter().map(|e| report::entry_text(&timeline, e, &local, output.style));
        texts.collect::<Vec<_>>().join("\n")
    };
    output.text(&text)?;
    output.document(|| report::history_json(&timeline, &entries, &local))?;
    Ok(0)
}

/// The history, and a note where it should be there and is not.
pub(super) fn load(root: &Root, output: Output) -> Result<Timeline> {
    let entries = records::history(root)?;
    // Every change writes both. A damaged ledger is there, and said to be damaged elsewhere.
    let ledger = records::ledger(root).map_or(true, |ledger| ledger.is_some());
    let gone = match &entries {
        None if ledger => Some((records::HISTORY, "what was changed before; the ledger is there")),
        Some(entries) if !ledger && !entries.is_empty() && !pending(root) => {
            Some((records::LEDGER, "who released which range; lines with ! keep the IDs all the same"))
        }
        _ => None,
    };
    if let Some((path, what)) = gone {
        let path = crate::text::path(&root.full(path));
        output.note(&format!("note: {path} is gone, and with it {what}\n"));
    }
    Ok(Timeline::new(entries.unwrap_or_default()))
}

/// The change that a person means.
pub(super) fn one<'a>(timeline: &'a Timeline, id: &str) -> Result<&'a HistoryEntry> {
    let found = timeline.named(id);
    if let [entry] = found[..] {
        return Ok(entry);
    }
    let near = if found.is_empty() {
        let mut near: Vec<&HistoryEntry> = timeline.entries().iter().collect();
        let likeness = |e: &HistoryEntry| strsim::jaro_winkler(&e.transaction, id);
        near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
        near
    } else {
        found.clone()
    };
    let near: Vec<&str> = near.iter().take(3).map(|e| &e.transaction[..]).collect();
    let shown = escape(id.as_bytes());
    let why = match (near.is_empty(), found.is_empty()) {
        (true, _) => "the history is empty".to_owned(),
        (false, true) => format!("the history has no such change; near to it are {}", near.join(", ")),
        (false, false) => format!("{} changes begin so: {}", found.len(), near.join(", ")),
    };
    let what = if found.is_empty() {
        format!("there is no change {shown}")
    } else {
        format!("{shown} names more than one change")
    };
    Err(Error::new(Code::UnknownTransaction, what).why(why).fix("sudo subidctl history lists all of them"))
}

/// The history is in a folder of root's own. Below `--root` the folder's mode decides.
fn need_root(global: &Global) -> Result<()> {
    if global.root.is_some() || nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::new(Code::NotRoot, "only root can read the history")
        .why(format!("this process runs as uid {}", nix::unistd::geteuid()))
        .fix("run it with sudo"))
}

/// Whether an operand means a change: `20261123-…`, or the eight digits at the end of one that there is.
fn is_id(text: &str, timeline: &Timeline) -> bool {
    let date = text
        .split_once('-')
        .is_some_and(|(day, _)| day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()));
    date || (text.len() == 8 && !timeline.named(text).is_empty())
}

/// How lines and the history may spell a user.
fn spellings(context: &Context, user: &OsString) -> Vec<Vec<u8>> {
    let text = bytes(user);
    let number = text.strip_prefix(b"+").unwrap_or(&text);
    let accounts = &context.snapshot.accounts;
    let account = accounts
        .by_name(&text)
        .or_else(|| accounts.by_uid(std::str::from_utf8(number).ok().and_then(Uid::parse)?));
    let mut all = vec![number.to_vec()];
    all.extend(account.iter().flat_map(|a| [a.name.as_bytes().to_vec(), a.uid.to_string().into_bytes()]));
    all
}

fn concerns(entry: &HistoryEntry, wanted: &[Vec<u8>]) -> bool {
    let named = |owner: &[u8]| wanted.iter().any(|w| w == owner);
    let lines = entry.files.iter().filter_map(|(_, touched)| touched.as_ref()).flat_map(|t| t.edits.iter());
    wanted.iter().any(|w| entry.record.owners.contains(&escape(w)))
        || lines
            .flat_map(|edit| edit.old.into_iter().chain(edit.new))
            .any(|line| Document::new(line.to_vec()).claims().any(|claim| named(claim.owner)))
}

/// The names of those who were logged in. One that cannot be looked up is shown as a number.
fn logins(context: &mut Context, entries: &[&HistoryEntry]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for uid in entries.iter().filter_map(|e| e.login_uid) {
        if names.contains_key(&uid) {
            continue;
        }
        if let Ok(account) = host::find_user(&mut context.snapshot, format!("+{uid}").as_bytes()) {
            names.insert(uid, escape(account.name.as_bytes()));
        }
    }
    names
}
