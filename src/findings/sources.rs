//! Where nsswitch.conf says that subordinate IDs come from.

use super::pools::replace_line;
use super::{BASE, Entry, Group, Reach, Seen, Status, Survey, all};
use crate::range::Kind;
use crate::text::escape;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "nsswitch-newline",
        group: Group::Defaults,
        severity: Status::Warning,
        title: "the subid: line ends nsswitch.conf without a newline",
        explain: "Newer versions of shadow (4.20) take no word of that line that the end of the file touches, and fall \
                  back to the files; older ones take it. The same host gives other ranges after an update.",
        consequence: "some versions of newuidmap ask the files, others what the line says",
        repair: "sudo sed -i '$a\\' /etc/nsswitch.conf",
        audit: Some(|survey| all(unterminated(survey))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "subid-module-missing",
        group: Group::Defaults,
        severity: Status::Error,
        title: "nsswitch.conf names a source of subordinate IDs that is not installed",
        explain: "newuidmap loads libsubid_NAME.so for the first word after subid: (shadow, lib/nss.c), and takes the \
                  files where it cannot. What the directory grants is then granted to nobody, and what stands in the \
                  files is. The module sss comes with SSSD (libsubid_sss.so).",
        consequence: "ranges of the directory are not granted; the files count instead",
        repair: "install the module (for sss: SSSD's), or sudo sed -i to set subid: files in \
                 nsswitch.conf",
        audit: Some(|survey| all(module(survey, false))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "subid-files-unused",
        group: Group::Defaults,
        severity: Status::Warning,
        title: "the files have lines, and subordinate IDs come from a directory",
        explain: "Where nsswitch.conf says subid: sss (or any word but files) and its module loads, newuidmap asks the \
                  directory alone; files and directory are never added (shadow, lib/nss.c). Programs without libsubid \
                  still read the files: podman built without it, and LXC.",
        consequence: "newuidmap grants nothing of what the files say",
        repair: "where the files should count: sudo sed -i to set subid: files in nsswitch.conf",
        audit: Some(|survey| all(module(survey, true))),
        reach: Reach::Everybody,
        ..BASE
    },
];

fn unterminated(survey: &Survey<'_>) -> Vec<Seen> {
    let switch = &survey.snapshot.nsswitch;
    if !switch.subid_unterminated {
        return Vec::new();
    }
    vec![Seen {
        file: Some("/etc/nsswitch.conf".to_owned()),
        line: Some(switch.subid.line),
        // Where it says what counts without it, nothing hangs on it.
        status: switch.subid_module.is_none().then_some(Status::Info),
        message: "the subid: line has no newline".to_owned(),
        evidence: format!("subid: {}", escape(switch.subid.sources.join(" ").as_bytes())),
        fix: format!("sudo sed -i '$a\\' {}", survey.word("/etc/nsswitch.conf")),
        ..Seen::default()
    }]
}

fn module(survey: &Survey<'_>, loads: bool) -> Vec<Seen> {
    let switch = &survey.snapshot.nsswitch;
    let Some(module) = switch.subid_module.as_ref().filter(|module| module.found == loads) else {
        return Vec::new();
    };
    let lines = Kind::BOTH.map(|kind| survey.claims[kind].iter().filter(|claim| !claim.released).count());
    if loads && lines == [0, 0] {
        return Vec::new();
    }
    let name = escape(module.name.as_bytes());
    let files = replace_line(&switch.path, switch.subid.line, "subid: files");
    let (message, fix) = if loads {
        let message = format!(
            "{} lines of subuid and {} of subgid count for nothing: subid: {name}",
            lines[0], lines[1]
        );
        (message, format!("where the files should count: {files}"))
    } else {
        let message = format!("subid: {name} is in force nowhere: libsubid_{name}.so cannot be loaded");
        (message, format!("install the module (for sss: SSSD's), or {files}"))
    };
    vec![Seen {
        file: Some(switch.path.clone()),
        line: Some(switch.subid.line),
        message,
        evidence: format!("subid: {}", switch.subid.sources.join(" ")),
        fix,
        ..Seen::default()
    }]
}
