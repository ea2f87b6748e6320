//! A container run: what the kernel showed, from both sides, and why it failed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::idmap::Extent;
use crate::proof::{Place, Probe, ProbeStatus, Proof};
use crate::range::Kind;
use crate::text::thousands;

use super::findings::wrapped;
use super::fit::columns;

/// Columns of a line, where what it says can be parted.
const WIDTH: usize = 80;

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
        let _ = writeln!(out, "inside : pid {}  uid {}{root}", seen.inside_pid, seen.inside_uid);
        let user = |uid: u32| if uid == proof.uid { format!(" ({})", proof.user) } else { String::new() };
        let whose = match seen.world_uid {
            Some(uid) => {
                let _ = writeln!(out, "world  :        uid {uid}{}", user(uid));
                " (no account)".to_owned()
            }
            None => user(seen.host_uid),
        };
        let _ = writeln!(out, "host   : pid {}  uid {}{whose}", seen.host_pid, seen.host_uid);
    }
    for probe in &proof.probes {
        out.push_str(&line(probe));
    }
    if let Some(failure) = &proof.failure {
        let _ = writeln!(out, "FAILED at the step {}: {}", failure.step.name(), failure.helper_message);
        let cause = format!("{} [{}]", failure.message, failure.cause);
        for (name, words) in [("cause   ", &cause), ("evidence", &failure.evidence)] {
            out.push_str(&wrapped(&format!("  {name}: "), &" ".repeat(12), words));
        }
        let _ = writeln!(out, "  fix     : {}", failure.fix);
    }
    let place = match proof.place {
        Place::Host => "",
        Place::World => ", in a world of unused IDs",
    };
    let verdict = if proof.ok { "works" } else { "does not work" };
    let map = match proof.userns {
        "auto" => String::new(),
        "explicit" => " with the IDs asked for".to_owned(),
        mode => format!(" with --userns {mode}"),
    };
    let _ =
        writeln!(out, "A rootless container of {} (uid {}) {verdict}{map}{place}.", proof.user, proof.uid);
    out
}

/// How a probe went, in a word.
pub(super) const fn status(status: ProbeStatus) -> &'static str {
    match status {
        ProbeStatus::Ok => "ok",
        ProbeStatus::Failed => "FAILED",
        ProbeStatus::Note => "note",
        ProbeStatus::NotApplicable => "n/a",
    }
}

/// What was tried. A command that does not fit beside what it mends has a line of its own.
fn line(probe: &Probe) -> String {
    let status = status(probe.status);
    let line = format!("{status:<6} {:<10} ", probe.id);
    let margin = columns(&line);
    let fits = margin + columns(&probe.message) <= WIDTH;
    let message =
        if fits { probe.message.clone() } else { probe.message.replace("; ", &format!(";\n{:margin$}", "")) };
    line + &message + "\n"
}

/// What a world cannot show, in one line.
const LIMITS: &str = "A world has copies of the helpers: their mode and a nosuid mount show only in a\n\
    container on the host.\n";

/// The text of several containers of one place, of `all` users. Ends in a newline; empty without any.
pub fn several(proofs: &[Proof], all: usize) -> String {
    let Some(first) = proofs.first() else { return String::new() };
    let world = first.place == Place::World;
    let mut out = format!(
        "\nProof {}:\n",
        if world {
            "on the planned files, in a world of IDs that nobody has"
        } else {
            "on the host, as the real user"
        }
    );
    if let ([proof], 1) = (proofs, all) {
        out.push_str(&text(proof));
    } else {
        for proof in proofs {
            if proof.ok {
                let ids: u64 =
                    proof.expected.uid.iter().filter(|e| !e.is_own(proof.uid)).map(|e| e.count).sum();
                let _ = writeln!(
                    out,
                    "ok     {} (uid {}): {} IDs mapped as expected",
                    proof.user,
                    proof.uid,
                    thousands(ids)
                );
            } else {
                out.push_str(&text(proof));
            }
        }
        let count = |n: usize| thousands(u64::try_from(n).unwrap_or(u64::MAX));
        let good = proofs.iter().filter(|proof| proof.ok).count();
        let _ = writeln!(out, "proved {} of {}", count(good), count(all));
    }
    if world {
        out.push_str(LIMITS);
    }
    out
}

/// In the kernel's own columns (`%10u %10u %10u`).
pub(super) fn map(out: &mut String, map: &[Extent]) {
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
            "world": seen.world_uid.map(|uid| json!({"uid": uid})),
        })
    });
    json!({
        "schema": "subidctl.proof.v1",
        "ok": proof.ok,
        "place": proof.place,
        "user": proof.user,
        "uid": proof.uid,
        "userns": proof.userns,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{Failure, Identity, Step};
    use crate::range::PerKind;

    fn proof() -> Proof {
        let map = vec![
            Extent { inside: 0, outside: 1000, count: 1 },
            Extent { inside: 1, outside: 100_000, count: 65536 },
        ];
        let maps = PerKind { uid: map.clone(), gid: map };
        Proof {
            ok: true,
            place: Place::Host,
            user: "tscherf".to_owned(),
            uid: 1000,
            userns: "auto",
            maps: maps.clone(),
            inside: maps.clone(),
            expected: maps,
            identity: Some(Identity {
                inside_pid: 1,
                inside_uid: 0,
                host_pid: 48213,
                host_uid: 1000,
                world_uid: None,
            }),
            probes: vec![Probe {
                id: "file-0".to_owned(),
                status: ProbeStatus::Ok,
                message: "a file".to_owned(),
            }],
            failure: None,
            command_exit: None,
        }
    }

    #[test]
    fn the_text_of_a_container_that_works() {
        insta::assert_snapshot!(text(&proof()), @r"
        uid_map, as the kernel shows it inside:
                 0       1000          1
                 1     100000      65536
          as expected, and the host sees the same
        gid_map, as the kernel shows it inside:
                 0       1000          1
                 1     100000      65536
          as expected, and the host sees the same
        inside : pid 1  uid 0 (root)
        host   : pid 48213  uid 1000 (tscherf)
        ok     file-0     a file
        A rootless container of tscherf (uid 1000) works.
        ");
    }

    #[test]
    fn the_text_of_one_that_does_not() {
        let mut proof = proof();
        proof.ok = false;
        proof.maps = PerKind::default();
        proof.inside = PerKind::default();
        proof.identity = None;
        proof.probes.clear();
        proof.failure = Some(Failure {
            step: Step::UidMap,
            helper_message: "newuidmap: write to uid_map failed: Operation not permitted".to_owned(),
            cause: "helper-no-privilege".to_owned(),
            message: "newuidmap is neither setuid root nor has file capabilities".to_owned(),
            evidence: "/usr/bin/newuidmap: mode 0755".to_owned(),
            fix: "sudo chmod u+s /usr/bin/newuidmap".to_owned(),
        });
        insta::assert_snapshot!(text(&proof), @r"
        uid_map, expected:
                 0       1000          1
                 1     100000      65536
        gid_map, expected:
                 0       1000          1
                 1     100000      65536
        FAILED at the step uid-map: newuidmap: write to uid_map failed: Operation not permitted
          cause   : newuidmap is neither setuid root nor has file capabilities
                    [helper-no-privilege]
          evidence: /usr/bin/newuidmap: mode 0755
          fix     : sudo chmod u+s /usr/bin/newuidmap
        A rootless container of tscherf (uid 1000) does not work.
        ");
        assert_eq!(json(&proof)["failure"]["step"], "uid-map");
    }

    #[test]
    fn a_map_that_differs_is_said() {
        let mut proof = proof();
        proof.maps.gid[1].count = 10;
        let text = text(&proof);
        assert!(text.contains("NOT as expected") && text.contains("the host sees:"), "{text}");
    }

    #[test]
    fn the_json_has_arrays_of_numbers() {
        let json = json(&proof());
        assert_eq!(json["uid_map"], serde_json::json!([[0, 1000, 1], [1, 100_000, 65536]]));
        assert_eq!((&json["schema"], &json["ok"]), (&"subidctl.proof.v1".into(), &true.into()));
    }
}
