//! `nsswitch.conf` as its two readers take it: glibc (`nss/nss_database.c`) for accounts, shadow (lib/nss.c)
//! for subordinate IDs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::Root;
use crate::snapshot::{Nsswitch, Service, SubidModule};

/// Shadow refuses longer module names and uses the files (lib/nss.c).
const LONGEST_MODULE: usize = 50;

/// Sources that hold no accounts but those of the files. `systemd` makes up transient users and root and
/// nobody, in ranges that are reserved anyway (UIDS-GIDS.md of systemd).
const LOCAL: [&str; 3] = ["files", "compat", "systemd"];

/// What the file says of accounts and subordinate IDs. `path` is its name in messages. Whether a module can
/// be loaded is not in the file: see [`find_module`].
pub fn parse_nsswitch(path: &str, bytes: &[u8]) -> Nsswitch {
    let subid = subid(bytes);
    let module = subid.sources.first().filter(|name| *name != "files");
    let last = bytes.split(|b| *b == b'\n').count();
    let touches_end = subid.sources.len() == 1 && bytes.last().is_some_and(|b| !b.is_ascii_whitespace());
    Nsswitch {
        subid_unterminated: touches_end && subid.line == last,
        path: path.to_owned(),
        passwd: service(bytes, b"passwd"),
        group: service(bytes, b"group"),
        subid_module: module.map(|name| SubidModule { name: name.clone(), found: false }),
        subid,
    }
}

/// Whether accounts come from anywhere but the files. Where there is no line, glibc reads the files alone.
/// `includes`: passwd or group has `+` lines, through which `compat` asks a directory.
pub(super) fn names_directory(nsswitch: &Nsswitch, includes: bool) -> bool {
    let mut sources = nsswitch.passwd.sources.iter().chain(&nsswitch.group.sources);
    sources.any(|source| !LOCAL.contains(&source.as_str()) || (source == "compat" && includes))
}

/// The sources to ask beyond the files, in the syntax of nsswitch.conf; empty where there is none. One that
/// does not answer ends the look-up: else the 'not found' of the next would stand for its answer. `compat`
/// is among them, for its `+` lines.
pub(super) fn beyond_files(sources: &[String]) -> String {
    let beyond = sources.iter().filter(|source| !matches!(source.as_str(), "files" | "systemd"));
    let asked: Vec<String> = beyond.map(|name| format!("{name} [UNAVAIL=return TRYAGAIN=return]")).collect();
    asked.join(" ")
}

/// A database's sources. Of several lines glibc takes the last one since 2.34 and the first one before: all
/// their sources count here, since asking too many is the safe side.
fn service(bytes: &[u8], database: &[u8]) -> Service {
    let mut service = Service::default();
    for (line, number) in bytes.split(|b| *b == b'\n').zip(1..) {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii_start();
        let ends = |b: &u8| *b == b':' || b.is_ascii_whitespace();
        let name_len = line.iter().position(ends).unwrap_or(line.len());
        let (name, rest) = line.split_at(name_len);
        if name == database && !rest.is_empty() {
            service.sources.extend(sources(rest));
            service.line = number;
        }
    }
    service
}

/// The words of a line's right side, without `[NOTFOUND=return]` and its like, which may hold blanks.
fn sources(rest: &[u8]) -> Vec<String> {
    let mut inside = false;
    let without_actions: Vec<u8> = rest
        .iter()
        .map(|b| {
            inside = *b == b'[' || (inside && *b != b']');
            if inside || matches!(b, b']' | b':') { b' ' } else { *b }
        })
        .collect();
    let words = without_actions.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.map(crate::text::escape).collect()
}

/// The `subid:` line: the first that begins in column 0, in any case, and has a word behind it.
fn subid(bytes: &[u8]) -> Service {
    let lines = bytes.split(|b| *b == b'\n').zip(1..);
    let mut found = lines.filter_map(|(line, number)| {
        let (name, rest) = line.split_at_checked(6)?;
        let mut words = rest.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty()).peekable();
        words.peek()?;
        let sources = words.map(crate::text::escape).collect();
        name.eq_ignore_ascii_case(b"subid:").then_some(Service { sources, line: number })
    });
    found.next().unwrap_or_default()
}

/// Whether the running system's loader finds `libsubid_NAME.so`, as shadow asks for it: in the loader's own
/// folders, or where its cache (`/etc/ld.so.cache`, made from `/etc/ld.so.conf`) says.
pub(super) fn find_module(name: &str, cache: &[u8]) -> bool {
    if name.len() > LONGEST_MODULE || name.contains('/') {
        return false;
    }
    let file = format!("libsubid_{name}.so");
    let cached = cache.split(|b| *b == 0).filter(|text| text.starts_with(b"/"));
    let mut cached = cached.map(|path| Path::new(OsStr::from_bytes(path)));
    // The loader follows links, and so do these.
    cached.any(|path| path.ends_with(&file) && path.is_file())
        || loader_folders().iter().any(|folder| folder.join(&file).is_file())
}

/// Whether a tree that is not the running system has the module in a folder of its loader's. The tree's cache
/// is not asked: what it says was true where it was made.
pub(super) fn find_module_below(root: &Root, name: &str) -> bool {
    if name.len() > LONGEST_MODULE || name.contains('/') {
        return false;
    }
    let mut folders: Vec<String> = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"].map(str::to_owned).to_vec();
    for parent in ["/lib", "/usr/lib"] {
        let names = root.list(parent).unwrap_or_default().into_iter();
        let names = names.filter_map(|name| String::from_utf8(name).ok());
        folders.extend(names.filter(|name| name.contains("-linux-")).map(|name| format!("{parent}/{name}")));
    }
    // A module may be a link to its version; whether that is there is not asked.
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    folders
        .iter()
        .any(|folder| root.open(&format!("{folder}/libsubid_{name}.so"), flags, Mode::empty()).is_ok())
}

/// Folders that the loader searches whatever its cache says: one of the first four, and on Debian and its
/// like `/usr/lib/x86_64-linux-gnu`.
fn loader_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        ["/lib", "/usr/lib", "/lib64", "/usr/lib64"].iter().map(PathBuf::from).collect();
    for parent in ["/lib", "/usr/lib"] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(
            entries.filter(|e| e.file_name().to_string_lossy().contains("-linux-")).map(|e| e.path()),
        );
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Nsswitch {
        parse_nsswitch("/etc/nsswitch.conf", text.as_bytes())
    }

    #[test]
    fn actions_and_comments_are_no_sources() {
        let switch = parsed(
            "# passwd: nis\n passwd:\tfiles [NOTFOUND=return SUCCESS=continue] sss # ldap\n\
             passwd_compat: nis\nPASSWD: x\ngroup : files systemd\n",
        );
        assert_eq!(switch.passwd, Service { sources: vec!["files".into(), "sss".into()], line: 2 });
        assert_eq!(switch.group, Service { sources: vec!["files".into(), "systemd".into()], line: 5 });
        assert_eq!(switch.subid_module, None);
        let twice = parsed("passwd: files sss\npasswd: files\n");
        assert_eq!((twice.passwd.sources.len(), twice.passwd.line), (3, 2));
    }

    #[test]
    fn a_directory_is_anything_but_the_files() {
        for (text, includes, expected) in [
            ("", false, false),
            ("passwd: files systemd\ngroup: compat\n", false, false),
            ("passwd: compat\n", true, true),
            ("passwd: files\n", true, false),
            ("passwd: files\ngroup: files winbind\n", false, true),
            ("passwd: files[NOTFOUND=return]sss", false, true),
            ("hosts: files dns\n", false, false),
        ] {
            assert_eq!(names_directory(&parsed(text), includes), expected, "{text}");
        }
    }

    #[test]
    fn a_source_without_an_answer_ends_the_search() {
        let sources = ["sss", "files", "compat", "systemd"].map(str::to_owned);
        let stop = "[UNAVAIL=return TRYAGAIN=return]";
        assert_eq!(beyond_files(&sources), format!("sss {stop} compat {stop}"));
        assert_eq!(beyond_files(&["files".to_owned()]), "");
    }

    #[test]
    fn shadow_takes_the_first_subid_line_with_a_word() {
        for (text, module, line) in [
            ("subid: files sss\n", None, 1),
            ("subid:files\n", None, 1),
            (" subid: sss\n#subid: sss\nsubid:\n", None, 0),
            ("SubID:\t sss files\nsubid: files\n", Some("sss"), 1),
            ("subid:  \nsubid: ipa\n", Some("ipa"), 2),
            ("subid : sss\n", None, 0),
            ("subid: # sss\n", Some("#"), 1),
        ] {
            let switch = parsed(text);
            assert_eq!(switch.subid_module.map(|m| m.name).as_deref(), module, "{text:?}");
            assert_eq!(switch.subid.line, line, "{text:?}");
        }
    }

    #[test]
    fn a_word_that_ends_the_file_is_seen() {
        for (text, expected) in [
            ("subid: sss", true),
            ("passwd: files\nsubid: sss", true),
            ("subid: sss\n", false),
            ("subid: sss ", false),
            ("subid: sss files", false),
            ("subid: sss\npasswd: files", false),
            ("", false),
        ] {
            assert_eq!(parsed(text).subid_unterminated, expected, "{text:?}");
        }
    }

    #[test]
    fn modules_are_looked_for_where_the_loader_looks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libsubid_zz.so");
        let cache = format!("x\0libsubid_zz.so\0{}\0y", file.display());
        assert!(!find_module("zz", cache.as_bytes()), "in the cache but gone");
        std::fs::write(&file, "").unwrap();
        assert!(find_module("zz", cache.as_bytes()));
        assert!(!find_module("zz", b""));
        assert!(!find_module("z", cache.as_bytes()));
        assert!(!find_module(&"z".repeat(51), cache.as_bytes()));
    }
}
