//! What an installed engine showed of its own namespace, as plain data.

use super::Proof;
use crate::idmap::{self, Extent};
use crate::range::{PerKind, Range};

/// A rootless engine that can be asked for its maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// podman: a pause process keeps its namespace from one command to the next.
    Podman,
    /// buildah: a new namespace for each command.
    Buildah,
    /// Rootless Docker: a daemon in a namespace that rootlesskit made.
    Docker,
    /// nerdctl: a containerd in a namespace that rootlesskit made.
    Nerdctl,
    /// Apptainer with `--fakeroot`: a new namespace for each command.
    Apptainer,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Podman, Self::Buildah, Self::Docker, Self::Nerdctl, Self::Apptainer];

    /// The name of its program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Buildah => "buildah",
            Self::Docker => "docker",
            Self::Nerdctl => "nerdctl",
            Self::Apptainer => "apptainer",
        }
    }

    /// The map that it asks for, for a user's own ID and the ranges in the order of the files; `None` where
    /// they do not make one.
    pub fn expected(self, own: u32, ranges: &[Range]) -> Option<Vec<Extent>> {
        match self {
            Self::Podman | Self::Buildah => idmap::podman(own, ranges),
            Self::Docker | Self::Nerdctl => idmap::rootlesskit(own, ranges),
            Self::Apptainer => idmap::apptainer(own, ranges),
        }
    }
}

/// What an engine showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineProof {
    /// Which.
    pub engine: Engine,
    /// Where its program is; `None` where it is not installed, or not to be trusted.
    pub program: Option<String>,
    /// What it says of its version, escaped.
    pub version: Option<String>,
    /// The verdict: the maps are those that the engine showed, a probe is one place where it was asked.
    pub proof: Proof,
}

/// A process that keeps an engine's namespace from one command to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its pid.
    pub pid: i32,
    /// Where it is known from: a path.
    pub place: String,
    /// The maps of its namespace, from the host's side.
    pub maps: PerKind<Vec<Extent>>,
}
