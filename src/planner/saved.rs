//! A plan in a file: what `plan --out` wrote and `apply --plan` reads. Never trusted: only its
//! assignments and repairs are taken, everything else is computed again and compared.

use super::{Action, Assignment, Repair};
use crate::error::{Code, Error, Result};
use crate::idfile::{Digest, LineEdit};
use crate::range::{Count, Kind, Range, SubId, Uid};
use crate::snapshot::{Facts, Host};
use crate::text::{from_hex, to_hex};

/// The `schema` of a plan.
pub const SCHEMA: &str = "subidctl.plan.v1";

/// The parts of a plan file that are looked at. Fields that a later version adds are ignored.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct SavedPlan {
    schema: String,
    /// Where it was made.
    pub host: Host,
    /// The root that it was made for.
    pub root: String,
    /// What it was made from.
    pub facts: Facts,
    /// subuid and subgid, before and after.
    pub files: Vec<SavedFile>,
    assignments: Vec<SavedAssignment>,
    /// Repairs: a plan of `audit --fix` has them.
    #[serde(default)]
    edits: Vec<SavedEdit>,
}

/// One repair, as JSON has it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct SavedEdit {
    path: String,
    line: usize,
    old_hex: Option<String>,
    new_hex: Option<String>,
    finding: String,
}

impl From<&Repair> for SavedEdit {
    fn from(repair: &Repair) -> Self {
        Self {
            path: format!("/etc/{}", repair.kind.file()),
            line: repair.edit.line,
            old_hex: repair.edit.old.as_deref().map(to_hex),
            new_hex: repair.edit.new.as_deref().map(to_hex),
            finding: repair.finding.clone(),
        }
    }
}

impl SavedEdit {
    fn repair(&self) -> Option<Repair> {
        let kind = Kind::BOTH.into_iter().find(|kind| self.path == format!("/etc/{}", kind.file()))?;
        let bytes = |hex: &Option<String>| match hex {
            Some(hex) => from_hex(hex).map(Some),
            None => Some(None),
        };
        let edit = LineEdit { line: self.line, old: bytes(&self.old_hex)?, new: bytes(&self.new_hex)? };
        Some(Repair { kind, edit, finding: self.finding.clone() })
    }
}

/// One file of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SavedFile {
    /// Its path on that system.
    pub path: String,
    /// Digest before; `None` where the file did not exist.
    pub before_sha256: Option<Digest>,
    /// Digest afterwards; `None` where it is not created.
    pub after_sha256: Option<Digest>,
    /// The unified diff.
    pub diff: String,
}

/// One assignment, as JSON has it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct SavedAssignment {
    kind: Kind,
    /// For people; what is read is not believed, but taken from the owner's account.
    user: String,
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_hex: Option<String>,
    #[serde(default)]
    uid: Option<Uid>,
    start: u32,
    count: u64,
    action: Action,
    reason: String,
}

impl From<&Assignment> for SavedAssignment {
    fn from(a: &Assignment) -> Self {
        let utf8 = std::str::from_utf8(&a.owner).is_ok();
        Self {
            kind: a.kind,
            user: String::from_utf8_lossy(&a.user).into_owned(),
            owner: String::from_utf8_lossy(&a.owner).into_owned(),
            owner_hex: (!utf8).then(|| to_hex(&a.owner)),
            uid: a.uid,
            start: a.range.first(),
            count: a.range.count().get(),
            action: a.action,
            reason: a.reason.to_string(),
        }
    }
}

impl SavedPlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// `invalid-plan` where it is not JSON of this schema, or an assignment makes no sense.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<(Self, Vec<Assignment>, Vec<Repair>)> {
        let bad = |why: String| {
            Error::new(Code::InvalidPlan, format!("the plan {name} cannot be read"))
                .why(why)
                .fix("make a new one: subidctl plan --out FILE")
        };
        // The schema is looked at first, so that a plan of another version says so.
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|e| bad(crate::text::escape(e.to_string().as_bytes())))?;
        let schema = value.get("schema").and_then(|s| s.as_str()).unwrap_or("none").to_owned();
        if schema != SCHEMA {
            return Err(bad(format!(
                "its schema is {}, not {SCHEMA}",
                crate::text::escape(schema.as_bytes())
            )));
        }
        let plan: Self =
            serde_json::from_value(value).map_err(|e| bad(crate::text::escape(e.to_string().as_bytes())))?;
        debug_assert_eq!(plan.schema, SCHEMA);
        let assignments = plan
            .assignments
            .iter()
            .map(|a| {
                a.assignment().ok_or_else(|| {
                    bad(format!(
                        "the assignment of {} makes no sense",
                        crate::text::escape(a.owner.as_bytes())
                    ))
                })
            })
            .collect::<Result<_>>()?;
        let repairs = plan
            .edits
            .iter()
            .map(|edit| {
                let path = crate::text::escape(edit.path.as_bytes());
                edit.repair()
                    .ok_or_else(|| bad(format!("the edit of {path} line {} makes no sense", edit.line)))
            })
            .collect::<Result<_>>()?;
        Ok((plan, assignments, repairs))
    }
}

impl SavedAssignment {
    fn assignment(&self) -> Option<Assignment> {
        let owner = match &self.owner_hex {
            Some(hex) => from_hex(hex)?,
            None => self.owner.clone().into_bytes(),
        };
        let range = Range::new(SubId::new(self.start), Count::new(self.count)?)?;
        crate::range::Login::new(&owner)?;
        Some(Assignment {
            kind: self.kind,
            user: owner[..].into(),
            owner: owner.into(),
            uid: self.uid,
            range,
            action: self.action,
            reason: format!("the plan says: {}", crate::text::escape(self.reason.as_bytes())).into(),
        })
    }
}
