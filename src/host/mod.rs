//! The system as it is: every path under a root, files, accounts, settings, running namespaces. Reads
//! only. Missing is not the same as unreadable, and no error becomes a default.

mod helpers;
mod machine;
mod mounts;
mod proc;
mod root;

pub use helpers::{FOLDERS, Helpers, helpers};
pub use machine::machine;
pub use root::{Root, Stat};

use proc::read_proc;
