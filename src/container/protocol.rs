//! What the root side, the worker and the container say to one another: in bounded messages.

use std::cell::RefCell;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, setsockopt, socketpair, sockopt,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checks::Check;
use crate::idmap::Extent;
use crate::proof::{ProbeStatus, Step};
use crate::range::PerKind;

/// Longest message in bytes. Two maps of a page each, as JSON, are the longest honest ones.
const LONGEST: usize = 64 << 10;

/// Longest text of another program that is passed on, in bytes.
pub(super) const LONGEST_WORDS: usize = 1000;

/// From the root side to the worker, with the two helpers' descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// The maps to ask the helpers for.
    pub(super) maps: PerKind<Vec<Extent>>,
    /// The user's own IDs outside.
    pub(super) own: PerKind<u32>,
    /// For each helper, in milliseconds.
    pub(super) timeout: u64,
    /// Whether standard input is a terminal that CMD's session is to own.
    pub(super) terminal: bool,
    /// CMD's root folder, where it is not the host's.
    pub(super) root: Option<Vec<u8>>,
}

impl Request {
    /// Whether the container may set groups: newgidmap takes that right from those who map no group but their own
    /// (`newgidmap(1)`, CVE-2018-7169).
    pub(super) fn sets_groups(&self) -> bool {
        !self.maps.gid.iter().all(|extent| extent.is_own(self.own.gid))
    }
}

/// How a check went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Tried {
    /// A file of the root side's was given away: its owner is for the host to see.
    Given(Check),
    /// A check that the container judged itself.
    Judged {
        /// Which.
        check: Check,
        /// How it went.
        status: ProbeStatus,
        /// What was seen.
        words: Vec<u8>,
    },
}

/// From the worker or the container to the root side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    /// This step begins.
    At(Step),
    /// A step failed, and nothing will follow.
    Failed {
        /// Which.
        step: Step,
        /// What the helper or the kernel said.
        words: Vec<u8>,
    },
    /// What the container's first process sees of itself.
    Inside {
        /// Its pid.
        pid: i32,
        /// Its uid.
        uid: u32,
        /// `/proc/self/uid_map` and `gid_map`.
        maps: PerKind<String>,
        /// `/proc/self/loginuid`; `None` where the kernel has none.
        login: Option<u32>,
    },
    /// How checks went: all that one process made, since to tell each by itself takes longer than to make it.
    Tried(Vec<Tried>),
    /// All is done; the container waits for a [`Reply`].
    Ready,
    /// CMD has ended with this exit code, as a shell would tell it.
    Exited(u8),
}

/// From the root side to the container.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Run the checks, on the files whose descriptors come along.
    Check,
    /// Run CMD.
    Run,
    /// End.
    End,
}

/// A message and what the kernel says about it.
#[derive(Debug)]
pub(super) struct Incoming<T> {
    pub(super) message: T,
    pub(super) fds: Vec<OwnedFd>,
    pub(super) pid: Option<i32>,
}

/// One end of the socket.
#[derive(Debug)]
pub(super) struct Channel {
    fd: OwnedFd,
    /// Whether descriptors are accepted. The root side takes none.
    takes_fds: bool,
    /// Room for the longest message: to clear it for each one takes longer than to receive one.
    buffer: RefCell<Vec<u8>>,
}

impl Channel {
    /// The root side's end, on which the kernel names each sender, and the other.
    pub(super) fn pair() -> nix::Result<(Self, Self)> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        setsockopt(&ours, sockopt::PassCred, &true)?;
        Ok((Self::new(ours, false), Self::from_fd(theirs)))
    }

    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Self::new(fd, true)
    }

    fn new(fd: OwnedFd, takes_fds: bool) -> Self {
        Self { fd, takes_fds, buffer: RefCell::new(vec![0; LONGEST]) }
    }

    /// Sends one message. `EPIPE` where nobody is there any more, `EMSGSIZE` for one that nobody would take.
    pub(super) fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> nix::Result<()> {
        let bytes = serde_json::to_vec(message).map_err(|_| Errno::EINVAL)?;
        if bytes.len() > LONGEST {
            return Err(Errno::EMSGSIZE);
        }
        let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &[][..] } else { &rights[..] };
        let parts = [IoSlice::new(&bytes)];
        sendmsg::<()>(self.fd.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
    }

    /// Waits for a message; `None` at the end of the stream.
    ///
    /// # Errors
    /// `EBADMSG` for one that is not understood, `EMSGSIZE` for one that is too long, `ENOBUFS` for one with
    /// descriptors that are not taken.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> nix::Result<Option<Incoming<T>>> {
        let mut buffer = self.buffer.borrow_mut();
        let received = loop {
            match crate::sys::receive(self.fd.as_fd(), &mut buffer, self.takes_fds) {
                // A peer that ended without reading all is reported once, before what it had sent.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                result => break result?,
            }
        };
        let bytes = buffer.get(..received.len).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let message = serde_json::from_slice(bytes).map_err(|_| Errno::EBADMSG)?;
        Ok(Some(Incoming { message, fds: received.fds, pid: received.pid }))
    }

    /// As [`Channel::receive`], until the deadline: then `ETIMEDOUT`.
    pub(super) fn receive_until<T: DeserializeOwned>(
        &self,
        deadline: Instant,
    ) -> nix::Result<Option<Incoming<T>>> {
        wait_readable(self.fd.as_fd(), deadline)?;
        self.receive()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The time left as poll takes it: rounded up, so that a wait does not end just before the deadline.
pub(super) fn time_left(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_micros().div_ceil(1000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

/// Waits until there is something to read, or the other end is gone.
///
/// # Errors
/// `ETIMEDOUT` at the deadline.
pub(super) fn wait_readable(fd: BorrowedFd<'_>, deadline: Instant) -> nix::Result<()> {
    loop {
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, time_left(deadline)) {
            Ok(0) if Instant::now() >= deadline => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn raw(channel: &Channel, bytes: &[u8]) -> nix::Result<usize> {
        let parts = [IoSlice::new(bytes)];
        sendmsg::<()>(channel.fd.as_raw_fd(), &parts, &[], MsgFlags::MSG_NOSIGNAL, None)
    }

    #[test]
    fn the_kernel_names_the_sender_and_hands_over_descriptors() {
        let (ours, theirs) = Channel::pair().unwrap();
        theirs.send(&Event::Tried(vec![Tried::Given(Check::FileRoot)]), &[]).unwrap();
        let incoming = ours.receive::<Event>().unwrap().unwrap();
        assert!(
            matches!(incoming.message, Event::Tried(tried) if matches!(tried[..], [Tried::Given(Check::FileRoot)]))
        );
        assert_eq!(incoming.pid, Some(nix::unistd::getpid().as_raw()));
        let file = std::fs::File::open("/dev/null").unwrap();
        ours.send(&Reply::Check, &[file.as_fd(); 3]).unwrap();
        assert_eq!(theirs.receive::<Reply>().unwrap().unwrap().fds.len(), 3);
        drop(theirs);
        assert!(ours.receive::<Event>().unwrap().is_none());
    }

    #[test]
    fn too_long_too_many_and_too_late_are_errors() {
        let (ours, theirs) = Channel::pair().unwrap();
        raw(&theirs, &vec![b' '; LONGEST + 1]).unwrap();
        assert_eq!(ours.receive::<Event>().unwrap_err(), Errno::EMSGSIZE);
        let file = std::fs::File::open("/dev/null").unwrap();
        theirs.send(&Event::Ready, &[file.as_fd(); 9]).unwrap();
        assert_eq!(ours.receive::<Event>().unwrap_err(), Errno::ENOBUFS);
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(ours.receive_until::<Event>(soon).unwrap_err(), Errno::ETIMEDOUT);
        assert!(Instant::now() >= soon);
    }

    #[test]
    fn the_root_side_is_given_no_descriptor() {
        let (ours, theirs) = Channel::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        theirs.send(&Event::Ready, &[writer.as_fd()]).unwrap();
        drop(writer);
        assert_eq!(ours.receive::<Event>().unwrap_err(), Errno::ENOBUFS);
        // Nobody has the writing end: not even by a descriptor that nobody knows of.
        assert_eq!(nix::unistd::read(&reader, &mut [0]), Ok(0));
    }

    #[test]
    fn last_words_are_heard_before_the_end() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(&Reply::End, &[]).unwrap();
        theirs.send(&Event::Ready, &[]).unwrap();
        // It ends without having read the reply, which the kernel reports as a reset.
        drop(theirs);
        assert!(matches!(ours.receive::<Event>().unwrap().unwrap().message, Event::Ready));
        assert!(ours.receive::<Event>().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
            let (ours, theirs) = Channel::pair().unwrap();
            raw(&theirs, &bytes).unwrap();
            prop_assert_eq!(ours.receive::<Event>().err(), Some(Errno::EBADMSG));
        }
    }
}
