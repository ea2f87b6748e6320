//! Typed system calls as plain functions: the only room with `unsafe`. No messages for users here.
#![allow(unsafe_code)]

mod open;

pub use open::open_beneath;
