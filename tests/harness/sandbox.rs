//! A system of a test's own: private mounts, processes and accounts; real tools.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{Output, Terminal, Trace};

/// Seconds that a command may take unless the test says otherwise.
const DEADLINE: u32 = 60;

/// What a sandbox is to look like. Without further words: the host's system accounts, no other account,
/// empty `/etc/subuid` and `/etc/subgid`, `passwd: files` and `group: files`, and Debian's values in `login.defs`.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Builder {
    users: Vec<(String, u32)>,
    files: Vec<(String, Option<Vec<u8>>)>,
    tree: Option<PathBuf>,
    system: Option<PathBuf>,
}

/// A running sandbox. Everything in it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Sandbox {
    unshare: Child,
    /// Held open for as long as the sandbox's init is to live.
    hold: Option<ChildStdin>,
}

/// One user's commands in a sandbox.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Session<'a> {
    sandbox: &'a Sandbox,
    user: Option<&'a str>,
    deadline: u32,
}

/// Content, inode and modification time of a file; `None` where there is none.
pub(crate) type FileState = Option<(Vec<u8>, u64, (i64, i64))>;

impl Builder {
    /// An account with a home folder, a runtime folder, a group of its own and a locked password.
    pub(crate) fn user(mut self, name: &str, uid: u32) -> Self {
        self.users.push((name.to_owned(), uid));
        self
    }

    /// A file of the sandbox, mode 0644, root's. An empty path component or a link in it is the test's fault.
    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), Some(content.as_ref().to_vec())));
        self
    }

    /// Takes a file of the host away.
    pub(crate) fn without(mut self, path: &str) -> Self {
        self.files.push((path.to_owned(), None));
        self
    }

    /// The same content for `/etc/subuid` and `/etc/subgid`.
    pub(crate) fn subids(self, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.file("/etc/subuid", content).file("/etc/subgid", content)
    }

    /// A folder of the host that the sandbox sees, writable, at `/srv`. What is written there is lost.
    pub(crate) fn tree(mut self, path: &Path) -> Self {
        self.tree = Some(path.to_owned());
        self
    }

    /// Another release's tree in the host's place, with its own tools and libraries; `None` is the host.
    pub(crate) fn system(mut self, tree: Option<&Path>) -> Self {
        self.system = tree.map(Path::to_owned);
        self
    }

    /// Builds and starts it.
    pub(crate) fn start(self) -> Sandbox {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            include_str!("sandbox.sh"),
        ]);
        command.args(["sandbox", env!("CARGO_BIN_EXE_subidctl")]);
        command.args([self.tree, self.system].map(Option::unwrap_or_default));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env_clear().env("PATH", PATH);
        let mut unshare = command.spawn().unwrap();
        let hold = unshare.stdin.take();
        let mut ready = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let sandbox = Sandbox { unshare, hold };
        assert_eq!(ready, "ready\n", "no sandbox could be built");

        sandbox.accounts(&self.users);
        sandbox.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\ngshadow: files\n");
        for path in ["/etc/subuid", "/etc/subgid"] {
            sandbox.write(path, "");
        }
        sandbox.write("/etc/login.defs", LOGIN_DEFS);
        for stale in ["/etc/subuid-", "/etc/subgid-", "/etc/subidctl", "/var/lib/subidctl"] {
            sandbox.remove(stale);
        }
        for (path, content) in &self.files {
            match content {
                Some(bytes) => sandbox.write(path, bytes),
                None => sandbox.remove(path),
            }
        }
        sandbox
    }
}

/// What matters of Debian's.
const LOGIN_DEFS: &str = "\
MAIL_DIR        /var/mail
UMASK           022
PASS_MAX_DAYS   99999
UID_MIN          1000
UID_MAX         60000
SUB_UID_MIN        100000
SUB_UID_MAX     600100000
SUB_UID_COUNT       65536
GID_MIN          1000
GID_MAX         60000
SUB_GID_MIN        100000
SUB_GID_MAX     600100000
SUB_GID_COUNT       65536
USERGROUPS_ENAB yes
ENCRYPT_METHOD SHA512
";

/// What every command gets; nothing of the caller's environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Sandbox {
    /// A sandbox to describe and [`Builder::start`].
    // The builder is the way in; a `Builder::new` would be one more name for it.
    #[allow(clippy::new_ret_no_self)]
    pub(crate) fn new() -> Builder {
        Builder::default()
    }

    /// Runs a shell command as root.
    #[must_use = "say what it should have done: ok(), exits(CODE)"]
    pub(crate) fn run(&self, command: &str) -> Output {
        self.session(None).run(command)
    }

    /// Commands as this user, through su.
    pub(crate) fn as_user<'a>(&'a self, user: &'a str) -> Session<'a> {
        self.session(Some(user))
    }

    /// Root's commands, with another deadline.
    pub(crate) fn within(&self, seconds: u32) -> Session<'_> {
        Session { deadline: seconds, ..self.session(None) }
    }

    /// A shell command of root's on a terminal of its own.
    pub(crate) fn terminal(&self, command: &str) -> Terminal {
        self.wide_terminal(command, 120)
    }

    /// The same on a terminal of so many columns.
    pub(crate) fn wide_terminal(&self, command: &str, columns: u16) -> Terminal {
        Terminal::start(command, columns, |deadline| self.enter(&["setsid", "--ctty", "--wait"], deadline))
    }

    /// Runs a shell command as root under strace, following its children.
    pub(crate) fn traced(&self, calls: &str, command: &str) -> (Output, Trace) {
        self.write("/tmp/traced.sh", command);
        let strace =
            format!("strace -f -qq -s 256 -e trace={calls} -e signal=none -o /tmp/trace sh /tmp/traced.sh");
        let output = self.run(&strace);
        (output, Trace::parse(&String::from_utf8_lossy(&self.read("/tmp/trace").unwrap())))
    }

    /// The process that made the sandbox and waits for its init.
    pub(super) fn pid(&self) -> u32 {
        self.unshare.id()
    }

    /// A path of the sandbox as the test sees it.
    pub(super) fn host_path(&self, path: &str) -> PathBuf {
        assert!(path.starts_with('/'), "{path} is not absolute");
        PathBuf::from(format!("/proc/{}/root{path}", self.unshare.id()))
    }

    /// A file's content. Never follows a link: its target would be the host's.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.state(path).map(|(bytes, ..)| bytes)
    }

    /// A file's content as text.
    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.read(path).unwrap_or_else(|| panic!("{path} does not exist"))).unwrap()
    }

    /// Content, inode and modification time, to see that nothing changed.
    pub(crate) fn state(&self, path: &str) -> FileState {
        let host = self.host_path(path);
        let meta = std::fs::symlink_metadata(&host).ok()?;
        assert!(meta.is_file(), "{path} is not a regular file");
        Some((std::fs::read(&host).unwrap(), meta.ino(), (meta.mtime(), meta.mtime_nsec())))
    }

    /// [`Sandbox::state`] of `/etc/subuid` and `/etc/subgid`.
    pub(crate) fn id_files(&self) -> [FileState; 2] {
        ["/etc/subuid", "/etc/subgid"].map(|path| self.state(path))
    }

    /// The content of `/etc/subuid` and `/etc/subgid`.
    pub(crate) fn id_text(&self) -> [String; 2] {
        ["/etc/subuid", "/etc/subgid"].map(|path| self.text(path))
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.host_path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Writes a file, mode 0644, root's, in place of whatever was there.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.remove(path);
        let host = self.host_path(path);
        std::fs::create_dir_all(host.parent().unwrap()).unwrap();
        std::fs::write(&host, content).unwrap();
        std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Removes a file or folder if it is there.
    pub(crate) fn remove(&self, path: &str) {
        let host = self.host_path(path);
        match std::fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(&host).unwrap(),
            Ok(_) => std::fs::remove_file(&host).unwrap(),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{path}"),
        }
    }

    /// The system's own accounts and the test's, so that no account of the machine decides a test.
    fn accounts(&self, users: &[(String, u32)]) {
        let system = |path: &str| -> String {
            let id = |line: &str| line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok());
            let keep = |line: &&str| id(line).is_some_and(|id| id < 1000 || id == 65534);
            self.text(path).lines().filter(keep).fold(String::new(), |all, line| {
                let mut fields: Vec<&str> = line.split(':').collect();
                if path == "/etc/group" {
                    // Members are accounts of the machine.
                    fields[3] = "";
                }
                all + &fields.join(":") + "\n"
            })
        };
        let (mut passwd, mut group) = (system("/etc/passwd"), system("/etc/group"));
        let (mut shadow, mut gshadow) = (String::new(), String::new());
        for line in passwd.lines() {
            writeln!(shadow, "{}:*:19000:0:99999:7:::", line.split(':').next().unwrap()).unwrap();
        }
        for line in group.lines() {
            writeln!(gshadow, "{}:*::", line.split(':').next().unwrap()).unwrap();
        }
        for (name, uid) in users {
            writeln!(passwd, "{name}:x:{uid}:{uid}::/home/{name}:/bin/sh").unwrap();
            writeln!(group, "{name}:x:{uid}:").unwrap();
            writeln!(shadow, "{name}:!:19000:0:99999:7:::").unwrap();
            writeln!(gshadow, "{name}:!::").unwrap();
        }
        for (name, content) in
            [("passwd", passwd), ("group", group), ("shadow", shadow), ("gshadow", gshadow)]
        {
            self.write(&format!("/etc/{name}"), content);
        }
        for name in ["shadow", "gshadow"] {
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(self.host_path(&format!("/etc/{name}")), private).unwrap();
        }
        for (name, uid) in users {
            for folder in [format!("/home/{name}"), format!("/run/user/{uid}")] {
                let host = self.host_path(&folder);
                std::fs::create_dir_all(&host).unwrap();
                std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o700)).unwrap();
                chown(&host, Some(*uid), Some(*uid)).unwrap();
            }
        }
    }

    fn session<'a>(&'a self, user: Option<&'a str>) -> Session<'a> {
        Session { sandbox: self, user, deadline: DEADLINE }
    }

    /// A command that runs in the sandbox as root, with a deadline. Its last argument is still missing: the
    /// shell command.
    fn enter(&self, before: &[&str], deadline: u32) -> Command {
        let unshare = self.unshare.id();
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{unshare}/ns/mnt"));
        command.arg(format!("--pid=/proc/{unshare}/ns/pid_for_children"));
        command.args(["--", "env", "--chdir=/"]).args(before);
        // `--foreground`: a command that reads its terminal must stay in the foreground.
        command.args(["timeout", "--foreground", "--kill-after=5", &deadline.to_string(), "sh", "-c"]);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("HOME", "/root")
            .env("TERM", "xterm");
        command.stdin(Stdio::null());
        command
    }
}

impl Session<'_> {
    /// Runs a shell command.
    ///
    /// # Panics
    /// When it takes longer than its deadline.
    #[track_caller]
    #[must_use = "say what it should have done: ok(), exits(CODE)"]
    pub(crate) fn run(&self, command: &str) -> Output {
        let mut entered = self.sandbox.enter(&[], self.deadline);
        match self.user {
            None => entered.arg(command),
            Some(user) => {
                let uid = self.sandbox.uid(user);
                entered.env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
                entered.args(["exec su -s /bin/sh -c \"$1\" \"$0\"", user, command])
            }
        };
        let shown = format!("{}: {command}", self.user.unwrap_or("root"));
        let output = Output::of(&shown, &mut entered);
        assert!(![124, 137].contains(&output.code), "more than {} s\n{output}", self.deadline);
        output
    }

    /// Another deadline, in seconds.
    pub(crate) fn within(self, seconds: u32) -> Self {
        Self { deadline: seconds, ..self }
    }
}

impl Sandbox {
    fn uid(&self, user: &str) -> u32 {
        let passwd = self.text("/etc/passwd");
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
        line.and_then(|line| line.split(':').nth(2)?.parse().ok()).unwrap_or_else(|| panic!("no user {user}"))
    }
}

impl Drop for Sandbox {
    /// Ends the init by closing its input; the kernel then ends every process of the namespace before unshare
    /// returns. Where that takes too long, ends unshare by its pid.
    fn drop(&mut self) {
        drop(self.hold.take());
        for _ in 0..500 {
            if !matches!(self.unshare.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        drop(self.unshare.kill());
        drop(self.unshare.wait());
    }
}
