//! `subidctl explain`: the page of a finding.

use serde_json::json;

use super::args::Explain as Args;
use super::output::Output;
use crate::error::{Code, Error, Result};
use crate::findings::{catalogue, entry};
use crate::report::{explain_json, explain_text};
use crate::text::{escape, nearest};

pub(super) fn run(args: &Args, output: Output) -> Result<u8> {
    let Some(id) = &args.id else {
        for entry in catalogue() {
            output.text(&format!("{:<28}  {}\n", entry.id, entry.title))?;
        }
        output.document(|| {
            json!({ "schema": "subidctl.explain.v1", "entries": catalogue().map(explain_json).collect::<Vec<_>>() })
        })?;
        return Ok(0);
    };
    let Some(entry) = entry(id) else {
        let near = nearest(id, catalogue().map(|entry| entry.id));
        return Err(Error::new(Code::Usage, format!("there is no finding {}", escape(id.as_bytes())))
            .why("the catalogue does not have this id")
            .fix(near.map_or_else(
                || "subidctl explain lists all of them".to_owned(),
                |near| format!("did you mean {near}? subidctl explain lists all of them"),
            )));
    };
    output.text(&explain_text(entry, output.style))?;
    output.document(|| explain_json(entry))?;
    Ok(0)
}
