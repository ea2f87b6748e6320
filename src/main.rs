//! The binary: calls the library and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(subidctl::cli::run(std::env::args_os()))
}
