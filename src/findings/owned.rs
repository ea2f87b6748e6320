//! Whose lines are: each owner is looked up once, however many lines name it.

use std::collections::HashMap;
use std::ops::Deref;

use foldhash::fast::RandomState;

use crate::idfile::Claim;
use crate::range::{Kind, PerKind, Uid};
use crate::snapshot::{Account, Snapshot};

/// A claim, and which spelling of an owner its line has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned<'a> {
    claim: Claim<'a>,
    spelling: u32,
}

impl<'a> Deref for Owned<'a> {
    type Target = Claim<'a>;

    fn deref(&self) -> &Claim<'a> {
        &self.claim
    }
}

/// Whose a line is: one account, however it is spelled, or a name that no account has. A small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Holder(u32);

impl Holder {
    /// As an index, below [`super::Survey::holders`].
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The owner fields of both files, each once.
#[derive(Debug, Default)]
pub(super) struct Spellings<'a> {
    all: Vec<Spelling<'a>>,
}

#[derive(Debug)]
struct Spelling<'a> {
    owner: &'a [u8],
    account: Option<&'a Account>,
    /// The first spelling of the same account.
    holder: Holder,
}

impl<'a> Spellings<'a> {
    /// The owners of both files, and the claims in order of first IDs, then of lines.
    pub(super) fn of(snapshot: &'a Snapshot) -> (Self, PerKind<Vec<Owned<'a>>>) {
        let mut finder =
            Finder { snapshot, all: Vec::new(), known: HashMap::default(), accounts: HashMap::default() };
        let mut numbers: PerKind<Vec<u32>> = PerKind::from_fn(|_| Vec::new());
        for kind in Kind::BOTH {
            // Mostly the owner of the line before, or of the same line of the other file.
            let other = std::mem::take(&mut numbers[kind.other()]);
            let claims = snapshot.files[kind].claims();
            let mut mine = Vec::with_capacity(claims.size_hint().0);
            for (index, claim) in claims.enumerate() {
                let guesses = [mine.last(), other.get(index)];
                mine.push(finder.find(claim.owner, guesses.into_iter().flatten().copied()));
            }
            numbers[kind.other()] = other;
            numbers[kind] = mine;
        }
        let claims = PerKind::from_fn(|kind| sorted(snapshot, kind, &numbers[kind]));
        (Self { all: finder.all }, claims)
    }

    /// The account that the claim's owner means.
    pub(super) fn account(&self, claim: &Owned<'a>) -> Option<&'a Account> {
        self.all.get(claim.spelling as usize).and_then(|spelling| spelling.account)
    }

    /// Whose the claim is.
    pub(super) fn holder(&self, claim: &Owned<'a>) -> Holder {
        self.all.get(claim.spelling as usize).map_or(Holder(claim.spelling), |spelling| spelling.holder)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

struct Finder<'a> {
    snapshot: &'a Snapshot,
    all: Vec<Spelling<'a>>,
    // Only root writes owners into the files: a quick hash will do.
    known: HashMap<&'a [u8], u32, RandomState>,
    accounts: HashMap<Uid, Holder, RandomState>,
}

impl<'a> Finder<'a> {
    /// The number of a spelling, new or known.
    fn find(&mut self, owner: &'a [u8], mut guesses: impl Iterator<Item = u32>) -> u32 {
        let right = |guess: &u32| self.all.get(*guess as usize).is_some_and(|known| known.owner == owner);
        if let Some(guess) = guesses.find(right) {
            return guess;
        }
        // No file has 2^32 lines.
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(owner).or_insert(next);
        if number == next {
            let account = self.snapshot.accounts.by_owner(owner);
            let new = Holder(number);
            let holder = account.map_or(new, |account| *self.accounts.entry(account.uid).or_insert(new));
            self.all.push(Spelling { owner, account, holder });
        }
        number
    }
}

/// The claims of a file with their spellings' numbers, in order of first IDs, then of lines.
fn sorted<'a>(snapshot: &'a Snapshot, kind: Kind, numbers: &[u32]) -> Vec<Owned<'a>> {
    let Some(document) = &snapshot.files[kind].document else { return Vec::new() };
    // 16 bytes each to sort, where a claim has 40. No file has 2^32 lines.
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let claims = document.claims().enumerate();
    let mut order: Vec<(u64, u32, u32)> =
        claims.map(|(index, claim)| (claim.range.key(), number(claim.line), number(index))).collect();
    order.sort_unstable();
    let owned = |(_, _, index): (u64, u32, u32)| {
        let (claim, spelling) = (document.claim(index as usize)?, *numbers.get(index as usize)?);
        Some(Owned { claim, spelling })
    };
    let mut all = Vec::with_capacity(order.len());
    all.extend(order.into_iter().filter_map(owned));
    all
}
