//! The one question before a change.

use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};

use dialoguer::Confirm;
use dialoguer::console::Term;
use nix::errno::Errno;

use crate::error::{Code, Error, Result};
use crate::report::{Style, error_text};
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
/// `needs-yes` without a terminal, `declined` for no, `interrupted` for Ctrl-C. Any other signal that asks to end ends the process here, the
/// terminal as it was.
pub(super) fn confirm(question: &str, yes: bool, from: From) -> Result<()> {
    if yes {
        return Ok(());
    }
    let (term, input) = match from {
        From::Stdin if std::io::stdin().is_terminal() => {
            (Term::stderr(), std::io::stdin().as_fd().try_clone_to_owned().ok())
        }
        From::Terminal => controlling_terminal().ok_or_else(needs_yes)?,
        From::Stdin => return Err(needs_yes()),
    };
    // An answer ends with Enter: a stray one must not answer the next question.
    let ask = Confirm::new().with_prompt(question).default(false).wait_for_newline(true);
    let answer = input.ok_or(Errno::EBADF).and_then(|input| {
        sys::with_settings_kept(input.as_fd(), || end(&term), || ask.interact_on_opt(&term))
    });
    match answer.map_err(|errno| unasked(errno.desc()))? {
        Ok(Some(true)) => Ok(()),
        Ok(_) => Err(Error::new(Code::Declined, "nothing was changed")
            .why("the question was not answered with yes")
            .fix("to make the change, run it again and answer y")),
        Err(dialoguer::Error::IO(e)) if e.kind() == std::io::ErrorKind::Interrupted => Err(interrupted()),
        Err(dialoguer::Error::IO(e)) => Err(unasked(&e.to_string())),
    }
}

/// A signal at the prompt: nothing has been done yet, so this is the end.
fn end(term: &Term) {
    let _ = term.show_cursor();
    let style = Style { color: false, full: true };
    super::to_stderr(&format!("\n{}", error_text(&interrupted(), style)));
    std::process::exit(i32::from(Code::Interrupted.exit()));
}

fn interrupted() -> Error {
    Error::new(Code::Interrupted, "interrupted; nothing was changed")
        .why("Ctrl-C or a signal came before the answer")
        .fix("to make the change, run it again and answer y")
}

fn unasked(why: &str) -> Error {
    Error::new(Code::NeedsYes, "the question could not be asked; nothing was changed")
        .why(why)
        .fix("run it on a terminal, or add --yes")
}

fn needs_yes() -> Error {
    Error::new(Code::NeedsYes, "a change needs a confirmation; nothing was changed")
        .why("stdin is not a terminal, and --yes is not given")
        .fix("look at the diff, then run it again with --yes")
}

fn controlling_terminal() -> Option<(Term, Option<OwnedFd>)> {
    let open = || std::fs::File::options().read(true).write(true).open("/dev/tty").ok();
    Some((Term::read_write_pair(open()?, open()?), open().map(OwnedFd::from)))
}
