//! A container run: what the kernel showed, from both sides, and why it failed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::idmap::Extent;
use crate::proof::{Place, ProbeStatus, Proof};
use crate::range::Kind;

/// The text of `verify`. Ends in a newline.
pub fn text(proof: &Proof) -> String {
    let mut out = String::new();
    for kind in Kind::BOTH {
        if !proof.inside[kind].is_empty() {
            let _ = writeln!(out, "{}_map, as the kernel shows it inside:", kind.name());
            map(&mut out, &proof.inside[kind]);
            agreement(&mut out, proof, kind);
        } else if !proof.expected[kind].is_empty() {
            let _ = writeln!(out, "{}_map, expected:", kind.name());
            map(&mut out, &proof.expected[kind]);
        }
    }
    if let Some(seen) = &proof.identity {
        let root = if seen.inside_uid == 0 { " (root)" } else { "" };
        let width = seen.inside_pid.to_string().len().max(seen.host_pid.to_string().len());
        let _ = writeln!(out, "inside : pid {:<width$}  uid {}{root}", seen.inside_pid, seen.inside_uid);
        let user = if seen.host_uid == proof.uid { format!(" ({})", proof.user) } else { String::new() };
        let _ = writeln!(out, "host   : pid {:<width$}  uid {}{user}", seen.host_pid, seen.host_uid);
    }
    for probe in &proof.probes {
        let status = match probe.status {
            ProbeStatus::Ok => "ok",
            ProbeStatus::Failed => "FAILED",
            ProbeStatus::NotApplicable => "n/a",
        };
        let _ = writeln!(out, "{status:<6} {:<11} {}", probe.id, probe.message);
    }
    if let Some(failure) = &proof.failure {
        let _ = writeln!(out, "FAILED at the step {}: {}", failure.step.name(), failure.helper_message);
        let _ = writeln!(out, "  cause   : {}", failure.cause);
        let _ = writeln!(out, "  evidence: {}", failure.evidence);
        let _ = writeln!(out, "  fix     : {}", failure.fix);
    }
    let place = match proof.place {
        Place::Host => "",
        Place::World => ", in a world of IDs that nobody has",
    };
    let verdict = if proof.ok { "works" } else { "does not work" };
    let _ = writeln!(out, "A rootless container of {} (uid {}) {verdict}{place}.", proof.user, proof.uid);
    out
}

/// In the kernel's own columns (`%10u %10u %10u`).
fn map(out: &mut String, map: &[Extent]) {
    for extent in map {
        let _ = writeln!(out, "{:>10} {:>10} {:>10}", extent.inside, extent.outside, extent.count);
    }
}

fn agreement(out: &mut String, proof: &Proof, kind: Kind) {
    if proof.maps[kind] == proof.expected[kind] && proof.inside[kind] == proof.expected[kind] {
        out.push_str("  as expected, and the host sees the same\n");
        return;
    }
    out.push_str("  NOT as expected, which is:\n");
    map(out, &proof.expected[kind]);
    if proof.maps[kind] != proof.inside[kind] {
        out.push_str("  and the host sees:\n");
        map(out, &proof.maps[kind]);
    }
}

/// The document `subidctl.proof.v1`. `uid_map` and `gid_map` are those that the host sees.
pub fn json(proof: &Proof) -> Value {
    let identity = proof.identity.as_ref().map(|seen| {
        json!({
            "inside": {"pid": seen.inside_pid, "uid": seen.inside_uid},
            "host": {"pid": seen.host_pid, "uid": seen.host_uid},
        })
    });
    json!({
        "schema": "subidctl.proof.v1",
        "ok": proof.ok,
        "place": proof.place,
        "user": proof.user,
        "uid": proof.uid,
        "uid_map": proof.maps.uid,
        "gid_map": proof.maps.gid,
        "inside_uid_map": proof.inside.uid,
        "inside_gid_map": proof.inside.gid,
        "expected_uid_map": proof.expected.uid,
        "expected_gid_map": proof.expected.gid,
        "identity": identity,
        "probes": proof.probes,
        "failure": proof.failure,
        "command_exit": proof.command_exit,
    })
}
