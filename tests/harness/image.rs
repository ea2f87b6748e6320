//! A copy of what a change may touch, to compare and to go back to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::{Sandbox, State};

/// The regular files of `/etc` itself, and the whole state folder, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image(BTreeMap<String, Node>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    mode: u32,
    owner: (u32, u32),
    /// `None` for a folder.
    bytes: Option<Vec<u8>>,
}

const ETC: &str = "/etc";
const STATE: &str = "/var/lib/subidctl";

impl Sandbox {
    /// What is there now.
    pub(crate) fn image(&self) -> Image {
        let mut nodes = BTreeMap::new();
        self.gather(ETC, false, &mut nodes);
        self.gather(STATE, true, &mut nodes);
        Image(nodes)
    }

    fn gather(&self, folder: &str, deep: bool, nodes: &mut BTreeMap<String, Node>) {
        let host = self.host_path(folder);
        let Ok(meta) = std::fs::symlink_metadata(&host) else { return };
        if deep {
            nodes.insert(folder.to_owned(), Node::new(&meta, None));
        }
        for entry in std::fs::read_dir(host).unwrap().map(Result::unwrap) {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let meta = entry.metadata().unwrap();
            if meta.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                nodes.insert(path, Node::new(&meta, Some(bytes)));
            } else if meta.is_dir() && deep {
                self.gather(&path, true, nodes);
            }
        }
    }

    /// Goes back to it.
    pub(crate) fn restore(&self, image: &Image) {
        // Children come after their folder.
        for (path, _) in self.image().0.iter().rev().filter(|(path, node)| image.0.get(*path) != Some(node)) {
            self.remove(path);
        }
        let kept = self.image();
        for (path, node) in image.0.iter().filter(|(path, _)| !kept.0.contains_key(*path)) {
            let host = self.host_path(path);
            match &node.bytes {
                Some(bytes) => std::fs::write(&host, bytes).unwrap(),
                None => std::fs::create_dir(&host).unwrap(),
            }
            chown(&host, Some(node.owner.0), Some(node.owner.1)).unwrap();
            std::fs::set_permissions(&host, std::fs::Permissions::from_mode(node.mode)).unwrap();
        }
    }
}

impl Node {
    fn new(meta: &std::fs::Metadata, bytes: Option<Vec<u8>>) -> Self {
        Self { mode: meta.mode() & 0o7777, owner: (meta.uid(), meta.gid()), bytes }
    }
}

impl Image {
    /// A file's content.
    pub(crate) fn file(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path)?.bytes.as_deref()
    }

    /// A file's permission bits.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        self.0[path].mode
    }

    /// The same, but of the files that a change can touch just these.
    pub(crate) fn with(&self, state: &State) -> Self {
        let mut nodes = self.0.clone();
        nodes.retain(|path, _| !super::disk::ours(path));
        for (path, (mode, bytes)) in state {
            let (path, bytes) = match path.strip_suffix('/') {
                Some(folder) => (folder, None),
                None => (path.as_str(), Some(bytes.clone())),
            };
            let mode = if path == STATE { 0o755 } else { *mode };
            nodes.insert(path.to_owned(), Node { mode, owner: (0, 0), bytes });
        }
        Self(nodes)
    }

    /// Both files' content; an absent one has none.
    pub(crate) fn id_text(&self) -> [String; 2] {
        ["/etc/subuid", "/etc/subgid"]
            .map(|path| String::from_utf8(self.file(path).unwrap_or_default().to_vec()).unwrap())
    }

    /// All paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The same for any two runs that differ only in time, transaction and pid: what differs from `base`, with
    /// digits and digests masked.
    pub(crate) fn essence(&self, base: &Self) -> String {
        let mut text = String::new();
        for (path, node) in self.0.iter().filter(|(path, node)| base.0.get(*path) != Some(node)) {
            let bytes = node.bytes.as_deref().unwrap_or(b"folder");
            let ours = path.contains("subidctl") || path.contains(".lock");
            let shown = if ours { masked(bytes) } else { String::from_utf8_lossy(bytes).into_owned() };
            writeln!(text, "{path} {:o} {} {shown}", node.mode, bytes.is_empty()).unwrap();
        }
        for path in base.0.keys().filter(|path| !self.0.contains_key(*path)) {
            writeln!(text, "{path} is gone").unwrap();
        }
        text
    }
}

/// Every run of hexadecimal digits, as one mark.
fn masked(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if !byte.is_ascii_hexdigit() {
            text.push(char::from(*byte));
        } else if !text.ends_with('*') {
            text.push('*');
        }
    }
    text
}
