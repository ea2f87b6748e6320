//! Results as text for people and as JSON.

pub mod proof;
