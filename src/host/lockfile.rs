//! Whose a `subuid.lock` is, as shadow makes it (lib/commonio.c, `do_lock_file`): a file that holds the pid
//! in decimal and one NUL.

use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, fstat};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Clocks of files tick coarsely, and those of processes in hundredths of a second.
const SLACK: Duration = Duration::from_secs(2);

/// Who made a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A process that is gone.
    Gone(i32),
    /// A process that is gone, and whose pid another has now: it is younger than the lock, or the lock is
    /// from before this boot. shadow, which only asks whether the pid lives, waits for it in vain.
    Reused(i32),
    /// A process that lives and may hold it.
    Alive(i32),
    /// Nobody can tell; what is wrong with the file.
    Unknown(&'static str),
}

/// Who holds the lock that is open here, and how old it is.
///
/// # Errors
/// What fstat and read give.
pub fn holder(file: impl AsFd) -> nix::Result<(Holder, Duration)> {
    let stat = fstat(&file)?;
    let age = age(&stat);
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Ok((Holder::Unknown("is not a regular file"), age));
    }
    let mut content = [0; 32];
    let len = crate::sys::retry(|| nix::unistd::read(&file, &mut content))?;
    let content = content.get(..len).unwrap_or_default();
    if content.is_empty() {
        return Ok((Holder::Unknown("is empty"), age));
    }
    let Some(pid) = pid(content) else { return Ok((Holder::Unknown("does not hold a pid"), age)) };
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Ok((Holder::Gone(pid), age));
    }
    let boot = since_boot();
    let predates_boot = boot.is_some_and(|up| age > up + SLACK);
    let younger = boot.zip(started(pid)).is_some_and(|(up, start)| {
        // How long the process has run, against how long the lock has been there.
        up.checked_sub(start).is_some_and(|ran| age > ran + SLACK)
    });
    Ok((if predates_boot || younger { Holder::Reused(pid) } else { Holder::Alive(pid) }, age))
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
