//! A change of a file as the lines that it touches, and no others.

/// What becomes of one line. Both are whole lines without newline: both = replace, only `old` = remove, only
/// `new` = add at the end of the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LineEdit {
    /// The number of the old line, from 1; for an added line one past the last.
    pub line: usize,
    /// The line as it stands.
    pub old: Option<Vec<u8>>,
    /// The line as it shall stand.
    pub new: Option<Vec<u8>>,
}

/// A [`LineEdit`] whose lines are somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit<'a> {
    /// The number of the old line, from 1; for an added line one past the last.
    pub line: usize,
    /// The line as it stands.
    pub old: Option<&'a [u8]>,
    /// The line as it shall stand.
    pub new: Option<&'a [u8]>,
}

/// The edits of one file. Those that add lines are one text: ten thousand users are one piece of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    named: Vec<LineEdit>,
    added: Vec<u8>,
    end: usize,
}

impl Edit<'_> {
    /// The same, by itself.
    pub fn to_owned(self) -> LineEdit {
        let owned = |line: Option<&[u8]>| line.map(<[u8]>::to_vec);
        LineEdit { line: self.line, old: owned(self.old), new: owned(self.new) }
    }
}

impl LineEdit {
    fn as_edit(&self) -> Edit<'_> {
        Edit { line: self.line, old: self.old.as_deref(), new: self.new.as_deref() }
    }
}

impl Edits {
    /// Edits that add these lines, each with its newline, where `end` is one past the last line.
    pub fn adding(end: usize, lines: Vec<u8>) -> Self {
        Self { named: Vec::new(), added: lines, end }
    }

    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.added.is_empty()
    }

    /// How many lines are edited.
    pub fn len(&self) -> usize {
        self.named.len() + crate::text::lines(&self.added).count()
    }

    /// The edits of lines that stand there.
    pub fn named(&self) -> &[LineEdit] {
        &self.named
    }

    /// What comes behind the last line: whole lines, each with its newline.
    pub fn added(&self) -> &[u8] {
        &self.added
    }

    /// The number that every added line has: one past the last.
    pub fn end(&self) -> usize {
        self.end
    }

    /// All of them, those that add lines last.
    pub fn iter(&self) -> impl Iterator<Item = Edit<'_>> {
        let add = |new| Edit { line: self.end, old: None, new: Some(new) };
        self.named.iter().map(LineEdit::as_edit).chain(crate::text::lines(&self.added).map(add))
    }

    /// One more.
    pub fn push(&mut self, edit: LineEdit) {
        match edit {
            LineEdit { old: None, new: Some(new), line } => {
                self.add(line, |added| added.extend_from_slice(&new));
            }
            // Nothing becomes of nothing.
            LineEdit { old: None, new: None, .. } => {}
            edit => self.named.push(edit),
        }
    }

    /// One more line at the end, which `write` puts behind the others; `end` is one past the last line.
    pub fn add(&mut self, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.end = end;
        write(&mut self.added);
        self.added.push(b'\n');
    }

    /// Room for so many bytes of added lines.
    pub fn reserve(&mut self, bytes: usize) {
        self.added.reserve(bytes);
    }
}

impl FromIterator<LineEdit> for Edits {
    fn from_iter<T: IntoIterator<Item = LineEdit>>(edits: T) -> Self {
        let mut all = Self::default();
        all.extend(edits);
        all
    }
}

impl Extend<LineEdit> for Edits {
    fn extend<T: IntoIterator<Item = LineEdit>>(&mut self, edits: T) {
        edits.into_iter().for_each(|edit| self.push(edit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idfile::Document;
    use proptest::prelude::*;

    fn line() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..6)
    }

    proptest! {
        /// One text holds as much as an edit for each line does.
        #[test]
        fn added_lines_come_back_one_by_one(lines in prop::collection::vec(line(), 0..5), end in 1_usize..9) {
            let add = |new: &Vec<u8>| LineEdit { line: end, old: None, new: Some(new.clone()) };
            let gone = LineEdit { line: 1, old: Some(b"x".to_vec()), new: None };
            let edits: Edits = lines.iter().map(add).chain([gone.clone()]).collect();
            let all: Vec<LineEdit> = edits.iter().map(Edit::to_owned).collect();
            let expected: Vec<LineEdit> = [gone].into_iter().chain(lines.iter().map(add)).collect();
            prop_assert_eq!((edits.len(), edits.is_empty()), (expected.len(), false));
            prop_assert_eq!(all, expected);
        }

        #[test]
        fn what_is_added_stands_at_the_end(before in "[ab\n\0]{0,6}", lines in prop::collection::vec(line(), 0..4)) {
            let before = Document::new(before.into_bytes());
            let end = before.line_count() + 1;
            let edits: Edits =
                lines.iter().map(|new| LineEdit { line: end, old: None, new: Some(new.clone()) }).collect();
            let mut expected = before.as_bytes().to_vec();
            if !before.ends_in_newline() {
                expected.push(b'\n');
            }
            for line in &lines {
                expected.extend_from_slice(line);
                expected.push(b'\n');
            }
            let after = before.edited(&edits).unwrap();
            prop_assert_eq!(after.as_bytes(), &expected[..]);
            prop_assert_eq!(&after, &Document::new(expected));
        }
    }
}
