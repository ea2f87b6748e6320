//! Where an engine keeps images and containers of a user, and what that place is like.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::look::{settings, status, text, there};
use crate::findings::Engine;
use crate::host::Root;
use crate::host::mounts::mount_of;
use crate::snapshot::{Account, Environment, Fact, Mount, Storage};

/// Whose storage, and where.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) root: &'a Root,
    pub(super) account: &'a Account,
    /// In the user's own session.
    pub(super) environment: Option<&'a Environment>,
    pub(super) home: &'a str,
}

/// What settings say.
#[derive(Default)]
struct Said {
    folder: Option<String>,
    place: Option<String>,
    mount_program: Option<String>,
    unread: Option<String>,
}

impl Place<'_> {
    /// The storage of this engine.
    pub(super) fn of(self, engine: Engine, mounted: &[Mount], release: &str) -> Storage {
        let said = match engine {
            Engine::Podman | Engine::Buildah | Engine::Any => self.storage_conf(),
            Engine::Docker => self.daemon_json(),
            Engine::Nerdctl | Engine::Apptainer | Engine::Lxc | Engine::Kubelet => Said::default(),
        };
        let data = self.folder("XDG_DATA_HOME", ".local/share");
        let usual = match engine {
            Engine::Podman | Engine::Buildah | Engine::Any => format!("{data}/containers/storage"),
            Engine::Docker => format!("{data}/docker"),
            Engine::Nerdctl => format!("{data}/containerd"),
            Engine::Lxc => format!("{data}/lxc"),
            Engine::Apptainer => format!("{}/.apptainer", self.home),
            Engine::Kubelet => "/var/lib/kubelet".to_owned(),
        };
        let other = said.folder.filter(|folder| *folder != usual);
        let configured = said.place.filter(|_| other.is_some());
        let folder = other.unwrap_or(usual);
        let real = self.real(&folder);
        Storage {
            mount: mount_of(mounted, &real).cloned(),
            configured,
            unread: said.unread,
            overlay: self.overlay(release),
            fuse: status(self.root, "/dev/fuse"),
            mount_program: said.mount_program.map(|program| {
                let found = there(self.root, &program);
                (crate::text::escape(program.as_bytes()), found)
            }),
            label: self.label(&real),
            folder: crate::text::escape(folder.as_bytes()),
        }
    }

    /// A folder of the user's by its variable or its usual name.
    fn folder(self, variable: &str, usual: &str) -> String {
        let named = self.environment.and_then(|environment| environment.get(variable));
        let named = named.and_then(|path| String::from_utf8(path.to_vec()).ok());
        named.unwrap_or_else(|| format!("{}/{usual}", self.home))
    }

    /// The nearest folder that is there, without links on the running system.
    fn real(self, folder: &str) -> PathBuf {
        if !self.root.is_running() {
            return PathBuf::from(folder);
        }
        let mut above = Path::new(folder).ancestors();
        above.find_map(|path| path.canonicalize().ok()).unwrap_or_else(|| PathBuf::from(folder))
    }

    /// containers-storage.conf(5): the user's own file, else `rootless_storage_path` of the system's.
    fn storage_conf(self) -> Said {
        let own = format!("{}/containers/storage.conf", self.folder("XDG_CONFIG_HOME", ".config"));
        let mut said = self.conf(&own, &["graphroot", "rootless_storage_path"]);
        if said.folder.is_none() {
            for path in ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"] {
                let system = self.conf(path, &["rootless_storage_path"]);
                let found = system.folder.is_some();
                said.folder = said.folder.or(system.folder);
                said.place = said.place.or(system.place);
                said.unread = said.unread.or(system.unread);
                if found {
                    break;
                }
            }
        }
        said
    }

    fn conf(self, path: &str, keys: &[&str]) -> Said {
        let mut said = Said::default();
        let table = match settings(self.root, path, self.environment.is_some()) {
            Ok(None) => return said,
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).parse::<toml::Table>().map_err(|error| {
                let why = crate::text::escape(error.message().as_bytes());
                format!("{} cannot be understood: {why}", crate::text::escape(path.as_bytes()))
            }),
            Err(why) => Err(why),
        };
        let table = match table {
            Ok(table) => table,
            Err(why) => {
                said.unread = Some(why);
                return said;
            }
        };
        let Some(storage) = table.get("storage").and_then(toml::Value::as_table) else { return said };
        let text = |value: Option<&toml::Value>| {
            value.and_then(toml::Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let Some((key, folder)) = keys.iter().find_map(|key| Some((*key, text(storage.get(*key))?))) {
            said.folder = Some(self.expand(&folder));
            said.place = Some(format!("{} {key}", crate::text::escape(path.as_bytes())));
        }
        let options = storage.get("options").and_then(|options| options.get("overlay"));
        said.mount_program = text(options.and_then(|overlay| overlay.get("mount_program")));
        said
    }

    /// Rootless Docker's `daemon.json`.
    fn daemon_json(self) -> Said {
        let path = format!("{}/docker/daemon.json", self.folder("XDG_CONFIG_HOME", ".config"));
        let shown = || crate::text::escape(path.as_bytes());
        let value = match settings(self.root, &path, self.environment.is_some()) {
            Ok(None) => return Said::default(),
            Ok(Some(bytes)) => serde_json::from_slice::<serde_json::Value>(&bytes)
                .map_err(|error| format!("{} cannot be understood: {error}", shown())),
            Err(why) => Err(why),
        };
        match value {
            Err(why) => Said { unread: Some(why), ..Said::default() },
            Ok(value) => {
                let folder = value["data-root"].as_str().map(str::to_owned);
                Said {
                    place: folder.as_ref().map(|_| format!("{} data-root", shown())),
                    folder,
                    ..Said::default()
                }
            }
        }
    }

    /// `$HOME`, `$USER` and `$UID` of a setting.
    fn expand(self, text: &str) -> String {
        let name = String::from_utf8_lossy(self.account.name.as_bytes()).into_owned();
        let uid = self.account.uid.to_string();
        let values = [("HOME", self.home), ("USER", name.as_str()), ("UID", uid.as_str())];
        values.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
        })
    }

    /// Whether the kernel has overlay: loaded or built in, or as a module that loads when it is asked for.
    fn overlay(self, release: &str) -> bool {
        let known = text(self.root, "/proc/filesystems");
        let loaded = known.seen().is_some_and(|text| text.lines().any(|line| line.ends_with("\toverlay")));
        let release = release.trim();
        let listed = |folder: &str, file: &str| {
            let path = format!("{folder}/{release}/{file}");
            let bytes = settings(self.root, &path, false).ok().flatten().unwrap_or_default();
            String::from_utf8_lossy(&bytes).lines().any(|line| line.contains("/overlay.ko"))
        };
        let folders = ["/usr/lib/modules", "/lib/modules"];
        loaded || folders.iter().any(|f| listed(f, "modules.dep") || listed(f, "modules.builtin"))
    }

    fn label(self, folder: &Path) -> Fact<String> {
        let Some(path) = folder.to_str() else { return Fact::Missing };
        let Ok(file) = self.root.open(path, OFlag::O_PATH, Mode::empty()) else { return Fact::Missing };
        match crate::sys::xattr(file.as_fd(), c"security.selinux") {
            Ok(Some(label)) => {
                let label = label.split(|b| *b == 0).next().unwrap_or_default();
                Fact::Seen(crate::text::escape(label))
            }
            Ok(None) => Fact::Missing,
            Err(errno) => Fact::Unreadable(format!("the label of {path} cannot be read: {}", errno.desc())),
        }
    }
}
