//! The identities and numbers that must not be mistaken for one another.

use std::fmt;

use crate::text::Part;

/// Reads a decimal number as subidctl writes it: digits only, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// Wraps the number.
            pub const fn new(id: u32) -> Self {
                Self(id)
            }

            /// The number.
            pub const fn get(self) -> u32 {
                self.0
            }

            /// Reads a canonical decimal number below 2^32.
            pub fn parse(text: &str) -> Option<Self> {
                decimal(text).and_then(|n| u32::try_from(n).ok()).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An account's user ID.
    Uid
);
id!(
    /// A group ID.
    Gid
);
id!(
    /// A subordinate ID: of either kind, by position in a range.
    SubId
);

/// A number of IDs: 1 to 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(u64);

impl Count {
    /// One ID.
    pub const ONE: Self = Self(1);

    /// `None` for 0 and above 2^32.
    pub const fn new(count: u64) -> Option<Self> {
        if count >= 1 && count <= 1 << 32 { Some(Self(count)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads a canonical decimal number from 1 to 2^32.
    pub fn parse(text: &str) -> Option<Self> {
        decimal(text).and_then(Self::new)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An account name: the exact bytes that NSS or passwd give. Never empty; never with `:`, `/`, white
/// space other than an inner blank, or control characters, since no subuid line or command could carry it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login(Part);

impl Login {
    /// `None` for a name that can never be one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Self::can_be(bytes).then(|| Self(bytes.to_vec().into()))
    }

    /// As [`Login::new`], without memory of its own.
    pub fn part(bytes: Part) -> Option<Self> {
        Self::can_be(&bytes).then_some(Self(bytes))
    }

    fn can_be(bytes: &[u8]) -> bool {
        let bad = |b: &u8| matches!(b, b':' | b'/' | 0x7f) || *b < 0x20;
        let blank_ends = bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ');
        let refused = bytes.is_empty() || bytes.iter().any(bad) || blank_ends || bytes.starts_with(b"-");
        !refused
    }

    /// The bytes, which a copy shares.
    pub fn as_part(&self) -> &Part {
        &self.0
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether every reader of subuid takes this name literally: letters, digits and `. _ - @ \ $`, not
    /// numeric, and not beginning with a character that some reader gives a meaning (`! # + -`). Any
    /// other account is written by its uid.
    pub fn is_plain(&self) -> bool {
        let plain =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'\\' | b'$');
        let name: &[u8] = &self.0;
        name.iter().all(plain) && !name.iter().all(u8::is_ascii_digit) && !name.starts_with(b"-")
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::escape(&self.0))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_a_line_are_no_logins() {
        for bad in [&b""[..], b"a:b", b"a\nb", b"-v", b"a/b", b"\x1b", b" a", b"a ", b"a\x7f", b"a\tb"] {
            assert_eq!(Login::new(bad), None, "{bad:?}");
        }
        for (name, plain) in [
            ("alice", true),
            (r"CORP\lena", true),
            ("lena@corp.example", true),
            ("1005", false),
            ("+x", false),
        ] {
            assert_eq!(Login::new(name.as_bytes()).unwrap().is_plain(), plain, "{name}");
        }
        assert!(!Login::new("zoë".as_bytes()).unwrap().is_plain());
        assert!(!Login::new(b"domain users").unwrap().is_plain());
    }

    #[test]
    fn numbers_are_canonical_or_refused() {
        assert_eq!(Uid::parse("4294967295"), Some(Uid::new(u32::MAX)));
        assert_eq!(Uid::parse("4294967296"), None);
        assert_eq!(Uid::parse("007"), None);
        assert_eq!(Count::parse("4294967296").map(Count::get), Some(1 << 32));
        assert_eq!(Count::parse("0"), None);
        assert_eq!(Count::parse("99999999999999999999"), None);
    }
}
