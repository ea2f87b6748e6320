//! What a command prints and how it ends: text or one JSON document, and the exit code.

use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

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
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            style: Style { color: color(terminal), full: global.verbose || !terminal },
            errors: Style { color: color(std::io::stderr().is_terminal()), full: true },
        }
    }

    /// Prints text for people: nothing with `--json` or `--quiet`.
    pub(super) fn text(self, text: &str) -> Result<()> {
        if self.json || self.quiet { Ok(()) } else { print(text.as_bytes()) }
    }

    /// Prints a note on stderr, where nothing hangs on it.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// Prints the one document of `--json`, which is made only where it is asked for: a plan's holds both
    /// diffs.
    pub(super) fn document(self, document: impl FnOnce() -> Value) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        print(json_text(&document())?.as_bytes())
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
    crate::sys::size(std::io::stdout().as_fd()).ok().map_or(80, |size| usize::from(size.ws_col)).max(40)
}

/// A document as text that a terminal may be shown.
pub(super) fn json_text(document: &Value) -> Result<String> {
    let text = serde_json::to_string_pretty(document).map_err(|e| {
        Error::new(Code::System, "cannot write JSON").why(e.to_string()).fix("run it without --json")
    })?;
    Ok(crate::text::escape_json(&text) + "\n")
}

/// Writes all of it to stdout.
///
/// # Errors
/// `stdout-closed` where nobody reads or the file is full: what was not shown must not be committed.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|e| {
        Error::new(Code::StdoutClosed, "cannot write to stdout; nothing was changed")
            .why(e.to_string())
            .fix("send it to a file with room, or to a program that reads to the end")
    })
}
