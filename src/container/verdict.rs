//! From what was heard and what the kernel shows to a proof.

mod judge;
mod outside;
#[cfg(test)]
mod tests;

use self::judge::{asked_too_much, judge_login};
use self::outside::{Outside, look};

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::unistd::Pid;

use super::checks::Check;
use super::protocol::{Event, Incoming, LONGEST_WORDS, Tried};
use super::world::World;
use super::{LookAround, Spec};
use crate::error::Result;
use crate::findings::{self, Facts};
use crate::idmap::{self, Extent};
use crate::proof::{Failure, Identity, Place, Probe, ProbeStatus, Proof, Step};
use crate::range::{Count, Kind, PerKind, Range, SubId};
use crate::sys;
use crate::text::escape;

/// Said of a container that does not keep to the protocol.
pub(super) const FOREIGN: &str = "the container sent what no container of ours sends";

/// What is known so far.
pub(super) struct Seen {
    /// The step that is under way.
    pub(super) step: Step,
    /// The files that the container gives away.
    pub(super) files: Vec<OwnedFd>,
    worker: Pid,
    /// The container's first process, once it is inside: when it has ended, all that ran there has.
    pub(super) init: Option<OwnedFd>,
    /// The user's own IDs, as the place numbers them.
    own: PerKind<u32>,
    expected: PerKind<Vec<Extent>>,
    host: PerKind<Vec<Extent>>,
    inside: PerKind<Vec<Extent>>,
    claims: Option<Claims>,
    identity: Option<Identity>,
    probes: Vec<Probe>,
    failure: Option<(Step, Vec<u8>)>,
    /// Where in a world: the places of its IDs on the host, by which what the host sees is translated.
    world: Option<PerKind<Vec<Extent>>>,
}

/// What the container says of its first process.
#[derive(Debug, Clone, Copy)]
struct Claims {
    pid: i32,
    uid: u32,
    login: Option<u32>,
}

/// The maps to ask for.
///
/// # Errors
/// A sentence where the user has no range of a kind, or the IDs inside pass 2^32.
pub(super) fn expected_maps(spec: &Spec) -> std::result::Result<PerKind<Vec<Extent>>, String> {
    if let Some(kind) = Kind::BOTH.into_iter().find(|kind| spec.ranges[*kind].is_empty()) {
        return Err(format!("no {} range for {} in the files", kind.file(), spec.user));
    }
    let none = || format!("the ranges of {} hold more IDs than there are", spec.user);
    spec.userns.maps(own(spec), &spec.ranges).ok_or_else(none)
}

/// The user's own IDs.
pub(super) fn own(spec: &Spec) -> PerKind<u32> {
    PerKind { uid: spec.uid.get(), gid: spec.gid.get() }
}

/// The proof of a container that was never begun.
pub(super) fn failed(
    spec: &Spec,
    machine: LookAround<'_>,
    world: Option<&World>,
    step: Step,
    words: &[u8],
) -> Result<Proof> {
    let expected = expected_maps(spec).unwrap_or_default();
    let mut seen = Seen::new(expected, own(spec), Pid::this(), world);
    seen.failure = Some((step, words.to_vec()));
    seen.proof(spec, machine, None)
}

impl Seen {
    pub(super) fn new(
        expected: PerKind<Vec<Extent>>,
        own: PerKind<u32>,
        worker: Pid,
        world: Option<&World>,
    ) -> Self {
        Self {
            own,
            world: world.map(|world| world.maps().clone()),
            step: Step::Drop,
            files: Vec::new(),
            worker,
            init: None,
            expected,
            host: PerKind::default(),
            inside: PerKind::default(),
            claims: None,
            identity: None,
            probes: Vec::new(),
            failure: None,
        }
    }

    /// Takes in one message; true when the container waits for a reply, or has failed.
    pub(super) fn hear(&mut self, incoming: Incoming<Event>) -> bool {
        match incoming.message {
            Event::At(step) => self.step = step,
            Event::Failed { step, mut words } => {
                words.truncate(LONGEST_WORDS);
                self.failure = Some((step, words));
                return true;
            }
            Event::Inside { pid, uid, maps, login } => {
                self.step = Step::Probe;
                // It ends after a reply to `Ready` or by failing; whose the pid is then, `look` finds out.
                self.init = incoming.pid.and_then(|pid| sys::pidfd_open(Pid::from_raw(pid)).ok());
                self.claims = Some(Claims { pid, uid, login });
                self.inside = PerKind::from_fn(|kind| idmap::parse(&maps[kind]).unwrap_or_default());
            }
            Event::Tried(tried) => {
                if tried.len() > Check::ALL.len() {
                    self.fail_here(FOREIGN);
                    return true;
                }
                for check in tried {
                    self.note(check);
                }
            }
            Event::Ready => {
                if let Err(words) = self.meet(incoming.pid) {
                    self.fail_here(words);
                }
                return true;
            }
            Event::Exited(_) => {
                self.fail_here("an exit code came before CMD");
                return true;
            }
        }
        false
    }

    /// Notes how a check went.
    fn note(&mut self, tried: Tried) {
        let probe = match tried {
            Tried::Given(check) => self.judge_file(check, check.file(&self.files)),
            Tried::Judged { check, mut status, mut words } => {
                words.truncate(LONGEST_WORDS);
                // What the host sees for itself the container can only say to have failed.
                if check.is_hosts() {
                    status = ProbeStatus::Failed;
                }
                Probe { id: check.name().to_owned(), status, message: escape(&words) }
            }
        };
        self.probes.push(probe);
    }

    /// The step under way failed, with these words of our own.
    pub(super) fn fail_here(&mut self, words: &str) {
        self.failure.get_or_insert_with(|| (self.step, words.as_bytes().to_vec()));
    }

    /// The deadline has come.
    pub(super) fn time_out(&mut self, limit: Duration) {
        let step = self.step.name();
        let words = format!("no answer within {} s at the step {step}", limit.as_secs());
        self.failure.get_or_insert((Step::Timeout, words.into_bytes()));
    }

    /// Compares the container's first process with what the host sees of it.
    fn meet(&mut self, sender: Option<i32>) -> std::result::Result<(), &'static str> {
        let claims = self.claims.ok_or("the container did not say who it is")?;
        let Outside { pid, uid, login, maps } = look(sender, self.worker)?;
        let login = judge_login(claims, login, &maps.uid);
        self.host = self.as_there(maps).ok_or("the host sees IDs that are not of this world")?;
        let identity = Identity {
            inside_pid: claims.pid,
            inside_uid: claims.uid,
            host_pid: pid,
            host_uid: uid,
            world_uid: self.world.as_ref().and_then(|_| self.id_there(Kind::Uid, uid)),
        };
        self.probes.extend([self.judge_identity(&identity), login]);
        self.identity = Some(identity);
        Ok(())
    }

    /// Whether all is as it should be.
    pub(super) fn agrees(&self) -> bool {
        // What is told of the host and the files afterwards fails nothing.
        let told = |check: &&Check| matches!(check, Check::Ranges | Check::Publish);
        let mut needed = Check::ALL.iter().filter(|check| !told(check));
        let all = needed.all(|check| self.probes.iter().any(|p| p.id == check.name()));
        let none_failed = self.probes.iter().all(|p| p.status != ProbeStatus::Failed);
        self.failure.is_none()
            && all
            && none_failed
            && self.host == self.expected
            && self.inside == self.expected
    }

    /// A host ID as the place of the container numbers it; `None` for one that a world does not have.
    fn id_there(&self, kind: Kind, id: u32) -> Option<u32> {
        match &self.world {
            None => Some(id),
            Some(maps) => idmap::inside(&maps[kind], Range::single(id)),
        }
    }

    /// Maps as the host sees them, in the IDs of the place where the container is.
    fn as_there(&self, maps: PerKind<Vec<Extent>>) -> Option<PerKind<Vec<Extent>>> {
        let Some(world) = &self.world else { return Some(maps) };
        let extent = |kind: Kind, e: &Extent| {
            let outside = Range::new(SubId::new(e.outside), Count::new(e.count)?)?;
            Some(Extent { outside: idmap::inside(&world[kind], outside)?, ..*e })
        };
        PerKind::try_from_fn(|kind| {
            maps[kind].iter().map(|e| extent(kind, e)).collect::<Option<_>>().ok_or(())
        })
        .ok()
    }

    /// What is not as expected, where no step failed.
    fn disagreement(&self) -> String {
        if let Some(probe) = self.probes.iter().find(|p| p.status == ProbeStatus::Failed) {
            return format!("{}: {}", probe.id, probe.message);
        }
        for kind in Kind::BOTH {
            if self.host[kind] != self.expected[kind] || self.inside[kind] != self.expected[kind] {
                return format!("the {}_map is not the one that was asked for", kind.name());
            }
        }
        "the container did not do all its checks".to_owned()
    }

    /// The verdict, with the cause of what failed.
    pub(super) fn proof(mut self, spec: &Spec, machine: LookAround<'_>, exit: Option<u8>) -> Result<Proof> {
        let ok = self.agrees();
        self.tell(spec);
        let disagreement = (!ok).then(|| (Step::Probe, self.disagreement()));
        let words = self.failure.map(|(step, words)| (step, escape(&words))).or(disagreement);
        let failure = words.map(|(step, words)| because(spec, machine, step, words)).transpose()?;
        Ok(Proof {
            ok,
            place: if self.world.is_some() { Place::World } else { Place::Host },
            user: spec.user.to_string(),
            uid: spec.uid.get(),
            userns: spec.userns.name(),
            maps: self.host,
            inside: self.inside,
            expected: self.expected,
            identity: self.identity,
            probes: self.probes,
            failure,
            command_exit: exit.map(i32::from),
        })
    }
}

/// The cause of what failed: now the machine is looked at.
fn because(spec: &Spec, machine: LookAround<'_>, step: Step, words: String) -> Result<Failure> {
    if let Some(failure) = asked_too_much(spec, step, &words) {
        return Ok(failure);
    }
    let facts = Facts {
        machine: &machine()?,
        user: &spec.user,
        uid: spec.uid,
        gid: spec.gid,
        ranges: PerKind { uid: &spec.ranges.uid, gid: &spec.ranges.gid },
    };
    Ok(findings::cause(step, words, &facts))
}
