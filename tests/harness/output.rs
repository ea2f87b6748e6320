//! What a command did.

use std::io::{Read, Seek, SeekFrom};
use std::process::Command;

/// A command's exit code and everything it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) command: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Runs a command to its end. Its output goes through files: a daemon that it leaves behind holds a pipe
    /// open, and nobody would ever see the end of it.
    pub(crate) fn of(shown: &str, command: &mut Command) -> Self {
        let mut files = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        command.stdout(files[0].try_clone().unwrap()).stderr(files[1].try_clone().unwrap());
        let status = command.status().unwrap();
        let [stdout, stderr] = files.each_mut().map(|file| {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let code = status.code().unwrap_or(-1);
        Self { command: shown.to_owned(), code, stdout, stderr }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit {code}\n{self}");
        self
    }

    /// Asserts that it exited 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts that stdout or stderr has this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "expected {text:?}\n{self}");
        self
    }

    /// Asserts that neither stdout nor stderr has this text.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text) && !self.stderr.contains(text),
            "did not expect {text:?}\n{self}"
        );
        self
    }

    /// Stdout as the one JSON document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("not one JSON document: {error}\n{self}"),
        }
    }

    /// Lines of stdout that are exactly this one.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.stdout.lines().filter(|l| *l == line).count()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "$ {command}\n--- exit {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
