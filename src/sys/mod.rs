//! Typed system calls as plain functions: the only room with `unsafe`. No messages for users here.
#![allow(unsafe_code)]

mod deadline;
mod file;
mod inherited;
mod lock;
mod mount;
mod net;
mod ns;
mod nss;
mod open;
mod pidfd;
mod privilege;
mod process;
mod signal;
mod socket;
mod stat;
mod threads;
mod time;
mod tty;

pub use deadline::{Deadline, clear_environment};
pub use file::{copy_xattrs, inode_flags, is_mount_root, link_unnamed, retry};
pub use inherited::shed_inherited;
pub use lock::{LockTry, read_lease, try_lock_whole};
pub use mount::{attach, clone_tree, set_attributes};
pub use net::loopback_up;
pub use ns::spawn_container;
pub use nss::{
    NssGroup, NssUser, all_groups, all_users, configure_lookup, group_by_gid, group_by_name, user_by_name,
    user_by_uid,
};
pub use open::open_beneath;
pub use pidfd::{may_signal, pidfd_open};
pub use privilege::{capabilities, clear_capabilities, new_session_keyring};
pub use process::{
    Ignored, close, close_from, default_action, default_actions, die_with_writer, dup_from, exit, ignore,
    inherited_fd, install_fd, spawn,
};
pub use signal::discard_pending;
pub use socket::{Received, receive};
pub use stat::{mount_ignores_setuid, xattr};
pub use threads::both;
pub use time::utc_offset;
pub use tty::{ask_line, make_controlling, peer, set_size, size};
