//! Skipping is said, and is a failure unless `ALLOW_SKIP` is set.

use std::io::Write;

/// The first thing missing of what a test needs beyond the binary: root, and these tools in the fixed folders.
pub(crate) fn missing(tools: &[&str]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let there = |tool: &str| folders.iter().any(|folder| std::path::Path::new(folder).join(tool).is_file());
    tools.iter().find(|tool| !there(tool)).map(|tool| format!("{tool} is not installed"))
}

/// Says that a test was skipped. `tests/run` counts these lines.
///
/// # Panics
/// Unless `ALLOW_SKIP` is set: a test that did not run has not passed.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("ALLOW_SKIP").is_some_and(|v| v == "1"), "skipped: {test}: {why}");
    // Past the capture of `print!`, so that it is seen for a test that 'passes'. In one write, on a line of
    // its own: the runner prints `test … ` before the test ends.
    drop(std::io::stderr().write_all(format!("\nskipped: {test}: {why}\n").as_bytes()));
}
