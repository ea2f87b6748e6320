//! Typed system calls as plain functions: the only room with `unsafe`. No messages for users here.
#![allow(unsafe_code)]

mod nss;
mod open;

pub use nss::{
    NssGroup, NssUser, all_groups, all_users, configure_lookup, group_by_gid, group_by_name, user_by_name,
    user_by_uid,
};
pub use open::open_beneath;
