//! Trees of other releases, with their tools.

use std::path::{Path, PathBuf};

/// A tree that `tests/tree` made, by its role: `mid` or `new`.
pub(crate) fn find(role: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/trees").join(role);
    // Without links: the sandbox mounts it.
    path.join("etc/debian_version").exists().then(|| path.canonicalize().unwrap())
}

/// The tree of this role. Ends the test as skipped where it has not been made.
macro_rules! tree {
    ($role:literal) => {
        match $crate::harness::find_tree($role) {
            Some(path) => path,
            None => {
                return $crate::harness::skipped(concat!(
                    "no tree ",
                    $role,
                    ": tests/tree ",
                    $role,
                    " makes it"
                ));
            }
        }
    };
}
pub(crate) use tree;
