//! One user while being served: what is held, what is given.

use std::sync::Arc;

use super::judge::Held;
use super::request::Want;
use super::{Action, Assignment, Warning};
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::text::Part;

/// What one user gets.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) assignments: Vec<Assignment>,
    pub(super) warnings: Vec<Warning>,
}

/// One user while being served.
pub(super) struct Case<'a> {
    pub(super) want: &'a Want,
    pub(super) held: PerKind<Vec<Held<'a>>>,
    pub(super) served: Served,
    pub(super) written: Part,
}

impl<'a> Case<'a> {
    /// Lines that count for the user now.
    pub(super) fn live(&self, kind: Kind) -> impl Iterator<Item = &Held<'a>> {
        self.held[kind].iter().filter(|h| !h.claim.released)
    }

    pub(super) fn has_any(&self, kind: Kind) -> bool {
        self.ranges(kind).iter().next().is_some()
    }

    /// IDs that the user has or gets in this plan.
    pub(super) fn ranges(&self, kind: Kind) -> RangeSet {
        if self.held[kind].is_empty() && self.served.assignments.is_empty() {
            return RangeSet::default();
        }
        let given = self.served.assignments.iter();
        let given = given.filter(|a| a.kind == kind && matches!(a.action, Action::Add | Action::Reclaim));
        self.live(kind).map(|h| h.claim.range).chain(given.map(|a| a.range)).collect()
    }

    pub(super) fn total(&self, kind: Kind) -> u64 {
        self.ranges(kind).ids()
    }

    pub(super) fn covers(&self, kind: Kind, range: Range) -> bool {
        self.ranges(kind).gaps(range).next().is_none()
    }

    /// Notes one range of the plan.
    pub(super) fn assign(&mut self, kind: Kind, owner: Part, range: Range, action: Action, reason: Arc<str>) {
        let (user, uid) = (self.want.owner.label.clone(), self.want.owner.uid());
        self.served.assignments.push(Assignment { kind, user, owner, uid, range, action, reason });
    }

    /// Notes all lines that stay.
    pub(super) fn keep_all(&mut self, reason: &str) {
        for kind in Kind::BOTH {
            let kept: Vec<_> = self.live(kind).map(|h| (Part::from(h.claim.owner), h.claim.range)).collect();
            for (owner, range) in kept {
                self.assign(kind, owner, range, Action::Keep, reason.into());
            }
        }
    }
}
