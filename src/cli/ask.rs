//! The one question before a change.

use std::io::IsTerminal as _;

use dialoguer::Confirm;
use dialoguer::console::Term;

use crate::error::{Code, Error, Result};

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
/// `needs-yes` without a terminal, `declined` for no, `interrupted` for Ctrl-C.
pub(super) fn confirm(question: &str, yes: bool, from: From) -> Result<()> {
    if yes {
        return Ok(());
    }
    let term = match from {
        From::Stdin if std::io::stdin().is_terminal() => Term::stderr(),
        From::Terminal => controlling_terminal().ok_or_else(needs_yes)?,
        From::Stdin => return Err(needs_yes()),
    };
    // An answer ends with Enter: a stray one must not answer the next question.
    let ask = Confirm::new().with_prompt(question).default(false).wait_for_newline(true);
    let answer = ask.interact_on_opt(&term);
    match answer {
        Ok(Some(true)) => Ok(()),
        Ok(_) => {
            Err(Error::new(Code::Declined, "nothing was changed")
                .why("the question was not answered with yes"))
        }
        Err(dialoguer::Error::IO(e)) if e.kind() == std::io::ErrorKind::Interrupted => {
            Err(Error::new(Code::Interrupted, "interrupted; nothing was changed"))
        }
        Err(dialoguer::Error::IO(e)) => {
            Err(Error::new(Code::NeedsYes, "the question could not be asked; nothing was changed")
                .why(e.to_string())
                .fix("run it on a terminal, or add --yes"))
        }
    }
}

fn needs_yes() -> Error {
    Error::new(Code::NeedsYes, "a change needs a confirmation; nothing was changed")
        .why("stdin is not a terminal, and --yes is not given")
        .fix("look at the diff, then run it again with --yes")
}

fn controlling_terminal() -> Option<Term> {
    let open = || std::fs::File::options().read(true).write(true).open("/dev/tty").ok();
    Some(Term::read_write_pair(open()?, open()?))
}
