//! Foreign bytes made safe: for a terminal, for one line of a log, and as a word of a shell command.

mod part;

pub use part::Part;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use memchr::memchr;

/// True for characters that a terminal may obey or a reader cannot see: C0, C1 and DEL, bidirectional
/// controls, zero-width characters, line and paragraph separators, and the byte-order mark.
fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The lines of a text, without their newlines; what follows the last newline is one where it is not empty.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = (!text.is_empty()).then(|| text.strip_suffix(b"\n").unwrap_or(text));
    std::iter::from_fn(move || {
        let body = rest?;
        let (line, after) = body.split_at(memchr(b'\n', body).unwrap_or(body.len()));
        rest = after.get(1..);
        Some(line)
    })
}

/// Bytes as one line of printable text: control characters as `\n`, `\t`, `\x1b`, invisible ones as
/// `\u{200b}`, bytes that are not UTF-8 as `\xff`. A backslash stays a backslash.
pub fn escape(bytes: &[u8]) -> String {
    escaped(bytes).into_owned()
}

/// As [`escape`], without a copy of what is plain: nearly all names and lines.
pub fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    // All of them, though one might be enough to know: so it takes a few steps for many bytes.
    if bytes.iter().fold(true, |plain, b| plain & (b' '..=b'~').contains(b))
        && let Ok(plain) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(plain);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if unsafe_to_show(c) && u32::from(c) < 0x100 => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if unsafe_to_show(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// How many characters of one foreign text are shown: a line of a file can have millions.
const SHOWN: usize = 300;

/// A text as it is, or its beginning and how much there is more.
pub fn shortened(text: String) -> String {
    // Most have no more bytes than that.
    if text.len() <= SHOWN {
        return text;
    }
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            let more = thousands(u64::try_from(rest.chars().count()).unwrap_or(u64::MAX));
            format!("{shown}… ({more} more characters)")
        }
        None => text,
    }
}

/// How many of what: `1 uid`, `65,536 uids`.
pub fn counted(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(n))
}

/// JSON text in which characters that a terminal may obey, or that cannot be seen, stand as `\u` escapes: the
/// same document for every reader. Newlines between the values stay.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && unsafe_to_show(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A path for a message, escaped.
pub fn path(path: &std::path::Path) -> String {
    escape(path.as_os_str().as_bytes())
}

/// Bytes as one word of a POSIX shell command, quoted where needed; `None` where they hold anything that
/// should not be pasted into a terminal, so that the caller prints no command at all. Nor is a word that begins
/// with `-` one: the command would take it for an option.
pub fn shell_word(bytes: &[u8]) -> Option<String> {
    let word = std::str::from_utf8(bytes).ok()?;
    if word.starts_with('-') || word.chars().any(unsafe_to_show) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', r"'\''")))
}

/// A number with thousands separators: `65,536`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Adds a number in decimal. Lines are written by the ten thousand, and `format!` is for few.
pub fn decimal(to: &mut Vec<u8>, mut number: u64) {
    // The last first, and 2^64 has 20.
    let mut digits = [0; 20];
    let mut from = digits.len();
    for place in digits.iter_mut().rev() {
        // Below 10.
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        from -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// Bytes as lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of an even number of lower-case hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None })
        .collect()
}

/// How alike a word and the meant one must be at least (Jaro and Winkler's measure, 0 to 1): below, a
/// suggestion would only puzzle.
const ALIKE: f64 = 0.75;

/// The candidate most like what was typed; `None` where none is alike.
pub fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(candidate, typed), candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(escape(b"a\x1b[31mb\x07"), r"a\x1b[31mb\x07");
        assert_eq!(escape("x\u{202e}y\u{200b}z\u{9b}".as_bytes()), r"x\u{202e}y\u{200b}z\x9b");
        assert_eq!(escape(b"\xff\xfeok\n"), r"\xff\xfeok\n");
        assert_eq!(escape(br"CORP\lena"), r"CORP\lena");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"owner": "a\u{202e}b\u{e0041}\u{9b}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let text = escape_json(&text);
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn shell_words_are_quoted_or_refused() {
        assert_eq!(shell_word(b"alice").as_deref(), Some("alice"));
        assert_eq!(shell_word(br"CORP\lena").as_deref(), Some(r"'CORP\lena'"));
        assert_eq!(shell_word(b"o'neil; rm -rf /").as_deref(), Some(r"'o'\''neil; rm -rf /'"));
        assert_eq!(shell_word(b"a\x1b"), None);
        assert_eq!(shell_word(b"a\xff"), None);
        assert_eq!(shell_word(b"").as_deref(), Some("''"));
        assert_eq!((shell_word(b"--yes"), shell_word(b"a-b").as_deref()), (None, Some("a-b")));
    }

    #[test]
    fn a_text_of_millions_is_shown_in_part() {
        assert_eq!(shortened("é".repeat(300)), "é".repeat(300));
        let short = shortened("é".repeat(1_300));
        assert_eq!(short, format!("{}… (1,000 more characters)", "é".repeat(300)));
    }

    #[test]
    fn decimals_are_added_to_what_is_there() {
        let added = |number| {
            let mut text = b"x".to_vec();
            decimal(&mut text, number);
            String::from_utf8(text).unwrap()
        };
        assert_eq!((added(0), added(10), added(1 << 32)), ("x0".into(), "x10".into(), "x4294967296".into()));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!((counted(1, "uid"), counted(2000, "uid")), ("1 uid".to_owned(), "2,000 uids".to_owned()));
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(65536), "65,536");
        assert_eq!(thousands(4_294_967_295), "4,294,967,295");
    }
}
