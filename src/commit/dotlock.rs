//! `/etc/subuid.lock` and `/etc/subgid.lock` as shadow has them (lib/commonio.c, `do_lock_file`): a file
//! that holds the pid in decimal and one NUL, and exists only while the lock is held.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, fstat};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::folder::Folder;

/// Clocks of files tick coarsely, and those of processes in hundredths of a second.
const SLACK: Duration = Duration::from_secs(2);

/// A lock that is ours until [`Dotlock::release`].
#[derive(Debug)]
pub(super) struct Dotlock {
    name: &'static str,
    /// Held open, so that its inode cannot be given to another file.
    file: File,
}

/// What an attempt at a lock gave.
pub(super) enum Attempt {
    Ours(Dotlock),
    /// Another's.
    Held(Held),
}

/// A lock that cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Who has it, in one sentence.
    pub(super) why: String,
    /// What ends that.
    pub(super) fix: String,
}

impl Held {
    /// By a process that will be done.
    pub(super) fn by(pid: i32, path: &str, age: &str) -> Self {
        let holder = format!("pid {pid} ({})", command(pid));
        Self {
            fix: format!("wait until {holder} is done, or give it more time with --lock-timeout"),
            why: format!("{path} is held by {holder}{age}"),
        }
    }

    /// By nobody who could be seen: only a person can tell that it is left over.
    pub(super) fn unknown(why: String, full: &std::path::Path) -> Self {
        let remove = crate::text::shell_word(full.as_os_str().as_encoded_bytes())
            .map_or_else(|| "remove it".to_owned(), |path| format!("sudo rm {path}"));
        Self {
            why,
            fix: format!("see that no useradd, usermod or the like is running (ps -e), then {remove}"),
        }
    }
}

/// Who made an existing lock.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// Surely gone.
    Gone,
    /// Alive, or nobody knows.
    Unsure(Held),
}

/// Tries to take a lock. A lock whose holder is surely gone is taken over, which is safe only while
/// `.pwd.lock` is held: the caller must hold it.
pub(super) fn take(etc: &Folder, name: &'static str) -> nix::Result<Attempt> {
    let content = format!("{}\0", std::process::id());
    // A lock may vanish, or another may be made, between our calls; more than a few times is somebody
    // who works without .pwd.lock, and then waiting is better.
    for _ in 0..3 {
        match etc.appear(name, &format!(".subidctl.{name}"), content.as_bytes(), 0o600) {
            Ok(file) => return Ok(Attempt::Ours(Dotlock { name, file })),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        match etc.open(name, OFlag::O_RDONLY) {
            Err(Errno::ENOENT) => {}
            Err(errno) => {
                let why = format!("{} cannot be read: {}", shown(etc, name), errno.desc());
                return Ok(Attempt::Held(Held::unknown(why, &etc.full(name))));
            }
            Ok(file) => match holder(etc, name, &file)? {
                Holder::Unsure(held) => return Ok(Attempt::Held(held)),
                Holder::Gone if etc.is(name, &file)? => etc.remove(name)?,
                Holder::Gone => {}
            },
        }
    }
    let why = format!("{} is taken again and again", shown(etc, name));
    Ok(Attempt::Held(Held { why, fix: "wait until the other programs are done".to_owned() }))
}

impl Dotlock {
    /// Removes the lock if it is still ours: somebody may have taken it over. One that cannot be removed is a
    /// note: it names a process that will soon be gone, so the next program that needs it takes it over.
    pub(super) fn release(self, etc: &Folder) -> Option<String> {
        if !etc.is(self.name, &self.file).unwrap_or(false) {
            return None;
        }
        let errno = etc.remove(self.name).err()?;
        let path = shown(etc, self.name);
        Some(format!("{path} could not be removed ({}); the next program to lock it will", errno.desc()))
    }
}

fn holder(etc: &Folder, name: &str, file: impl AsFd) -> nix::Result<Holder> {
    let stat = fstat(&file)?;
    let path = shown(etc, name);
    let age = age(&stat);
    let since = format!("{} s old", age.as_secs());
    let unsure = |why| Holder::Unsure(Held::unknown(why, &etc.full(name)));
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Ok(unsure(format!("{path} is not a regular file")));
    }
    let mut content = [0; 32];
    let len = crate::sys::retry(|| nix::unistd::read(&file, &mut content))?;
    let content = content.get(..len).unwrap_or_default();
    if content.is_empty() {
        return Ok(unsure(format!("{path} is empty and {since}; shadow never takes it over")));
    }
    let Some(pid) = pid(content) else {
        return Ok(unsure(format!("{path} does not hold a pid and is {since}; shadow never takes it over")));
    };
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Ok(Holder::Gone);
    }
    let boot = since_boot();
    let predates_boot = boot.is_some_and(|up| age > up + SLACK);
    let younger = boot.zip(started(pid)).is_some_and(|(up, start)| {
        // How long the process has run, against how long the lock has been there.
        up.checked_sub(start).is_some_and(|ran| age > ran + SLACK)
    });
    if predates_boot || younger {
        return Ok(Holder::Gone);
    }
    Ok(Holder::Unsure(Held::by(pid, &path, &format!(" and {since}"))))
}

/// A pid as shadow reads it: decimal, at least 1, then nothing or NULs.
fn pid(content: &[u8]) -> Option<i32> {
    let end = content.iter().position(|b| *b == 0).unwrap_or(content.len());
    let text = std::str::from_utf8(content.get(..end)?).ok()?;
    text.parse().ok().filter(|pid| *pid >= 1 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// How long ago the lock was made; 0 where its time lies ahead.
fn age(stat: &FileStat) -> Duration {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    SystemTime::now().duration_since(UNIX_EPOCH + Duration::new(seconds, nanos)).unwrap_or_default()
}

fn since_boot() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from)
}

/// When a process was started, since boot: field 22 of `/proc/PID/stat` (`proc_pid_stat(5)`), in clock ticks.
fn started(pid: i32) -> Option<Duration> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command, in parentheses, may hold anything; after the last one field 3 begins.
    let rest = stat.get(stat.iter().rposition(|b| *b == b')')? + 1..)?;
    let ticks: u64 = std::str::from_utf8(rest).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let hertz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(Duration::from_millis(ticks.checked_mul(1000)? / u64::try_from(hertz).ok().filter(|h| *h > 0)?))
}

/// The command of a process, escaped.
fn command(pid: i32) -> String {
    match std::fs::read(format!("/proc/{pid}/comm")) {
        Ok(comm) => crate::text::escape(comm.trim_ascii_end()),
        Err(_) => "unknown command".to_owned(),
    }
}

fn shown(etc: &Folder, name: &str) -> String {
    crate::text::path(&etc.full(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn folder() -> (tempfile::TempDir, Folder) {
        let tree = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(tree.path()).unwrap();
        let folder = Folder::new(dir.into(), tree.path().to_owned());
        (tree, folder)
    }

    fn attempt(content: &[u8], seconds_old: u64) -> Result<(), String> {
        let (tree, folder) = folder();
        let path = tree.path().join("subuid.lock");
        std::fs::write(&path, content).unwrap();
        let made = SystemTime::now() - Duration::from_secs(seconds_old);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(made).unwrap();
        match take(&folder, "subuid.lock").unwrap() {
            Attempt::Held(who) => {
                assert_eq!(std::fs::read(&path).unwrap(), content);
                Err(who.why)
            }
            Attempt::Ours(lock) => {
                assert_eq!(std::fs::read(&path).unwrap(), format!("{}\0", std::process::id()).as_bytes());
                assert_eq!(lock.release(&folder), None);
                assert!(!path.exists());
                Ok(())
            }
        }
    }

    #[test]
    fn only_a_lock_whose_holder_is_surely_gone_is_taken_over() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let alive = format!("{}\0", child.id());
        let held = attempt(alive.as_bytes(), 0).unwrap_err();
        assert!(held.contains(&format!("pid {} (", child.id())), "{held}");
        // The pid was given to a process that is younger than the lock.
        assert_eq!(attempt(alive.as_bytes(), 3600), Ok(()));
        assert!(attempt(b"1\0", 0).is_err());
        // From before this boot.
        assert_eq!(attempt(b"1\0", 10 * 365 * 86_400), Ok(()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(attempt(alive.as_bytes(), 0), Ok(()));
        assert!(attempt(b"", 10_000_000).unwrap_err().contains("empty"));
        assert!(attempt(b"999999\n", 10_000_000).unwrap_err().contains("does not hold a pid"));
        assert!(attempt(b"+1", 0).is_err());
    }

    #[test]
    fn a_lock_that_was_taken_over_is_left_alone() {
        let (tree, folder) = folder();
        let Attempt::Ours(lock) = take(&folder, "subuid.lock").unwrap() else { panic!("not taken") };
        let path = tree.path().join("subuid.lock");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "other").unwrap();
        assert_eq!(lock.release(&folder), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
    }
}
