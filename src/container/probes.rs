//! What the container tries by itself, one function each.

use std::ffi::CString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Gid, Uid, fchown, getgroups, setgroups};

use super::checks::Check;
use super::protocol::{Request, Tried};
use crate::proof::ProbeStatus;
use crate::range::{Kind, PerKind};
use crate::sys;

/// How a check went, and what was seen.
pub(super) type Outcome = (ProbeStatus, String);

/// The files that the container is to give away: in memory, and the user's. The root side makes them and keeps
/// them, so that it looks at no file that the user made, nor takes a descriptor from the user's processes.
///
/// # Errors
/// What making one gives.
pub(super) fn files(owner: Option<PerKind<u32>>) -> nix::Result<Vec<OwnedFd>> {
    let make = |check: Check| {
        let name = CString::new(check.name()).map_err(|_| Errno::EINVAL)?;
        let file = memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?;
        if let Some(owner) = owner {
            fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        Ok(file)
    };
    Check::FILES.into_iter().map(make).collect()
}

/// Makes its checks: on the root side's files, on others in `folder`, and in the network namespace that could
/// or could not be made.
///
/// # Errors
/// What making a file gives; a check that fails is no error.
pub(super) fn run(
    request: &Request,
    files: &[OwnedFd],
    network: nix::Result<()>,
    folder: &Path,
) -> nix::Result<Vec<Tried>> {
    let mut tried = Vec::new();
    for check in Check::ALL {
        let ids = check.ids(&request.maps, request.own);
        tried.push(match check {
            Check::UidBeyond => judged(check, beyond(check, Kind::Uid, ids.uid, folder)?),
            Check::GidBeyond => judged(check, beyond(check, Kind::Gid, ids.gid, folder)?),
            Check::Setgroups => judged(check, set_groups(request)),
            Check::Port => judged(check, port_80(network)),
            _ => match check.file(files) {
                Some(file) => give(check, ids, file),
                None => continue,
            },
        });
    }
    Ok(tried)
}

/// Gives the check's file to the IDs, for the host to see whose it is.
fn give(check: Check, ids: PerKind<Option<u32>>, file: &OwnedFd) -> Tried {
    match fchown(file, ids.uid.map(Uid::from_raw), ids.gid.map(Gid::from_raw)) {
        Ok(()) => Tried::Given(check),
        Err(errno) => judged(check, (ProbeStatus::Failed, format!("chown: {}", errno.desc()))),
    }
}

/// Tries to give a file to an ID that is not mapped.
fn beyond(check: Check, kind: Kind, id: Option<u32>, folder: &Path) -> nix::Result<Outcome> {
    let name = kind.name();
    let Some(id) = id else {
        return Ok((ProbeStatus::NotApplicable, format!("every {name} is mapped")));
    };
    let file = File::create_new(folder.join(check.name()))
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    let result = match kind {
        Kind::Uid => fchown(file, Some(Uid::from_raw(id)), None),
        Kind::Gid => fchown(file, None, Some(Gid::from_raw(id))),
    };
    Ok(match result {
        Err(Errno::EINVAL) => (ProbeStatus::Ok, format!("{name} {id} inside is not mapped, and refused")),
        Ok(()) => (ProbeStatus::Failed, format!("{name} {id} inside is not mapped, and was taken")),
        Err(errno) => (ProbeStatus::Failed, format!("chown to {name} {id}: {}", errno.desc())),
    })
}

/// Whether groups can be set is for the map to say.
fn set_groups(request: &Request) -> Outcome {
    let Some(extent) = request.maps.gid.last() else {
        return (ProbeStatus::Failed, "no gid is mapped".to_owned());
    };
    let (status, words) = match (request.sets_groups(), set_and_reset(Gid::from_raw(extent.inside))) {
        (true, Ok(())) => (ProbeStatus::Ok, "works: programs inside can change their groups"),
        (false, Ok(())) => (ProbeStatus::Failed, "works, although only the user's own gid is mapped"),
        (false, Err(Errno::EPERM)) => {
            (ProbeStatus::Ok, "denied, as it must be where only the user's own gid is mapped")
        }
        (_, Err(errno)) => (ProbeStatus::Failed, errno.desc()),
    };
    (status, words.to_owned())
}

fn set_and_reset(group: Gid) -> nix::Result<()> {
    setgroups(&[group])?;
    let set = getgroups()? == [group];
    setgroups(&[])?;
    if set { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Listens on port 80 and calls itself.
fn port_80(network: nix::Result<()>) -> Outcome {
    if let Err(errno) = network {
        // namespaces(7): no disk is full.
        let limit = "the limit user.max_net_namespaces";
        let why = if errno == Errno::ENOSPC { limit } else { errno.desc() };
        return (ProbeStatus::NotApplicable, format!("no network namespace can be made: {why}"));
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let call = || {
        sys::loopback_up()?;
        let _listener = TcpListener::bind(address)?;
        TcpStream::connect_timeout(&address, Duration::from_secs(1))
    };
    match call() {
        Ok(_) => (ProbeStatus::Ok, "a server inside can bind it, in a network of its own".to_owned()),
        Err(error) => (ProbeStatus::Failed, format!("127.0.0.1:80 inside: {error}")),
    }
}

/// A check that was judged in here.
pub(super) fn judged(check: Check, (status, words): Outcome) -> Tried {
    Tried::Judged { check, status, words: words.into_bytes() }
}
