//! Everything that is read before planning, as one snapshot.

use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};

use super::follow::read_following;
use super::{Root, Stat, disk, login_defs, namespaces, nsswitch, passwd, site};
use crate::error::{Code, Error, Result};
use crate::idfile::{Digest, Document};
use crate::range::{Kind, PerKind};
use crate::snapshot::{Facts, FileStatus, Host, IdFile, LoginDefs, Lookups, Snapshot, Source};
use crate::sys;
use crate::text::Part;

/// How often a file may change under the reading before it is given up.
const ATTEMPTS: usize = 5;

/// Long enough for a `useradd` between its two renames.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads the files and, on the running system, what running user namespaces map. No name service is asked:
/// that is done for single names and ranges, when they are needed. `released` and `unfinished` stay empty;
/// so does the policy's digest.
pub fn snapshot(root: &Root) -> Result<Snapshot> {
    whole(root, gather(root, false)?)
}

/// As [`snapshot`], for a reader who wants to know what is wrong: of subuid and subgid one that cannot be
/// read is no error, but has its trouble noted. Also looks around the files, at everybody who hands out IDs,
/// and below a root for the module that `subid:` names.
///
/// # Errors
/// As [`snapshot`], for the other files.
pub fn survey(root: &Root) -> Result<Snapshot> {
    let mut snapshot = whole(root, gather(root, true)?)?;
    snapshot.disk = disk::disk(root)?;
    site::allocators(root, &mut snapshot.site);
    if let Some(module) = snapshot.nsswitch.subid_module.as_mut().filter(|_| !root.is_running()) {
        module.found = nsswitch::find_module_below(root, &module.name);
    }
    snapshot.name_readers = name_readers(root);
    Ok(snapshot)
}

/// Programs that are installed and find a range by its owner's name alone: lxc-usernsexec takes the first
/// line with the login name.
fn name_readers(root: &Root) -> Vec<String> {
    let there =
        |folder: &&&str| root.open(&format!("{folder}/lxc-usernsexec"), OFlag::O_PATH, Mode::empty()).is_ok();
    let found = super::FOLDERS.iter().find(there);
    found.map(|folder| format!("{folder}/lxc-usernsexec")).into_iter().collect()
}

/// Adds what is not in files.
fn whole(root: &Root, mut snapshot: Snapshot) -> Result<Snapshot> {
    snapshot.host = host(root)?;
    snapshot.site = site::site(root, &snapshot.nsswitch);
    if root.is_running() {
        snapshot.namespaces = namespaces::live();
    }
    Ok(snapshot)
}

/// The files once more, with the accounts, answers, other programs' ranges and namespaces that were known
/// before: no name service and no process is looked at, so that it can be called under the locks. (Those
/// programs read their configuration when they start: one that changes just now is not in force yet.)
pub fn reread(root: &Root, before: &Snapshot) -> Result<Snapshot> {
    let mut snapshot = steady(root, false, Reader::read)?;
    for user in before.accounts.users().iter().filter(|user| user.source == Source::Nss) {
        snapshot.accounts.add_user(user.clone());
    }
    for group in before.accounts.groups().iter().filter(|group| group.source == Source::Nss) {
        snapshot.accounts.add_group(group.clone());
    }
    for (kind, ids) in before.accounts.nameless.iter() {
        snapshot.accounts.nameless[kind].extend(ids);
    }
    let directory = snapshot.accounts.lookups.directory || before.accounts.lookups.directory;
    snapshot.accounts.lookups = Lookups { directory, ..before.accounts.lookups.clone() };
    snapshot.host = before.host.clone();
    snapshot.namespaces = before.namespaces.clone();
    snapshot.site = before.site.clone();
    // The ledger's ranges are witnesses under the locks, too: of a line that somebody lost there is no other.
    snapshot.released.clone_from(&before.released);
    snapshot.known.clone_from(&before.known);
    snapshot.facts.policy = before.facts.policy;
    Ok(snapshot)
}

/// Both files and the digests of everything else that a plan rests on, at one moment, with nothing made of them:
/// whether a plan still holds is all that is to be known under the locks, mostly.
pub fn unread(root: &Root) -> Result<(PerKind<IdFile>, Facts)> {
    let raw = steady(root, false, Reader::raw)?;
    Ok((with_digests(&raw.files, false), raw.facts))
}

/// The files alone, and a host whose name services can be asked: what a login may take the time for.
pub fn glance(root: &Root) -> Result<Snapshot> {
    Ok(Snapshot { host: host(root)?, ..steady(root, false, Reader::read)? })
}

/// What all files together say at one moment.
fn gather(root: &Root, troubled: bool) -> Result<Snapshot> {
    steady(root, troubled, Reader::read_at_once)
}

/// Reads until both files are of one moment.
fn steady<'r, T>(root: &'r Root, troubled: bool, read: fn(&mut Reader<'r>) -> Result<T>) -> Result<T> {
    for _ in 0..ATTEMPTS {
        let mut reader = Reader { root, pair: Vec::new(), troubled };
        let all = read(&mut reader)?;
        if reader.still_true() {
            return Ok(all);
        }
        std::thread::sleep(PAUSE);
    }
    Err(Error::new(Code::FileChanged, "subuid or subgid changed each time they were read")
        .why(format!("in {ATTEMPTS} attempts no reading of both was of one moment"))
        .fix("wait for the program that changes them and run the command again"))
}

struct Reader<'a> {
    root: &'a Root,
    /// subuid and subgid as they were when they were read.
    pair: Vec<(String, Option<Stat>)>,
    /// Whether one of the pair that cannot be read is noted and no error.
    troubled: bool,
}

/// The content of all files.
struct Raw {
    files: PerKind<IdFile>,
    passwd: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
    nsswitch: Option<Vec<u8>>,
    login_defs: LoginDefs,
    facts: Facts,
}

impl Reader<'_> {
    fn raw(&mut self) -> Result<Raw> {
        let mut files = PerKind::try_from_fn(|kind| self.id_file(kind))?;
        // As on most hosts: what is then made of one is the other's, too.
        if files.uid.document == files.gid.document {
            files.gid.document.clone_from(&files.uid.document);
        }
        let passwd = self.root.read("/etc/passwd")?.map(|(bytes, _)| bytes);
        let group = self.root.read("/etc/group")?.map(|(bytes, _)| bytes);
        let nsswitch = read_following(self.root, "/etc/nsswitch.conf")?.map(|(bytes, _)| bytes);
        let (login_defs, login_defs_digest) = self.login_defs()?;
        let digest = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(Digest::of);
        let facts = Facts {
            passwd: digest(&passwd),
            group: digest(&group),
            login_defs: login_defs_digest,
            nsswitch: digest(&nsswitch),
            policy: None,
        };
        Ok(Raw { files, passwd, group, nsswitch, login_defs, facts })
    }

    fn read(&mut self) -> Result<Snapshot> {
        self.understood(false)
    }

    /// The same, with both files worked through at the same time: not to be used while locks are held.
    fn read_at_once(&mut self) -> Result<Snapshot> {
        self.understood(true)
    }

    fn understood(&mut self, at_once: bool) -> Result<Snapshot> {
        let Raw { files, passwd, group, nsswitch, login_defs, facts } = self.raw()?;
        let [passwd, group] = [passwd, group].map(|text| Part::from(text.unwrap_or_default()));
        let files = with_digests(&files, at_once);
        let mut accounts = passwd::accounts(&passwd, &group);
        let path = crate::text::path(&self.root.full("/etc/nsswitch.conf"));
        let mut switch = nsswitch::parse_nsswitch(&path, &nsswitch.unwrap_or_default());
        if self.root.is_running() {
            accounts.lookups.directory =
                nsswitch::names_directory(&switch, passwd::includes(&passwd, &group));
            if let Some(module) = &mut switch.subid_module {
                let cache = read_following(self.root, "/etc/ld.so.cache")?.map(|(bytes, _)| bytes);
                module.found = nsswitch::find_module(&module.name, &cache.unwrap_or_default());
            }
        }
        Ok(Snapshot { files, accounts, login_defs, nsswitch: switch, facts, ..Snapshot::default() })
    }

    fn id_file(&mut self, kind: Kind) -> Result<IdFile> {
        let path = format!("/etc/{}", kind.file());
        let read = match self.root.read(&path) {
            Err(error) if self.troubled && error.code != Code::FileChanged => {
                let status = self.stat(&path);
                self.pair.push((path, status));
                let status = status.map(status_of);
                return Ok(IdFile { status, trouble: Some(error), ..IdFile::default() });
            }
            read => read?,
        };
        let (bytes, stat) = read.unzip();
        self.pair.push((path, stat));
        let document = bytes.map(Document::new);
        Ok(IdFile { document, status: stat.map(status_of), ..IdFile::default() })
    }

    /// The admin's file before the distribution's.
    fn login_defs(&self) -> Result<(LoginDefs, Option<Digest>)> {
        let mut defs: Option<LoginDefs> = None;
        let mut content = Vec::new();
        for path in ["/usr/etc/login.defs", "/etc/login.defs"] {
            if let Some((bytes, _)) = read_following(self.root, path)? {
                let name = crate::text::path(&self.root.full(path));
                let vendor = defs.take().map(Box::new);
                defs = Some(LoginDefs { vendor, ..login_defs::parse_login_defs(&name, &bytes) });
                content.extend_from_slice(&bytes);
            }
        }
        let digest = defs.is_some().then(|| Digest::of(&content));
        Ok((defs.unwrap_or_default(), digest))
    }

    /// Whether subuid and subgid are still the files that were read: a change of both is two renames, and a
    /// reading between them is of no moment that anybody meant.
    fn still_true(&self) -> bool {
        self.pair.iter().all(|(path, stat)| self.stat(path) == *stat)
    }

    /// What is there, a link itself and not what it leads to; `None` where nothing is.
    fn stat(&self, path: &str) -> Option<Stat> {
        let file = self.root.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW, Mode::empty());
        file.and_then(fstat).ok().map(Stat::from)
    }
}

/// Adds the digests, and finds all lines where that is done at once: whoever reads so will ask for them.
fn with_digests(files: &PerKind<IdFile>, at_once: bool) -> PerKind<IdFile> {
    let long = at_once && files.iter().all(|(_, file)| file.document.as_ref().is_some_and(Document::is_long));
    let worked = |kind: Kind| {
        let document = files[kind].document.as_ref();
        let digest = document.map(Document::digest);
        if long {
            document.map(Document::line_count);
        }
        IdFile { digest, ..files[kind].clone() }
    };
    if files.uid.document == files.gid.document {
        let uid = worked(Kind::Uid);
        let gid = IdFile { digest: uid.digest, ..files.gid.clone() };
        return PerKind { uid, gid };
    }
    if !long {
        return PerKind::from_fn(worked);
    }
    let (uid, gid) = sys::both(|| worked(Kind::Uid), || worked(Kind::Gid));
    PerKind { uid, gid }
}

fn status_of(stat: Stat) -> FileStatus {
    FileStatus { mode: stat.mode, uid: stat.uid, gid: stat.gid }
}

/// The names of the machine or tree.
fn host(root: &Root) -> Result<Host> {
    let first_line = |path| {
        let bytes = read_following(root, path)?.map(|(bytes, _)| bytes).unwrap_or_default();
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        Ok::<_, Error>(crate::text::escape(line.trim_ascii()))
    };
    let hostname = if root.is_running() {
        let name = nix::unistd::gethostname()
            .map_err(|errno| Error::new(Code::System, "cannot read the host's name").why(errno.desc()))?;
        crate::text::escape(name.as_encoded_bytes())
    } else {
        first_line("/etc/hostname")?
    };
    Ok(Host {
        machine_id: first_line("/etc/machine-id")?,
        hostname,
        root: crate::text::path(root.path()),
        running: root.is_running(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    /// A tree with these files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree
    }

    fn below(tree: &Path) -> Result<Snapshot> {
        snapshot(&Root::below(tree).unwrap())
    }

    #[test]
    fn an_empty_tree_has_nothing_and_no_error() {
        let tree = tree(&[]);
        let snapshot = below(tree.path()).unwrap();
        assert!(snapshot.files.uid.document.is_none() && snapshot.files.gid.digest.is_none());
        assert_eq!(snapshot.facts, Facts::default());
        assert!(!snapshot.host.running && snapshot.accounts.users().is_empty());
        assert_eq!(snapshot.login_defs.place("SUB_UID_MIN"), "shadow's default");
    }

    #[test]
    fn a_tree_is_read_whole() {
        let tree = tree(&[
            ("etc/subuid", "bob:100000:65536\n"),
            ("etc/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:1000:1000:Bob:/home/bob:/bin/bash\n"),
            ("etc/group", "adm:x:4:bob, root\n"),
            ("etc/login.defs", "SUB_UID_MIN\t200000\n"),
            ("usr/etc/login.defs", "SUB_UID_MIN 1\n\nSUB_UID_MAX 300000\n"),
            ("etc/machine-id", "0123\n"),
            ("etc/hostname", "node1\n"),
            ("etc/authselect/nsswitch.conf", "passwd: files sss\nsubid: sss\n"),
        ]);
        symlink("/etc/authselect/nsswitch.conf", tree.path().join("etc/nsswitch.conf")).unwrap();
        let snapshot = below(tree.path()).unwrap();
        assert_eq!(snapshot.files.uid.claims().count(), 1);
        assert!(snapshot.files.gid.document.is_none());
        let bob = snapshot.accounts.by_name(b"bob").unwrap();
        assert_eq!((bob.uid.get(), &bob.shell[..], bob.source), (1000, &b"/bin/bash"[..], Source::File(2)));
        assert_eq!(snapshot.accounts.groups()[0].members.len(), 2);
        assert_eq!(snapshot.login_defs.number("SUB_UID_MIN"), Some(200_000));
        assert_eq!(snapshot.login_defs.number("SUB_UID_MAX"), Some(300_000));
        assert!(snapshot.login_defs.place("SUB_UID_MAX").ends_with("/usr/etc/login.defs line 3"));
        assert_eq!((snapshot.host.machine_id.as_str(), snapshot.host.hostname.as_str()), ("0123", "node1"));
        assert_eq!(snapshot.nsswitch.passwd.sources, ["files", "sss"]);
        assert!(!snapshot.accounts.lookups.directory, "no name service below a root");
        assert!(snapshot.nsswitch.directory().is_none(), "nor a module");
    }

    #[test]
    fn links_are_followed_only_where_libc_does_and_never_out_of_the_tree() {
        let outside = tree(&[("passwd", "eve:x:0:0:::\n"), ("nsswitch.conf", "passwd: evil\n")]);
        let inside = tree(&[("etc/subgid", ""), ("etc/passwd.real", "")]);
        let link = inside.path().join("etc/nsswitch.conf");
        symlink(outside.path().join("nsswitch.conf"), &link).unwrap();
        assert!(below(inside.path()).unwrap().nsswitch.passwd.sources.is_empty());
        std::fs::remove_file(&link).unwrap();
        symlink("nsswitch.conf", &link).unwrap();
        assert_eq!(below(inside.path()).unwrap_err().code, Code::UntrustedFile, "a link to itself");
        std::fs::remove_file(&link).unwrap();
        symlink("../../../../etc/subgid", &link).unwrap();
        assert!(below(inside.path()).is_ok(), "too many dots end at the root");
        symlink("passwd.real", inside.path().join("etc/passwd")).unwrap();
        assert_eq!(below(inside.path()).unwrap_err().code, Code::UntrustedFile);
    }

    #[test]
    fn a_rename_between_the_two_files_is_seen() {
        let tree = tree(&[("etc/subuid", "a:1:1\n"), ("etc/subgid", "a:1:1\n")]);
        let root = Root::below(tree.path()).unwrap();
        let mut reader = Reader { root: &root, pair: Vec::new(), troubled: false };
        reader.read().unwrap();
        assert!(reader.still_true());
        std::fs::write(tree.path().join("etc/new"), "a:1:1\n").unwrap();
        std::fs::rename(tree.path().join("etc/new"), tree.path().join("etc/subgid")).unwrap();
        assert!(!reader.still_true(), "equal content, another file");
        std::fs::remove_file(tree.path().join("etc/subuid")).unwrap();
        assert!(!reader.still_true());
    }

    #[test]
    fn rereading_keeps_what_was_asked() {
        let tree = tree(&[("etc/passwd", "a:x:1:1:::\n")]);
        let root = Root::below(tree.path()).unwrap();
        let mut before = snapshot(&root).unwrap();
        let mut lena = before.accounts.by_name(b"a").unwrap().clone();
        lena = crate::snapshot::Account {
            name: crate::range::Login::new(b"lena").unwrap(),
            uid: crate::range::Uid::new(5000),
            source: Source::Nss,
            ..lena
        };
        before.accounts.add_user(lena);
        before.accounts.lookups.asked.insert((Kind::Uid, 7));
        let range = crate::range::Range::single(100_000);
        before.released =
            vec![crate::snapshot::Released { kind: Kind::Uid, owner: b"a".to_vec(), uid: None, range }];
        std::fs::write(tree.path().join("etc/passwd"), "b:x:2:2:::\n").unwrap();
        let after = reread(&root, &before).unwrap();
        assert!(after.accounts.by_name(b"lena").is_some() && after.accounts.by_name(b"b").is_some());
        assert!(after.accounts.by_name(b"a").is_none());
        assert_eq!(after.accounts.lookups.asked.len(), 1);
        assert_eq!(after.released, before.released);
    }
}
