//! The container: pid 1 of its own namespaces.

use std::ffi::OsString;
use std::io::{PipeReader, Read as _};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Uid, chdir, getpid, getuid, pivot_root, setgroups, setresgid, setresuid};

use super::attempts::Outside;
use super::launch::PROTOCOL_FD;
use super::protocol::{Channel, Event, Incoming, Reply, Request};
use super::worker::{Failed, bounded};
use super::{attempts, command, probes};
use crate::idmap;
use crate::proof::Step;
use crate::range::{Kind, PerKind};
use crate::sys;

/// Runs as pid 1; the exit code is CMD's, or 0 after the probes alone, or 125.
pub(super) fn main(
    channel: &Channel,
    request: &Request,
    words: &[OsString],
    mapped: PipeReader,
    outside: &Outside,
) -> i32 {
    match run(channel, request, words, mapped, outside) {
        Ok(code) => code,
        Err((step, words)) => {
            let _ = channel.send(&Event::Failed { step, words: bounded(words.into_bytes()) }, &[]);
            125
        }
    }
}

fn run(
    channel: &Channel,
    request: &Request,
    words: &[OsString],
    mut mapped: PipeReader,
    outside: &Outside,
) -> Result<i32, Failed> {
    // Where the worker dies before this call the pipe ends without a byte; where later, this ends us.
    set_pdeathsig(Signal::SIGKILL).map_err(at(Step::Enter, "prctl"))?;
    if mapped.read_exact(&mut [0]).is_err() {
        return Ok(125);
    }
    drop(mapped);
    become_first(request)?;
    let attempts = attempts::start(channel, outside).map_err(at(Step::Enter, "fork"))?;
    // The helpers and all else of the worker's: CMD, which has the same rights as this process, could take
    // them from it.
    sys::close_from(PROTOCOL_FD.unsigned_abs() + 1);
    // A host without network namespaces has containers still: what follows has a check of its own.
    let network = unshare(CloneFlags::CLONE_NEWNET);
    sys::retry(|| waitpid(attempts, None)).map_err(at(Step::Enter, "wait"))?;
    let view = if words.is_empty() { None } else { Some(command::view(request.root.as_deref())?) };
    own_root()?;
    look(channel)?;
    let Some(Incoming { message: Reply::Check, fds: files, .. }) =
        channel.receive::<Reply>().map_err(at(Step::Probe, "protocol"))?
    else {
        return Ok(0);
    };
    let tried = probes::run(request, &files, network, Path::new("/")).map_err(at(Step::Probe, "files"))?;
    drop(files);
    channel.send(&Event::Tried(tried), &[]).map_err(at(Step::Probe, "protocol"))?;
    channel.send(&Event::Ready, &[]).map_err(at(Step::Probe, "protocol"))?;
    let reply = channel.receive::<Reply>().map_err(at(Step::Probe, "protocol"))?;
    match (reply.map(|r| r.message), view) {
        (Some(Reply::Run), Some(view)) => command::run(channel, &view, words, request.terminal),
        _ => Ok(0),
    }
}

/// The map's first IDs in every place, and no groups, where that is allowed: those of the user are not mapped.
fn become_first(request: &Request) -> Result<(), Failed> {
    let first = PerKind::from_fn(|kind| idmap::first_process(&request.maps[kind], request.own[kind]));
    let (uid, gid) = (Uid::from_raw(first.uid), Gid::from_raw(first.gid));
    setresgid(gid, gid, gid).map_err(at(Step::Enter, "setresgid"))?;
    if request.sets_groups() {
        setgroups(&[]).map_err(at(Step::Enter, "setgroups"))?;
    }
    setresuid(uid, uid, uid).map_err(at(Step::Enter, "setresuid"))?;
    // Where that was a change, /proc/self has become real root's, and a map in it cannot be written.
    set_dumpable(true).map_err(at(Step::Enter, "prctl"))?;
    // A change of credentials may have taken the death signal away.
    set_pdeathsig(Signal::SIGKILL).map_err(at(Step::Enter, "prctl"))
}

/// A small tmpfs as root folder, with a /proc of this pid namespace; nothing of the host's tree is left.
fn own_root() -> Result<(), Failed> {
    let none = None::<&str>;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(at(Step::Mount, "private /"))?;
    // /proc is the one folder that is sure to be there: the helpers need it.
    mount(Some("tmpfs"), "/proc", Some("tmpfs"), quiet, Some("mode=0755,size=1m,nr_inodes=100"))
        .map_err(at(Step::Mount, "tmpfs"))?;
    chdir("/proc").map_err(at(Step::Mount, "chdir"))?;
    for folder in ["proc", "host"] {
        std::fs::create_dir(folder).map_err(|e| (Step::Mount, format!("mkdir: {e}")))?;
    }
    mount(Some("proc"), "proc", Some("proc"), quiet, none).map_err(at(Step::Mount, "proc"))?;
    enter(".")
}

/// Makes a mount the root folder and lets go of the old one.
pub(super) fn enter(root: &str) -> Result<(), Failed> {
    chdir(root).map_err(at(Step::Mount, "chdir"))?;
    // With both the same the old root lies on top of the new one, and goes (pivot_root(2)).
    pivot_root(".", ".").map_err(at(Step::Mount, "pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(at(Step::Mount, "umount"))?;
    chdir("/").map_err(at(Step::Mount, "chdir"))
}

/// Tells what the kernel shows in here.
fn look(channel: &Channel) -> Result<(), Failed> {
    let read = |kind: Kind| std::fs::read_to_string(format!("/proc/self/{}_map", kind.name()));
    let maps = PerKind::try_from_fn(read).map_err(|e| (Step::Mount, format!("/proc: {e}")))?;
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    let inside = Event::Inside { pid: getpid().as_raw(), uid: getuid().as_raw(), maps, login };
    channel.send(&inside, &[]).map_err(at(Step::Mount, "protocol"))
}

/// The failure of a call at a step.
pub(super) fn at(step: Step, call: &str) -> impl FnOnce(Errno) -> Failed {
    let call = call.to_owned();
    move |errno| (step, format!("{call}: {}", errno.desc()))
}
