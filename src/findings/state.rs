//! What interrupted programs left, and what subidctl remembers.

use super::survey::path;
use super::{BASE, Entry, Group, Reach, Seen, Status, Survey, all};
use crate::planner;
use crate::snapshot::{Leftover, Remnant};
use crate::text::{escape, shell_word};

/// Where subidctl keeps its own files, as `host` reads them.
const JOURNAL: &str = "/etc/.subidctl.journal";
const LEDGER: &str = "/var/lib/subidctl/ledger.json";
const HISTORY: &str = "/var/lib/subidctl/history/entries.jsonl";

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "change-unfinished",
        group: Group::State,
        severity: Status::Error,
        title: "a change of subidctl's was interrupted",
        explain: "The journal says what was to be done to both files; a crash, a kill or a full disk came in \
                  between. subuid may be new and subgid old. Reading commands already show the files as recovery \
                  will leave them, and the next apply recovers by itself. A journal that is damaged is not \
                  believed: recover sets it aside, and what both files held before stands in subuid- and subgid-.",
        consequence: "one of the two files may be old and the other new",
        repair: "sudo subidctl recover",
        audit: Some(|survey| all(unfinished(survey))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "change-conflict",
        group: Group::State,
        severity: Status::Warning,
        title: "a change that could neither be finished nor taken back was set aside",
        explain: "Another program had edited the same lines after the crash. The journal was moved to \
                  /var/lib/subidctl/conflicts, so that later commands work, and stays there until a person has \
                  looked at the lines concerned.",
        consequence: "a range may stand in one file only",
        repair: "see what stands there: subidctl list; once both files are as they should be, sudo \
                 rm the journal",
        audit: Some(|survey| all(leftovers(survey, Remnant::Conflict))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "lock-blocking",
        group: Group::State,
        severity: Status::Error,
        title: "a lock that nobody holds keeps useradd and usermod from working",
        explain: "shadow takes over a lock whose pid is dead, and no other: an empty one (a crash between making \
                  and filling it), one with a newline or without a pid (made by a script), and one whose pid \
                  another process has by now block every useradd, usermod and userdel on this host, each with \
                  'cannot lock /etc/subuid; try again later' (lib/commonio.c, do_lock_file).",
        consequence: "useradd, usermod and userdel fail until it is removed",
        repair: "see that no useradd, usermod or the like is running, then: sudo rm LOCK",
        audit: Some(|survey| all(leftovers(survey, Remnant::BlockingLock))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "lock-stale",
        group: Group::State,
        severity: Status::Warning,
        title: "a lock of a process that is gone",
        explain: "useradd, usermod or another program was killed while it worked on the files, or the machine went \
                  down. The next program takes the lock over. What the dead one was about to do may be half done: \
                  killed between the two renames it leaves an account with subordinate uids and no gids.",
        consequence: "somebody may have one half of a range",
        repair: "sudo rm LOCK",
        audit: Some(|survey| all(leftovers(survey, Remnant::DeadLock))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "leftover-file",
        group: Group::State,
        severity: Status::Warning,
        title: "a new file that never took the old one's place",
        explain: "shadow writes subuid+ (subuid.cioXXXXXX since 4.20) and subuid.PID beside subuid and renames or \
                  removes them at the end. One that stays tells of a program that was killed. shadow does not read \
                  it; an editor's or a script's pattern subuid* might.",
        consequence: "a change of somebody's was lost",
        repair: "sudo rm FILE",
        audit: Some(|survey| all(leftovers(survey, Remnant::Temporary))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "own-leftover-file",
        group: Group::State,
        severity: Status::Info,
        title: "a new file of subidctl's for a change that never began",
        explain: "An apply was killed, or the disk was full, before its journal was whole: nothing was changed, and \
                  nothing is lost. The next apply writes over the file.",
        consequence: "none but the space that it takes",
        repair: "sudo rm FILE",
        audit: Some(|survey| all(leftovers(survey, Remnant::OwnTemporary))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "ledger-unusable",
        group: Group::State,
        severity: Status::Error,
        title: "the ledger of released ranges cannot be used",
        explain: "It adds date, uid and transaction to what the released lines (!owner:start:count) of the files \
                  say, and knows which owners were local accounts. Without it those lines still keep their IDs from \
                  everybody, and nobody can take a range back. A damaged one is never written over.",
        consequence: "who released which range is not known, so that nobody can take one back",
        repair: "the next change sets it aside; or do it now: sudo mv LEDGER LEDGER.damaged",
        audit: Some(|survey| all(ledger(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "released-line-lost",
        group: Group::State,
        severity: Status::Error,
        title: "the line that keeps a released range is gone",
        explain: "A released range stays in the file as !owner:start:count, so that useradd and usermod -S step over \
                  it. An editor, a script or a copy of the file from another host took the line away. subidctl still \
                  gives the IDs to nobody, since its ledger knows them; shadow knows nothing of a ledger.",
        consequence: "useradd may give the IDs to somebody next, with all files that they still own",
        repair: "sudo subidctl audit --fix; or, to let anybody have the IDs: sudo subidctl release \
                 --forget RANGE USER",
        audit: Some(|survey| all(lost(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "history-damaged",
        group: Group::State,
        severity: Status::Warning,
        title: "the history has lines that cannot be read",
        explain: "One line of JSON an entry, added at the end by each change. A torn last line is what a crash \
                  leaves, and the next change mends it; others were edited or damaged on the disk. Nothing but \
                  history and undo read them.",
        consequence: "those changes can neither be shown nor undone",
        repair: "sudo mv HISTORY HISTORY.damaged",
        audit: Some(|survey| all(history(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
];

fn unfinished(survey: &Survey<'_>) -> Vec<Seen> {
    let seen = survey.snapshot.unfinished.as_ref().map(|change| Seen {
        file: Some(JOURNAL.to_owned()),
        message: format!("{} is unfinished; what recovery makes of it: {}", change.name(), change.outcome),
        evidence: format!("{} is there", survey.full(JOURNAL)),
        ..Seen::default()
    });
    seen.into_iter().collect()
}

fn leftovers(survey: &Survey<'_>, remnant: Remnant) -> Vec<Seen> {
    let left = survey.snapshot.disk.leftovers.iter().filter(|left| left.remnant == remnant);
    left.map(|left| Seen {
        file: Some(left.path.clone()),
        message: message(left),
        evidence: format!("{}: {}", survey.full(&left.path), left.evidence),
        fix: fix(survey, left),
        ..Seen::default()
    })
    .collect()
}

fn message(left: &Leftover) -> String {
    let path = &left.path;
    match left.remnant {
        Remnant::Temporary => format!("{path} is left of a program that was killed"),
        Remnant::OwnTemporary => format!("{path} is left of an apply that was killed"),
        Remnant::DeadLock => format!("{path} is the lock of a program that was killed"),
        Remnant::BlockingLock => {
            format!("{path} is a lock that nobody holds and that shadow does not take over")
        }
        Remnant::Conflict => format!("{path} waits for a decision"),
    }
}

fn fix(survey: &Survey<'_>, left: &Leftover) -> String {
    let remove = format!("sudo rm {}", survey.word(&left.path));
    match left.remnant {
        Remnant::BlockingLock => {
            format!("see that no useradd, usermod or the like is running: ps -e\n{remove}")
        }
        Remnant::Conflict => format!("subidctl list\nonce both files are as they should be: {remove}"),
        _ => remove,
    }
}

fn ledger(survey: &Survey<'_>) -> Vec<Seen> {
    let seen = survey.snapshot.disk.ledger.as_ref().map(|error| Seen {
        file: Some(LEDGER.to_owned()),
        message: error.to_string(),
        evidence: error.why.clone(),
        fix: error.fix.clone(),
        ..Seen::default()
    });
    seen.into_iter().collect()
}

fn lost(survey: &Survey<'_>) -> Vec<Seen> {
    let seen = planner::lost(survey.snapshot).into_iter().map(|released| {
        let (owner, range, file) = (escape(&released.owner), released.range, path(released.kind));
        let uid = released.uid.map_or_else(String::new, |uid| format!(" (uid {uid})"));
        let forget = match shell_word(&released.owner) {
            Some(name) => {
                format!("\nor, to let anybody have the IDs: sudo subidctl release --forget {range} {name}")
            }
            None => String::new(),
        };
        Seen {
            message: format!("no line of {file} keeps {range}, which {owner} released"),
            file: Some(file),
            owner: Some(released.owner.clone()),
            evidence: format!("{}: {range} released by {owner}{uid}", survey.full(LEDGER)),
            fix: format!("sudo subidctl audit --fix{forget}"),
            ..Seen::default()
        }
    });
    seen.collect()
}

fn history(survey: &Survey<'_>) -> Vec<Seen> {
    let (first, word) = (survey.snapshot.disk.history.first(), survey.word(HISTORY));
    let seen = first.map(|first| Seen {
        file: Some(HISTORY.to_owned()),
        message: match survey.snapshot.disk.history.len() {
            1 => "one line of the history cannot be read".to_owned(),
            n => format!("{n} lines of the history cannot be read"),
        },
        evidence: first.clone(),
        fix: format!("sudo mv {word} {word}.damaged"),
        ..Seen::default()
    });
    seen.into_iter().collect()
}
