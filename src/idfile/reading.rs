//! A whole file as each reader gets it: the lines that its C library hands out, or a refusal.

use std::borrow::Cow;

use super::dialect::Dialect;
use super::document::Document;

/// The step by which shadow's buffer for a line grows (lib/commonio.c, `BUFLEN`).
const BUFFER: usize = 4096;

/// Why a reader takes nothing of a file, whatever its lines say: every user is without ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The last line does not end in a newline.
    NoFinalNewline,
    /// There is a NUL in this line, from 1.
    Nul(usize),
}

/// A reader's lines, each with the number of the file's line where it begins.
pub type Lines<'a> = Vec<(usize, Cow<'a, [u8]>)>;

impl Dialect {
    /// Whether the reader takes nothing of this file, and why.
    ///
    /// shadow from 4.19 calls a file with a NUL or without a final newline no text, and refuses it (`Non-text
    /// file.`; 4.19 says nothing, 4.18 still reads on). Earlier ones refuse it where a NUL hides the last
    /// newline from them.
    pub fn refuses(self, document: &Document) -> Option<Refusal> {
        if is_text(document) { None } else { self.lines(document).err() }
    }

    /// The lines that the reader parses.
    ///
    /// Up to shadow 4.18 a NUL joins what stands before it with the next line: a line of the file is not
    /// always a line of the reader.
    ///
    /// # Errors
    /// Where the reader takes nothing of the file.
    pub fn lines(self, document: &Document) -> Result<Lines<'_>, Refusal> {
        if self == Self::Go || is_text(document) {
            return Ok(document.lines().map(|line| (line.number, Cow::Borrowed(line.raw))).collect());
        }
        if self < Self::Shadow418 {
            return Ok(joined(document)?.into_iter().map(|(number, line)| (number, line.into())).collect());
        }
        Err(nul_from(document, 1).unwrap_or(Refusal::NoFinalNewline))
    }
}

/// Whether it is text as all readers know it: without a NUL, and with a newline at the end.
fn is_text(document: &Document) -> bool {
    document.ends_in_newline() && !document.has_nul()
}

/// The first NUL from this line on.
fn nul_from(document: &Document, first: usize) -> Option<Refusal> {
    let mut lines = document.lines().skip_while(|line| line.number < first);
    lines.find(|line| line.raw.contains(&0)).map(|line| Refusal::Nul(line.number))
}

/// The lines as `fgets` into a growing buffer gives them: each call goes on where the text so far ends, and
/// text ends at a NUL. The buffer never shrinks.
pub(super) fn joined(document: &Document) -> Result<Vec<(usize, Vec<u8>)>, Refusal> {
    let (mut lines, mut number, mut size) = (Vec::new(), 1, BUFFER);
    let mut rest = document.as_bytes();
    while !rest.is_empty() {
        let (mut line, first) = (Vec::new(), number);
        loop {
            let room = size.saturating_sub(line.len()).saturating_sub(1);
            let newline = rest.iter().take(room).position(|b| *b == b'\n');
            let (chunk, after) = rest.split_at(newline.map_or(room.min(rest.len()), |at| at + 1));
            if chunk.is_empty() {
                // It asks for more, and the file is at its end.
                return Err(nul_from(document, first).unwrap_or(Refusal::NoFinalNewline));
            }
            let ended = after.is_empty() && newline.is_none() && chunk.len() < room;
            rest = after;
            number += usize::from(newline.is_some());
            line.extend(chunk.iter().take_while(|b| **b != 0));
            if ended || line.ends_with(b"\n") {
                break;
            }
            size += BUFFER;
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        lines.push((first, line));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(bytes: &[u8]) -> Document {
        Document::new(bytes.to_vec())
    }

    #[test]
    fn a_nul_joins_two_lines_until_it_is_refused() {
        let file = document(b"u:5:\0 hidden\n7\nv:1:1\n");
        for dialect in [Dialect::Shadow413, Dialect::Shadow415] {
            let lines = dialect.lines(&file).unwrap();
            let text: Vec<(usize, &[u8])> = lines.iter().map(|(n, line)| (*n, &line[..])).collect();
            assert_eq!(text, [(1, &b"u:5:7"[..]), (3, b"v:1:1")]);
        }
        for dialect in [Dialect::Shadow418, Dialect::Shadow420] {
            assert_eq!(dialect.refuses(&file), Some(Refusal::Nul(1)));
        }
        assert_eq!(Dialect::Go.refuses(&file), None);
        // The last newline is out of its sight.
        assert_eq!(Dialect::Shadow413.refuses(&document(b"v:1:1\nu:5:5\0\n")), Some(Refusal::Nul(2)));
        assert_eq!(joined(&document(b"u:5:5\0x")), Ok(vec![(1, b"u:5:5".to_vec())]));
    }

    #[test]
    fn a_missing_newline() {
        let refusals = |bytes: &[u8]| Dialect::ALL.map(|dialect| dialect.refuses(&document(bytes)));
        let no = Some(Refusal::NoFinalNewline);
        assert_eq!(refusals(b"u:5:5\nv:6:6"), [None, None, no, no, None]);
        assert_eq!(refusals(b"u:5:5\n"), [None; 5]);
        assert_eq!(refusals(b""), [None; 5]);
        // The buffer is full before the file's end was seen.
        let full = [&b"u:5:"[..], &[b'0'; 4091]].concat();
        assert_eq!(refusals(&full), [no, no, no, no, None]);
        assert_eq!(refusals(&full[..4094]), [None, None, no, no, None]);
    }

    #[test]
    fn lines_longer_than_the_buffer_are_whole() {
        let long = [&b"# "[..], &[b'x'; 9000], b"\nu:5:5"].concat();
        let long = document(&long);
        let lines = Dialect::Shadow413.lines(&long).unwrap();
        assert_eq!(lines.iter().map(|(n, line)| (*n, line.len())).collect::<Vec<_>>(), [(1, 9002), (2, 5)]);
    }
}
