//! The parts of the system that findings are about.

/// Which part of the system an entry is about; what `check --only` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// newuidmap and newgidmap.
    Helpers,
    /// Kernel switches and the restrictions of this process.
    Kernel,
    /// One user's lines, as a container needs them.
    Files,
    /// Which IDs the lines hold, and whose else they are.
    Ranges,
    /// How the lines are written, and who reads them how.
    Lines,
    /// Whose the lines are, and whether they have what they should.
    Owners,
    /// Both files as files: mode, owner, links, mounts.
    Disk,
    /// What interrupted programs left, and what subidctl remembers.
    State,
    /// Other programs that take or give IDs here.
    Allocators,
    /// What login.defs and nsswitch.conf make useradd do.
    Defaults,
    /// What other tools' faults leave in the files.
    Peers,
    /// What an installed engine makes of them.
    Engines,
    /// The user's login, and its systemd and D-Bus.
    Session,
    /// Control groups.
    Cgroup,
    /// Where images, containers and their state lie.
    Storage,
    /// What containers' own networks need.
    Network,
}

impl Group {
    /// All of them, in the catalogue's order.
    pub const ALL: [Self; 16] = [
        Self::Files,
        Self::Ranges,
        Self::Lines,
        Self::Owners,
        Self::Disk,
        Self::State,
        Self::Allocators,
        Self::Defaults,
        Self::Peers,
        Self::Helpers,
        Self::Kernel,
        Self::Engines,
        Self::Session,
        Self::Cgroup,
        Self::Storage,
        Self::Network,
    ];

    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Helpers => "helpers",
            Self::Kernel => "kernel",
            Self::Files => "files",
            Self::Ranges => "ranges",
            Self::Lines => "lines",
            Self::Owners => "owners",
            Self::Disk => "disk",
            Self::State => "state",
            Self::Allocators => "allocators",
            Self::Defaults => "defaults",
            Self::Peers => "peers",
            Self::Engines => "engines",
            Self::Session => "session",
            Self::Cgroup => "cgroup",
            Self::Storage => "storage",
            Self::Network => "network",
        }
    }

    /// The kubelet runs as root, and asks the host's own daemons.
    pub(super) const fn concerns_kubelet(self) -> bool {
        !matches!(self, Self::Helpers | Self::Session | Self::Cgroup | Self::Storage | Self::Network)
    }

    /// Whether it is about a running system, and not about files.
    pub(super) const fn needs_processes(self) -> bool {
        matches!(self, Self::Kernel | Self::Session | Self::Cgroup | Self::Storage | Self::Network)
    }
}
