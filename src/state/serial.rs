//! Bytes, ranges and line edits in JSON, without losing a byte and still readable by a person.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as a string where they are UTF-8, else as `{"hex": "…"}`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Plain(Cow<'a, str>),
    Hex { hex: String },
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Plain(text.into()),
            Err(_) => Self::Hex { hex: crate::text::to_hex(bytes) },
        }
    }

    fn bytes<E: serde::de::Error>(self) -> Result<Vec<u8>, E> {
        match self {
            Self::Plain(text) => Ok(text.into_owned().into_bytes()),
            Self::Hex { hex } => {
                crate::text::from_hex(&hex).ok_or_else(|| E::custom("not hexadecimal digits"))
            }
        }
    }
}

/// `#[serde(with = "bytes")]` for `Vec<u8>`.
pub(super) mod bytes {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};

    pub(in crate::state) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        Text::of(bytes).serialize(s)
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        Text::deserialize(d)?.bytes()
    }
}

/// `#[serde(with = "lines")]` for `Vec<Vec<u8>>`.
pub(super) mod lines {
    use super::{Deserialize, Deserializer, Serializer, Text};

    pub(in crate::state) fn serialize<S: Serializer>(lines: &[Vec<u8>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(lines.iter().map(|line| Text::of(line)))
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<u8>>, D::Error> {
        Vec::<Text<'_>>::deserialize(d)?.into_iter().map(Text::bytes).collect()
    }
}

/// `#[serde(with = "range")]`: a range as `"START:COUNT"`.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference to the field
pub(super) mod range {
    use super::{Deserialize, Deserializer, Serializer};
    use crate::range::Range;

    pub(in crate::state) fn serialize<S: Serializer>(range: &Range, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}:{}", range.first(), range.count()))
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Range, D::Error> {
        let text = String::deserialize(d)?;
        Range::parse(&text).ok_or_else(|| serde::de::Error::custom("not a range"))
    }
}

/// `#[serde(with = "edits")]` for edits that are shared.
pub(super) mod edits {
    use std::sync::Arc;

    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};
    use crate::idfile::LineEdit;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Edit<'a> {
        line: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old: Option<Text<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new: Option<Text<'a>>,
    }

    pub(in crate::state) fn serialize<S: Serializer>(edits: &[LineEdit], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(edits.iter().map(|edit| Edit {
            line: edit.line,
            old: edit.old.as_deref().map(Text::of),
            new: edit.new.as_deref().map(Text::of),
        }))
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Arc<Vec<LineEdit>>, D::Error> {
        let edit = |edit: Edit<'_>| {
            Ok(LineEdit {
                line: edit.line,
                old: edit.old.map(Text::bytes).transpose()?,
                new: edit.new.map(Text::bytes).transpose()?,
            })
        };
        Vec::<Edit<'_>>::deserialize(d)?.into_iter().map(edit).collect::<Result<_, _>>().map(Arc::new)
    }
}
