//! FreeIPA: subordinate IDs that its server gives (its design page "subordinate-ids").

use super::exists;
use crate::host::Root;
use crate::range::Range;
use crate::snapshot::{Allocator, Site, SiteRange};

/// Every client has it (ipa-client-install).
const FILE: &str = "/etc/ipa/default.conf";

/// The DNA plugin's range: starts from 2^31 on, whole ranges below 2^32 − 2 × 65536.
const RANGE: (u32, u32) = (2_147_483_648, 4_294_836_223);

/// Reads what there is.
pub(super) fn read(root: &Root, site: &mut Site) {
    if !exists(root, FILE) {
        return;
    }
    if let Some(range) = Range::between(RANGE.0, RANGE.1) {
        let name = "subordinate IDs of a FreeIPA server".to_owned();
        site.declared.push(SiteRange {
            by: Allocator::FreeIpa,
            kind: None,
            range,
            name,
            place: FILE.to_owned(),
        });
    }
}
