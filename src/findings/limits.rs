//! What the process that is to make a container has too little of, or may not see.

use super::kernel::SYS_ADMIN;
use super::{BASE, Entry, Facts, Group, Seen, Status};
use crate::text::shell_word;

pub(super) static ENTRIES: &[Entry] = &[Entry {
    id: "process-limit",
    group: Group::Kernel,
    severity: Status::Error,
    title: "the user may not have as many processes as a container needs",
    explain: "The limit (RLIMIT_NPROC, ulimit -u) counts all processes and threads of the user, in every \
                  session. It comes from limits.conf, from LimitNPROC= of a unit, or from a batch system.",
    consequence: "no process can be started: Resource temporarily unavailable",
    repair: "sudo prlimit --pid $$ --nproc=NUMBER in the shell; to stay: /etc/security/limits.conf",
    explains: |_, words| no_more_processes(words),
    find: process_limit,
    session: true,
    ..BASE
}];

/// What covers parts of /proc: taken away where that can be, else the outer container has to be another one.
pub(super) fn proc_covered(facts: &Facts<'_>) -> Vec<Seen> {
    let process = &facts.machine.process;
    if process.proc_covered.is_empty() {
        return Vec::new();
    }
    let words =
        process.proc_covered.iter().map(|point| shell_word(point.as_bytes())).collect::<Option<Vec<_>>>();
    let confined = process.nested || process.seccomp || process.bounding & 1 << SYS_ADMIN == 0;
    let fix = match words {
        Some(points) if !confined => format!("sudo umount {}", points.join(" ")),
        _ => "run the outer container with --security-opt systempaths=unconfined".to_owned(),
    };
    vec![Seen {
        message: "parts of /proc are covered by other mounts".to_owned(),
        evidence: format!("mounted there: {} (/proc/self/mountinfo)", process.proc_covered.join(", ")),
        fix,
        ..Seen::default()
    }]
}

/// The kernel's words where no process can be made.
pub(super) fn no_more_processes(words: &str) -> bool {
    words.contains(nix::errno::Errno::EAGAIN.desc()) || words.contains("Resource temporarily unavailable")
}

/// What a container of ours takes: worker, first process, helper, and one more.
const NEEDED: u64 = 4;

/// More than anybody needs, for a limit that was too low.
const ENOUGH: u64 = 4096;

fn process_limit(facts: &Facts<'_>) -> Vec<Seen> {
    let Some(limit) = facts.machine.process.processes else { return Vec::new() };
    if limit.soft >= limit.now.saturating_add(NEEDED) {
        return Vec::new();
    }
    let fix = if limit.hard >= limit.now.saturating_add(4 * NEEDED) {
        format!("prlimit --pid $$ --nproc={}:", limit.hard.min(ENOUGH))
    } else {
        format!("sudo prlimit --pid $$ --nproc={ENOUGH}")
    };
    vec![Seen {
        message: format!("{} may have {} processes, and a container needs some", facts.user, limit.soft),
        evidence: format!(
            "RLIMIT_NPROC (ulimit -u) is {}, and {} has {} processes",
            limit.soft, facts.user, limit.now
        ),
        fix,
        ..Seen::default()
    }]
}
