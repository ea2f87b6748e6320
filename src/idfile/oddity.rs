//! Why a line is not `owner:decimal:decimal`: one classification for all who judge lines.

use super::dialect::{Dialect, SHADOW_LINE_MAX, Verdict, go_trim};
use super::number::{c_base_zero, go_atoi, is_negative};
use crate::range::Login;

/// What is odd about a line, the gravest first: of a line only the first is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// A NUL byte, at which C programs stop.
    Nul,
    /// Nothing, or nothing but white space.
    Blank,
    /// A comment.
    Comment,
    /// A comment for Go readers, and for shadow a range of an owner whose name begins with `#`.
    CommentedRange,
    /// A range with further fields behind it.
    ExtraFields,
    /// Not three fields, and no comment.
    StopsReaders,
    /// A first `+` or `-`, shadow's marker for NIS.
    NisMarker,
    /// So long that shadow does not parse it.
    TooLong,
    /// A carriage return at the end.
    CarriageReturn,
    /// Other white space at the end.
    TrailingBlank,
    /// White space at the beginning.
    LeadingBlank,
    /// Three fields of which no reader makes a range.
    Unread,
    /// A number below 0.
    Negative,
    /// White space beside a colon.
    InnerBlank,
    /// A hexadecimal or binary number.
    Hex,
    /// A number with a leading zero that is another one in octal.
    Octal,
    /// A sign or a leading zero that makes no difference to any reader.
    Spelling,
    /// No IDs at all.
    CountZero,
    /// IDs that pass 2^32 − 1.
    BeyondSpace,
    /// An owner that only shadow from 4.20 on takes for a number: a uid with leading zeros.
    OwnerZero,
    /// An owner that no account can have.
    OddOwner,
}

impl Oddity {
    /// All of them, in order.
    pub const ALL: [Self; 21] = [
        Self::Nul,
        Self::Blank,
        Self::Comment,
        Self::CommentedRange,
        Self::ExtraFields,
        Self::StopsReaders,
        Self::NisMarker,
        Self::TooLong,
        Self::CarriageReturn,
        Self::TrailingBlank,
        Self::LeadingBlank,
        Self::Unread,
        Self::Negative,
        Self::InnerBlank,
        Self::Hex,
        Self::Octal,
        Self::Spelling,
        Self::CountZero,
        Self::BeyondSpace,
        Self::OwnerZero,
        Self::OddOwner,
    ];

    /// The finding's id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Nul => "line-nul",
            Self::Blank => "line-blank",
            Self::Comment => "line-comment",
            Self::CommentedRange => "line-commented-range",
            Self::ExtraFields => "line-extra-fields",
            Self::StopsReaders => "line-stops-readers",
            Self::NisMarker => "line-nis-marker",
            Self::TooLong => "line-too-long",
            Self::CarriageReturn => "line-carriage-return",
            Self::TrailingBlank => "line-trailing-blank",
            Self::LeadingBlank => "line-leading-blank",
            Self::Unread => "line-unread",
            Self::Negative => "line-negative",
            Self::InnerBlank => "line-inner-blank",
            Self::Hex => "line-hex",
            Self::Octal => "line-octal",
            Self::Spelling => "line-spelling",
            Self::CountZero => "count-zero",
            Self::BeyondSpace => "beyond-space",
            Self::OwnerZero => "owner-leading-zero",
            Self::OddOwner => "line-odd-owner",
        }
    }
}

/// What is odd about a line, given without its newline. `None`: it is `owner:decimal:decimal`, or that with
/// a `!` before it, which all readers take alike.
pub fn oddity(raw: &[u8]) -> Option<Oddity> {
    if raw.contains(&0) {
        return Some(Oddity::Nul);
    }
    let trimmed = go_trim(raw);
    let shadow_grants = || matches!(Dialect::Shadow413.read(raw), Verdict::Grants { .. });
    if trimmed.is_empty() {
        return Some(Oddity::Blank);
    }
    if trimmed.starts_with(b"#") {
        return Some(if shadow_grants() { Oddity::CommentedRange } else { Oddity::Comment });
    }
    let mut fields = raw.split(|b| *b == b':');
    let (Some(owner), Some(start), Some(count), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Some(if shadow_grants() { Oddity::ExtraFields } else { Oddity::StopsReaders });
    };
    if raw.starts_with(b"+") || raw.starts_with(b"-") {
        return Some(Oddity::NisMarker);
    }
    if raw.len() >= SHADOW_LINE_MAX {
        return Some(Oddity::TooLong);
    }
    if raw.ends_with(b"\r") {
        return Some(Oddity::CarriageReturn);
    }
    if trimmed.len() != raw.len() {
        return Some(if raw.ends_with(trimmed) { Oddity::LeadingBlank } else { Oddity::TrailingBlank });
    }
    let blank = (owner.trim_ascii().len() != owner.len()).then_some(Oddity::InnerBlank);
    let spelling = [blank, number(start), number(count)].into_iter().flatten().min();
    spelling.or_else(|| value(owner, start, count))
}

/// What is odd about the spelling of a number.
fn number(field: &[u8]) -> Option<Oddity> {
    // What nearly all are, and what all readers hold: so short that no number of theirs is passed.
    if matches!(field, [b'1'..=b'9', rest @ ..] if rest.len() < 18 && rest.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    if field.trim_ascii().len() != field.len() {
        return Some(Oddity::InnerBlank);
    }
    let (old, new, go) = (c_base_zero(field, false), c_base_zero(field, true), go_atoi(field));
    if new.is_none() && go.is_none() {
        return Some(Oddity::Unread);
    }
    let digits = field.strip_prefix(b"-").or_else(|| field.strip_prefix(b"+")).unwrap_or(field);
    let signed = digits.len() < field.len();
    if new.is_some() && new == old && new == go.and_then(|n| u64::try_from(n).ok()) {
        return (signed || (digits.len() > 1 && digits.starts_with(b"0"))).then_some(Oddity::Spelling);
    }
    match digits {
        _ if is_negative(field) => Some(Oddity::Negative),
        [b'0', b'x' | b'X' | b'b' | b'B', ..] => Some(Oddity::Hex),
        [b'0', _, ..] => Some(Oddity::Octal),
        // Beyond what Go can hold.
        _ => signed.then_some(Oddity::Spelling),
    }
}

/// What is odd about a line that is well spelled.
fn value(owner: &[u8], start: &[u8], count: &[u8]) -> Option<Oddity> {
    let bare = owner.strip_prefix(b"!").unwrap_or(owner);
    let (Some(start), Some(count)) = (c_base_zero(start, false), c_base_zero(count, false)) else {
        return Some(Oddity::Unread);
    };
    if owner.is_empty() {
        Some(Oddity::Unread)
    } else if count == 0 {
        Some(Oddity::CountZero)
    } else if start.checked_add(count).is_none_or(|end| end > 1 << 32)
        || start.max(count) > u64::from(u32::MAX)
    {
        // Every ID, 0:4294967296, too: more than shadow counts from 4.20 on.
        Some(Oddity::BeyondSpace)
    } else if Login::new(bare).is_none() || matches!(bare.first(), Some(b'!' | b'#' | b'+' | b'-')) {
        Some(Oddity::OddOwner)
    } else if Dialect::Shadow420.owner_uid(owner) != Dialect::Shadow413.owner_uid(owner) {
        Some(Oddity::OwnerZero)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Range;
    use proptest::prelude::*;

    #[test]
    fn each_way_to_be_odd() {
        for (line, id) in [
            (&b"u:7:1"[..], ""),
            (b"!u:7:1", ""),
            (b"u:0:4294967295", ""),
            (b"u:7:1\0", "line-nul"),
            (b"", "line-blank"),
            (b" \t", "line-blank"),
            ("\u{a0}".as_bytes(), "line-blank"),
            (b"# ranges", "line-comment"),
            (b"#u:7:x", "line-comment"),
            (b"#u:7:1", "line-commented-range"),
            (b" #u:7:1", "line-commented-range"),
            (b"u:7:1:x", "line-extra-fields"),
            (b"u:7:1:", "line-extra-fields"),
            (b"u:7", "line-stops-readers"),
            (b"::::", "line-stops-readers"),
            (b"+", "line-stops-readers"),
            (b"+u:7:1", "line-nis-marker"),
            (b"-u:7:1", "line-nis-marker"),
            (b"u:7:1\r", "line-carriage-return"),
            (b"u:7:1 ", "line-trailing-blank"),
            ("u:7:1\u{a0}".as_bytes(), "line-trailing-blank"),
            (b" u:7:1", "line-leading-blank"),
            (b" u:7:1\t", "line-trailing-blank"),
            (b"u :7:1", "line-inner-blank"),
            (b"u: 7:1", "line-inner-blank"),
            (b"u:7 :1", "line-inner-blank"),
            (b":7:1", "line-unread"),
            (b"u:x:1", "line-unread"),
            (b"u::", "line-unread"),
            (b"u:0x:1", "line-unread"),
            (b"u:99999999999999999999:1", "line-unread"),
            (b"u:-5:1", "line-negative"),
            (b"u:0x7:010", "line-hex"),
            (b"u:0620:1", "line-octal"),
            (b"u:08:1", "line-octal"),
            (b"u:+010:1", "line-octal"),
            (b"u:0b11:1", "line-hex"),
            (b"u:-0:1", "line-spelling"),
            (b"u:+7:1", "line-spelling"),
            (b"u:+07:1", "line-spelling"),
            (b"u:07:1", "line-spelling"),
            (b"u:00:1", "line-spelling"),
            (b"u:7:0", "count-zero"),
            (b"u:4294967295:2", "beyond-space"),
            (b"u:0:4294967296", "beyond-space"),
            (b"u:4294967296:1", "beyond-space"),
            (b"u:18446744073709551615:1", "beyond-space"),
            (b"u:18446744073709551615:2", "beyond-space"),
            (b"a/b:7:1", "line-odd-owner"),
            (b"!!u:7:1", "line-odd-owner"),
            (b"5000:7:1", ""),
            (b"05000:7:1", "owner-leading-zero"),
            (b"!:7:1", "line-odd-owner"),
        ] {
            assert_eq!(oddity(line).map_or("", Oddity::id), id, "{}", crate::text::escape(line));
        }
        let long = [b"u:", "0".repeat(1024).as_bytes(), b":1"].concat();
        assert_eq!(oddity(&long), Some(Oddity::TooLong));
        assert!(Oddity::ALL.is_sorted());
    }

    proptest! {
        #[test]
        fn what_is_not_odd_is_read_alike_and_written_so(
            line in "[!]{0,2}[a+#/ -]{0,2}[a-z0-9]{0,2}:[ +0x-]{0,2}[0-9]{0,11}:[ +0x-]{0,1}[0-9]{0,10}[: \r]?"
        ) {
            let raw = line.as_bytes();
            let verdicts: Vec<_> = Dialect::ALL.map(|dialect| dialect.read(raw)).to_vec();
            let alike = verdicts.windows(2).all(|two| two[0] == two[1]);
            let written = match verdicts[0] {
                Verdict::Grants { owner, start, count } => {
                    let bare = owner.strip_prefix(b"!").unwrap_or(owner);
                    let account = Login::new(bare).is_some() && !matches!(bare[0], b'!' | b'#' | b'+');
                    let range = Range::clipped(start, count).filter(|range| range.count().get() == count);
                    account && range.is_some_and(|range| crate::idfile::canonical_line(owner, range) == raw)
                }
                _ => false,
            };
            prop_assert_eq!(oddity(raw).is_none(), alike && written, "{:?}", oddity(raw));
        }
    }
}
