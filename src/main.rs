//! The binary: calls the library and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    subidctl::cli::run(std::env::args_os())
}
