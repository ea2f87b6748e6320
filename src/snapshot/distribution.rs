//! Which system it is, as far as its commands differ.

/// The program that installs packages here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Packages {
    /// Debian, Ubuntu and their like.
    Apt,
    /// Fedora, RHEL and their like.
    Dnf,
    /// openSUSE and SLE.
    Zypper,
    /// Arch and its like.
    Pacman,
    /// Alpine and its like.
    Apk,
    /// One that is not known here.
    #[default]
    Unknown,
}

/// What rootless containers need of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// pasta and slirp4netns: engines differ in which they take.
    Network,
    /// crun.
    Runtime,
    /// fuse-overlayfs.
    Fuse,
    /// A user's own D-Bus.
    Bus,
}

impl Packages {
    /// By the distribution's own names for itself, the nearest first (`ID` and `ID_LIKE` of `os-release(5)`).
    pub fn of(names: &str) -> Self {
        let known = names.split_ascii_whitespace().find_map(|name| match name {
            "debian" | "ubuntu" => Some(Self::Apt),
            "fedora" | "rhel" | "centos" => Some(Self::Dnf),
            "suse" | "opensuse" => Some(Self::Zypper),
            "arch" => Some(Self::Pacman),
            "alpine" => Some(Self::Apk),
            _ => None,
        });
        known.unwrap_or_default()
    }

    /// The command that installs it; words where the system is not known.
    pub fn install(self, package: Package) -> String {
        let (command, names) = match self {
            Self::Apt => ("sudo apt-get install -y", ["fuse-overlayfs", "dbus-user-session"]),
            Self::Dnf => ("sudo dnf install -y", ["fuse-overlayfs", "dbus-daemon"]),
            Self::Zypper => ("sudo zypper install -y", ["fuse-overlayfs", "dbus-1"]),
            Self::Pacman => ("sudo pacman -S --noconfirm", ["fuse-overlayfs", "dbus"]),
            Self::Apk => ("sudo apk add", ["fuse-overlayfs", "dbus"]),
            Self::Unknown => {
                return match package {
                    Package::Network => "install passt and slirp4netns",
                    Package::Runtime => "install crun",
                    Package::Fuse => "install fuse-overlayfs",
                    Package::Bus => "install D-Bus for users' sessions (dbus-user-session)",
                }
                .to_owned();
            }
        };
        let [fuse, bus] = names;
        let name = match package {
            Package::Network => "passt slirp4netns",
            Package::Runtime => "crun",
            Package::Fuse => fuse,
            Package::Bus => bus,
        };
        format!("{command} {name}")
    }

    /// The commands that add a word to the kernel's command line by GRUB; `None` where the system is not
    /// known to have it.
    pub fn boot_with(self, word: &str) -> Option<String> {
        let edit = format!("sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{word} /' /etc/default/grub");
        match self {
            Self::Apt => Some(format!("{edit} && sudo update-grub")),
            Self::Dnf => Some(format!("sudo grubby --update-kernel=ALL --args={word}")),
            Self::Zypper => Some(format!("{edit} && sudo grub2-mkconfig -o /boot/grub2/grub.cfg")),
            Self::Pacman => Some(format!("{edit} && sudo grub-mkconfig -o /boot/grub/grub.cfg")),
            Self::Apk | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_counts() {
        for (names, packages) in [
            ("debian ", Packages::Apt),
            ("linuxmint ubuntu debian", Packages::Apt),
            ("rocky rhel centos fedora", Packages::Dnf),
            ("opensuse-leap suse opensuse", Packages::Zypper),
            ("manjaro arch", Packages::Pacman),
            ("alpine ", Packages::Apk),
            ("nixos ", Packages::Unknown),
        ] {
            assert_eq!(Packages::of(names), packages, "{names}");
        }
    }
}
