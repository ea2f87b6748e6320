//! A world: a user namespace of host IDs that nobody has, in which planned files are tried.
//!
//! Inside, everything looks real: uid 1000 is the user, `/etc/subuid` is the planned one, newuidmap is
//! setuid root. Outside, each of these IDs is one of a block that no account, range or running namespace
//! uses, and real root is not among them. So a container there may be anything: it reaches no file of the
//! host that everybody could not read, and no process of a real user can join it. The world ends with this
//! process, and leaves nothing.

mod block;
mod init;
mod stage;

pub use stage::Stage;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_dumpable;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use self::init::{Copies, Word};
use super::drop::Refusal;
use super::protocol::Channel;
use super::runner::run_in;
use super::{LookAround, Spec, runner};
use crate::error::{Code, Error, Result};
use crate::host::{self, Helpers};
use crate::idmap::{self, Extent};
use crate::planner;
use crate::policy::Policy;
use crate::proof::Proof;
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::snapshot::Snapshot;
use crate::sys;

/// What is tried where a limit on namespaces shows.
const NAMESPACES_MADE: &str = "make its namespaces";

/// How often another block is taken where one turns out to be in use.
const ATTEMPTS: usize = 5;

/// Larger programs are no newuidmap: 16 MiB.
const LARGEST_HELPER: u64 = 16 << 20;

/// The namespaces of a world, in the order in which they are entered: the first gives the right to the others.
const NAMESPACES: [(&str, CloneFlags); 5] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
];

/// A world that is there. Dropping it ends every process in it.
#[derive(Debug)]
pub struct World {
    /// Each ID of the world and its place on the host.
    maps: PerKind<Vec<Extent>>,
    /// The world's copies of the helpers.
    helpers: Helpers,
    namespaces: Vec<(OwnedFd, CloneFlags)>,
    /// Its pid namespace and our own.
    pids: [OwnedFd; 2],
    init: Init,
}

impl World {
    /// Makes one with what `stage` says, and with copies of the installed helpers. To be called by root,
    /// with one thread.
    ///
    /// # Errors
    /// `world-map-too-long` where its IDs do not fit one map, `world-unavailable` where this host does not
    /// let us make one, or no block is free.
    pub fn make(snapshot: &Snapshot, policy: &Policy, stage: &Stage, helpers: &Helpers) -> Result<Self> {
        let copies = copies(helpers)?;
        let mut taken = RangeSet::default();
        for kind in Kind::BOTH {
            taken = taken.union(&planner::taken(snapshot, policy, kind));
        }
        for _ in 0..ATTEMPTS {
            let block = block::choose(&taken, &stage.ids, policy, random()?)?;
            let maps = maps(&stage.ids, block)?;
            let init = Init::start(stage, &copies)?;
            for kind in Kind::BOTH {
                init.write_map(kind, &maps[kind]).map_err(unavailable("write its ID maps"))?;
            }
            // From now on /proc shows the block to everybody who looks; who came first is seen by both.
            let others = host::live_namespaces().extents;
            if others.iter().any(|other| other.pid != init.pid.as_raw() && other.range.overlaps(block)) {
                taken.insert(block);
                continue;
            }
            init.begin()?;
            return Self::open(init, maps).map_err(unavailable("open it"));
        }
        Err(Error::new(Code::WorldUnavailable, "no world can be made to try the planned files in")
            .why(format!("{ATTEMPTS} blocks of IDs in turn were taken by running user namespaces"))
            .fix("name a block in the policy: world_block = START"))
    }

    fn open(init: Init, maps: PerKind<Vec<Extent>>) -> nix::Result<Self> {
        let read = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let namespace =
            |pid: &str, name: &str| open(format!("/proc/{pid}/ns/{name}").as_str(), read, Mode::empty());
        let pid = init.pid.to_string();
        let namespaces = NAMESPACES.iter().map(|(name, flag)| Ok((namespace(&pid, name)?, *flag)));
        let namespaces = namespaces.collect::<nix::Result<_>>()?;
        let pids = [namespace(&pid, "pid")?, namespace("self", "pid")?];
        // Whoever may not come back to their own may not spawn here: known now, and not halfway (see `spawn`).
        setns(&pids[1], CloneFlags::CLONE_NEWPID)?;
        let path = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let root = open(format!("/proc/{pid}/root").as_str(), path | OFlag::O_DIRECTORY, Mode::empty())?;
        let helpers = PerKind::try_from_fn(|kind| {
            let name = init::helper_path(kind);
            match openat(&root, name.trim_start_matches('/'), path | OFlag::O_NOFOLLOW, Mode::empty()) {
                Ok(fd) => Ok(Some(fd)),
                Err(Errno::ENOENT) => Ok(None),
                Err(errno) => Err(errno),
            }
        })?;
        Ok(Self { maps, helpers, namespaces, pids, init })
    }

    /// Runs a container in the world, as [`super::run`] does on the host. Its probes only: no CMD.
    ///
    /// # Errors
    /// As [`super::run`]; `usage` where the spec has a CMD.
    pub fn prove(&self, spec: &Spec, machine: LookAround<'_>) -> Result<Proof> {
        if spec.command.is_some() {
            return Err(Error::new(Code::Usage, "a command cannot be run on planned files")
                .why("in a world only the checks run")
                .fix("apply the plan, then: subidctl verify USER -- CMD"));
        }
        run_in(spec, machine, Some(self))
    }

    /// Runs `job` in a process in the world, as its root; gives its exit code.
    ///
    /// # Errors
    /// `system` where the process could not be started or did not end by itself.
    pub fn run(&self, job: impl FnOnce() -> i32) -> Result<i32> {
        let failed = runner::system("run a process in the world");
        let child =
            self.spawn(|| if self.enter().is_ok() && init::become_root().is_ok() { job() } else { 125 });
        let child = child.map_err(&failed)?;
        match sys::retry(|| waitpid(child, None)).map_err(&failed)? {
            WaitStatus::Exited(_, code) => Ok(code),
            _ => Err(failed(Errno::ECANCELED)),
        }
    }

    /// Its root folder, as the host can open it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init.pid))
    }

    pub(super) fn maps(&self) -> &PerKind<Vec<Extent>> {
        &self.maps
    }

    pub(super) fn helpers(&self) -> &Helpers {
        &self.helpers
    }

    /// Forks a child of ours whose pid is one of the world's. It has yet to [`World::enter`].
    pub(super) fn spawn(&self, child: impl FnOnce() -> i32) -> nix::Result<Pid> {
        let [theirs, ours] = &self.pids;
        setns(theirs, CloneFlags::CLONE_NEWPID)?;
        let spawned = sys::spawn(child);
        setns(ours, CloneFlags::CLONE_NEWPID)?;
        spawned
    }

    /// In the child: leaves the host's namespaces. Its IDs are still real root's, which the world does not
    /// know; the next step is to become one of the world's users. Nobody there can trace it meanwhile: its
    /// memory belongs to the host's user namespace until it executes a program.
    pub(super) fn enter(&self) -> std::result::Result<(), Refusal> {
        set_dumpable(false).map_err(|e| ("prctl", e))?;
        for (namespace, flag) in &self.namespaces {
            setns(namespace, *flag).map_err(|e| ("setns", e))?;
        }
        set_dumpable(false).map_err(|e| ("prctl", e))
    }
}

/// Pid 1 of the world, waiting for its maps, and later for its end.
#[derive(Debug)]
struct Init {
    pid: Pid,
    channel: Channel,
}

impl Init {
    fn start(stage: &Stage, copies: &Copies) -> Result<Self> {
        let (ours, theirs) = Channel::pair().map_err(runner::system("make a socket"))?;
        let flags = NAMESPACES.iter().fold(CloneFlags::CLONE_NEWPID, |all, (_, flag)| all | *flag);
        let pid = sys::spawn_container(flags, || init::main(&theirs, stage, copies))
            .map_err(unavailable(NAMESPACES_MADE))?;
        Ok(Self { pid, channel: ours })
    }

    /// Writes a map, which the kernel takes in one write only.
    fn write_map(&self, kind: Kind, map: &[Extent]) -> nix::Result<()> {
        let path = format!("/proc/{}/{}_map", self.pid, kind.name());
        let written = File::options().write(true).open(path).and_then(|mut file| {
            let text = idmap::text(map);
            file.write(text.as_bytes())
        });
        written.map(drop).map_err(|e| runner::errno(&e))
    }

    /// Lets it build the world and waits until that is done.
    fn begin(&self) -> Result<()> {
        let talk = unavailable("talk to its first process");
        self.channel.send(&Word::Mapped, &[]).map_err(&talk)?;
        match self.channel.receive::<Word>().map_err(&talk)?.map(|incoming| incoming.message) {
            Some(Word::Ready) => Ok(()),
            Some(Word::Failed { doing, errno }) => Err(unavailable(&doing)(Errno::from_raw(errno))),
            _ => Err(talk(Errno::ECONNRESET)),
        }
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        // The kernel ends all of its pid namespace with it, before waitpid returns.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = sys::retry(|| waitpid(self.pid, None));
    }
}

/// Both maps, as the kernel takes them.
fn maps(ids: &PerKind<RangeSet>, block: Range) -> Result<PerKind<Vec<Extent>>> {
    PerKind::try_from_fn(|kind| {
        let map = idmap::packed(&ids[kind], block.first()).filter(|map| idmap::fits(map));
        map.ok_or_else(|| {
            block::too_long(format!(
                "the {}_map of {} pieces is longer than a page of text",
                kind.name(),
                ids[kind].iter().count()
            ))
        })
    })
}

/// The helpers' programs, read from the descriptors that were checked.
fn copies(helpers: &Helpers) -> Result<Copies> {
    PerKind::try_from_fn(|kind| {
        let Some(helper) = &helpers[kind] else { return Ok(None) };
        let failed = |errno| {
            Error::new(Code::WorldUnavailable, format!("cannot copy {} into a world", kind.helper()))
                .why(Errno::desc(errno))
                .fix(format!("look at {}: ls -l $(command -v {0})", kind.helper()))
        };
        // Opened as a path only: by its descriptor it can be opened for reading.
        let path = format!("/proc/self/fd/{}", helper.as_raw_fd());
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST_HELPER + 1).read_to_end(&mut bytes));
        let length = read.map_err(|e| failed(runner::errno(&e)))?;
        if u64::try_from(length).is_ok_and(|length| length > LARGEST_HELPER) {
            return Err(failed(Errno::EFBIG));
        }
        Ok(Some(bytes))
    })
}

fn random() -> Result<u32> {
    let mut bytes = [0; 4];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|e| runner::system("read /dev/urandom")(runner::errno(&e)))?;
    Ok(u32::from_ne_bytes(bytes))
}

/// This host does not let us make a world.
fn unavailable(doing: &str) -> impl Fn(Errno) -> Error {
    let doing = doing.to_owned();
    move |errno| {
        // namespaces(7): no disk is full, one of the limits below /proc/sys/user is reached.
        if errno == Errno::ENOSPC && doing == NAMESPACES_MADE {
            return Error::new(Code::WorldUnavailable, "no world can be made to try the planned files in")
                .why("this host allows no more namespaces (/proc/sys/user/max_*_namespaces)")
                .fix("sudo sysctl -w user.max_user_namespaces=28633; without --verify it needs no world");
        }
        Error::new(Code::WorldUnavailable, "no world can be made to try the planned files in")
            .why(format!("cannot {doing}: {}", errno.desc()))
            .fix(
                "run it on the host itself, not in a container or chroot; without --verify it needs no world",
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_namespaces_is_no_full_disk() {
        let limit = unavailable(NAMESPACES_MADE)(Errno::ENOSPC);
        assert!(limit.why.contains("max_*_namespaces") && limit.fix.contains("sysctl"), "{limit:?}");
        let disk = unavailable("copy newuidmap")(Errno::ENOSPC);
        assert!(disk.why.contains("No space left"), "{disk:?}");
    }
}
