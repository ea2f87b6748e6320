//! The system as it is: every path under a root, files, accounts, settings, running namespaces. Reads
//! only. Missing is not the same as unreadable, and no error becomes a default.

mod accounts;
mod collect;
mod directory;
mod disk;
mod engine;
mod follow;
mod getsubids;
mod helpers;
pub mod lockfile;
mod login_defs;
mod machine;
mod mounts;
mod named;
mod namespaces;
mod nsswitch;
mod owned;
mod passwd;
mod proc;
pub mod records;
mod root;
mod site;
mod surroundings;
pub mod trust;
mod usage;

pub use accounts::{
    Operand, find_user, group_members, groups_named, login_accounts, login_uid, look_up, look_up_name, me,
};
pub use collect::{glance, reread, snapshot, survey, unread};
pub use directory::{directory_place, enumerate, look_up_owners, probe};
pub use engine::{Runtime, kept_namespaces, program};
pub use follow::read_following;
pub use getsubids::directory_ranges;
pub use helpers::{FOLDERS, Helpers, helpers};
pub use login_defs::parse_login_defs;
pub use machine::{foreign_proc, machine};
pub use named::{Trust, read_bounded, read_named};
pub use namespaces::live as live_namespaces;
pub use nsswitch::parse_nsswitch;
pub use owned::{Top, owned_files};
pub use passwd::{Parsed, parse_group, parse_passwd};
pub use root::{Root, Stat};
pub use surroundings::{is_own_session, surroundings};
pub use usage::{Usage, User, usage};

use proc::read_proc_of;
