//! subidctl gives users their subordinate IDs and proves that rootless containers work.
//!
//! The rooms, from the ground up; each imports only from those above it in this list. The pure ones compute
//! on plain values, the effect rooms touch the system, and `cli` strings them together.

pub mod text;

pub mod error;

pub mod range;

pub mod idfile;

pub mod idmap;

pub mod proof;
pub mod snapshot;

pub mod state;

pub mod policy;

pub mod planner;

pub mod findings;

pub mod template;

pub mod report;

pub mod sys;

pub mod host;

pub mod commit;

pub mod container;

pub mod cli;
