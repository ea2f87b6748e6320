//! One line in the system's log for each commit, and what a hook has to say.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use super::recovery::Recovered;
use crate::state::HistoryEntry;

/// `authpriv.info` (syslog(3)): facility 10, severity 6.
const INFO: u32 = 10 << 3 | 6;
/// `authpriv.warning`.
const WARNING: u32 = 10 << 3 | 4;
const SOCKET: &str = "/dev/log";

/// Logs a transaction. Never waits: a log that takes nothing is a note, not a failure.
pub(super) fn committed(entry: &HistoryEntry) -> Option<String> {
    let lines: usize = entry.files.iter().filter_map(|(_, f)| f.as_ref()).map(|f| f.edits.len()).sum();
    // A line of the log is bounded; the history has all owners.
    let mut owners = entry.record.owners.iter().take(10).cloned().collect::<Vec<_>>().join(",");
    if entry.record.owners.len() > 10 {
        owners.push_str(",...");
    }
    note(&format!(
        "transaction={} command={} owners={} lines={lines} login_uid={} uid={}",
        entry.transaction,
        quoted(&entry.record.command),
        quoted(&owners),
        entry.login_uid.map_or_else(|| "unset".to_owned(), |uid| uid.to_string()),
        entry.uid,
    ))
}

/// Logs what became of an unfinished transaction.
pub(super) fn recovered(recovered: &Recovered) -> Option<String> {
    note(&format!("transaction={} recovered={}", recovered.transaction, quoted(recovered.outcome)))
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", crate::text::escape(value.as_bytes()).replace(['"', '\\'], "_"))
}

/// Sends a line of its own for what nobody else is told: a login hook's trouble. `message` is escaped.
pub fn warn(message: &str) {
    // Where there is no log there is nobody to tell.
    let _ = send(WARNING, message);
}

/// A way to the log for a word that is sent when nothing else can be done any more; `None` without a log.
pub fn connect() -> Option<OwnedFd> {
    open().ok().map(OwnedFd::from)
}

/// Sends a line about a change; what it gives is a note of the change.
fn note(message: &str) -> Option<String> {
    let sent = send(INFO, message);
    sent.err().map(|error| format!("the change is not in the system log: {SOCKET}: {error}"))
}

fn send(priority: u32, message: &str) -> std::io::Result<()> {
    // Without a time: the log's reader puts its own.
    let line = format!("<{priority}>subidctl[{}]: {message}", std::process::id());
    open()?.send(line.as_bytes()).map(drop)
}

fn open() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SOCKET)?;
    Ok(socket)
}
