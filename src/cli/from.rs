//! `--from`: users in a file or on stdin, which can be read once only, however often is planned.

use std::path::Path;

use memchr::memchr_iter;

use crate::error::{Code, Error, Result};
use crate::host::{Trust, read_bounded, read_named};
use crate::range::Range;
use crate::text::{Part, escape};

/// A list of users.
pub(super) struct List {
    /// What it is called, escaped.
    shown: String,
    pub(super) users: Vec<Listed>,
}

/// A line of it.
pub(super) struct Listed {
    pub(super) user: Part,
    pub(super) range: Option<Range>,
    line: usize,
}

impl List {
    /// Reads the list that `--from` names: lines `USER` or `USER:START:COUNT`; blank lines and lines that begin with
    /// `#` are skipped. `None` where it names none.
    pub(super) fn read(path: Option<&Path>) -> Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        let (shown, bytes) = if path == Path::new("-") {
            ("stdin".to_owned(), read_bounded(&mut std::io::stdin().lock(), "stdin")?)
        } else {
            (crate::text::path(path), read_named(path, Trust::Names)?)
        };
        let text = Part::from(bytes);
        let mut users = Vec::with_capacity(memchr_iter(b'\n', &text).count() + 1);
        for (content, line) in text.split(|b| *b == b'\n').zip(1usize..) {
            let content = content.trim_ascii();
            if content.is_empty() || content.starts_with(b"#") {
                continue;
            }
            let mut fields = content.splitn(2, |b| *b == b':');
            let user = text.part(fields.next().unwrap_or_default());
            let range = fields.next().map(|range| {
                let range =
                    std::str::from_utf8(range).ok().filter(|r| r.contains(':')).and_then(Range::parse);
                range.ok_or_else(|| {
                    Error::new(
                        Code::InvalidRange,
                        format!("{shown} line {line} is neither USER nor USER:START:COUNT"),
                    )
                    .why(format!("it reads {}", escape(content)))
                    .fix("correct the line")
                })
            });
            users.push(Listed { user, range: range.transpose()?, line });
        }
        if users.is_empty() {
            return Err(Error::new(Code::EmptySelection, format!("{shown} names nobody"))
                .why("it has no line but blank ones and comments")
                .fix("put one USER into each line"));
        }
        Ok(Some(Self { shown, users }))
    }

    /// The same error, with the line that it is about.
    pub(super) fn at(&self, listed: &Listed, mut error: Error) -> Error {
        error.why = format!("{} line {}: {}", self.shown, listed.line, error.why);
        error
    }
}
