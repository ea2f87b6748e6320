//! `/etc/passwd` and `/etc/group` as glibc's `files` service reads them (`nss/nss_files/files-parse.c`).

use std::collections::BTreeSet;

use memchr::{memchr, memchr_iter};

use crate::range::{Gid, Login, PerKind, Uid};
use crate::snapshot::{Account, Accounts, Group, Source};
use crate::text::Part;

/// What one of the two files says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// Its entries, in the order of the file.
    pub entries: Vec<T>,
    /// IDs of entries whose names no [`Login`] can hold.
    pub nameless: PerKind<BTreeSet<u32>>,
}

impl<T> Parsed<T> {
    /// Nothing yet, with room for an entry of each line: a list of ten thousand is not moved while it grows.
    fn of_lines(text: &[u8]) -> Self {
        let entries = Vec::with_capacity(memchr_iter(b'\n', text).count());
        Self { entries, nameless: PerKind::default() }
    }
}

/// The accounts of `/etc/passwd`. Lines that glibc would not take for an account are skipped.
pub fn parse_passwd(text: &Part) -> Parsed<Account> {
    let mut parsed = Parsed::of_lines(text);
    for (number, line) in lines(text) {
        let mut fields = line.splitn(7, |b| *b == b':');
        let name = fields.next().unwrap_or_default();
        let (Some(uid), Some(gid)) = (fields.nth(1).and_then(id), fields.next().and_then(id)) else {
            continue;
        };
        // Past the comment; glibc takes a line that ends earlier.
        let home = text.part(fields.nth(1).unwrap_or_default());
        let shell = text.part(fields.next().unwrap_or_default());
        if let Some(name) = Login::part(text.part(name)) {
            let source = Source::File(number);
            let (uid, gid) = (Uid::new(uid), Gid::new(gid));
            parsed.entries.push(Account { name, uid, gid, home, shell, source });
        } else {
            parsed.nameless.uid.insert(uid);
            parsed.nameless.gid.insert(gid);
        }
    }
    parsed
}

/// The groups of `/etc/group`. Lines that glibc would not take for a group are skipped, and so are members
/// whose names no [`Login`] can hold.
pub fn parse_group(text: &Part) -> Parsed<Group> {
    let mut parsed = Parsed::of_lines(text);
    for (number, line) in lines(text) {
        let mut fields = line.splitn(4, |b| *b == b':');
        let name = fields.next().unwrap_or_default();
        let Some(gid) = fields.nth(1).and_then(id) else { continue };
        let members = fields.next().unwrap_or_default().split(|b| *b == b',');
        let members = members.filter_map(|name| Login::part(text.part(name.trim_ascii_start()))).collect();
        let source = Source::File(number);
        parsed.entries.push(Group { name: text.part(name), gid: Gid::new(gid), members, source });
    }
    parsed
}

/// All accounts and groups of the two files.
pub(super) fn accounts(passwd: &Part, group: &Part) -> Accounts {
    let (users, groups) = (parse_passwd(passwd), parse_group(group));
    let mut accounts = Accounts::new(users.entries, groups.entries);
    accounts.nameless = users.nameless;
    accounts
}

/// Whether either file has a `+` line, through which the service `compat` asks a directory.
pub(super) fn includes(passwd: &[u8], group: &[u8]) -> bool {
    let mut lines = [passwd, group].into_iter().flat_map(crate::text::lines);
    lines.any(|line| line.trim_ascii_start().starts_with(b"+"))
}

/// The lines that hold an entry, with their numbers from 1: neither blank nor a comment nor a NIS marker.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    // To glibc a line is a C string; in hardly any file there is a NUL at all.
    let nul = memchr(0, bytes).is_some();
    crate::text::lines(bytes).zip(1..).filter_map(move |(line, number)| {
        let end = if nul { memchr(0, line) } else { None };
        // Blanks before it do not count.
        let line = line.get(..end.unwrap_or(line.len())).unwrap_or_default().trim_ascii_start();
        (!matches!(line.first(), None | Some(b'#' | b'+' | b'-'))).then_some((number, line))
    })
}

/// A number as glibc takes it, by `strtoul(3)` in base 10: blanks and a sign may stand before the digits.
/// `None` where anything else stands in the field, and for what 32 bits do not hold, as a number with a
/// minus does not.
fn id(field: &[u8]) -> Option<u32> {
    let field = field.trim_ascii_start();
    let digits = field.strip_prefix(b"-").or_else(|| field.strip_prefix(b"+")).unwrap_or(field);
    let (first, rest) = digits.split_first()?;
    let digit = |b: u8| b.is_ascii_digit().then(|| u32::from(b - b'0'));
    let add = |value: u32, b: &u8| value.checked_mul(10)?.checked_add(digit(*b)?);
    let value = rest.iter().try_fold(digit(*first)?, add)?;
    Some(value).filter(|value| *value == 0 || !field.starts_with(b"-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_as_glibc_takes_them() {
        let text = b"root:x:0:0:root:/root:/bin/sh\n# c\n\n+nis::::::\n-not\n  lena:x:1001:100:L:/h:/bin/zsh:x\n\
            short:x:5:6\nbad:x:5x:6:::\nbad:x::6:::\nonly:x:7\nplus:x:+8: 9:::\nzero:x:010:1:::\n\
            big:x:4294967296:1:::\nnegative:x:-1:1:::\nmax:x:4294967295:1:::\nminus:x:-0:1:::\na/b:x:77:78:::\n:x:79:80:::\nn\0ul:x:1:1:::\nlast:x:9:9:::";
        let parsed = parse_passwd(&text.to_vec().into());
        let seen: Vec<String> =
            parsed.entries.iter().map(|a| format!("{}:{}:{}", a.name, a.uid, a.gid)).collect();
        assert_eq!(
            seen,
            [
                "root:0:0",
                "lena:1001:100",
                "short:5:6",
                "plus:8:9",
                "zero:10:1",
                "max:4294967295:1",
                "minus:0:1",
                "last:9:9"
            ]
        );
        assert_eq!(parsed.entries[1].shell, b"/bin/zsh:x");
        assert_eq!(parsed.entries[1].source, Source::File(6));
        assert_eq!(parsed.entries[2].shell, b"");
        assert_eq!(parsed.nameless.uid, [77, 79].into());
        assert_eq!(parsed.nameless.gid, [78, 80].into());
        assert!(includes(b"", text) && !includes(b"a+:x:1:1:::\n", b"-x\n"));
    }

    #[test]
    fn group_members_lose_their_blanks() {
        let parsed = parse_group(
            &b"adm:x:4:a, b,,c/d,e\nempty:x:5:\nno:x:y:a\nshort:x:6\ndomain users:x:7:z".to_vec().into(),
        );
        let members: Vec<String> =
            parsed.entries.iter().map(|g| format!("{} {:?}", g.gid, g.members)).collect();
        assert_eq!(members, ["4 [Login(a), Login(b), Login(e)]", "5 []", "6 []", "7 [Login(z)]"]);
    }

    #[test]
    fn every_id_counts_as_taken() {
        let accounts = accounts(&b"a:x:1:2:::\na/b:x:3:4:::\n"[..].into(), &b"g:x:5:\n"[..].into());
        let mut ids = PerKind::from_fn(|kind| accounts.ids(kind).collect::<Vec<_>>());
        ids.gid.sort_unstable();
        assert_eq!((ids.uid, ids.gid), (vec![1, 3], vec![2, 4, 5]));
    }
}
