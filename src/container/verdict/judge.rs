//! What the root side sees for itself, and believes no container.

use std::os::fd::OwnedFd;

use nix::sys::stat::fstat;

use super::super::Spec;
use super::super::checks::{Check, NOBODY, is_mapped};
use super::{Claims, Seen};
use crate::idmap::{self, Extent};
use crate::proof::{Failure, Identity, Probe, ProbeStatus, Step};
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::text::shell_word;

/// What the kernel shows for a login uid that was never set, and for one that a namespace does not have.
const UNSET: u32 = u32::MAX;

/// The port that people ask for.
const PORT: u32 = 80;

impl Seen {
    /// The first process is pid 1 inside, and outside an ordinary one of the user's, or of the ID that stands for
    /// the first one inside.
    pub(super) fn judge_identity(&self, seen: &Identity) -> Probe {
        let map = &self.expected.uid;
        let inside = idmap::first_process(map, self.own.uid);
        let there = seen.world_uid.or_else(|| self.world.is_none().then_some(seen.host_uid));
        let right = seen.inside_pid == 1 && seen.inside_uid == inside && there == idmap::outside(map, inside);
        let who = if inside == 0 { "root".to_owned() } else { format!("uid {inside}") };
        let whose = if there == Some(self.own.uid) { "the user's" } else { "a subordinate ID's" };
        let (status, message) = if right {
            (ProbeStatus::Ok, format!("{who} and pid 1 inside, a process of {whose} outside"))
        } else {
            let (pid, uid) = (seen.inside_pid, seen.inside_uid);
            (ProbeStatus::Failed, format!("pid {pid} and uid {uid} inside do not fit what is seen outside"))
        };
        probe(Check::Identity, status, message)
    }

    /// The host's view of a file of ours that the container gave to mapped IDs.
    pub(super) fn judge_file(&self, check: Check, file: Option<&OwnedFd>) -> Probe {
        let (status, message) = self.file(check, file);
        probe(check, status, message)
    }

    fn file(&self, check: Check, file: Option<&OwnedFd>) -> (ProbeStatus, String) {
        let ids = check.ids(&self.expected, self.own);
        let stat = match file.map(fstat) {
            None => return (ProbeStatus::Failed, "there is no such file".to_owned()),
            Some(Err(errno)) => return (ProbeStatus::Failed, format!("fstat: {}", errno.desc())),
            Some(Ok(stat)) => PerKind { uid: stat.st_uid, gid: stat.st_gid },
        };
        if !Kind::BOTH.into_iter().all(|kind| is_mapped(&self.expected[kind], self.own[kind])) {
            let words = "the user's own IDs are not mapped: no file can be given away";
            return (ProbeStatus::NotApplicable, words.to_owned());
        }
        let there = PerKind::from_fn(|kind| self.id_there(kind, stat[kind]));
        let wanted = PerKind::from_fn(|kind| idmap::outside(&self.expected[kind], ids[kind]?));
        let wrong = |kind: &Kind| wanted[*kind].is_some() && there[*kind] != wanted[*kind];
        let place = if self.world.is_some() { "in the world" } else { "on the host" };
        match (ids.uid, ids.gid) {
            (None, None) => (ProbeStatus::NotApplicable, "the map has no such ID".to_owned()),
            _ if Kind::BOTH.iter().any(wrong) => {
                let (seen, wanted) = (owners(there), owners(wanted));
                (
                    ProbeStatus::Failed,
                    format!("a file of {} inside is {seen} {place}, not {wanted}", owners(ids)),
                )
            }
            (Some(_), Some(_)) => {
                (ProbeStatus::Ok, format!("a file of {} inside is {} {place}", owners(ids), owners(there)))
            }
            (uid, _) => {
                let (has, lacks) = if uid.is_some() { ("uid", "gid") } else { ("gid", "uid") };
                (
                    ProbeStatus::Ok,
                    format!("a file's {has} inside is the right one {place}; no such {lacks} is mapped"),
                )
            }
        }
    }

    /// Adds what is not for the container to say, and puts all in order.
    pub(super) fn tell(&mut self, spec: &Spec) {
        if self.identity.is_some() {
            self.probes.push(self.ranges(spec));
            self.probes.push(publish());
        }
        self.nobody(spec);
        let place = |probe: &Probe| Check::ALL.iter().position(|check| check.name() == probe.id);
        self.probes.sort_by_key(place);
    }

    /// Whether all of the user's ranges are in the maps.
    fn ranges(&self, spec: &Spec) -> Probe {
        let counts = PerKind::from_fn(|kind| {
            let all: RangeSet = spec.ranges[kind].iter().copied().collect();
            let mapped: RangeSet = self.host[kind].iter().filter_map(Extent::beyond).collect();
            let used: u64 = all
                .iter()
                .flat_map(|range| mapped.iter().filter_map(move |m| m.intersection(range)))
                .map(|range| range.count().get())
                .sum();
            (used, all.ids())
        });
        let whole = Kind::BOTH.iter().all(|kind| counts[*kind].0 == counts[*kind].1);
        let of = |kind: Kind| match spec.ranges[kind].len() {
            1 => format!("1 {} range", kind.name()),
            n => format!("{n} {} ranges", kind.name()),
        };
        if whole {
            let words = format!("all IDs of {} and {} are mapped", of(Kind::Uid), of(Kind::Gid));
            return probe(Check::Ranges, ProbeStatus::Ok, words);
        }
        let PerKind { uid: (uids, all_uids), gid: (gids, all_gids) } = counts;
        let words = format!("{uids} of {all_uids} uids and {gids} of {all_gids} gids are mapped");
        probe(Check::Ranges, ProbeStatus::Note, words)
    }

    /// Says of a map without 65534 what comes of it.
    fn nobody(&mut self, spec: &Spec) {
        let lacks = Kind::BOTH.iter().any(|kind| idmap::outside(&self.expected[*kind], NOBODY).is_none());
        let missing =
            |probe: &&mut Probe| probe.id == Check::FileNobody.name() && probe.status != ProbeStatus::Failed;
        if let Some(probe) = self.probes.iter_mut().find(missing).filter(|_| lacks) {
            probe.status = ProbeStatus::Note;
            "65534 (nobody) is not mapped, and images have files of it".clone_into(&mut probe.message);
            let name = shell_word(spec.user.as_bytes()).filter(|_| spec.userns == idmap::Userns::Auto);
            if let Some(name) = name {
                probe.message.push_str(&format!("; sudo subidctl apply --count 65536 {name}"));
            }
        }
    }
}

/// Says of the host what a container's port needs: a port that anybody may bind.
fn publish() -> Probe {
    let (status, message) = match number("/proc/sys/net/ipv4/ip_unprivileged_port_start") {
        Some(start) if start > PORT => {
            let key = "ip_unprivileged_port_start";
            let words = format!("refused below {key}={start}; sysctl -w net.ipv4.{key}={PORT}");
            (ProbeStatus::Note, format!("publish on {PORT}: {words}"))
        }
        Some(start) => {
            (ProbeStatus::Ok, format!("publish on {PORT}: allowed, ip_unprivileged_port_start={start}"))
        }
        None => {
            (ProbeStatus::NotApplicable, "the kernel does not say which ports anybody may bind".to_owned())
        }
    };
    probe(Check::Publish, status, message)
}

/// The login uid is that of the process that called us, as the host reads it of the container; the container
/// reads the number that its map has for it.
pub(super) fn judge_login(claims: Claims, theirs: Option<u32>, map: &[Extent]) -> Probe {
    let (status, message) = login(number("/proc/self/loginuid"), theirs, claims.login, map);
    probe(Check::Login, status, message)
}

/// A number of the kernel's; `None` where it has none.
fn number(path: &str) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What became of the login uid: ours, the container's as the host reads it, and as it reads itself with this map.
fn login(
    ours: Option<u32>,
    theirs: Option<u32>,
    inside: Option<u32>,
    map: &[Extent],
) -> (ProbeStatus, String) {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return (ProbeStatus::NotApplicable, "this kernel keeps no login uids (no audit)".to_owned());
    };
    let expected = if ours == UNSET { None } else { idmap::inside(map, Range::single(ours)) };
    if ours != theirs {
        (ProbeStatus::Failed, format!("login uid {ours} outside has become {theirs}"))
    } else if inside != Some(expected.unwrap_or(UNSET)) {
        let inside = inside.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
        (ProbeStatus::Failed, format!("login uid {ours} is shown as {inside} inside"))
    } else if ours == UNSET {
        (ProbeStatus::NotApplicable, "unset, outside and inside: this was not started by a login".to_owned())
    } else {
        let shown = expected.map_or_else(|| "not mapped".to_owned(), |id| id.to_string());
        (ProbeStatus::Ok, format!("all it does is logged as login uid {ours} ({shown} inside)"))
    }
}

/// The failure of a helper that was asked for IDs that are not the user's.
pub(super) fn asked_too_much(spec: &Spec, step: Step, words: &str) -> Option<Failure> {
    let (kind, own) = match step {
        Step::UidMap => (Kind::Uid, spec.uid.get()),
        Step::GidMap => (Kind::Gid, spec.gid.get()),
        _ => return None,
    };
    let idmap::Userns::Explicit(maps) = &spec.userns else { return None };
    let asked = idmap::not_granted(&maps[kind], own, &spec.ranges[kind])?.beyond()?;
    let user = &spec.user;
    let asked = if asked.count().get() == 1 { asked.first().to_string() } else { asked.to_string() };
    let ranges: Vec<String> = spec.ranges[kind].iter().map(ToString::to_string).collect();
    Some(Failure {
        step,
        helper_message: words.to_owned(),
        cause: "range-not-granted".to_owned(),
        message: format!("{} {asked} of the host, which the map asks for, is not {user}'s", kind.name()),
        evidence: format!("{user} has {} ({}), and {own} by itself", ranges.join(", "), kind.file()),
        fix: shell_word(user.as_bytes()).map_or_else(
            || "ask for IDs of the user's own ranges".to_owned(),
            |name| format!("subidctl list {name}"),
        ),
    })
}

/// Both IDs as chown takes them; an ID that is not there is a question mark.
fn owners(ids: PerKind<Option<u32>>) -> String {
    let text = |id: Option<u32>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    format!("{}:{}", text(ids.uid), text(ids.gid))
}

fn probe(check: Check, status: ProbeStatus, message: String) -> Probe {
    Probe { id: check.name().to_owned(), status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_the_same_on_both_sides_or_unset() {
        let map = idmap::triples("0:1001:1,1:100000:10").unwrap();
        let status = |ours, theirs, inside| login(Some(ours), Some(theirs), Some(inside), &map).0;
        assert_eq!(status(1001, 1001, 0), ProbeStatus::Ok);
        assert_eq!(
            status(1000, 1000, UNSET),
            ProbeStatus::Ok,
            "the admin's, whom the container does not have"
        );
        assert_eq!(status(UNSET, UNSET, UNSET), ProbeStatus::NotApplicable);
        assert_eq!(status(1001, UNSET, UNSET), ProbeStatus::Failed);
        assert_eq!(status(1001, 1001, UNSET), ProbeStatus::Failed);
        assert_eq!(status(UNSET, UNSET, 0), ProbeStatus::Failed);
        assert_eq!(login(None, None, None, &map).0, ProbeStatus::NotApplicable);
        let (_, words) = login(Some(1001), Some(1001), Some(0), &map);
        assert_eq!(words, "all it does is logged as login uid 1001 (0 inside)");
    }
}
