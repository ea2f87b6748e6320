//! The system as it is: every path under a root, files, accounts, settings, running namespaces. Reads
//! only. Missing is not the same as unreadable, and no error becomes a default.

pub mod records;
mod root;
pub mod trust;

pub use root::{Root, Stat};
