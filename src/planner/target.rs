//! The ranges that the command line, a window or the map name for a user.

use super::allocate::Allocator;
use super::request::Want;
use super::rule::window_place;
use crate::error::{Code, Error};
use crate::policy::Strategy;
use crate::range::Range;
use crate::text::{escape, shell_word};

/// A range that a rule gives, with the reason.
pub(super) struct Target {
    pub(super) range: Range,
    pub(super) reason: String,
}

impl Allocator<'_> {
    /// The ranges that the command line, a window or the map name for this user; `None`: first-fit.
    pub(super) fn targets(&self, want: &Want) -> Result<Option<Vec<Target>>, Error> {
        if let Some(range) = want.range {
            return self.explicit(want, range).map(|target| Some(vec![target]));
        }
        let who = || want.owner.shown();
        let no_rule = |why: String, fix: String| {
            Error::new(Code::NoRule, format!("no rule gives {} a range", who())).why(why).fix(fix)
        };
        let (targets, total): (Vec<Target>, u64) = match self.rules.strategy {
            Strategy::FirstFit => return Ok(None),
            Strategy::Windows => {
                let Some(uid) = want.owner.uid() else {
                    return Err(no_rule(
                        format!("windows go by uid, and {} is no account", who()),
                        format!(
                            "name the range: --range START:COUNT {}",
                            shell_word(&want.owner.label).unwrap_or_default()
                        ),
                    ));
                };
                let window = self.rules.windows.iter().find(|w| w.uids.contains(uid.get()));
                let slot = window.and_then(|w| Some((w, w.slot(uid.get())?)));
                let (window, range) = slot.ok_or_else(|| {
                    no_rule(
                        format!("uid {uid} lies in no window"),
                        "add a [[window]] for that uid to the policy".to_owned(),
                    )
                })?;
                let place = window_place(self.snapshot, self.policy, window);
                let reason = format!("window of uids {} ({place})", window.uids);
                (vec![Target { range, reason }], range.count().get())
            }
            Strategy::Map => {
                let spellings = want.owner.spellings(&self.snapshot.accounts);
                let entries = spellings.iter().flat_map(|s| self.policy.map.of(s));
                let targets: Vec<Target> = entries
                    .map(|e| Target {
                        range: e.range,
                        reason: format!("map {}", self.policy.map_place(e.line)),
                    })
                    .collect();
                if targets.is_empty() {
                    let path = self.policy.map_path.as_ref().map_or("", |m| m.value.as_str());
                    let why = format!("the map {} has no line for this owner", escape(path.as_bytes()));
                    return Err(no_rule(why, "add the owner's line to the map".to_owned()));
                }
                let total = targets.iter().map(|t| t.range.count().get()).sum();
                (targets, total)
            }
        };
        match want.count {
            Some(count) if count.get() > total => {
                Err(Error::new(Code::InvalidCount, format!("{} cannot get {count} IDs", who()))
                    .why(format!(
                        "the rule gives {total}: {}",
                        targets.first().map_or("", |t| t.reason.as_str())
                    ))
                    .fix("leave --count out, or change the rule"))
            }
            _ => Ok(Some(targets)),
        }
    }

    fn explicit(&self, want: &Want, range: Range) -> Result<Target, Error> {
        let who = want.owner.shown();
        if range.last() > crate::range::LAST_USABLE {
            return Err(Error::new(Code::InvalidRange, format!("{range} cannot be given to {who}"))
                .why("4294967295 is the ID that means no ID")
                .fix("choose a range that ends at 4294967294 or before"));
        }
        if let Some(window) = self.taken.window(range) {
            let own = want.owner.uid().and_then(|uid| window.slot(uid.get()));
            if own != Some(range) {
                let place = window_place(self.snapshot, self.policy, window);
                return Err(Error::new(Code::RangeTaken, format!("{range} cannot be given to {who}"))
                    .why(format!("it lies in the window of uids {} ({place})", window.uids))
                    .fix("choose a range outside all windows"));
            }
        }
        Ok(Target { range, reason: "as asked for".to_owned() })
    }
}
