//! Parts of one text: of ten thousand names in a file none needs memory of its own.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Bytes that are a text or a part of one, which a copy shares.
#[derive(Clone, Default)]
pub struct Part {
    whole: Arc<Vec<u8>>,
    from: u32,
    len: u32,
}

impl Part {
    /// A part of this one; what lies elsewhere is copied.
    #[must_use]
    pub fn part(&self, bytes: &[u8]) -> Self {
        let inside = bytes.as_ptr().addr().checked_sub(self.whole.as_ptr().addr());
        let ends = inside.and_then(|from| Some((from, from.checked_add(bytes.len())?)));
        let within = ends.filter(|(_, end)| *end <= self.whole.len());
        let part =
            within.and_then(|(from, _)| Some((u32::try_from(from).ok()?, u32::try_from(bytes.len()).ok()?)));
        match part {
            Some((from, len)) => Self { whole: Arc::clone(&self.whole), from, len },
            None => bytes.into(),
        }
    }
}

/// Takes the text as it is. No file of the size that is read has 2^32 bytes; what is longer is cut.
impl From<Vec<u8>> for Part {
    fn from(whole: Vec<u8>) -> Self {
        let len = u32::try_from(whole.len()).unwrap_or(u32::MAX);
        Self { whole: Arc::new(whole), from: 0, len }
    }
}

impl From<&[u8]> for Part {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let from = self.from as usize;
        self.whole.get(from..from + self.len as usize).unwrap_or_default()
    }
}

impl Borrow<[u8]> for Part {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Part {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Eq for Part {}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Part {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({})", super::escape(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shares_and_what_lies_elsewhere_is_copied() {
        let whole = Part::from(b"alice:x:1000".to_vec());
        let name = whole.part(&whole[..5]);
        assert_eq!((&name[..], Arc::ptr_eq(&name.whole, &whole.whole)), (&b"alice"[..], true));
        let inner = name.part(&name[1..3]);
        assert_eq!((&inner[..], Arc::ptr_eq(&inner.whole, &whole.whole)), (&b"li"[..], true));
        let other = whole.part(b"bob");
        assert_eq!((&other[..], Arc::ptr_eq(&other.whole, &whole.whole)), (&b"bob"[..], false));
        assert_eq!(name, Part::from(b"alice".to_vec()));
        assert!(Part::default().is_empty() && whole.part(&whole[12..]).is_empty());
    }
}
