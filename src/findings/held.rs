//! Lines that hold IDs which no container may have: those of the host itself and of accounts.

use super::files::{each, own_id};
use super::{ANOTHER, BASE, Entry, Found, Group, Sight, Status, Survey, is_map};
use crate::range::Kind;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "holds-root",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds 0, which is root",
        explain: "newuidmap grants whatever the file says, 0 included, on every version of shadow: the owner maps \
                  host root into a container and is root on the host. Such lines come from 'usermod -v 0-65535', \
                  which asks no questions, and from copying the line of a container's own /etc/subuid, where 0 is \
                  harmless. No program that allocates ranges makes one.",
        consequence: "the owner can become root of this host at any time, without a password",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-root")),
        ..BASE
    },
    Entry {
        id: "holds-system-id",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds IDs of system users or groups",
        explain: "IDs below UID_MIN (1000) belong to services: who can map one is that service, reads its files \
                  and signals its processes. For a group ID it is disk, shadow or docker, each as good as root. \
                  New services get IDs there with the next package, whether or not the ID is in use today \
                  (systemd, UIDS-GIDS; Debian, base-passwd).",
        consequence: "the owner can act as system services, and through groups such as disk or shadow as root",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-system-id")),
        ..BASE
    },
    Entry {
        id: "holds-login-id",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds IDs of login users",
        explain: "UID_MIN to UID_MAX of login.defs (1000 to 60000 without it) is where useradd finds the uid of \
                  the next person. A container that maps such an ID is that person, today or after the next \
                  useradd: it reads the home folder, also over NFS (CVE-2024-56433 is the same fault made by \
                  useradd itself).",
        consequence: "the owner can read and change the files of people, also of those who get an account later",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-login-id")),
        ..BASE
    },
    Entry {
        id: "holds-nobody",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds 65534, which is nobody",
        explain: "The kernel shows every ID that it cannot translate as 65534: files of other namespaces, of NFS \
                  clients without a mapping, of FUSE. nobody is also what many services drop to. Who may map it \
                  is all of them at once. Ranges that start at 65536 or above avoid it.",
        consequence: "the owner can act as nobody, and as every service that runs as nobody",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-nobody")),
        ..BASE
    },
    Entry {
        id: "holds-65535",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds 65535, the -1 of 16-bit IDs",
        explain: "For software with 16-bit IDs, old file systems and system calls, 65535 means 'no ID': chown to \
                  it changes nothing and says that it did. systemd and Debian never give it to anybody \
                  (systemd, UIDS-GIDS).",
        consequence: "files of this ID keep their former owner where 16-bit interfaces are used",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-65535")),
        ..BASE
    },
    Entry {
        id: "holds-minus-one",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds 4294967295, which means no ID",
        explain: "(uid_t) -1 tells setresuid and chown to leave an ID as it is, so that whatever is meant to \
                  become this user stays who it was, root for example. The kernel maps IDs up to 4294967294 only \
                  (user_namespaces(7)). libsubid of shadow hands it out where its pool reaches so far.",
        consequence: "a map with this ID is refused, and what changes to it keeps the rights that it had",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-minus-one")),
        ..BASE
    },
    Entry {
        id: "own-id-in-range",
        group: Group::Ranges,
        severity: Status::Error,
        title: "the user's own ID lies in the user's own range",
        explain: "Rootless engines map the user's own ID to 0 and then the whole range: the map would name that \
                  ID twice, which the kernel refuses. Common with accounts of a directory, whose uids are above \
                  100000 and meet shadow's usual pool (podman issue 4436, moby issue 49810).",
        consequence: "newuidmap: write to uid_map failed: Invalid argument",
        repair: ANOTHER,
        explains: |step, words| is_map(step) && words.contains("Invalid argument"),
        find: |facts| each(facts, own_id),
        audit: Some(own),
        ..BASE
    },
    Entry {
        id: "holds-account",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range holds the ID of an account or group",
        explain: "useradd looks for free subordinate IDs in /etc/subuid alone and for free uids in /etc/passwd \
                  alone (shadow issues 525 and 1157), and neither asks the directory: with accounts above 100000 \
                  the two meet sooner or later. The owner of the range is then that account, also on its NFS \
                  home (CVE-2024-56433).",
        consequence: "the owner of the range can act as that account and read and change its files",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "holds-account")),
        ..BASE
    },
    Entry {
        id: "in-declared-range",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range lies over IDs of a directory",
        explain: "The policy's directory key declares where LDAP, AD or FreeIPA have their accounts. They cannot \
                  be listed and new ones come without notice, so that the whole span counts, not only the IDs \
                  that answer today.",
        consequence: "an account of the directory, now or later, has an ID that the owner's containers use",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "in-declared-range")),
        ..BASE
    },
    Entry {
        id: "in-reserved-range",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range lies over IDs that are kept for something else",
        explain: "Between the login users and 65536 systemd has IDs for homed, nspawn, greeters and services with \
                  DynamicUser, and 2147352576 to 2147418111 for foreign files; it gives them out without looking \
                  into /etc/subuid (systemd, UIDS-GIDS). The policy's reserve key adds what this site keeps.",
        consequence: "a service or file that gets one of these IDs is the container owner's to read and change",
        repair: ANOTHER,
        audit: Some(|survey| held(survey, "in-reserved-range")),
        ..BASE
    },
];

/// The lines of which this is the gravest that they meet.
fn held<'s>(survey: &'s Survey<'s>, id: &'static str) -> Found<'s> {
    let of_kind = move |kind: Kind| {
        let met = survey.met[kind].iter().filter(move |(_, met)| met.id == id);
        met.filter_map(move |(index, met)| {
            let claim = survey.claims[kind].get(*index)?;
            Some(Sight::line(kind, claim.line, move || {
                let among = met.account.as_ref().map(|who| format!(", among them {who}")).unwrap_or_default();
                let owner = crate::text::escape(claim.owner);
                let message = format!("{} of {owner} meets {}{among}", claim.range, met.what);
                survey.of_claim(kind, claim, message, survey.another(claim.owner))
            }))
        })
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}

/// The lines that hold their owner's uid or primary gid.
fn own<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let of_kind = move |kind: Kind| {
        survey.live(kind).filter_map(move |claim| {
            let account = survey.account_of(claim)?;
            let id = match kind {
                Kind::Uid => account.uid.get(),
                Kind::Gid => account.gid.get(),
            };
            let words = move || {
                let name = if kind == Kind::Uid { "uid" } else { "primary gid" };
                let message =
                    format!("{} of {} holds {}'s own {name} {id}", claim.range, account.name, account.name);
                survey.of_claim(kind, claim, message, survey.another(claim.owner))
            };
            claim.range.contains(id).then(|| Sight::line(kind, claim.line, words))
        })
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}
