//! The one question before a change.

use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;

use crate::error::{Code, Error, Result};
use crate::sys;

/// Where the answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Standard input, which must be a terminal.
    Stdin,
    /// The controlling terminal: standard input was the plan.
    Terminal,
}

/// Asks, unless `yes`.
///
/// # Errors
/// `needs-yes` without a terminal, `declined` for anything but y or yes, `interrupted` for Ctrl-C or a signal
/// that asks to end.
pub(super) fn confirm(question: &str, yes: bool, from: From) -> Result<()> {
    if yes {
        return Ok(());
    }
    let (input, mut output) = match from {
        From::Stdin if std::io::stdin().is_terminal() => stdin(),
        From::Stdin => None,
        From::Terminal => controlling_terminal(),
    }
    .ok_or_else(needs_yes)?;
    let ask = || {
        let written = output.write_all(format!("{question} [y/N] ").as_bytes());
        written
            .and_then(|()| output.flush())
            .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
    };
    match sys::ask_line(input.as_fd(), ask) {
        Ok(Some(answer)) if matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes" | b"Yes" | b"YES") => Ok(()),
        Ok(answer) => {
            // At the end of the input the cursor still stands behind the question.
            let _ = answer.is_none().then(|| output.write_all(b"\n"));
            Err(Error::new(Code::Declined, "nothing was changed")
                .why("the question was not answered with yes")
                .fix("to make the change, run it again and answer y"))
        }
        Err(Errno::EINTR) => {
            let _ = output.write_all(b"\n");
            Err(Error::new(Code::Interrupted, "interrupted; nothing was changed")
                .why("Ctrl-C or a signal came before the answer")
                .fix("to make the change, run it again and answer y"))
        }
        Err(errno) => Err(Error::new(Code::NeedsYes, "the question could not be asked; nothing was changed")
            .why(errno.desc())
            .fix("run it on a terminal, or add --yes")),
    }
}

/// What is asked on, and what the question is written to.
type Ends = (OwnedFd, Box<dyn Write>);

fn stdin() -> Option<Ends> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    Some((input, Box::new(std::io::stderr())))
}

fn controlling_terminal() -> Option<Ends> {
    let open = || File::options().read(true).write(true).open("/dev/tty").ok();
    Some((open()?.into(), Box::new(open()?)))
}

fn needs_yes() -> Error {
    Error::new(Code::NeedsYes, "a change needs a confirmation; nothing was changed")
        .why("stdin is not a terminal, and --yes is not given")
        .fix("look at the diff, then run it again with --yes")
}
