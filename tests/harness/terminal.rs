//! A command on a terminal of its own, answered by the test.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

/// Seconds for a command that waits for answers.
const DEADLINE: u32 = 120;

/// A command on a terminal. Dropping it ends the command.
#[derive(Debug)]
pub(crate) struct Terminal {
    command: String,
    child: Child,
    master: std::fs::File,
    seen: String,
}

impl Terminal {
    /// Starts it; `enter` gives the command that takes the shell command as its last argument.
    pub(crate) fn start(command: &str, columns: u16, enter: impl FnOnce(u32) -> Command) -> Self {
        let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let slave = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        let mut entered = enter(DEADLINE);
        entered.arg(command).stdin(slave(&pty.slave)).stdout(slave(&pty.slave)).stderr(slave(&pty.slave));
        let child = entered.spawn().unwrap();
        Self { command: command.to_owned(), child, master: pty.master.into(), seen: String::new() }
    }

    /// Waits until this text is on the terminal, after whatever was waited for before. Returns all text since.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < end, "$ {}\nno {text:?} in\n{}", self.command, self.seen);
            assert!(self.pull(1000), "$ {}\nended without {text:?}\n{}", self.command, self.seen);
        }
    }

    /// Types.
    pub(crate) fn send(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end. Returns the exit code and the text since the last wait.
    pub(crate) fn finish(mut self) -> (i32, String) {
        while self.pull(1000) {}
        (self.child.wait().unwrap().code().unwrap_or(-1), std::mem::take(&mut self.seen))
    }

    /// Takes what came within the time; false at the end.
    fn pull(&mut self, milliseconds: u16) -> bool {
        let mut waiting = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, PollTimeout::from(milliseconds)).unwrap() == 0 {
            return true;
        }
        let mut chunk = [0; 4096];
        // EIO: nobody has the other side open any more.
        match self.master.read(&mut chunk) {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.seen.push_str(&String::from_utf8_lossy(&chunk[..n]).replace('\r', ""));
                true
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // nsenter; what it started ends with the sandbox.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What stays on the screen, as text: no colours, and not what a line held before it was erased. Without the
/// two notes that only a sandbox causes: it has pids of its own, and no system log.
pub(crate) fn plain(seen: &str) -> String {
    let mut screen = String::new();
    let mut rest = seen;
    while let Some((before, control)) = rest.split_once("\x1b[") {
        screen.push_str(before);
        let end =
            control.find(|c: char| c.is_ascii_alphabetic()).expect("a control sequence ends with a letter");
        if &control[..=end] == "2K" {
            screen.truncate(screen.rfind('\n').map_or(0, |newline| newline + 1));
        }
        rest = &control[end + 1..];
    }
    screen.push_str(rest);
    let only_here = [
        "warning: processes outside this one's",
        "  [namespaces-unseen]",
        "note: the change is not in the system log",
    ];
    let lines = screen.lines().filter(|line| !only_here.iter().any(|only| line.starts_with(only)));
    lines.flat_map(|line| [line, "\n"]).collect()
}
