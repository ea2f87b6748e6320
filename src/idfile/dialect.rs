//! The table of readers: what each deployed program makes of one line.

use super::number::{c_base_ten, c_base_zero, go_atoi, is_negative};
use crate::range::Range;

/// Lines of this many bytes or more are not parsed by shadow (lib/subordinateio.c, `rangebuf`).
pub(super) const SHADOW_LINE_MAX: usize = 1024;

/// A line of this many bytes or more stops Go readers (bufio, `MaxScanTokenSize`).
const GO_LINE_MAX: usize = 64 * 1024;

/// A family of programs that read a line alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// shadow up to 4.14: further fields ignored, minus wraps, numbers unbounded.
    Shadow413,
    /// shadow 4.15 to 4.17: negative numbers refused; binary ones read, since it comes with glibc 2.38 or
    /// later (an older shadow built with that reads them, too).
    Shadow415,
    /// shadow 4.18 and 4.19: further fields refused.
    Shadow418,
    /// shadow from 4.20: numbers beyond the ID space refused, a count of 0 listed and never granted.
    Shadow420,
    /// rootlesskit, and podman and buildah (`parseSubidFile`): blank lines and `#` skipped, decimal only, and
    /// any line without exactly three fields stops the whole file. Where the two are built with libsubid, as
    /// Debian does, they read as the installed shadow.
    Go,
}

/// What a reader makes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The line means nothing to it.
    Ignored,
    /// It grants `count` IDs from `start` to `owner`, a name or a number.
    Grants {
        /// The first field's bytes.
        owner: &'a [u8],
        /// As the reader's numbers are: may lie beyond the ID space.
        start: u64,
        /// May be 0.
        count: u64,
    },
    /// The line makes it fail: for every user, or (`owner`) for this user only.
    Fails {
        /// `None`: for everybody.
        owner: Option<&'a [u8]>,
    },
}

impl Dialect {
    /// All, oldest first.
    pub const ALL: [Self; 5] = [Self::Shadow413, Self::Shadow415, Self::Shadow418, Self::Shadow420, Self::Go];

    /// Reads one line, given without its newline.
    pub fn read(self, raw: &[u8]) -> Verdict<'_> {
        match self {
            Self::Go => read_go(raw),
            _ => self.read_shadow(raw).unwrap_or(Verdict::Ignored),
        }
    }

    /// The IDs that a grant of these numbers is worth to newuidmap, as far as they exist.
    ///
    /// shadow up to 4.19 takes `start + count - 1` for the last ID whatever the count is: `0:0` ends where
    /// 64 bits end, and grants every ID.
    pub fn range(self, start: u64, count: u64) -> Option<Range> {
        if (start, count) == (0, 0) && self < Self::Shadow420 {
            return Range::between(0, u32::MAX);
        }
        Range::clipped(start, count)
    }

    /// The uid that an owner means to the reader where it is a number; a name is `None`.
    ///
    /// All take the plain decimal. shadow from 4.20 also takes leading white space, a plus and leading zeros
    /// (`05000`); to the others these are names that nobody has.
    pub fn owner_uid(self, owner: &[u8]) -> Option<u32> {
        let uid = c_base_ten(owner).and_then(|uid| u32::try_from(uid).ok())?;
        (self == Self::Shadow420 || owner == uid.to_string().as_bytes()).then_some(uid)
    }

    /// The programs, for a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow413 => "shadow up to 4.14",
            Self::Shadow415 => "shadow 4.15 to 4.17",
            Self::Shadow418 => "shadow 4.18 and 4.19",
            Self::Shadow420 => "shadow 4.20 and later",
            Self::Go => "rootlesskit (and podman and buildah without libsubid)",
        }
    }

    fn read_shadow(self, raw: &[u8]) -> Option<Verdict<'_>> {
        // C strings end at a NUL; a line that begins with + or - is a NIS marker and never parsed.
        let raw = raw.split(|b| *b == 0).next()?;
        if raw.len() >= SHADOW_LINE_MAX || matches!(raw.first(), Some(b'+' | b'-')) {
            return None;
        }
        let mut fields = raw.split(|b| *b == b':');
        let (owner, start, count) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() && self >= Self::Shadow418 {
            return None;
        }
        if owner.is_empty() {
            return None;
        }
        let (start, count) = (self.number(start)?, self.number(count)?);
        if self >= Self::Shadow420 {
            let beyond = start.checked_add(count).is_none_or(|end| end > 1 << 32);
            // Of all 2^32 IDs there are too many to count in 32 bits.
            if start.max(count) > u64::from(u32::MAX) || beyond {
                return None;
            }
        }
        Some(Verdict::Grants { owner, start, count })
    }

    fn number(self, field: &[u8]) -> Option<u64> {
        if self < Self::Shadow415 {
            return c_base_zero(field, false);
        }
        // A negative number is refused, and -0 is none.
        c_base_zero(field, true).filter(|value| *value == 0 || !is_negative(field))
    }
}

/// Go's `strings.TrimSpace`: white space of all of Unicode at both ends.
pub(super) fn go_trim(raw: &[u8]) -> &[u8] {
    let space = |bytes: &[u8]| {
        let mut chars = std::str::from_utf8(bytes).unwrap_or_default().chars();
        chars.next().is_some_and(char::is_whitespace) && chars.next().is_none()
    };
    // Most lines begin and end with what nobody trims.
    if raw.first().is_some_and(u8::is_ascii_graphic) && raw.last().is_some_and(u8::is_ascii_graphic) {
        return raw;
    }
    let mut rest = raw;
    while let Some(n) = (1..=3.min(rest.len())).find(|n| rest.get(..*n).is_some_and(space)) {
        rest = rest.get(n..).unwrap_or_default();
    }
    while let Some(n) = (1..=3.min(rest.len())).find(|n| rest.get(rest.len() - n..).is_some_and(space)) {
        rest = rest.get(..rest.len() - n).unwrap_or_default();
    }
    rest
}

fn read_go(raw: &[u8]) -> Verdict<'_> {
    if raw.len() >= GO_LINE_MAX {
        return Verdict::Fails { owner: None };
    }
    let line = go_trim(raw);
    if line.is_empty() || line.starts_with(b"#") {
        return Verdict::Ignored;
    }
    let mut fields = line.split(|b| *b == b':');
    let (Some(owner), Some(start), Some(count), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Verdict::Fails { owner: None };
    };
    match (go_atoi(start).map(u64::try_from), go_atoi(count).map(u64::try_from)) {
        (Some(Ok(start)), Some(Ok(count))) => Verdict::Grants { owner, start, count },
        // A negative number is passed on to newuidmap, which refuses it.
        _ => Verdict::Fails { owner: Some(owner) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the readers of [`Dialect::ALL`] see: a start, `-` for nothing, `!` for a failure.
    fn row(line: &[u8]) -> String {
        let cell = |dialect: Dialect| match dialect.read(line) {
            Verdict::Ignored => "-".to_owned(),
            Verdict::Grants { start, .. } => start.to_string(),
            Verdict::Fails { owner: None } => "!".to_owned(),
            Verdict::Fails { owner: Some(_) } => "!u".to_owned(),
        };
        Dialect::ALL.map(cell).join(" ")
    }

    #[test]
    fn the_table() {
        for (line, expected) in [
            (&b"u:700:5"[..], "700 700 700 700 700"),
            (b"u:700:5:x", "700 700 - - !"),
            (b"u:0x12c:1", "300 300 300 300 !u"),
            (b"u:0620:1", "400 400 400 400 620"),
            (b"u:0b11:1", "- 3 3 3 !u"),
            (b"u:+200:1", "200 200 200 200 200"),
            (b"u: 7:1", "7 7 7 7 !u"),
            (b"u:7:1 ", "- - - - 7"),
            (b"u:7:1\r", "- - - - 7"),
            ("u:7:1\u{a0}".as_bytes(), "- - - - 7"),
            (b"u:7:1 \0", "- - - - !u"),
            (b"u:08:1", "- - - - 8"),
            (b"u:-5:1", "18446744073709551611 - - - !u"),
            (b"u:-0:1", "0 0 0 0 0"),
            (b"u:4294967296:1", "4294967296 4294967296 4294967296 - 4294967296"),
            (b"u:0:4294967295", "0 0 0 0 0"),
            (b"u:0:4294967296", "0 0 0 - 0"),
            (b"u:7:0", "7 7 7 7 7"),
            (b"#u:7:1", "7 7 7 7 -"),
            (b"!u:7:1", "7 7 7 7 7"),
            (b"+u:7:1", "- - - - 7"),
            (b":7:1", "- - - - 7"),
            (b"", "- - - - -"),
            (b"u:7", "- - - - !"),
            (b"u:7 :1", "- - - - !u"),
            (b"u:7: 12", "7 7 7 7 !u"),
        ] {
            assert_eq!(row(line), expected, "{}", crate::text::escape(line));
        }
        let long = [b"u:", "0".repeat(1024).as_bytes(), b":1"].concat();
        assert_eq!(row(&long), "- - - - 0");
        assert_eq!(row(&b"#".repeat(65535)), "- - - - -");
        assert_eq!(row(&b"#".repeat(65536)), "- - - - !");
    }
}
