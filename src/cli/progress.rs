//! What a long command is doing, for whoever waits at a terminal.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::output::Output;

/// Whoever waits no longer than this is told nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// One line on stderr that is gone when the command goes on to print. It is drawn where a step begins, by no
/// thread of its own: namespaces are made by processes with a single one, and nothing is drawn under locks.
pub(super) struct Progress {
    began: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to count. Nothing is drawn where stderr is no terminal, nor with `--quiet` or `--json`.
    pub(super) fn new(output: Output) -> Self {
        Self { began: Instant::now(), wanted: output.shows_progress(), bar: None }
    }

    /// A step begins: `proving 3 of 20`. It is shown if the command has worked for a second by now.
    pub(super) fn step(&mut self, what: impl FnOnce() -> String) {
        if self.wanted && self.began.elapsed() >= PATIENCE {
            let bar = self.bar.get_or_insert_with(ProgressBar::new_spinner);
            bar.set_message(what() + " ...");
        }
    }

    /// Takes the line away, before anything else is printed.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Does what is no work of the command's: somebody thinks about an answer.
    pub(super) fn pause<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        self.clear();
        let since = Instant::now();
        let answer = wait();
        self.began += since.elapsed();
        answer
    }
}
