//! `subidctl template`: files that other systems need.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{Global, Render, Template as Args};
use super::ask::{From, confirm};
use super::facts::Context;
use super::output::{Output, print};
use crate::error::{Code, Error, Result};
use crate::host::{self, Trust, read_named};
use crate::idfile::Document;
use crate::planner::{self, Owner};
use crate::range::{Count, Kind, Range, SubId};
use crate::report::{templates_text, unified};
use crate::template::{ALL, Template, find};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    match args {
        Args::List => list(output),
        Args::Show { name } => {
            no_json(output)?;
            print(find(name)?.text.as_bytes())?;
            Ok(0)
        }
        Args::Render(args) => {
            no_json(output)?;
            let template = find(&args.name)?;
            let mut values = values(&args.set)?;
            fill_in(global, template, &mut values)?;
            let text = template.render(&values)?;
            match &args.to {
                Some(path) => write(path, text, template.mode, args, output),
                None => print(text.as_bytes()).map(|()| 0),
            }
        }
    }
}

fn no_json(output: Output) -> Result<()> {
    if !output.json {
        return Ok(());
    }
    Err(Error::new(Code::Usage, "a template has no JSON form")
        .why("its text is for another program")
        .fix("leave --json out; template list has it"))
}

fn list(output: Output) -> Result<u8> {
    output.text(&templates_text(ALL, super::output::width()))?;
    output.document(|| {
        let keys = |t: &Template| -> Vec<Value> {
            t.keys.iter().map(|k| json!({ "name": k.name, "about": k.about, "default": k.default })).collect()
        };
        let all: Vec<Value> = ALL
            .iter()
            .map(|t| json!({ "name": t.name, "about": t.about, "place": t.place, "keys": keys(t) }))
            .collect();
        json!({ "schema": "subidctl.templates.v1", "templates": all })
    })?;
    Ok(0)
}

/// `key=value`, each key once.
fn values(set: &[String]) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for pair in set {
        let shown = crate::text::escape(pair.as_bytes());
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Error::new(Code::Usage, format!("--set {shown} sets nothing"))
                .why("there is no = in it")
                .fix("--set key=value")
        })?;
        if values.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Error::new(Code::Usage, format!("--set {shown}: the key has a value already"))
                .why("each key is set once")
                .fix("leave one of the two out"));
        }
    }
    Ok(values)
}

/// The starts of the new range, where nobody names them: as the owner's lines have it now.
fn fill_in(global: &Global, template: &Template, values: &mut BTreeMap<String, String>) -> Result<()> {
    let number = |key: &str| values.get(key).and_then(|text| text.parse::<u64>().ok());
    let old = |kind: Kind| {
        let first = u32::try_from(number(&format!("old_{}", kind.name()))?).ok()?;
        Range::new(SubId::new(first), Count::new(number("count")?)?)
    };
    let missing = |kind: &Kind| {
        let key = format!("new_{}", kind.name());
        template.keys.iter().any(|k| k.name == key) && !values.contains_key(&key)
    };
    let wanted: Vec<(Kind, Range)> =
        Kind::BOTH.into_iter().filter(missing).filter_map(|kind| Some((kind, old(kind)?))).collect();
    let Some(owner) = values.get("owner").cloned().filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let mut context = Context::load(global)?;
    let owner = Owner::account(host::find_user(&mut context.snapshot, owner.as_bytes())?);
    for (kind, old) in wanted {
        let new = planner::successor(&context.snapshot, &owner, kind, old)?;
        values.insert(format!("new_{}", kind.name()), new.first().to_string());
    }
    Ok(())
}

/// Writes the file; one that is there is shown as a diff, and replaced only on a yes.
fn write(path: &Path, text: String, mode: u32, args: &Render, output: Output) -> Result<u8> {
    let there = path.symlink_metadata().is_ok();
    let after = Document::new(text.into_bytes());
    if there {
        let before = Document::new(read_named(path, Trust::Names)?);
        if before == after {
            output.text("The file is there and says just that. No changes.\n")?;
            return Ok(0);
        }
        output.text(&unified(&crate::text::path(path), Some(&before), &after, output.style))?;
        confirm("Replace this file?", args.yes, From::Stdin)?;
    }
    super::write_named(path, after.as_bytes(), mode)?;
    output.text(&format!("Written to {}.\n", crate::text::path(path)))?;
    Ok(0)
}
