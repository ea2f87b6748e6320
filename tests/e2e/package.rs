//! The Debian package: installed, removed and purged by the real dpkg and apt in another release's tree.
//! packaging/deb makes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Output, Sandbox, needs, skipped, tree};

/// The package of this version.
fn package() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/debian");
    let of_this = |name: &str| {
        name.starts_with(concat!("subidctl_", env!("CARGO_PKG_VERSION")))
            && name.strip_suffix(".deb").is_some()
    };
    let mut names = std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    names.find(|path| path.file_name().is_some_and(|name| of_this(&name.to_string_lossy())))
}

/// The package. Ends the test as skipped where it has not been made.
macro_rules! package {
    () => {
        match package() {
            Some(path) => path,
            None => return skipped("no package: packaging/deb makes it"),
        }
    };
}

#[test]
fn the_package_has_what_belongs_to_it() {
    needs!("dpkg-deb");
    let package = package!();
    let listed = Output::of("dpkg-deb -c", Command::new("dpkg-deb").arg("-c").arg(&package)).ok();
    let files: Vec<(&str, &str, &str)> = listed
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words[5].ends_with('/'))
        .map(|words| (words[0], words[1], words[5].trim_start_matches('.')))
        .collect();
    let has = |path: &str| files.iter().any(|(_, _, name)| *name == path);
    for path in [
        "/usr/bin/subidctl",
        "/usr/share/bash-completion/completions/subidctl",
        "/usr/share/zsh/vendor-completions/_subidctl",
        "/usr/share/fish/vendor_completions.d/subidctl.fish",
        "/usr/lib/tmpfiles.d/subidctl.conf",
        "/usr/share/doc/subidctl/copyright",
        "/usr/share/doc/subidctl/changelog.Debian.gz",
    ] {
        assert!(has(path), "no {path}\n{listed}");
    }
    // Every page and every template.
    for (folder, target, end) in [
        ("man", "/usr/share/man/man8/", "8"),
        ("man", "/usr/share/man/man5/", "5"),
        ("templates", "/usr/share/subidctl/templates/", ""),
    ] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        for name in std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
        {
            let name = name.file_name().unwrap().to_string_lossy().into_owned();
            let packed = if end.is_empty() { String::new() } else { ".gz".to_owned() };
            if name.ends_with(end) {
                assert!(has(&format!("{target}{name}{packed}")), "no {target}{name}\n{listed}");
            }
        }
    }
    // Nothing in /etc or /var: the policy is the admin's, the state the program's. Nothing setuid, nothing of others.
    for (mode, owner, path) in &files {
        assert!(path.starts_with("/usr/"), "{path}");
        assert_eq!(*owner, "0/0", "{path}");
        assert!(["-rw-r--r--", "-rwxr-xr-x"].contains(mode), "{mode} {path}");
    }
}

#[test]
fn the_package_is_without_error() {
    needs!("lintian");
    let package = package!();
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error", "--tag-display-limit", "0"]).arg(&package);
    Output::of("lintian", &mut lintian).ok();
}

/// A system with these files and the package, whose demo ran there; the folder is the package's way in. The harness
/// has the program in /usr/local/bin, first in PATH: the package's own is named by its path.
fn installed(package: &Path, system: &Path, files: &[(&str, &str)]) -> (tempfile::TempDir, Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(package, folder.path().join("subidctl.deb")).unwrap();
    let host = Sandbox::new().user("alice", 1001).system(Some(system)).tree(folder.path());
    let host = files.iter().fold(host, |host, (path, text)| host.file(path, text));
    let sandbox = host.subids("bob:100000:65536\n").start();
    sandbox.within(120).run("dpkg -i /srv/subidctl.deb").ok();
    sandbox.within(120).run("/usr/bin/subidctl demo").ok().says("host files unchanged");
    (folder, sandbox)
}

#[test]
fn it_is_installed_removed_and_purged() {
    needs!("unshare", "nsenter");
    let package = package!();
    let system = tree!("mid");
    let policy = ("/etc/subidctl/policy.toml", "count = 65536\n");
    let (_folder, sandbox) = installed(&package, &system, &[policy]);
    let files = "dpkg -L subidctl | grep -c /usr/share/man";
    sandbox.run(files).ok();
    sandbox.run("/usr/bin/subidctl apply --yes alice").ok();
    let changed = sandbox.id_files();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");

    let apt = |command: &str| {
        let all = format!("DEBIAN_FRONTEND=noninteractive apt-get -y {command} subidctl </dev/null");
        sandbox.within(120).run(&all).ok()
    };
    apt("remove");
    sandbox.run("test ! -e /usr/bin/subidctl && test -s /var/lib/subidctl/ledger.json").ok();
    assert_eq!(sandbox.text("/etc/subidctl/policy.toml"), "count = 65536\n");
    apt("purge");
    sandbox.run("test ! -e /etc/subidctl && test ! -e /var/lib/subidctl").ok();
    assert_eq!(sandbox.id_files(), changed, "removing the package changed subuid or subgid");
    sandbox.run("dpkg -l subidctl").exits(1);
}

#[test]
fn it_runs_on_the_oldest_system() {
    needs!("unshare", "nsenter", "dpkg-deb");
    let package = package!();
    let depends = Output::of("dpkg-deb -f", Command::new("dpkg-deb").arg("-f").arg(&package).arg("Depends"));
    if !depends.ok().stdout.contains("libgcc1") {
        return skipped("the package is for this system alone: packaging/deb --oldest makes the one for all");
    }
    let system = tree!("oldest");
    let (_folder, sandbox) = installed(&package, &system, &[]);
    sandbox.run("/usr/bin/subidctl apply --yes --verify alice").ok().says("works");
    assert_eq!(sandbox.text("/etc/subgid"), "bob:100000:65536\nalice:165536:65536\n");
    // It was not by a newer library that it ran.
    sandbox.run("ldd --version").ok().says("2.27");
    sandbox.as_user("alice").run("/usr/bin/subidctl verify").ok();
}
