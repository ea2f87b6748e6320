//! A user whom only one worker touches: what can be done with it, and what its lines are afterwards.

use crate::harness::next;

/// Its lines in subuid and in subgid, sorted.
pub(super) type Lines = [Vec<String>; 2];

/// How many IDs everybody gets.
const COUNT: u64 = 65_536;
/// How many usermod gives; and how many such ranges a user has room for.
const SMALL: u64 = 10;
const ROOM: u64 = 10_000;
/// Above all pools: usermod takes what it is told to take.
const USERMODS: u64 = 700_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Has an account all the time.
    Staff,
    /// Comes by useradd, goes by userdel.
    Comer,
    /// Comes with others by newusers, goes by userdel.
    Recruit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Apply,
    /// To this many IDs.
    Grow(u64),
    Release,
    Reclaim,
    /// A line that was released.
    Forget(String),
    /// A transaction.
    Undo(String),
    /// FIRST of a range of usermod's.
    Give(u64),
    Take(u64),
    Useradd,
    Userdel,
    Newusers,
}

impl Op {
    /// Whether subidctl does it, or else a tool of shadow's.
    pub(super) fn is_ours(&self) -> bool {
        !matches!(self, Self::Give(_) | Self::Take(_) | Self::Useradd | Self::Userdel | Self::Newusers)
    }
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) sort: Sort,
    pub(super) account: bool,
    pub(super) lines: Lines,
    /// Its last change by subidctl while nothing else has touched its lines, and its lines before.
    last: Option<(String, Lines)>,
    /// Where the next range of usermod's begins.
    next: u64,
    /// What was killed in this round.
    pub(super) killed: Option<Op>,
}

impl User {
    /// `number` is no other user's.
    pub(super) fn new(name: String, sort: Sort, number: u32) -> Self {
        let next = USERMODS + u64::from(number) * ROOM * SMALL;
        let account = sort == Sort::Staff;
        Self { name, sort, account, lines: Lines::default(), last: None, next, killed: None }
    }

    /// One of the things that can be done with it now, by subidctl, by shadow or by either.
    pub(super) fn choose(&mut self, ours: bool, shadow: bool, random: &mut u64) -> Option<Op> {
        let mut ops = Vec::new();
        match (self.sort, self.account) {
            (Sort::Comer, false) => ops.push(Op::Useradd),
            (Sort::Recruit, false) => ops.push(Op::Newusers),
            (Sort::Recruit, true) => ops.push(Op::Userdel),
            (Sort::Comer, true) => {
                ops.extend([Op::Userdel, Op::Give(self.next), Op::Apply]);
                ops.extend(self.grow());
            }
            (Sort::Staff, _) => {
                let released: Vec<&String> = self.lines[0].iter().filter(|l| l.starts_with('!')).collect();
                ops.push(Op::Give(self.next));
                if let Some(line) = released.first() {
                    ops.extend([Op::Reclaim, Op::Reclaim, Op::Forget((*line).clone())]);
                } else {
                    // Twice: the one that changes something is what the race is about.
                    ops.extend([Op::Apply, Op::Apply]);
                    ops.extend(self.grow());
                }
                if active(&self.lines[0]).next().is_some() {
                    ops.push(Op::Release);
                }
                ops.extend(self.last.iter().map(|(transaction, _)| Op::Undo(transaction.clone())));
            }
        }
        if self.account {
            let given = active(&self.lines[0]).find(|(first, count)| *first >= USERMODS && *count == SMALL);
            ops.extend(given.map(|(first, _)| Op::Take(first)));
        }
        ops.retain(|op| if op.is_ours() { ours } else { shadow });
        if self.killed.is_some() || ops.is_empty() {
            return None;
        }
        let op = ops.swap_remove(next(random) % ops.len());
        if matches!(op, Op::Give(_)) {
            self.next += SMALL;
        }
        Some(op)
    }

    fn grow(&self) -> Option<Op> {
        let total = active(&self.lines[0]).map(|(_, count)| count).sum::<u64>();
        (total > 0 && self.lines[0].len() < 4).then_some(Op::Grow(total + COUNT))
    }

    /// What the command is told: `FIRST-LAST` of a range of usermod's.
    pub(super) fn small(first: u64) -> String {
        format!("{first}-{}", first + SMALL - 1)
    }

    /// An operation that said success left these lines. They are its effect, and nothing but it.
    pub(super) fn done(&mut self, op: &Op, now: Lines, transaction: Option<String>) -> Result<(), String> {
        for kind in 0..2 {
            self.fits(op, kind, &now[kind]).map_err(|why| {
                format!("{why}\n{op:?} of {}\nbefore {:?}\nafter  {now:?}", self.name, self.lines)
            })?;
        }
        let before = std::mem::replace(&mut self.lines, now);
        self.last = transaction.map(|transaction| (transaction, before));
        match op {
            Op::Useradd | Op::Newusers => self.account = true,
            Op::Userdel => self.account = false,
            _ => {}
        }
        Ok(())
    }

    /// An operation was killed: both files are as if it had been done, or as if it had not.
    pub(super) fn settle(&mut self, now: Lines) -> Result<(), String> {
        let Some(op) = self.killed.take() else { return Ok(()) };
        if now != self.lines {
            // Of an undo that is done by what it undid; so that is forgotten there, and only then.
            return self.done(&op, now, None);
        }
        self.last = None;
        Ok(())
    }

    /// Others have erased lines: it goes on from what there is.
    pub(super) fn forgive(&mut self, now: Lines, account: bool) {
        self.lines = now;
        self.account = account;
        self.last = None;
    }

    fn fits(&self, op: &Op, kind: usize, now: &[String]) -> Result<(), String> {
        let before = &self.lines[kind];
        let exact = |mut lines: Vec<String>| {
            lines.sort();
            if lines == now { Ok(()) } else { Err(format!("not its effect: {lines:?} was expected")) }
        };
        let own = |first: u64| format!("{}:{first}:{SMALL}", self.name);
        match op {
            Op::Apply | Op::Useradd | Op::Newusers => gained(before, now, COUNT),
            Op::Grow(count) => gained(before, now, *count),
            Op::Release => exact(before.iter().map(|l| format!("!{}", l.trim_start_matches('!'))).collect()),
            Op::Reclaim => {
                // And more where that is too few.
                let back: Vec<String> = before.iter().map(|l| l.trim_start_matches('!').to_owned()).collect();
                gained(&back, now, COUNT)
            }
            Op::Forget(line) => exact(before.iter().filter(|l| *l != line).cloned().collect()),
            Op::Give(first) => exact(before.iter().cloned().chain([own(*first)]).collect()),
            Op::Take(first) => exact(before.iter().filter(|l| **l != own(*first)).cloned().collect()),
            Op::Userdel => exact(before.iter().filter(|l| l.starts_with('!')).cloned().collect()),
            Op::Undo(_) => {
                let was = &self.last.as_ref().expect("an undo without a change").1[kind];
                let (added, taken) = (without(before, was), without(was, before));
                let toggled = |line: &str| match line.strip_prefix('!') {
                    Some(line) => line.to_owned(),
                    None => format!("!{line}"),
                };
                // What was taken away comes back; what was only given is released.
                let given = added.iter().filter(|l| !l.starts_with('!') && !taken.contains(&toggled(l)));
                let released: Vec<String> = given.map(|line| toggled(line)).collect();
                exact([without(before, &added), taken, released].concat())
            }
        }
    }
}

/// What stood there stands there, and one line more where it was too few.
fn gained(before: &[String], now: &[String], wanted: u64) -> Result<(), String> {
    let total = |lines: &[String]| active(lines).map(|(_, count)| count).sum::<u64>();
    let lost = without(before, now);
    if !lost.is_empty() {
        return Err(format!("{lost:?} is lost"));
    }
    let more = usize::from(total(before) < wanted);
    if now.len() != before.len() + more || total(now) < wanted {
        return Err(format!("{wanted} IDs were asked for"));
    }
    Ok(())
}

/// Start and count of the lines that grant something.
fn active(lines: &[String]) -> impl Iterator<Item = (u64, u64)> {
    lines.iter().filter(|line| !line.starts_with('!')).map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields[1].parse().unwrap(), fields[2].parse().unwrap())
    })
}

/// The lines of one that the other has not, each as often as it is missing.
pub(super) fn without(lines: &[String], other: &[String]) -> Vec<String> {
    let mut other: Vec<&String> = other.iter().collect();
    let mut left = Vec::new();
    for line in lines {
        match other.iter().position(|there| *there == line) {
            Some(at) => drop(other.swap_remove(at)),
            None => left.push(line.clone()),
        }
    }
    left
}
