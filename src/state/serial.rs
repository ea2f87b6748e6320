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

/// `#[serde(with = "owners")]` for known owners: one text of lines `OWNER:UID:local,hook`, whose second field is
/// empty where there was no account, and whose third has what is true. Ten thousand are one string.
pub(super) mod owners {
    use serde::de::Error as _;

    use super::super::KnownOwner;
    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};
    use crate::text::Part;

    pub(in crate::state) fn serialize<S: Serializer>(owners: &[KnownOwner], s: S) -> Result<S::Ok, S::Error> {
        // A number, two words, and what stands between them.
        let mut text = Vec::with_capacity(owners.iter().map(|known| known.owner.len() + 23).sum());
        for KnownOwner { owner, uid, local, hook } in owners {
            text.extend_from_slice(owner);
            text.push(b':');
            if let Some(uid) = uid {
                crate::text::decimal(&mut text, u64::from(*uid));
            }
            text.extend_from_slice(match (local, hook) {
                (false, false) => b":\n",
                (true, false) => b":local\n",
                (false, true) => b":hook\n",
                (true, true) => b":local,hook\n",
            });
        }
        Text::of(&text).serialize(s)
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>, T: From<Vec<KnownOwner>>>(
        d: D,
    ) -> Result<T, D::Error> {
        let text: Part = Text::deserialize(d)?.bytes()?.into();
        let known = crate::text::lines(&text).map(|line| known(&text, line)).collect::<Option<Vec<_>>>();
        known.map(T::from).ok_or_else(|| D::Error::custom("not a list of owners"))
    }

    /// One line of the text. An owner holds no colon: none that a file can carry does.
    fn known(text: &Part, line: &[u8]) -> Option<KnownOwner> {
        let mut fields = line.split(|b| *b == b':');
        let (owner, uid, words, None) = (fields.next()?, fields.next()?, fields.next()?, fields.next())
        else {
            return None;
        };
        let uid = std::str::from_utf8(uid).ok()?;
        let uid = if uid.is_empty() { None } else { Some(uid.parse().ok()?) };
        let (local, hook) = match words {
            b"" => (false, false),
            b"local" => (true, false),
            b"hook" => (false, true),
            b"local,hook" => (true, true),
            _ => return None,
        };
        Some(KnownOwner { owner: text.part(owner), uid, local, hook })
    }
}

/// `#[serde(with = "edits")]` for edits that are shared: an object for each line that stands there, and one with
/// the text of all lines that are added.
pub(super) mod edits {
    use std::sync::Arc;

    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};
    use crate::idfile::{Edits, LineEdit};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Edit<'a> {
        line: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old: Option<Text<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new: Option<Text<'a>>,
        /// Whole lines, each with its newline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        added: Option<Text<'a>>,
    }

    pub(in crate::state) fn serialize<S: Serializer>(edits: &Edits, s: S) -> Result<S::Ok, S::Error> {
        let named = edits.named().iter().map(|edit| Edit {
            line: edit.line,
            old: edit.old.as_deref().map(Text::of),
            new: edit.new.as_deref().map(Text::of),
            added: None,
        });
        let added = Some(edits.added()).filter(|added| !added.is_empty()).map(|added| Edit {
            line: edits.end(),
            old: None,
            new: None,
            added: Some(Text::of(added)),
        });
        s.collect_seq(named.chain(added))
    }

    pub(in crate::state) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<Edits>, D::Error> {
        let mut edits = Edits::default();
        for Edit { line, old, new, added } in Vec::<Edit<'_>>::deserialize(d)? {
            let (old, new) = (old.map(Text::bytes).transpose()?, new.map(Text::bytes).transpose()?);
            // Of every line its own object was written once, and is still read.
            edits.push(LineEdit { line, old, new });
            let added: Vec<u8> = added.map(Text::bytes).transpose()?.unwrap_or_default();
            for new in crate::text::lines(&added) {
                edits.add(line, |text| text.extend_from_slice(new));
            }
        }
        Ok(Arc::new(edits))
    }
}
