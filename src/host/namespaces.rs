//! What running user namespaces map.

use crate::snapshot::Namespaces;

/// Looks at every process.
pub(super) fn live() -> Namespaces {
    Namespaces::default()
}
