//! The policy: TOML text to a validated value. Unknown keys are refused with the line and the nearest
//! right key; what contradicts itself is refused with both lines.

mod check;
mod map;
mod read;
mod reader;
mod window;

pub use map::{IdMap, MapEntry};
pub use read::parse;
pub use window::Window;

use std::collections::BTreeMap;

use crate::range::{Count, Range};

/// Windows, maps and pools end below this: IDs from 2^31 on break software that takes them for negative.
pub const CEILING: u32 = 1 << 31;

/// How ranges are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The lowest start that is free in both files.
    FirstFit,
    /// By arithmetic from the uid: the same on every host.
    Windows,
    /// By a distributed list.
    Map,
}

/// How an owner is written into the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnerStyle {
    /// By name, where the name is plain; else by uid.
    #[default]
    Name,
    /// By uid.
    Uid,
}

/// A value with the policy's line that sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// What was set.
    pub value: T,
    /// The line, from 1.
    pub line: usize,
}

/// A range that is kept free, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// For messages.
    pub name: String,
    /// The IDs.
    pub range: Range,
    /// The line, from 1.
    pub line: usize,
}

/// The policy's own users, for commands without any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// Names (or uids, as on the command line).
    pub names: Vec<String>,
    /// Groups: their members and those whose primary group they are.
    pub groups: Vec<String>,
    /// Every account with `UID_MIN` ≤ uid ≤ `UID_MAX` and a login shell.
    pub login_accounts: bool,
    /// Never these, however they were selected here.
    pub exclude: Vec<String>,
    /// `max_auto_users`: how many users hooks may add in all; see [`Users::max_auto_users`].
    pub max_auto: Option<Setting<usize>>,
}

impl Users {
    /// How many users hooks may add in all: 1000 where nobody says.
    pub fn max_auto_users(&self) -> usize {
        self.max_auto.map_or(1000, |max| max.value)
    }
}

/// A validated policy. The default is what holds without a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The file, for messages; empty without one.
    pub path: String,
    /// `strategy`; `None` leaves it to `login.defs`.
    pub strategy: Option<Strategy>,
    /// `count`: IDs of each kind for a user.
    pub count: Option<Setting<Count>>,
    /// `min`: first-fit's lowest ID.
    pub min: Option<Setting<u32>>,
    /// `max`: first-fit's highest ID.
    pub max: Option<Setting<u32>>,
    /// `align`: starts are multiples of this (default 1), and growth is rounded up to it.
    pub align: Option<Setting<u32>>,
    /// `owner`.
    pub owner: OwnerStyle,
    /// `[users]`.
    pub users: Option<Users>,
    /// `keep` of `[history]`: how many changes the history keeps, at least.
    pub history_keep: Option<Setting<usize>>,
    /// `reserve`: never given to anybody.
    pub reserve: Vec<Declared>,
    /// `directory`: IDs of accounts that a directory may hold.
    pub directory: Vec<Declared>,
    /// `world_block`: the first of the IDs that worlds use.
    pub world_block: Option<Setting<u32>>,
    /// `[[window]]`.
    pub windows: Vec<Window>,
    /// `map`: the file's path; its content comes with [`Policy::with_map`].
    pub map_path: Option<Setting<String>>,
    /// The map's content.
    pub map: IdMap,
    /// The line of each key that is set, from 1: `count`, `users.names`.
    pub lines: BTreeMap<String, usize>,
}

impl Policy {
    /// `/etc/subidctl/policy.toml line 7`.
    pub fn place(&self, line: usize) -> String {
        format!("{} line {line}", self.path)
    }

    /// The value of `keep` in `[history]`: at least 1; 1000 where nobody says.
    pub fn history_keep(&self) -> usize {
        self.history_keep.map_or(1000, |keep| keep.value.max(1))
    }

    /// Where a key is set; `None` where it is not.
    pub fn place_of(&self, key: &str) -> Option<String> {
        self.lines.get(key).map(|line| self.place(*line))
    }

    /// The value of `align`: at least 1.
    pub fn alignment(&self) -> u32 {
        self.align.map_or(1, |a| a.value.max(1))
    }
}
