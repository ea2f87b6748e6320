//! The binary: calls the library and exits with its code.

fn main() {}
