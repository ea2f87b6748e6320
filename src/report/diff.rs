//! Unified diffs of subuid and subgid.

use std::fmt::Write as _;

use memchr::{memchr_iter, memrchr};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use super::Style;
use crate::idfile::Document;
use crate::text::escaped;

/// Lines of context around a change, as `diff -u` has them.
const CONTEXT: usize = 3;

/// How many changed lines are shown on a terminal, first and last, where there are more than 100.
const SHOWN_ABOVE: (usize, usize, usize) = (100, 20, 5);

/// How many lines a change adds and removes.
pub fn changed_lines(edits: &crate::idfile::Edits) -> usize {
    edits.iter().map(|e| usize::from(e.old.is_some()) + usize::from(e.new.is_some())).sum()
}

/// The unified diff from `before` (`None`: the file does not exist) to `after`; empty where they are equal.
/// Bytes that a terminal might obey are escaped.
pub fn unified(path: &str, before: Option<&Document>, after: &Document, style: Style) -> String {
    let empty = Document::default();
    let old_document = before.unwrap_or(&empty);
    if before.is_some() && old_document == after {
        return String::new();
    }
    let bytes = old_document.as_bytes();
    let added = after.added_to(old_document);
    let same = added.map_or_else(|| shared(bytes, after.as_bytes()), |_| above(bytes));
    let before_them = memchr_iter(b'\n', bytes.get(..same).unwrap_or_default()).count();
    let old = lines(bytes.get(same..).unwrap_or_default());
    let new = match added {
        Some(added) => [&old[..], &lines(added)].concat(),
        None => lines(after.as_bytes().get(same..).unwrap_or_default()),
    };
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let from = if before.is_some() { path } else { "/dev/null" };
    let mut out = String::with_capacity(added.map_or(0, |added| added.len() + new.len()) + 512);
    let _ = write!(out, "--- {from}\n+++ {path}\n");
    for group in group_diff_ops(ops, CONTEXT) {
        hunk(&mut out, &group, before_them, &old, &new, style);
    }
    out
}

/// So many bytes are compared at once.
const BLOCK: usize = 4096;

/// How many bytes both begin with, up to the lines that are context of the first difference: most changes add to
/// the end of a long file.
fn shared(old: &[u8], new: &[u8]) -> usize {
    let blocks = old.chunks(BLOCK).zip(new.chunks(BLOCK));
    let mut at = blocks.take_while(|(a, b)| a == b).map(|(a, _)| a.len()).sum();
    let (old_rest, new_rest) = (old.get(at..).unwrap_or_default(), new.get(at..).unwrap_or_default());
    at += old_rest.iter().zip(new_rest).take_while(|(a, b)| a == b).count();
    above(old.get(..at).unwrap_or_default())
}

/// How many bytes stand above the lines that are context of what follows these.
fn above(bytes: &[u8]) -> usize {
    let mut at = bytes.len();
    for _ in 0..=CONTEXT {
        let Some(before) = memrchr(b'\n', bytes.get(..at).unwrap_or_default()) else { return 0 };
        at = before;
    }
    at + 1
}

/// A line with the knowledge whether a newline ends it: only the last may lack one.
type DiffLine<'a> = (&'a [u8], bool);

fn lines(text: &[u8]) -> Vec<DiffLine<'_>> {
    let mut lines: Vec<DiffLine<'_>> = crate::text::lines(text).map(|raw| (raw, true)).collect();
    if let Some(last) = lines.last_mut() {
        last.1 = text.ends_with(b"\n");
    }
    lines
}

/// `above` lines are the same in both and not among these.
fn hunk(
    out: &mut String,
    group: &[DiffOp],
    above: usize,
    old: &[DiffLine<'_>],
    new: &[DiffLine<'_>],
    style: Style,
) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let span = |start: usize, end: usize| match end - start {
        0 => format!("{},0", above + start),
        1 => format!("{}", above + start + 1),
        n => format!("{},{n}", above + start + 1),
    };
    let old_span = span(first.old_range().start, last.old_range().end);
    let new_span = span(first.new_range().start, last.new_range().end);
    out.push_str(&style.paint("36", &format!("@@ -{old_span} +{new_span} @@")));
    out.push('\n');
    for op in group {
        let (tag, old_range, new_range) = op.as_tag_tuple();
        if tag == DiffTag::Equal {
            side(out, ' ', old.get(old_range).unwrap_or_default(), "", style);
            continue;
        }
        side(out, '-', old.get(old_range).unwrap_or_default(), "31", style);
        side(out, '+', new.get(new_range).unwrap_or_default(), "32", style);
    }
}

fn side(out: &mut String, sign: char, lines: &[DiffLine<'_>], sgr: &str, style: Style) {
    let (above, head, tail) = SHOWN_ABOVE;
    let cut = !style.full && lines.len() > above;
    for (index, (raw, terminated)) in lines.iter().enumerate() {
        if cut && index == head {
            let left = crate::text::thousands(u64::try_from(lines.len() - head - tail).unwrap_or(u64::MAX));
            let _ = writeln!(out, "  … {left} more: -v, or --out FILE");
        }
        if cut && index >= head && index + tail < lines.len() {
            continue;
        }
        let line = escaped(raw);
        if style.color && !sgr.is_empty() {
            out.push_str(&style.paint(sgr, &format!("{sign}{line}")));
        } else {
            out.push(sign);
            out.push_str(&line);
        }
        out.push('\n');
        if !terminated {
            out.push_str("\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn diff(before: Option<&str>, after: &str) -> String {
        let before = before.map(|text| Document::new(text.as_bytes().to_vec()));
        let after = Document::new(after.as_bytes().to_vec());
        unified("/etc/subuid", before.as_ref(), &after, Style { full: true, ..Style::default() })
    }

    #[test]
    fn diffs_are_those_of_diff_u() {
        assert_eq!(
            diff(Some("bob:1:2\n"), "bob:1:2\nal:5:6\n"),
            "--- /etc/subuid\n+++ /etc/subuid\n@@ -1 +1,2 @@\n bob:1:2\n+al:5:6\n"
        );
        assert_eq!(diff(Some(""), "a:1:2\n"), "--- /etc/subuid\n+++ /etc/subuid\n@@ -0,0 +1 @@\n+a:1:2\n");
        assert_eq!(diff(None, "a:1:2\n"), "--- /dev/null\n+++ /etc/subuid\n@@ -0,0 +1 @@\n+a:1:2\n");
        assert_eq!(
            diff(Some("a:1:2"), "a:1:2\nb:3:4\n"),
            "--- /etc/subuid\n+++ /etc/subuid\n@@ -1 +1,2 @@\n-a:1:2\n\\ No newline at end of file\n+a:1:2\n+b:3:4\n"
        );
        assert_eq!(diff(Some("a\n"), "a\n"), "");
        assert!(diff(Some("\x1b[2J\n"), "\x1b[2J\na:1:2\n").contains(" \\x1b[2J\n"));
    }

    proptest! {
        #[test]
        fn what_both_begin_with_makes_no_difference(
            same in prop::collection::vec("[ab]{0,1}", 0..12), old in "[ab\n]{0,8}", new in "[ab\n]{0,8}"
        ) {
            let begin: String = same.iter().map(|line| format!("{line}\n")).collect();
            let (old, new) = (format!("{begin}{old}"), format!("{begin}{new}"));
            let numbers: Vec<usize> = diff(Some(&old), &new)
                .lines()
                .filter_map(|line| line.strip_prefix("@@ -")?.split([',', ' ']).next()?.parse().ok())
                .collect();
            let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
            let (before, after) = (lines(&old), lines(&new));
            let first = before.iter().zip(&after).position(|(a, b)| a != b);
            let first = first.unwrap_or(before.len().min(after.len()));
            if before != after {
                // The first hunk begins with the context of the first line that differs.
                let expected = first.saturating_sub(CONTEXT) + usize::from(first.max(before.len()) > 0 && !before.is_empty());
                prop_assert_eq!(numbers.first(), Some(&expected), "{:?} {:?}", old, new);
            }
        }
    }

    #[test]
    fn long_changes_are_cut_where_asked() {
        let after: String = (0..200).map(|n| format!("u{n}:{n}:1\n")).collect();
        let after = Document::new(after.into_bytes());
        let text = unified("/etc/subuid", Some(&Document::default()), &after, Style::default());
        assert!(
            text.contains("  … 175 more: -v, or --out FILE\n")
                && text.contains("+u19:")
                && text.contains("+u195:")
        );
        assert!(!text.contains("+u20:") && !text.contains("+u194:"));
    }
}
