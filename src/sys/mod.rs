//! Typed system calls as plain functions: the only room with `unsafe`. No messages for users here.
#![allow(unsafe_code)]

mod file;
mod lock;
mod open;
mod signal;

pub use file::{copy_xattrs, inode_flags, is_mount_root, link_unnamed, retry};
pub use lock::{LockTry, try_lock_whole};
pub use open::open_beneath;
pub use signal::discard_pending;
