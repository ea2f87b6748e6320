//! What is asked for.

use crate::policy::OwnerStyle;
use crate::range::{Count, Range, Uid};
use crate::snapshot::{Account, Accounts};
use crate::text::Part;

/// Who shall own ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The account's name as NSS returns it, or the name as typed where no account is needed.
    pub label: Part,
    /// The account; `None` only where the caller allowed an unknown owner.
    pub account: Option<Account>,
}

/// One user's share of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Who.
    pub owner: Owner,
    /// At least so many IDs of each kind in total; `None`: what policy or `login.defs` say.
    pub count: Option<Count>,
    /// Exactly this range.
    pub range: Option<Range>,
}

/// The request: all users of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In the order asked for.
    pub wants: Vec<Want>,
    /// Release ranges that are not the right ones and give the right ones.
    pub replace: bool,
    /// Take back what the same account released.
    pub reclaim: bool,
    /// Take back also what nothing shows to be this account's: a person is asked who it is.
    pub unproven: bool,
}

impl Owner {
    /// An account.
    pub fn account(account: Account) -> Self {
        Self { label: account.name.as_part().clone(), account: Some(account) }
    }

    /// The uid, where there is an account.
    pub fn uid(&self) -> Option<Uid> {
        self.account.as_ref().map(|a| a.uid)
    }

    /// The account's own uid and primary gid: never part of its subordinate ranges, whichever file.
    pub fn own_ids(&self) -> impl Iterator<Item = Range> {
        self.account.iter().flat_map(|a| [a.uid.get(), a.gid.get()]).map(Range::single)
    }

    /// The owner's name for people, escaped.
    pub fn shown(&self) -> String {
        crate::text::escape(&self.label)
    }

    /// How lines may spell this owner: by name, and by uid unless that number is somebody's name
    /// (newuidmap compares the text first).
    pub fn spellings(&self, accounts: &Accounts) -> Vec<Part> {
        let mut all = vec![self.label.clone()];
        all.extend(self.number(accounts).map(|uid| Part::from(uid.to_string().into_bytes())));
        all.dedup();
        all
    }

    /// The uid, where a line may spell this owner so: unless it is somebody else's name.
    pub(super) fn number(&self, accounts: &Accounts) -> Option<Uid> {
        let uid = self.uid()?;
        let mut digits = Vec::with_capacity(10);
        crate::text::decimal(&mut digits, u64::from(uid.get()));
        accounts.by_name(&digits).is_none_or(|other| other.uid == uid).then_some(uid)
    }

    /// How a new line spells the owner.
    pub fn written(&self, style: OwnerStyle) -> Part {
        match &self.account {
            Some(account) if style == OwnerStyle::Uid || !account.name.is_plain() => {
                account.uid.to_string().into_bytes().into()
            }
            _ => self.label.clone(),
        }
    }
}
