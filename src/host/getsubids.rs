//! Subordinate IDs of a directory (`subid: sss`), asked for through shadow's own getsubids: newuidmap gets
//! the same answer from the same library.

use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Root;
use super::helpers::find;
use crate::error::{Code, Error, Result};
use crate::range::{Count, Kind, Login, PerKind, Range, SubId};
use crate::snapshot::Snapshot;
use crate::text::{escape, shell_word};

const PROGRAM: &str = "getsubids";

/// A directory that is slower than this, for one user, does not answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// The longest answer: 10,000 ranges of the longest name.
const LARGEST: u64 = 4 << 20;

/// The ranges that the directory of nsswitch.conf's `subid:` line gives a user, in its order; empty where
/// it gives none, or does not answer: getsubids and newuidmap cannot tell these apart. Nobody can ask for
/// all users, and not every such directory tells whose an ID is.
///
/// # Errors
/// `lookup-failed` where getsubids is missing, is not to be trusted, does not end in time, or answers what
/// cannot be understood.
pub fn directory_ranges(root: &Root, snapshot: &Snapshot, user: &Login) -> Result<PerKind<Vec<Range>>> {
    let (program, facts) = find(root, PROGRAM)?;
    let program = program.ok_or_else(|| {
        let why = match (&facts.path, &facts.untrusted) {
            (Some(path), Some(why)) => format!("{path} cannot be trusted: {why}"),
            _ => format!("{PROGRAM} is not installed"),
        };
        failed(snapshot, user, &why).fix("install shadow's getsubids (Debian: apt-get install uidmap)")
    })?;
    PerKind::try_from_fn(|kind| {
        let answer = run(&program, kind, user).map_err(|why| {
            let fix = match shell_word(user.as_bytes()) {
                Some(name) => format!("see that the directory answers: {PROGRAM} {name}"),
                None => "see that the directory answers".to_owned(),
            };
            failed(snapshot, user, &why).fix(fix)
        })?;
        let Some(answer) = answer else { return Ok(Vec::new()) };
        parse(&answer, user).map_err(|line| {
            failed(snapshot, user, &format!("{PROGRAM} says what cannot be understood: {}", escape(&line)))
                .fix("see what the directory holds for this user")
        })
    })
}

fn failed(snapshot: &Snapshot, user: &Login, why: &str) -> Error {
    let switch = &snapshot.nsswitch;
    let sources = switch.subid.sources.join(" ");
    Error::new(Code::LookupFailed, format!("nobody knows which subordinate IDs {user} has"))
        .why(format!("{why} ({} line {}, subid: {sources})", switch.path, switch.subid.line))
}

/// What getsubids prints; `None` where it says that there is nothing. With nothing of our environment, and
/// by the descriptor that was judged.
fn run(program: &OwnedFd, kind: Kind, user: &Login) -> std::result::Result<Option<Vec<u8>>, String> {
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    if kind == Kind::Gid {
        command.arg("-g");
    }
    command.arg(std::ffi::OsStr::from_bytes(user.as_bytes())).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| format!("{PROGRAM} cannot be started: {e}"))?;
    let answer = read(&mut child, Instant::now() + DEADLINE);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| format!("{PROGRAM} is lost: {e}"))?;
    match (answer, status.code()) {
        (Err(why), _) => Err(why),
        (Ok(bytes), Some(0)) => Ok(Some(bytes)),
        (Ok(bytes), Some(1)) if bytes.is_empty() => Ok(None),
        (Ok(_), _) => Err(format!("{PROGRAM} failed ({status})")),
    }
}

/// Everything up to the end of its output.
fn read(child: &mut Child, end: Instant) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let Some(mut stdout) = child.stdout.take() else { return Ok(bytes) };
    let mut chunk = vec![0; 1 << 16];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) => return Err(format!("{PROGRAM} did not end within {} s", DEADLINE.as_secs())),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(format!("{PROGRAM} cannot be read: {}", errno.desc())),
            Ok(_) => {}
        }
        match stdout.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(error) => return Err(format!("{PROGRAM} cannot be read: {error}")),
        }
        if u64::try_from(bytes.len()).is_ok_and(|n| n > LARGEST) {
            return Err(format!("{PROGRAM} says too much"));
        }
    }
}

/// Lines `0: OWNER START COUNT`, the owner as it was asked for, which may hold blanks. Gives back the first
/// line that is anything else: an answer that is half understood is not understood.
fn parse(answer: &[u8], user: &Login) -> std::result::Result<Vec<Range>, Vec<u8>> {
    let lines = answer.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.zip(0_usize..).map(|(line, index)| range(line, index, user).ok_or_else(|| line.to_vec())).collect()
}

fn range(line: &[u8], index: usize, user: &Login) -> Option<Range> {
    let line = line.strip_prefix(format!("{index}: ").as_bytes())?;
    let numbers = std::str::from_utf8(line.strip_prefix(user.as_bytes())?.strip_prefix(b" ")?).ok()?;
    let (start, count) = numbers.split_once(' ')?;
    Range::new(SubId::parse(start)?, Count::parse(count)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_understood_whole_or_not_at_all() {
        let user = Login::new(r"CORP\domain user".as_bytes()).unwrap();
        let read = |text: &str| parse(text.as_bytes(), &user).map_err(|l| String::from_utf8(l).unwrap());
        let line = "0: CORP\\domain user 2147483648 65536\n";
        let range = Range::parse("2147483648:65536").unwrap();
        assert_eq!(read(line), Ok(vec![range]));
        assert_eq!(read(&format!("{line}1: CORP\\domain user 5 1\n")).unwrap()[1], Range::single(5));
        assert_eq!(read(""), Ok(Vec::new()));
        for bad in [
            "1: CORP\\domain user 5 1\n",
            "0: corp\\domain user 5 1\n",
            "0: CORP\\domain user 5\n",
            "0: CORP\\domain user 5 0\n",
            "0: CORP\\domain user -5 1\n",
            "0: CORP\\domain user 4294967295 2\n",
            "0: CORP\\domain user 18446744073709551615 1\n",
            "Error\n",
        ] {
            assert_eq!(read(bad), Err(bad.trim_end().to_owned()), "{bad}");
            assert!(read(&format!("{line}{line}{bad}")).is_err());
        }
    }

    #[test]
    fn a_program_ends_in_time_or_is_ended() {
        let shell = |script: &str| {
            Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap()
        };
        let soon = || Instant::now() + Duration::from_millis(200);
        let mut child = shell("echo a; exec sleep 10");
        assert!(read(&mut child, soon()).unwrap_err().contains("did not end"));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut child = shell("echo a; echo b");
        assert_eq!(read(&mut child, Instant::now() + DEADLINE).unwrap(), b"a\nb\n");
        child.wait().unwrap();
        let mut child = shell("yes");
        assert!(read(&mut child, Instant::now() + DEADLINE).unwrap_err().contains("too much"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
