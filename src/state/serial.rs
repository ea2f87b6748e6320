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

    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};
    use crate::range::Uid;
    use crate::state::KnownOwner;
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
        let uid = if uid.is_empty() { None } else { Some(Uid::parse(uid)?.get()) };
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::idfile::{Edits, LineEdit};
    use crate::state::KnownOwner;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Both {
        #[serde(with = "super::edits")]
        edits: Arc<Edits>,
        #[serde(with = "super::owners")]
        owners: Vec<KnownOwner>,
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..5)
    }

    fn edit() -> impl Strategy<Value = LineEdit> {
        let named = (1_usize..9, line(), prop::option::of(line()));
        prop_oneof![
            named.prop_map(|(line, old, new)| LineEdit { line, old: Some(old), new }),
            line().prop_map(|new| LineEdit { line: 9, old: None, new: Some(new) }),
        ]
    }

    fn owner() -> impl Strategy<Value = KnownOwner> {
        let name = line().prop_map(|name| name.into_iter().filter(|b| *b != b':').collect::<Vec<u8>>());
        (name, any::<Option<u32>>(), any::<bool>(), any::<bool>())
            .prop_map(|(name, uid, local, hook)| KnownOwner { owner: name.into(), uid, local, hook })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            edits in prop::collection::vec(edit(), 0..5), owners in prop::collection::vec(owner(), 0..4)
        ) {
            let both = Both { edits: Arc::new(edits.into_iter().collect()), owners };
            let text = serde_json::to_string(&both).unwrap();
            prop_assert_eq!(serde_json::from_str::<Both>(&text).unwrap(), both, "{}", text);
        }
    }

    #[test]
    fn an_owner_that_is_none_is_refused() {
        for text in [
            "alice",
            "alice:1001",
            "alice:1001:root",
            "alice:-1:",
            "alice:+1:",
            "alice:01:",
            "alice:4294967296:",
            "a:1:local:x",
        ] {
            let text = format!(r#"{{"edits":[],"owners":"bob:1:local\n{text}\n"}}"#);
            assert!(serde_json::from_str::<Both>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_of_ten_thousand_lines_is_a_few_words_and_their_text() {
        let add = |n: u32| LineEdit { line: 1, old: None, new: Some(format!("u{n}:1:1").into_bytes()) };
        let edits: Edits = (0..10_000).map(add).collect();
        let bytes = edits.added().len();
        let text = serde_json::to_string(&Both { edits: edits.into(), owners: vec![] }).unwrap();
        // A line break takes two bytes.
        assert!(text.len() < bytes + 10_000 + 100, "{} of {bytes}", text.len());
    }
}
