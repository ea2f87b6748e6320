//! Text that has to fit.

/// How many columns a terminal gives the text at most. Wide characters begin at U+1100 (Unicode's
/// EastAsianWidth.txt); not all from there on are wide, but all are counted as two.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(wide).sum()
}

/// The text in at most so many columns, with `…` where something is left out.
pub(super) fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| left.checked_sub(wide(*c)).inspect(|rest| left = *rest).is_some();
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The text in exactly so many columns, flush left, cut where it is too long.
pub(super) fn pad(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let blanks = width.saturating_sub(columns(&text));
    text + &" ".repeat(blanks)
}

/// Words behind what a line has already (`used` columns), going on in lines that begin with `indent` blanks,
/// none wider than `width` (0: no limit). A word that is longer stays whole: it may be pasted.
pub(super) fn hanging(words: &str, used: usize, indent: usize, width: usize) -> String {
    if width == 0 || used + columns(words) <= width {
        return words.to_owned();
    }
    let (mut out, mut at, mut begins) = (String::new(), used, true);
    for word in words.split(' ') {
        if !begins && at + 1 + columns(word) > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            (at, begins) = (indent, true);
        }
        if !begins {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += columns(word);
        begins = false;
    }
    out
}

fn wide(c: char) -> usize {
    if c >= '\u{1100}' && c != '…' { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_on_below() {
        assert_eq!(hanging("one two three", 0, 2, 0), "one two three");
        assert_eq!(hanging("one two three", 0, 2, 8), "one two\n  three");
        assert_eq!(hanging("one two", 4, 4, 8), "one\n    two");
        assert_eq!(hanging("/a/long/path x", 0, 1, 5), "/a/long/path\n x");
    }

    #[test]
    fn nothing_is_wider_than_asked() {
        assert_eq!(fit("alice", 5), "alice");
        assert_eq!(fit("alice", 4), "ali…");
        assert_eq!(
            (fit("你好你好", 8), fit("你好你好", 7), fit("你好你好", 6)),
            ("你好你好".into(), "你好你…".into(), "你好…".into())
        );
        assert_eq!((pad("é", 3), pad("你好", 3)), ("é  ".into(), "你…".into()));
    }
}
