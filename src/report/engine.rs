//! What an engine showed: its maps, where they come from, and why they are not what the files give.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::proof;
use crate::proof::EngineProof;
use crate::range::Kind;

/// The text of `verify --engine`. Ends in a newline.
pub fn engine_text(seen: &EngineProof) -> String {
    let (name, it) = (seen.engine.name(), &seen.proof);
    let mut out = match &seen.program {
        Some(path) => {
            format!("{name} {} ({path}), asked as {}\n", seen.version.as_deref().unwrap_or("?"), it.user)
        }
        None => String::new(),
    };
    for kind in Kind::BOTH {
        if !it.maps[kind].is_empty() {
            let _ = writeln!(out, "{}_map, as {name} shows it:", kind.name());
            proof::map(&mut out, &it.maps[kind]);
        }
        if it.maps[kind].is_empty() || it.maps[kind] != it.expected[kind] {
            let _ = writeln!(out, "{}_map, as the files give it:", kind.name());
            proof::map(&mut out, &it.expected[kind]);
        }
    }
    for probe in &it.probes {
        let status = proof::status(probe.status);
        let _ = writeln!(out, "{status:<6} {:<15} {}", probe.id, probe.message);
    }
    if let Some(failure) = &it.failure {
        let _ = writeln!(out, "FAILED: {}", failure.message);
        let _ = writeln!(out, "  cause   : {}", failure.cause);
        let _ = writeln!(out, "  evidence: {}", failure.evidence);
        let _ = writeln!(out, "  fix     : {}", failure.fix);
    }
    let verdict = match (it.ok, &seen.program) {
        (true, _) => "has the IDs that the files give",
        (false, Some(_)) => "does not have the IDs that the files give",
        (false, None) => "was not asked",
    };
    let _ = writeln!(out, "{name} of {} (uid {}) {verdict}.", it.user, it.uid);
    out
}

/// The document `subidctl.proof.v1` with what is known of the engine. The maps are those that it showed.
pub fn engine_json(seen: &EngineProof) -> Value {
    let mut document = proof::json(&seen.proof);
    if let Some(object) = document.as_object_mut() {
        let engine = json!({ "name": seen.engine, "program": seen.program, "version": seen.version });
        object.insert("engine".to_owned(), engine);
    }
    document
}
