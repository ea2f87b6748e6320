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
