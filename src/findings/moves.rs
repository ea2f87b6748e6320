//! Other ranges for lines that lie in what other programs give out.

use std::collections::HashMap;

use super::Survey;
use super::owned::{Holder, Owned};
use super::survey::user_word;
use crate::planner::{Place, Supply};
use crate::range::Range;
use crate::snapshot::{Allocator, SiteRange};

/// Where ranges move that lie in what other programs give out.
pub(super) struct Moves {
    /// The room that there is; `None` where a rule gives the ranges.
    supply: Option<Supply>,
    /// The lines of both files that are one range move together.
    moved: HashMap<(Holder, Range), Option<Place>>,
}

impl Moves {
    /// For lines that meet what this program declares, or another of its kind.
    pub(super) fn new(survey: &Survey<'_>, site: &SiteRange) -> Self {
        let avoid = (site.by == Allocator::SystemdContainers).then_some(site.range);
        Self { supply: Supply::new(survey.snapshot, survey.policy, avoid), moved: HashMap::new() }
    }

    /// How the owner gets another range. apply keeps a range that only other programs may give out, so it has
    /// to be released first; systemd's share is in the way of new ranges only where the policy says so.
    pub(super) fn fix<'a>(&mut self, survey: &Survey<'a>, claim: &Owned<'a>, site: &SiteRange) -> String {
        let Some(account) = survey.account_of(claim) else { return survey.another(claim.owner) };
        let name = user_word(account);
        let Some(supply) = &mut self.supply else {
            return format!(
                "change the rule that gives the range, or move what {} gives out ({}), then: \
                 sudo subidctl apply --replace {name}",
                site.by.name(),
                site.place
            );
        };
        let place = *self
            .moved
            .entry((survey.holder(claim), claim.range))
            .or_insert_with(|| supply.take(claim.range.count()));
        let range = match place {
            Some(Place::Pool) => String::new(),
            Some(Place::At(range)) => format!("--range {range} "),
            None => {
                return format!(
                    "make room first: {} gives out all that is left ({})",
                    site.by.name(),
                    site.place
                );
            }
        };
        if site.by == Allocator::SystemdContainers {
            let (first, last) = (site.range.first(), site.range.last());
            return format!(
                "in /etc/subidctl/policy.toml: reserve = [{{ name = \"systemd\", first = {first}, last = {last} }}]\n\
                 sudo subidctl apply --replace {range}{name}"
            );
        }
        format!("sudo subidctl release --range {} {name}\nsudo subidctl apply {range}{name}", claim.range)
    }
}
