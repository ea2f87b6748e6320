//! Sections, keys and values, as far as SSSD's and Samba's readers agree.

/// One line that sets something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The section, without brackets and blanks around it, escaped; empty before the first one.
    pub(super) section: String,
    /// The key as written, escaped.
    pub(super) key: String,
    /// Its value, escaped.
    pub(super) value: String,
    /// The line, from 1; of a joined line the first.
    pub(super) line: usize,
}

impl Entry {
    /// Whether the entry sets this key; case and blanks do not count (Samba's `strwicmp`; SSSD's keys are
    /// attributes of a database that ignores case).
    pub(super) fn is(&self, key: &str) -> bool {
        plain(&self.key) == plain(key)
    }
}

/// A name without blanks and capitals.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

/// Every entry of a file, in order. Lines that begin with `#` or `;` are comments, and what is neither a
/// section nor an entry is skipped, as nothing can be learned from it. `joined`: a backslash at the end of
/// a line joins the next one (smb.conf(5)); SSSD's lines stand for themselves (`INI_PARSE_NOWRAP`).
pub(super) fn entries(bytes: &[u8], joined: bool) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (line, text) in lines(bytes, joined) {
        let text = text.trim_ascii();
        if text.starts_with(b"#") || text.starts_with(b";") {
            continue;
        }
        if let Some(name) = text.strip_prefix(b"[") {
            let name = name.split(|b| *b == b']').next().unwrap_or_default();
            section = crate::text::escape(name.trim_ascii());
        } else if let Some(at) = text.iter().position(|b| *b == b'=') {
            let (key, value) = text.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            found.push(Entry {
                section: section.clone(),
                key: crate::text::escape(key.trim_ascii()),
                value: crate::text::escape(value.trim_ascii()),
                line,
            });
        }
    }
    found
}

fn lines(bytes: &[u8], joined: bool) -> Vec<(usize, Vec<u8>)> {
    let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut open = false;
    for (text, number) in bytes.split(|b| *b == b'\n').zip(1..) {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let body = if joined { text.strip_suffix(b"\\") } else { None };
        match lines.last_mut().filter(|_| open) {
            Some((_, before)) => before.extend_from_slice(body.unwrap_or(text)),
            None => lines.push((number, body.unwrap_or(text).to_vec())),
        }
        open = body.is_some();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, joined: bool) -> Vec<(String, String, String, usize)> {
        entries(text.as_bytes(), joined).into_iter().map(|e| (e.section, e.key, e.value, e.line)).collect()
    }

    fn entry(section: &str, key: &str, value: &str, line: usize) -> (String, String, String, usize) {
        (section.into(), key.into(), value.into(), line)
    }

    #[test]
    fn comments_and_noise_are_no_entries() {
        let text = "a = 1\n[ domain/x ] # c\n# b = 2\n;c = 3\n  d=4 = 5\r\nnoise\n[y\ne =\n";
        let expected = [entry("", "a", "1", 1), entry("domain/x", "d", "4 = 5", 5), entry("y", "e", "", 8)];
        assert_eq!(read(text, false), expected);
    }

    #[test]
    fn only_samba_joins_lines() {
        let text = "[global]\nidmap config * : \\\n range = 1-\\\n2\nb = 3\\";
        let joined = [entry("global", "idmap config * :  range", "1-2", 2), entry("global", "b", "3", 5)];
        assert_eq!(read(text, true), joined);
        assert_eq!(read(text, false).len(), 2);
        assert!(entries(text.as_bytes(), true)[0].is("IDMAP config *:range"));
    }

    #[test]
    fn foreign_bytes_are_escaped() {
        assert_eq!(read("[a\x1b]\nb\u{202e} = \x07\n", false), [entry("a\\x1b", "b\\u{202e}", "\\x07", 2)]);
    }
}
