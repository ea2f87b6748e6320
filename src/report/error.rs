//! Errors in three lines, or as `subidctl.error.v1`.

use serde_json::{Value, json};

use super::Style;
use crate::error::Error;
use crate::planner::Refusal;

/// What, why, what to do: one line each, as far as there is something to say.
pub fn error_text(error: &Error, style: Style) -> String {
    let mut out = format!("{} {}\n", style.paint("1;31", "subidctl:"), error.what);
    if !error.why.is_empty() {
        out.push_str(&format!("  why: {}\n", error.why));
    }
    if !error.fix.is_empty() {
        out.push_str(&format!("  fix: {}\n", error.fix));
    }
    out
}

/// The document of a failure.
pub fn error_json(error: &Error) -> Value {
    json!({
        "schema": "subidctl.error.v1",
        "code": error.code.as_str(),
        "exit": error.code.exit(),
        "message": error.what,
        "why": error.why,
        "fix": error.fix,
    })
}

/// All refused users, each in three lines.
pub fn refusals_text(refusals: &[Refusal], style: Style) -> String {
    refusals.iter().map(|r| error_text(&r.error, style)).collect()
}
