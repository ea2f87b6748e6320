//! The end-to-end tests, by command.

mod engine;
mod sandbox;
