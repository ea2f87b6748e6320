//! One line in the system's log for each commit.

use std::os::unix::net::UnixDatagram;

use super::recovery::Recovered;
use crate::state::HistoryEntry;

/// `authpriv.info` (syslog(3)): facility 10, severity 6.
const PRIORITY: u32 = 10 << 3 | 6;
const SOCKET: &str = "/dev/log";

/// Logs a transaction. Never waits: a log that takes nothing is a note, not a failure.
pub(super) fn committed(entry: &HistoryEntry) -> Option<String> {
    let lines: usize = entry.files.iter().filter_map(|(_, f)| f.as_ref()).map(|f| f.edits.len()).sum();
    // A line of the log is bounded; the history has all owners.
    let mut owners = entry.record.owners.iter().take(10).cloned().collect::<Vec<_>>().join(",");
    if entry.record.owners.len() > 10 {
        owners.push_str(",...");
    }
    send(&format!(
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
    send(&format!("transaction={} recovered={}", recovered.transaction, quoted(recovered.outcome)))
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", crate::text::escape(value.as_bytes()).replace(['"', '\\'], "_"))
}

fn send(message: &str) -> Option<String> {
    // Without a time: the log's reader puts its own.
    let line = format!("<{PRIORITY}>subidctl[{}]: {message}", std::process::id());
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(SOCKET)?;
        socket.send(line.as_bytes())
    });
    sent.err().map(|error| format!("the change is not in the system log: {SOCKET}: {error}"))
}
