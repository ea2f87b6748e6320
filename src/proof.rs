//! What a container run showed, as plain data.

mod engine;

pub use engine::{Engine, EngineProof, Kept};

use crate::idmap::Extent;
use crate::range::PerKind;

/// The verdict of one container run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Maps as expected and no probe failed.
    pub ok: bool,
    /// Where it ran.
    pub place: Place,
    /// The account.
    pub user: String,
    /// Its uid.
    pub uid: u32,
    /// Which form of map was asked for: `auto`, `keep-id`, `identity`, `explicit`.
    pub userns: &'static str,
    /// The maps for the verdict, read from the host's side (`/proc/PID/uid_map`).
    pub maps: PerKind<Vec<Extent>>,
    /// The maps as the container read them inside.
    pub inside: PerKind<Vec<Extent>>,
    /// The maps that were asked for: `auto` and `keep-id` as podman does.
    pub expected: PerKind<Vec<Extent>>,
    /// The same process from both sides.
    pub identity: Option<Identity>,
    /// What was tried inside, in order.
    pub probes: Vec<Probe>,
    /// Why there is no container.
    pub failure: Option<Failure>,
    /// CMD's exit code, where one was run.
    pub command_exit: Option<i32>,
}

/// Where a container ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// As the real user, with real IDs.
    Host,
    /// In a world of IDs that nobody has, on the planned files.
    World,
}

/// One process seen from both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its pid inside: 1.
    pub inside_pid: i32,
    /// Its uid inside: 0, unless another map was asked for.
    pub inside_uid: u32,
    /// Its pid on the host.
    pub host_pid: i32,
    /// Its uid on the host: the user's, or in a world nobody's.
    pub host_uid: u32,
    /// In a world: that uid as the world numbers it, the user's.
    pub world_uid: Option<u32>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Stable name: `identity`, `file-0`, `uid-beyond`, `port-80`, …
    pub id: String,
    /// How it went.
    pub status: ProbeStatus,
    /// One line, escaped.
    pub message: String,
}

/// How a probe went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeStatus {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// Works, but something that people rely on does not; the message says what, and what mends it.
    Note,
    /// Makes no sense here; the message says why.
    NotApplicable,
}

/// A step between parent and child, by its name in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Working out which map to ask for: account and ranges.
    Prepare,
    /// Becoming the user.
    Drop,
    /// `unshare` of the user namespace.
    Unshare,
    /// newuidmap.
    UidMap,
    /// newgidmap.
    GidMap,
    /// Becoming the map's first user inside, and pid 1.
    Enter,
    /// The container's own root and /proc.
    Mount,
    /// Probes.
    Probe,
    /// CMD.
    Command,
    /// The deadline.
    Timeout,
    /// Asking an installed engine.
    Engine,
}

impl Step {
    /// Its name in reports, the same as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Drop => "drop",
            Self::Unshare => "unshare",
            Self::UidMap => "uid-map",
            Self::GidMap => "gid-map",
            Self::Enter => "enter",
            Self::Mount => "mount",
            Self::Probe => "probe",
            Self::Command => "command",
            Self::Timeout => "timeout",
            Self::Engine => "engine",
        }
    }
}

/// Why there is no container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// What the helper or the kernel said, escaped.
    pub helper_message: String,
    /// The finding's id that explains it.
    pub cause: String,
    /// The cause in one sentence, escaped.
    pub message: String,
    /// What was seen that says so: a path, mode, capability, sysctl, line number.
    pub evidence: String,
    /// One command, or one sentence where no command mends it.
    pub fix: String,
}
