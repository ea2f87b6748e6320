//! Giving ranges back on demand: all of an owner's, or one of them.

use std::collections::BTreeMap;

use super::judge::lines_of;
use super::{Action, Assignment, Evidence, Owner, Plan, Refusal, Warning, finish};
use crate::error::{Code, Error, Result};
use crate::idfile::{Claim, Document};
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::Snapshot;
use crate::text::shell_word;

/// Who gives what back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// In the order asked for.
    pub owners: Vec<Owner>,
    /// Only the lines that lie in this range; `None`: all.
    pub range: Option<Range>,
}

/// Plans to mark lines as released. An owner without a line is idle, which is no refusal.
///
/// A line is released whole or not at all: podman and its like count an owner's IDs through from line to
/// line, so that every ID after a part that went would mean another ID inside the owner's containers.
///
/// # Errors
/// A fault of subidctl itself that the invariants caught. A range that is no line of the owner is a refusal.
pub fn release(snapshot: &Snapshot, policy: &Policy, request: &Release) -> Result<Plan> {
    let mut lines = lines_of(snapshot, request.owners.iter());
    let mut plan = Plan::default();
    for (index, owner) in request.owners.iter().enumerate() {
        let mine = PerKind::from_fn(|kind| lines[kind].remove(&index).unwrap_or_default());
        match of_owner(owner, &mine, request.range) {
            Ok(given) if given.is_empty() => {
                plan.idle.push(format!("{} has nothing to release. No changes.", owner.shown()));
            }
            Ok(given) => plan.assignments.extend(given),
            Err(error) => {
                plan.refusals.push(Refusal { owner: owner.shown(), code: error.code.as_str(), error });
            }
        }
    }
    let mut plan = finish(snapshot, policy, plan, Evidence::Ledger)?;
    let unmarked = unmarked(&plan);
    plan.warnings.extend(unmarked);
    Ok(plan)
}

fn of_owner(owner: &Owner, lines: &PerKind<Vec<Claim<'_>>>, range: Option<Range>) -> Result<Vec<Assignment>> {
    let mut given = Vec::new();
    for kind in Kind::BOTH {
        for claims in live(&lines[kind]).into_values() {
            let asked = range.is_none_or(|range| claims.iter().any(|c| c.range.overlaps(range)));
            if !asked {
                continue;
            }
            if let Some(range) = range
                && let Some(claim) = claims.iter().find(|c| !range.covers(c.range))
            {
                return Err(part(owner, kind, claim, range));
            }
            given.extend(claims.iter().map(|claim| assignment(owner, kind, claim)));
        }
    }
    let released = |range: Range| {
        Kind::BOTH.into_iter().any(|k| lines[k].iter().any(|c| c.released && c.range.overlaps(range)))
    };
    match range {
        Some(range) if given.is_empty() && !released(range) => absent(owner, lines, range).map(|()| given),
        _ => Ok(given),
    }
}

/// The lines that still grant something, each with its claims: two where readers see different numbers.
fn live<'a>(claims: &[Claim<'a>]) -> BTreeMap<usize, Vec<Claim<'a>>> {
    let mut lines: BTreeMap<usize, Vec<Claim<'a>>> = BTreeMap::new();
    for claim in claims.iter().filter(|c| !c.released) {
        lines.entry(claim.line).or_default().push(*claim);
    }
    lines
}

fn assignment(owner: &Owner, kind: Kind, claim: &Claim<'_>) -> Assignment {
    Assignment {
        kind,
        user: owner.label.clone(),
        owner: claim.owner.into(),
        uid: owner.uid(),
        range: claim.range,
        action: Action::Release,
        reason: "nobody gets them next".into(),
    }
}

/// The range cuts a line.
fn part(owner: &Owner, kind: Kind, claim: &Claim<'_>, range: Range) -> Error {
    let fix = match shell_word(&owner.label) {
        Some(name) => {
            format!("to release all of the line: sudo subidctl release --range {} {name}", claim.range)
        }
        None => format!("name all of the line: --range {}", claim.range),
    };
    Error::new(Code::RangeTaken, format!("{range} is not a whole range of {}", owner.shown()))
        .why(format!(
            "/etc/{} line {} is {}; to release a part would renumber the rest inside the owner's containers",
            kind.file(),
            claim.line,
            claim.range
        ))
        .fix(fix)
}

/// How many lines an error lists.
const LISTED: usize = 5;

/// The owner has lines, but none there.
fn absent(owner: &Owner, lines: &PerKind<Vec<Claim<'_>>>, range: Range) -> Result<()> {
    let all = || {
        Kind::BOTH.into_iter().flat_map(|kind| {
            let live = lines[kind].iter().filter(|c| !c.released);
            live.map(move |c| format!("{} (/etc/{} line {})", c.range, kind.file(), c.line))
        })
    };
    let count = all().count();
    if count == 0 {
        return Ok(());
    }
    let more = if count > LISTED { format!(" and {} more", count - LISTED) } else { String::new() };
    let listed: Vec<String> = all().take(LISTED).collect();
    Err(Error::new(Code::RangeTaken, format!("{} has no IDs of {range}", owner.shown()))
        .why(format!("the lines of this owner are {}{more}", listed.join(", ")))
        .fix("name one of them, or leave --range out to release all"))
}

/// Lines that go without a mark, since others hold all their IDs: a mark would take those from them.
fn unmarked(plan: &Plan) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (kind, planned) in plan.files.iter() {
        for old in planned.edits.iter().filter(|e| e.new.is_none()).filter_map(|e| e.old) {
            let line = Document::new(old.to_vec());
            warnings.extend(line.claims().map(|claim| {
                let (owner, file) = (crate::text::escape(claim.owner), kind.file());
                let message = format!(
                    "{} of {owner} is not marked as released in {file}: other lines hold its IDs",
                    claim.range
                );
                Warning { code: "not-marked", owner, message }
            }));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{refusal, snapshot};
    use super::*;
    use crate::idfile::{Dialect, Verdict};
    use crate::range::RangeSet;
    use proptest::prelude::*;

    fn named(snapshot: &Snapshot, name: &str) -> Owner {
        match snapshot.accounts.by_name(name.as_bytes()) {
            Some(account) => Owner::account(account.clone()),
            None => Owner { label: name.as_bytes().into(), account: None },
        }
    }

    fn planned(snapshot: &Snapshot, name: &str, range: Option<&str>) -> Plan {
        let range = range.map(|text| Range::parse(text).unwrap());
        let request = Release { owners: vec![named(snapshot, name)], range };
        release(snapshot, &Policy::default(), &request).unwrap()
    }

    #[test]
    fn settings_that_make_no_sense_do_not_stop_a_release() {
        let mut s = snapshot("alice:5:5\n", "");
        // Of shadow's two switches only one.
        s.login_defs.values.insert("SUB_UID_DETERMINISTIC".to_owned(), ("yes".to_owned(), 1));
        assert!(super::super::plan(&s, &Policy::default(), &super::super::Request::default()).is_err());
        assert_eq!(planned(&s, "alice", None).files.uid.after.as_bytes(), b"!alice:5:5\n");
    }

    #[test]
    fn a_line_that_programs_read_differently_goes_whole() {
        // 0620 is 400 for C and 620 for Go: releasing one of them would free the other.
        let s = snapshot("alice:0620:10\n", "");
        let plan = planned(&s, "alice", Some("400-409"));
        assert!(plan.assignments.is_empty());
        assert_eq!((refusal(&plan).0, refusal(&plan).1), ("range-taken", 6));
        assert_eq!(planned(&s, "alice", Some("400-629")).assignments.len(), 2);
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = "(alice|bob|!alice|1001|1000|#alice|gone)(:|: )(0x|0|)[1-9][0-9]{0,2}:[1-9][0-9]?(:x| )?";
        prop::collection::vec(prop_oneof![4 => line, 1 => "[a:# 0-9]{0,12}"], 0..8)
            .prop_map(|lines| lines.join("\n"))
    }

    /// What each reader grants to whom, as IDs below 2^32.
    fn grants(document: &Document) -> Vec<(Dialect, Vec<u8>, Range)> {
        let mut all = Vec::new();
        for line in document.lines() {
            for dialect in Dialect::ALL {
                if let Verdict::Grants { owner, start, count } = dialect.read(line.raw)
                    && !owner.starts_with(b"!")
                    && let Some(range) = Range::clipped(start, count)
                {
                    all.push((dialect, owner.to_vec(), range));
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn a_release_grants_nothing_frees_nothing_and_ends(uid in lines(), gid in lines(), name in "(alice|bob|gone|#alice)") {
            let s = snapshot(&uid, &gid);
            let plan = planned(&s, &name, None);
            prop_assert!(plan.refusals.is_empty());
            let mut after = s.clone();
            for kind in Kind::BOTH {
                let document = &plan.files[kind].after;
                let before = grants(s.files[kind].document.as_ref().unwrap());
                for grant in grants(document) {
                    prop_assert!(before.contains(&grant), "{grant:?} is new in {document:?}");
                    let spellings = named(&s, &name).spellings(&s.accounts);
                    prop_assert!(!spellings.iter().any(|spelling| *spelling == grant.1), "{grant:?} is left in {document:?}");
                }
                after.files[kind].document = Some(document.clone());
                let held = |s: &Snapshot| s.files[kind].claims().map(|c| c.range).collect::<RangeSet>();
                prop_assert_eq!(held(&s), held(&after));
            }
            prop_assert!(!planned(&after, &name, None).changed());
        }
    }
}
