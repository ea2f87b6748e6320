//! `login.defs` as shadow reads it (lib/getdef.c, `def_load`).

use std::collections::HashMap;

use crate::snapshot::LoginDefs;

/// Values of one file. `path` is its name in messages.
///
/// A line is a key, blanks or tabs, and a value that may stand in double quotes; one that begins with `#`
/// is a comment, and of several lines with one key the last counts. A comment behind a value belongs to
/// the value, as for shadow.
pub fn parse_login_defs(path: &str, bytes: &[u8]) -> LoginDefs {
    let lines = bytes.split(|b| *b == b'\n').zip(1..);
    let values: HashMap<_, _> = lines
        .filter_map(|(line, number)| {
            let line = std::str::from_utf8(line).ok()?.trim_end().trim_start_matches([' ', '\t']);
            let (key, rest) = line.split_once([' ', '\t'])?;
            let value = rest.trim_start_matches([' ', '\t', '"']).split('"').next()?;
            (!key.starts_with('#')).then(|| (key.to_owned(), (value.to_owned(), number)))
        })
        .collect();
    LoginDefs { path: path.to_owned(), values, vendor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_shadow_reads_them() {
        let text = b"# SUB_UID_MIN 1\nSUB_UID_MIN\t\t 100000  \nSUB_UID_MAX 0x10\n\n  SUB_UID_COUNT \"65536\" x\n\
            UID_MIN 1000\nUID_MIN 2000\nUID_MAX\nSUB_GID_MIN 5 # five\nSUB_UID_DETERMINISTIC Yes\r\nSUB_GID_COUNT 010\n";
        let defs = parse_login_defs("/etc/login.defs", text);
        assert_eq!(defs.number("SUB_UID_MIN"), Some(100_000));
        assert_eq!(defs.number("SUB_UID_MAX"), Some(16));
        assert_eq!(defs.number("SUB_UID_COUNT"), Some(65536));
        assert_eq!(defs.number("SUB_GID_COUNT"), Some(8));
        assert_eq!(
            (defs.number("UID_MIN"), defs.place("UID_MIN")),
            (Some(2000), "/etc/login.defs line 7".into())
        );
        assert_eq!((defs.number("UID_MAX"), defs.number("SUB_GID_MIN")), (None, None));
        assert!(defs.yes("SUB_UID_DETERMINISTIC"));
        assert!(!defs.values.contains_key("#"));
    }
}
