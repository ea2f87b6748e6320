//! The file as bytes, its lines, and edits that touch only the lines they name.

use std::sync::{Arc, OnceLock};

use memchr::memchr;

use super::claim::Claim;
use super::digest::Digest;
use super::edits::{Edits, LineEdit};
use super::index::{Claims, Index};

/// The content of one file, byte for byte. A copy shares it.
#[derive(Debug, Clone, Default)]
pub struct Document(Arc<Content>);

#[derive(Debug, Default)]
struct Content {
    /// The document that this one begins with, where it only adds lines: a plan for one user of a million does not
    /// copy the file. It has no head itself and ends in a newline, and in neither is a NUL, which would join lines.
    head: Option<Document>,
    /// All bytes, or those behind the head.
    bytes: Vec<u8>,
    /// All bytes of a document with a head, once somebody asks for them as one piece.
    whole: OnceLock<Vec<u8>>,
    /// Of the lines in `bytes`. Made when it is first asked for; the bytes never change.
    index: OnceLock<Index>,
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (&self.0, &other.0);
        if Arc::ptr_eq(one, two) {
            return true;
        }
        // What is added to one file need not be put behind it to be compared.
        let heads = one.head.as_ref().zip(two.head.as_ref());
        if heads.is_some_and(|(head, other)| Arc::ptr_eq(&head.0, &other.0)) {
            return one.bytes == two.bytes;
        }
        self.len() == other.len() && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Document {}

/// One line of a [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1.
    pub number: usize,
    /// Without the newline.
    pub raw: &'a [u8],
}

/// The line that an edit names is not what the edit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not the line that the edit names")]
pub struct EditError {
    /// The line's number, from 1.
    pub line: usize,
}

impl Document {
    /// Takes the bytes as they are.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Content { bytes, ..Content::default() }))
    }

    /// The bytes as they are.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0.head {
            None => &self.0.bytes,
            Some(_) => self.0.whole.get_or_init(|| self.parts().collect::<Vec<_>>().concat()),
        }
    }

    /// What this document adds behind all lines of another; `None` where it was not made by adding to that one.
    pub fn added_to(&self, other: &Self) -> Option<&[u8]> {
        let head = self.0.head.as_ref().filter(|head| Arc::ptr_eq(&head.0, &other.0));
        head.map(|_| &self.0.bytes[..])
    }

    /// The bytes in one piece or two, of whole lines.
    fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.head.iter().map(|head| &head.0.bytes[..]).chain([&self.0.bytes[..]])
    }

    fn len(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }

    /// Their digest.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(self.parts())
    }

    /// Whether there is so much of it that another thread is worth its start: some thousand lines.
    pub fn is_long(&self) -> bool {
        self.len() > 1 << 18
    }

    /// Whether the last line ends in a newline; true for an empty file.
    pub fn ends_in_newline(&self) -> bool {
        self.parts().rev().find_map(<[u8]>::last).is_none_or(|b| *b == b'\n')
    }

    /// Whether there is a NUL anywhere: older shadow takes the lines around it for one, newer refuses the file.
    pub fn has_nul(&self) -> bool {
        self.parts().any(|part| memchr(0, part).is_some())
    }

    /// All lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.parts().flat_map(crate::text::lines).zip(1..).map(|(raw, number)| Line { number, raw })
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.indexes().map(|(index, _)| index.lines()).sum()
    }

    /// A line by its number, from 1, without its newline.
    pub fn line(&self, number: usize) -> Option<&[u8]> {
        self.indexes().find_map(|(index, bytes)| index.line(bytes, number))
    }

    /// The lines that are not plainly `owner:decimal:decimal`, in order. Whatever is odd to any reader is among
    /// them; some that all readers take alike are, too.
    pub fn odd_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.indexes().flat_map(|(index, bytes)| index.odd(bytes))
    }

    /// All IDs that any deployed reader would see taken, in order of lines; last those of lines that a NUL
    /// joins.
    pub fn claims(&self) -> Claims<'_> {
        let head = self.0.head.as_ref().map(|head| head.index().claims(&head.0.bytes)).unwrap_or_default();
        Claims::new(head, self.index().claims(&self.0.bytes))
    }

    /// One of [`Document::claims`], by its place among them, from 0.
    pub fn claim(&self, index: usize) -> Option<Claim<'_>> {
        let mut before = 0;
        self.indexes().find_map(|(part, bytes)| {
            let found = part.claim(bytes, index.checked_sub(before)?);
            before += part.entries();
            found
        })
    }

    /// What is known of the lines of each piece.
    fn indexes(&self) -> impl Iterator<Item = (&Index, &[u8])> {
        let head = self.0.head.as_ref().map(|head| (head.index(), &head.0.bytes[..]));
        head.into_iter().chain([(self.index(), &self.0.bytes[..])])
    }

    /// Of the last piece.
    fn index(&self) -> &Index {
        self.0.index.get_or_init(|| match &self.0.head {
            None => Index::whole(self),
            Some(head) => Index::read(&self.0.bytes, head.line_count() + 1),
        })
    }

    /// The document after the edits: untouched lines keep every byte, the result ends in a newline
    /// (unless it is empty).
    ///
    /// # Errors
    /// Where an edit's old line is not what stands there, or two edits name one line.
    pub fn edited(&self, edits: &Edits) -> Result<Self, EditError> {
        if edits.named().is_empty() && self.can_be_head() && memchr(0, edits.added()).is_none() {
            let bytes = edits.added().to_vec();
            return Ok(Self(Arc::new(Content { head: Some(self.clone()), bytes, ..Content::default() })));
        }
        let mut at: Vec<&LineEdit> = edits.named().iter().collect();
        at.sort_by_key(|e| e.line);
        let mut at = at.into_iter().peekable();
        let whole = self.as_bytes();
        let more = 32 * edits.named().len() + edits.added().len();
        let mut bytes = Vec::with_capacity(whole.len() + more + 1);
        // What lies between the lines that are edited is copied as it is.
        let (mut start, mut copied) = (0, 0);
        for line in self.lines() {
            if at.peek().is_none() {
                break;
            }
            let end = start + line.raw.len() + 1;
            if let Some(edit) = at.next_if(|e| e.line == line.number) {
                if edit.old.as_deref() != Some(line.raw) {
                    return Err(EditError { line: edit.line });
                }
                bytes.extend_from_slice(whole.get(copied..start).unwrap_or_default());
                if let Some(new) = &edit.new {
                    bytes.extend_from_slice(new);
                    bytes.push(b'\n');
                }
                copied = end;
            }
            start = end;
        }
        if let Some(unused) = at.next() {
            return Err(EditError { line: unused.line });
        }
        bytes.extend_from_slice(whole.get(copied..).unwrap_or_default());
        if bytes.last().is_some_and(|b| *b != b'\n') {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(edits.added());
        Ok(Self::new(bytes))
    }

    /// Whether lines can simply be put behind this document.
    fn can_be_head(&self) -> bool {
        self.0.head.is_none() && self.ends_in_newline() && !self.has_nul()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_odd_files() {
        let lines = |bytes: &[u8]| Document::new(bytes.to_vec()).lines().count();
        assert_eq!((lines(b""), lines(b"\n"), lines(b"a"), lines(b"a\n"), lines(b"a\n\n")), (0, 1, 1, 1, 2));
    }

    #[test]
    fn edits_name_their_line_or_fail() {
        let doc = Document::new(b"# c\nbob:1:2\nx".to_vec());
        let edit = |line, old: Option<&str>, new: Option<&str>| LineEdit {
            line,
            old: old.map(|s| s.as_bytes().to_vec()),
            new: new.map(|s| s.as_bytes().to_vec()),
        };
        let edited = |edits: &[LineEdit]| doc.edited(&edits.iter().cloned().collect());
        let out =
            edited(&[edit(4, None, Some("al:5:6")), edit(2, Some("bob:1:2"), Some("!bob:1:2"))]).unwrap();
        assert_eq!(out.as_bytes(), b"# c\n!bob:1:2\nx\nal:5:6\n");
        assert_eq!(edited(&[edit(2, Some("bob:1:3"), None)]), Err(EditError { line: 2 }));
        assert_eq!(edited(&[edit(9, Some("x"), None)]), Err(EditError { line: 9 }));
        let twice = [edit(3, Some("x"), None), edit(3, Some("x"), None)];
        assert_eq!(edited(&twice), Err(EditError { line: 3 }));
    }

    proptest! {
        #[test]
        fn untouched_lines_keep_every_byte(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let doc = Document::new(bytes.clone());
            let same = doc.edited(&Edits::default()).unwrap();
            let mut expected = bytes;
            if expected.last().is_some_and(|b| *b != b'\n') { expected.push(b'\n'); }
            prop_assert_eq!(same.as_bytes(), &expected[..]);
        }

        #[test]
        fn what_any_reader_grants_is_claimed(
            text in "([a!#+ ]{0,2}:?[ 0-9bx+-]{0,8}:?[ 0-9x-]{0,6}[: \r]?[\0\n]{0,2}){1,3}"
        ) {
            use crate::idfile::{Dialect, Verdict};
            let doc = Document::new(text.clone().into_bytes());
            for dialect in Dialect::ALL {
                for (_, line) in dialect.lines(&doc).unwrap_or_default() {
                    if let Verdict::Grants { start, count, .. } = dialect.read(&line)
                        && let Some(range) = dialect.range(start, count)
                    {
                        prop_assert!(doc.claims().any(|c| c.range.covers(range)), "{:?} {:?}", dialect, text);
                    }
                }
            }
        }
    }

    #[test]
    fn odd_lines_take_what_the_laxest_reader_grants() {
        let claims = |text: &str| -> Vec<String> {
            let document = Document::new(text.as_bytes().to_vec());
            let claim = |c: Claim<'_>| format!("{}:{}:{}", c.line, c.range.first(), c.range.count());
            document.claims().map(claim).collect()
        };
        assert_eq!(claims("u:0620:1\n"), ["1:400:1", "1:620:1"]);
        assert_eq!(claims("u:0b110:1\n"), ["1:6:1"]);
        // newuidmap takes the last ID for 0 - 1, which is the highest that there is.
        assert_eq!(claims("u:0:0\n"), ["1:0:4294967296"]);
        assert_eq!(claims("u:7:0\n"), [""; 0]);
        assert_eq!(claims("u:5:\0\n7\n"), ["1:5:7"]);
    }
}
