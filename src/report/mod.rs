//! Results to text: for people, as unified diff, as JSON. Decides nothing and prints nothing by itself.

mod catalogue;
mod clash;
pub mod demo;
mod diff;
mod engine;
mod error;
mod findings;
mod fit;
mod folded;
pub mod history;
mod list;
mod map;
mod plan;
mod policy;
pub mod proof;
pub mod scan;
mod space;
mod svg;
mod table;
mod template;
mod who;

pub use catalogue::{entries_json, entries_text, explain_json, explain_text};
pub use diff::{changed_lines, unified};
pub use engine::{engine_json, engine_text};
pub use error::{error_json, error_text, refusals_text};
pub use findings::{findings_json, findings_text, summary_text, unseen_text};
pub use list::{FILES, NSS, list_json, list_text, subid_lines};
pub use map::map_text;
pub use plan::{Shown, next_hint, plan_json, plan_text, warnings_text};
pub use policy::{policy_json, policy_text};
pub use svg::map_svg;
pub use template::templates_text;
pub use who::{who_json, who_text};

/// How text may look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// With colour.
    pub color: bool,
    /// Everything, however long.
    pub full: bool,
    /// Columns that lines are folded at, where they can be; 0 is no limit.
    pub width: usize,
}

impl Style {
    /// Wraps text in an SGR colour, where colour is on.
    pub(crate) fn paint(self, sgr: &str, text: &str) -> String {
        if self.color { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Adds `NAME_hex` with the exact bytes of a field that is not UTF-8.
pub(crate) fn add_hex(value: &mut serde_json::Value, key: &str, bytes: &[u8]) {
    if std::str::from_utf8(bytes).is_err()
        && let Some(object) = value.as_object_mut()
    {
        object.insert(key.to_owned(), crate::text::to_hex(bytes).into());
    }
}
