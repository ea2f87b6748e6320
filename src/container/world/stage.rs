//! What a world begins with: its /etc, and which IDs exist in it.

use crate::error::Result;
use crate::host::{Root, read_following};
use crate::idfile::Document;
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::snapshot::Account;

/// What the loader reads, so that helpers find their libraries as on the host (glibc's and musl's).
const LOADER: [&str; 4] = ["ld.so.cache", "ld.so.preload", "ld-musl-x86_64.path", "ld-musl-aarch64.path"];

/// The files of a world's /etc and the IDs that it has.
#[derive(Debug, Default)]
pub struct Stage {
    /// Name below /etc and content; each 0644 and its root's.
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) ids: PerKind<RangeSet>,
    /// Whether there is a folder for subidctl's own records.
    pub(super) state: bool,
}

impl Stage {
    /// A world of root and these accounts, with these files of IDs and this login.defs. The loader's files
    /// are the host's. IDs of ranges are yet to be named.
    ///
    /// # Errors
    /// `read-failed`, `untrusted-file` for the loader's files.
    pub fn new(
        host: &Root,
        accounts: &[Account],
        files: PerKind<&Document>,
        login_defs: Vec<u8>,
    ) -> Result<Self> {
        let mut stage = Self::default();
        for name in LOADER {
            if let Some((bytes, _)) = read_following(host, &format!("/etc/{name}"))? {
                stage.put(name, bytes);
            }
        }
        for kind in Kind::BOTH {
            stage.put(kind.file(), files[kind].as_bytes().to_vec());
            stage.give(kind, Range::single(0));
        }
        stage.put("login.defs", login_defs);
        stage.put("nsswitch.conf", b"passwd: files\ngroup: files\nsubid: files\n".to_vec());
        let mut passwd = b"root:*:0:0::/:/bin/sh\n".to_vec();
        let mut group = b"root:*:0:\n".to_vec();
        let mut groups = RangeSet::from_iter([Range::single(0)]);
        for Account { name, uid, gid, .. } in accounts.iter().filter(|account| account.uid.get() != 0) {
            let name = name.as_bytes();
            passwd.extend_from_slice(&[name, format!(":*:{uid}:{gid}::/:/bin/sh\n").as_bytes()].concat());
            if !groups.contains(gid.get()) {
                group.extend_from_slice(&[name, format!(":*:{gid}:\n").as_bytes()].concat());
                groups.insert(Range::single(gid.get()));
            }
            stage.give(Kind::Uid, Range::single(uid.get()));
            stage.give(Kind::Gid, Range::single(gid.get()));
        }
        stage.put("passwd", passwd);
        stage.put("group", group);
        Ok(stage)
    }

    /// Lets these IDs exist.
    pub fn give(&mut self, kind: Kind, range: Range) {
        self.ids[kind].insert(range);
    }

    /// Adds an empty, writable /var/lib, so that a change can be committed in the world as on a host.
    #[must_use]
    pub fn with_state(self) -> Self {
        Self { state: true, ..self }
    }

    fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push((name.to_owned(), bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Gid, Login, Uid};
    use crate::snapshot::Source;

    #[test]
    fn a_stage_has_root_and_the_accounts_and_no_other_id() {
        let tree = tempfile::tempdir().unwrap();
        let account = |name: &str, uid| Account {
            name: Login::new(name.as_bytes()).unwrap(),
            uid: Uid::new(uid),
            gid: Gid::new(100),
            home: b"/home/a:b\n"[..].into(),
            shell: b""[..].into(),
            source: Source::Nss,
        };
        let files = Document::new(b"a:5:5\n".to_vec());
        let root = Root::below(tree.path()).unwrap();
        let accounts = [account("a", 1000), account("b", 1001)];
        let both = PerKind { uid: &files, gid: &files };
        let stage = Stage::new(&root, &accounts, both, Vec::new()).unwrap();
        let file = |name: &str| {
            let bytes = &stage.files.iter().find(|(n, _)| n == name).unwrap().1;
            String::from_utf8(bytes.clone()).unwrap()
        };
        assert_eq!(
            file("passwd"),
            "root:*:0:0::/:/bin/sh\na:*:1000:100::/:/bin/sh\nb:*:1001:100::/:/bin/sh\n"
        );
        assert_eq!((file("group"), file("subgid")), ("root:*:0:\na:*:100:\n".into(), "a:5:5\n".into()));
        assert_eq!((stage.ids.uid.ids(), stage.ids.gid.ids()), (3, 2));
    }
}
