//! Tests of the whole program on real systems, and of its architecture.
//!
//! `tests/run` installs what they need. Each end-to-end test has a sandbox of its own (`harness`); the
//! modules of `e2e` are named after the commands.

// A failed test says why by panicking, also in helpers, which clippy does not take for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod architecture;
mod e2e;
mod harness;
mod man;
