//! What a command prints and how it ends: text or one JSON document, and the exit code.

use std::io::{BufWriter, IsTerminal as _, Write};
use std::os::fd::{AsFd as _, BorrowedFd};

use serde::Serialize;
use serde_json::Value;

use super::args::{Color, Global};
use crate::error::{Code, Error, Result};
use crate::report::{Style, error_json, error_text};

/// Where output goes and how it looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    /// For stdout.
    pub(super) style: Style,
    /// For stderr.
    pub(super) errors: Style,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        let auto = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let color = |terminal: bool| match global.color {
            Color::Auto => auto && terminal,
            Color::Always => true,
            Color::Never => false,
        };
        let terminal = std::io::stdout().is_terminal();
        let to_terminal = std::io::stderr().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            style: Style {
                color: color(terminal),
                full: global.verbose || !terminal,
                width: if terminal { width() } else { 0 },
            },
            errors: Style {
                color: color(to_terminal),
                full: true,
                width: if to_terminal { columns(std::io::stderr().as_fd()) } else { 0 },
            },
        }
    }

    /// Whether somebody at a terminal may be told what goes on.
    pub(super) fn shows_progress(self) -> bool {
        self.is_read() && std::io::stderr().is_terminal()
    }

    /// Whether text for people is printed: not with `--json` or `--quiet`. What is long is then not even made.
    pub(super) fn is_read(self) -> bool {
        !self.json && !self.quiet
    }

    /// Prints text for people, where it [is read](Self::is_read).
    pub(super) fn text(self, text: &str) -> Result<()> {
        if self.is_read() { print(text.as_bytes()) } else { Ok(()) }
    }

    /// Prints a note on stderr, where nothing hangs on it.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// Prints the one document of `--json`, which is made only where it is asked for: a plan's holds both
    /// diffs.
    pub(super) fn document<T: Serialize>(self, document: impl FnOnce() -> T) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        write_json(&mut stdout, &document()).and_then(|()| stdout.flush()).map_err(|e| unprinted(&e))
    }

    /// Prints an error: three lines on stderr, and with `--json` its document on stdout.
    pub(super) fn error(self, error: &Error) {
        let _ = std::io::stderr().write_all(error_text(error, self.errors).as_bytes());
        if error.code != Code::StdoutClosed {
            let _ = self.document(|| error_json(error));
        }
    }
}

/// How wide lines for people may be: the terminal's columns, 80 where there is none.
pub(super) fn width() -> usize {
    columns(std::io::stdout().as_fd())
}

fn columns(of: BorrowedFd<'_>) -> usize {
    // A terminal that does not know its size says 0.
    let columns =
        crate::sys::size(of).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(80).max(40)
}

/// A document as text that a terminal may be shown.
pub(super) fn json_text(document: &Value) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    write_json(&mut text, document).map_err(|e| {
        Error::new(Code::System, "cannot write JSON").why(e.to_string()).fix("run it without --json")
    })?;
    Ok(text)
}

/// Writes a document as it is made, without what a terminal may obey.
fn write_json(to: &mut impl Write, document: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer_pretty(Escaped(&mut *to), document)?;
    to.write_all(b"\n")
}

/// JSON on its way. The serialiser writes whole pieces of text, never a part of a character.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(piece).map_err(std::io::Error::other)?;
        self.0.write_all(crate::text::escape_json(text).as_bytes())?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Writes all of it to stdout.
///
/// # Errors
/// `stdout-closed` where nobody reads or the file is full: what was not shown must not be committed.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|e| unprinted(&e))
}

fn unprinted(error: &std::io::Error) -> Error {
    Error::new(Code::StdoutClosed, "cannot write to stdout; nothing was changed")
        .why(error.to_string())
        .fix("send it to a file with room, or to a program that reads to the end")
}
