//! Questions to the history: which change is meant, which is undone.

use std::collections::{HashMap, HashSet};

use super::HistoryEntry;

/// The history with what its entries say of each other.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    entries: Vec<HistoryEntry>,
    /// Undone transaction → place of the entry that undid it, where that one was not undone itself.
    undone: HashMap<String, usize>,
}

impl Timeline {
    /// Of entries, oldest first.
    pub fn new(mut entries: Vec<HistoryEntry>) -> Self {
        // Recovery may have to take back what was written as done already.
        let taken_back: HashSet<String> =
            entries.iter().filter(|e| e.taken_back).map(|e| e.transaction.clone()).collect();
        entries.retain(|e| e.taken_back || !taken_back.contains(&e.transaction));
        let mut undone = HashMap::new();
        // From the newest: whether an undo still counts is known before its target is met.
        for (place, entry) in entries.iter().enumerate().rev() {
            let counts = !entry.taken_back && !undone.contains_key(&entry.transaction);
            if let Some(target) = entry.record.undoes.clone().filter(|_| counts) {
                undone.insert(target, place);
            }
        }
        Self { entries, undone }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[HistoryEntry] {
        &self.entries
    }

    /// The entries after one, oldest first.
    pub fn after(&self, entry: &HistoryEntry) -> &[HistoryEntry] {
        let place = self.entries.iter().rposition(|e| e.transaction == entry.transaction);
        place.and_then(|place| self.entries.get(place + 1..)).unwrap_or_default()
    }

    /// The entry that undid this transaction, if it still counts.
    pub fn undone_by(&self, transaction: &str) -> Option<&HistoryEntry> {
        self.entries.get(*self.undone.get(transaction)?)
    }

    /// Those that a person may mean: the beginning of a transaction's name, or of its last part.
    pub fn named(&self, id: &str) -> Vec<&HistoryEntry> {
        let whole: Vec<_> = self.entries.iter().filter(|e| e.transaction == id).collect();
        if !whole.is_empty() || id.is_empty() {
            return whole;
        }
        let last =
            |e: &HistoryEntry| e.transaction.rsplit('-').next().is_some_and(|part| part.starts_with(id));
        self.entries.iter().filter(|e| e.transaction.starts_with(id) || last(e)).collect()
    }

    /// The newest change that is in force: no undo, not undone, and with lines to put back.
    pub fn last_in_force(&self) -> Option<&HistoryEntry> {
        self.entries.iter().rev().find(|e| {
            e.record.undoes.is_none()
                && !self.undone.contains_key(&e.transaction)
                && e.files.iter().any(|(_, touched)| touched.is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::sample;
    use super::*;

    fn timeline(entries: &[(&str, Option<&str>)]) -> Timeline {
        let entry = |(id, undoes): &(&str, Option<&str>)| {
            let mut entry = HistoryEntry { transaction: (*id).to_owned(), ..sample() };
            entry.record.undoes = undoes.map(str::to_owned);
            entry
        };
        Timeline::new(entries.iter().map(entry).collect())
    }

    #[test]
    fn an_undo_of_an_undo_puts_the_change_in_force_again() {
        let last = |t: &Timeline| t.last_in_force().map(|e| e.transaction.clone());
        let mut entries = vec![("a", None), ("b", None)];
        assert_eq!(last(&timeline(&entries)).as_deref(), Some("b"));
        entries.push(("c", Some("b")));
        let undone = timeline(&entries);
        assert_eq!(last(&undone).as_deref(), Some("a"));
        assert_eq!(undone.undone_by("b").map(|e| &e.transaction[..]), Some("c"));
        entries.push(("d", Some("c")));
        let again = timeline(&entries);
        assert_eq!(last(&again).as_deref(), Some("b"));
        assert!(again.undone_by("b").is_none());
        entries.push(("e", Some("d")));
        assert_eq!(last(&timeline(&entries)).as_deref(), Some("a"));
        assert_eq!(last(&timeline(&[])), None);
    }

    #[test]
    fn what_recovery_took_back_was_not_done() {
        let mut entries = timeline(&[("a", None), ("b", Some("a")), ("c", None), ("c", None)]).entries;
        for place in [1, 3] {
            entries[place].taken_back = true;
            entries[place].files = crate::range::PerKind::default();
        }
        let t = Timeline::new(entries);
        assert!(t.undone_by("a").is_none());
        assert_eq!((t.named("c").len(), t.entries().len()), (1, 3));
        assert_eq!(t.last_in_force().map(|e| &e.transaction[..]), Some("a"));
    }

    #[test]
    fn a_beginning_names_a_change() {
        let t = timeline(&[("20261123-214451-3f9a1c2b", None), ("20261124-000000-3faaaaaa", None)]);
        let found = |id| t.named(id).len();
        assert_eq!(
            (found("20261123"), found("2026"), found("3f9"), found("3f"), found("9a"), found("")),
            (1, 2, 1, 2, 0, 0)
        );
        assert_eq!(t.after(&t.entries()[0]).len(), 1);
    }
}
