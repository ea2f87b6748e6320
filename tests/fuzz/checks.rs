//! What must hold of any bytes. Each function is a fuzz target (`targets/`), and the corpora are replayed by
//! the integration tests: a panic is the failure.

use std::collections::HashSet;

use subidctl::error::{Code, Error};
use subidctl::findings::{Survey, audit};
use subidctl::host::{parse_group, parse_login_defs, parse_nsswitch, parse_passwd};
use subidctl::idfile::{Dialect, Document, Edits, Verdict};
use subidctl::planner::{self, Action, Owner, Plan, Request, SavedPlan, Want};
use subidctl::policy::{Policy, parse};
use subidctl::range::{Gid, Kind, Login, PerKind, Uid};
use subidctl::report::{Shown, Style, findings_json, findings_text, plan_json, plan_text, warnings_text};
use subidctl::snapshot::{Account, Accounts, IdFile, Snapshot, Source};
use subidctl::state::{HistoryEntry, Journal, Ledger, StateError, after_recovery, no_overlap};

/// A target: its name and what it does with bytes.
pub(super) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(super) const TARGETS: &[Target] = &[
    ("file", file),
    ("policy", policy),
    ("map", map),
    ("plan", plan),
    ("journal", journal),
    ("ledger", ledger),
    ("config", config),
];

fn account(name: &str, uid: u32) -> Account {
    Account {
        name: Login::new(name.as_bytes()).expect("a name"),
        uid: Uid::new(uid),
        gid: Gid::new(uid),
        home: b"/"[..].into(),
        shell: b"/bin/sh"[..].into(),
        source: Source::File(1),
    }
}

/// A host with these files and three accounts.
fn host(uid: &[u8], gid: &[u8]) -> Snapshot {
    let file = |bytes: &[u8]| {
        let document = Document::new(bytes.to_vec());
        IdFile { digest: Some(document.digest()), document: Some(document), ..IdFile::default() }
    };
    let users = [("root", 0), ("al", 1000), ("bo", 1001)].map(|(name, uid)| account(name, uid));
    Snapshot {
        files: PerKind { uid: file(uid), gid: file(gid) },
        accounts: Accounts::new(users.to_vec(), Vec::new()),
        ..Snapshot::default()
    }
}

fn owner(snapshot: &Snapshot, name: &str) -> Owner {
    Owner::account(snapshot.accounts.by_name(name.as_bytes()).expect("an account").clone())
}

fn wants(snapshot: &Snapshot) -> Request {
    let wants = ["al", "bo"].map(|name| Want { owner: owner(snapshot, name), count: None, range: None });
    Request { wants: wants.to_vec(), ..Request::default() }
}

/// Nothing that a terminal or a log would take for more than text.
fn clean(text: &str) {
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

fn clean_error(error: &Error) {
    for text in [&error.what, &error.why, &error.fix] {
        clean(text);
    }
}

fn shown(snapshot: &Snapshot, plan: &Plan) {
    let shown = Shown { snapshot, plan };
    let style = Style { full: true, ..Style::default() };
    clean(&plan_text(shown, style));
    clean(&warnings_text(plan, style));
    plan.refusals.iter().for_each(|refusal| clean_error(&refusal.error));
    assert!(plan_json(shown).is_object());
}

/// What each reader grants.
fn granted(document: &Document, dialect: Dialect) -> HashSet<(Vec<u8>, u64, u64)> {
    let grants = document.lines().filter_map(|line| match dialect.read(line.raw) {
        Verdict::Grants { owner, start, count } => Some((owner.to_vec(), start, count)),
        _ => None,
    });
    grants.collect()
}

/// subuid and subgid: the bytes before the first 0xff are the one, the rest is the other.
pub(super) fn file(data: &[u8]) {
    let mut halves = data.splitn(2, |b| *b == 0xff);
    let (uid, gid) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let snapshot = host(uid, gid);
    let policy = Policy::default();
    let found = audit(&Survey::new(&snapshot, &policy)).findings;
    clean(&findings_text(&found, Style { full: true, ..Style::default() }));
    assert!(serde_json::to_value(findings_json("audit", &found)).unwrap().is_object());
    for (_, file) in snapshot.files.iter() {
        let document = file.document.as_ref().expect("it is there");
        let same = document.edited(&Edits::default()).expect("no edit names a line");
        let mut expected = document.as_bytes().to_vec();
        if expected.last().is_some_and(|b| *b != b'\n') {
            expected.push(b'\n');
        }
        assert_eq!(same.as_bytes(), expected, "a line was touched");
        for dialect in Dialect::ALL {
            for (_, start, count) in granted(document, dialect) {
                let range = dialect.range(start, count);
                assert!(range.is_none_or(|range| document.claims().any(|claim| claim.range.covers(range))));
            }
        }
    }
    for replace in [false, true] {
        let request = Request { replace, ..wants(&snapshot) };
        if let Some(plan) = sound(planner::plan(&snapshot, &policy, &request)) {
            added_is_free(&snapshot, &plan);
            shown(&snapshot, &plan);
        }
    }
    let release = planner::Release { owners: vec![owner(&snapshot, "al")], range: None };
    let Some(released) = sound(planner::release(&snapshot, &policy, &release)) else { return };
    for (kind, planned) in released.files.iter() {
        let before = snapshot.files[kind].document.clone().unwrap_or_default();
        for dialect in Dialect::ALL {
            let (before, after) = (granted(&before, dialect), granted(&planned.after, dialect));
            let new: Vec<_> =
                after.difference(&before).filter(|(owner, _, _)| !owner.starts_with(b"!")).collect();
            assert!(new.is_empty(), "a release grants {new:?}");
        }
    }
    shown(&snapshot, &released);
    let Some(repaired) = sound(planner::repairs(&snapshot, &policy)) else { return };
    for (kind, planned) in repaired.files.iter() {
        let before = snapshot.files[kind].document.clone().unwrap_or_default();
        for dialect in Dialect::ALL {
            assert_eq!(
                granted(&before, dialect),
                granted(&planned.after, dialect),
                "a repair changes a grant"
            );
        }
    }
    shown(&snapshot, &repaired);
}

/// A plan may be refused as a whole, but never because the invariants caught it.
fn sound(plan: Result<Plan, Error>) -> Option<Plan> {
    plan.map_err(|error| {
        assert_ne!(error.code, Code::System, "{error:?}");
        clean_error(&error);
    })
    .ok()
}

/// No reader grants any ID of a new line to anybody else, or did before.
fn added_is_free(snapshot: &Snapshot, plan: &Plan) {
    for a in plan.assignments.iter().filter(|a| a.action == Action::Add) {
        let before = snapshot.files[a.kind].document.clone().unwrap_or_default();
        for dialect in Dialect::ALL {
            for (_, start, count) in granted(&before, dialect) {
                let met = dialect.range(start, count).is_some_and(|range| range.overlaps(a.range));
                assert!(!met, "{} meets a line of {start}:{count}", a.range);
            }
        }
    }
}

/// A policy, and a plan by it.
pub(super) fn policy(data: &[u8]) {
    match parse("/policy", data) {
        Err(error) => clean_error(&error),
        Ok(policy) => {
            let snapshot = host(b"bo:100000:65536\n", b"");
            if let Ok(plan) = planner::plan(&snapshot, &policy, &wants(&snapshot)) {
                added_is_free(&snapshot, &plan);
                shown(&snapshot, &plan);
            }
        }
    }
}

/// A map, and a plan by it.
pub(super) fn map(data: &[u8]) {
    let policy = parse("/policy", b"strategy = \"map\"\nmap = \"/map\"\n").expect("a policy");
    match policy.with_map(data) {
        Err(error) => clean_error(&error),
        Ok(policy) => {
            let snapshot = host(b"", b"");
            if let Ok(plan) = planner::plan(&snapshot, &policy, &wants(&snapshot)) {
                shown(&snapshot, &plan);
            }
        }
    }
}

/// A saved plan.
pub(super) fn plan(data: &[u8]) {
    match SavedPlan::parse("p", data) {
        Err(error) => clean_error(&error),
        Ok((_, assignments, repairs)) => {
            let snapshot = host(b"bo:100000:65536\n!al:300000:5\n", b"bo:100000:65536\n");
            let Ok(files) = planner::compose(&snapshot, &assignments, &repairs) else { return };
            let plan = Plan { assignments, repairs, files, ..Plan::default() };
            if planner::check(&snapshot, &Policy::default(), &plan, planner::Evidence::Ledger).is_ok() {
                added_is_free(&snapshot, &plan);
            }
        }
    }
}

/// A journal: as it is, and with a checksum that fits; then what recovery makes of it.
pub(super) fn journal(data: &[u8]) {
    let sealed = {
        let digest = subidctl::idfile::Digest::of(data.strip_suffix(b"\n").unwrap_or(data));
        let mut bytes = format!("subidctl.journal.v1 {digest}\n").into_bytes();
        bytes.extend_from_slice(data);
        bytes
    };
    for bytes in [data, &sealed] {
        let Ok(journal) = Journal::parse(bytes) else { continue };
        assert_eq!(Journal::parse(&journal.to_bytes()), Ok(journal.clone()));
        let files = PerKind::from_fn(|kind| {
            let text =
                if kind == Kind::Uid { "bo:100000:65536\nal:165536:65536\n" } else { "bo:100000:65536\n" };
            Some(Document::new(text.as_bytes().to_vec()))
        });
        let mut judge =
            |files: &PerKind<Option<Document>>, ours: &PerKind<Vec<Vec<u8>>>| no_overlap(files, ours);
        let (after, decision) = after_recovery(&journal, &files, &mut judge);
        clean(decision.verdict.outcome());
        let _ = after;
    }
}

/// A ledger, and a line of the history: as it is, and with a checksum that fits.
pub(super) fn ledger(data: &[u8]) {
    let says = |error: StateError| clean(&error.to_string());
    let sealed = {
        let digest = subidctl::idfile::Digest::of(data).to_string();
        let body = data.strip_suffix(b"}").unwrap_or(data);
        [body, b",\"sum\":\"", &digest.as_bytes()[..16], b"\"}\n"].concat()
    };
    for bytes in [data, &sealed] {
        match Ledger::parse(bytes) {
            Ok(ledger) => assert_eq!(Ledger::parse(&ledger.to_bytes()), Ok(ledger)),
            Err(error) => says(error),
        }
        match HistoryEntry::parse(bytes) {
            Ok(entry) => assert_eq!(HistoryEntry::parse(&entry.to_line()), Ok(entry)),
            Err(error) => says(error),
        }
    }
}

/// passwd, group, nsswitch.conf and login.defs.
pub(super) fn config(data: &[u8]) {
    let text = data.to_vec().into();
    let _ = (parse_passwd(&text), parse_group(&text), parse_nsswitch("/n", data));
    let mut snapshot = host(b"", b"");
    snapshot.login_defs = parse_login_defs("/l", data);
    if let Ok(plan) = planner::plan(&snapshot, &Policy::default(), &wants(&snapshot)) {
        shown(&snapshot, &plan);
    }
}
