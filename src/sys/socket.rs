//! Messages with descriptors and with the kernel's word on who sent them.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};

/// Descriptors that one message can carry; further ones are closed by the kernel.
const MOST_FDS: usize = 5;

/// One message.
#[derive(Debug, Default)]
pub struct Received {
    /// Bytes written to the buffer; 0 at the end of the stream.
    pub len: usize,
    /// Descriptors that came along, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// The sender's pid as it is called in our pid namespace, where the socket has `SO_PASSCRED`.
    pub pid: Option<i32>,
}

/// Receives one message of a `SOCK_SEQPACKET` socket. Where it is to come without descriptors the kernel never
/// installs any: to close one of a stranger's can take for ever (a flush that a FUSE server does not answer).
///
/// # Errors
/// `EMSGSIZE` for a message longer than the buffer, `ENOBUFS` for too many descriptors, what recvmsg gives.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], with_fds: bool) -> nix::Result<Received> {
    let mut space = if with_fds {
        cmsg_space!([std::os::fd::RawFd; MOST_FDS], UnixCredentials)
    } else {
        cmsg_space!(UnixCredentials)
    };
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut received = Received { len: message.bytes, ..Received::default() };
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::ScmRights(fds) => {
                // SAFETY: the kernel has just installed these descriptors for us and nobody else has them.
                received.fds.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
            ControlMessageOwned::ScmCredentials(sender) => received.pid = Some(sender.pid()),
            _ => {}
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) { Err(Errno::EMSGSIZE) } else { Ok(received) }
}
