//! Lines that not every program reads as a range: what they are, and what each program makes of them.

use super::survey::path;
use super::{AS_MEANT, BASE, Entry, Found, Group, Reach, Seen, Sight, Status, Survey, all};
use crate::idfile::{Dialect, Oddity, Verdict, canonical_line};
use crate::range::{Kind, Login, Range};
use crate::text::escape;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: Oddity::Nul.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line holds a NUL byte",
        explain: "C programs end a text at a NUL: shadow up to 4.17 joins what stands before it with the next line \
                  of the file, and grants what the two make together; later versions call the file no text and \
                  refuse it as a whole, newuidmap included. Go programs read on. Such bytes come from a power cut \
                  on a file system that keeps the length of a file and not its content.",
        consequence: "with later versions of shadow no user of this host can start a rootless container",
        repair: "sudo sed -i to write the line anew, or to remove it: no plan writes into such a \
                 file",
        audit: Some(|survey| odd(survey, Oddity::Nul)),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: Oddity::ExtraFields.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line has fields behind its range",
        explain: "shadow up to 4.17 reads three fields and ignores the rest, 4.18 rejects the line (shadow \
                  81821d3e), and podman, buildah and rootlesskit stop at it for every user of the host: \
                  'Format not correct for /etc/subuid file'. A colon too many in a script is enough.",
        consequence: "podman, buildah and rootlesskit fail for every user of this host",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::ExtraFields)),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: Oddity::StopsReaders.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a malformed line stops Go programs for everybody",
        explain: "shadow ignores lines that it cannot parse, so useradd and newuidmap go on as if nothing were \
                  wrong. The parser of podman, buildah and rootlesskit wants three fields in every line that is \
                  neither blank nor begins with #, and gives up on the whole file otherwise: one half-written \
                  line and no user of the host starts a container. Apptainer deletes such lines with its next \
                  write.",
        consequence: "podman, buildah and rootlesskit fail for every user of this host",
        repair: "sudo sed -i to make the line a comment",
        audit: Some(|survey| odd(survey, Oddity::StopsReaders)),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: Oddity::NisMarker.id(),
        group: Group::Lines,
        severity: Status::Warning,
        title: "a line begins with + or -",
        explain: "In passwd and group such a line includes a NIS map, and shadow's common parser knows it here as \
                  well: it skips the line, keeps it when it writes, and sorts nothing behind the first of them. \
                  Go programs take the sign for a part of the owner's name.",
        consequence: "shadow grants nothing by this line, and no longer sorts the lines behind it",
        repair: "sudo sed -i to make the line a comment",
        audit: Some(|survey| odd(survey, Oddity::NisMarker)),
        ..BASE
    },
    Entry {
        id: Oddity::TooLong.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line is too long for shadow",
        explain: "shadow copies a line into 1024 bytes to parse it and rejects what does not fit \
                  (lib/subordinateio.c); Go programs have no such limit and read the range.",
        consequence: "engines ask for a range that newuidmap does not know",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::TooLong)),
        ..BASE
    },
    Entry {
        id: Oddity::Unread.id(),
        group: Group::Lines,
        severity: Status::Warning,
        title: "no program reads a range in a line",
        explain: "Three fields, but no owner, or numbers that are none: shadow ignores the line, and podman fails \
                  for the user that it names ('strconv.Atoi: parsing …'), as far as it names one. What was meant \
                  stands nowhere.",
        consequence: "nobody is granted anything by this line, and podman fails for its owner",
        repair: "sudo sed -i to make the line a comment, without its colons",
        audit: Some(|survey| odd(survey, Oddity::Unread)),
        ..BASE
    },
    Entry {
        id: Oddity::OddOwner.id(),
        group: Group::Lines,
        severity: Status::Warning,
        title: "the owner of a line is no possible name",
        explain: "No account can have a name with a slash or a control character, or one that begins with a sign \
                  or # behind a !. The IDs are taken all the same: every program that looks for free ones steps \
                  over them.",
        consequence: "the IDs are lost: nobody can use them, and nobody else is given them",
        repair: "sudo sed -i to make the line a comment, without its colons",
        audit: Some(|survey| odd(survey, Oddity::OddOwner)),
        ..BASE
    },
    Entry {
        id: "final-newline",
        group: Group::Lines,
        severity: Status::Error,
        title: "the file does not end in a newline",
        explain: "shadow from 4.19 on refuses the whole file, newuidmap included, silently in 4.19 and as \
                  'Non-text file.' in 4.20 (shadow c6178b72, issue 1581); older versions read it. lxc-usernsexec \
                  cuts the last character and reads 6553 for 65536. The next 'echo … >>' makes one line of two. \
                  printf without \\n and editors on other systems write such files.",
        consequence: "with shadow 4.19 and later no user of this host can start a rootless container",
        repair: "sudo subidctl audit --fix",
        audit: Some(|survey| all(final_newline(survey))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: Oddity::CommentedRange.id(),
        group: Group::Lines,
        severity: Status::Info,
        title: "a range is commented out, and still taken",
        explain: "shadow knows no comments: '#bob:100000:65536' is for it a range of an owner named #bob. Nobody \
                  is granted it, since nobody can have that name, but useradd and subidctl give the IDs to no \
                  other either. Go programs skip the line. To keep IDs on purpose, write '!bob:…', which \
                  'subidctl release' does.",
        consequence: "nobody is granted these IDs, and nobody else is given them",
        repair: "nothing to do; to free the IDs: sudo sed -i to take its colons away",
        audit: Some(|survey| odd(survey, Oddity::CommentedRange)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: Oddity::Comment.id(),
        group: Group::Lines,
        severity: Status::Info,
        title: "a line is a comment",
        explain: "Go programs skip it and shadow cannot parse it, which comes to the same. But useradd and \
                  usermod -S sort the file and move comments to its end, in another order; Apptainer, userborn \
                  and uutils drop them when they write, and Docker Desktop refuses them (desktop-linux issue \
                  191). subidctl leaves them where they are.",
        consequence: "harmless; other programs move comments to the end of the file, or drop them",
        repair: "nothing to do",
        audit: Some(|survey| odd(survey, Oddity::Comment)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: Oddity::Blank.id(),
        group: Group::Lines,
        severity: Status::Info,
        title: "a line is blank",
        explain: "No program stumbles over it: Go programs skip it, and shadow ignores it as a line that it \
                  cannot parse and keeps it when it writes.",
        consequence: "harmless",
        repair: "nothing to do",
        audit: Some(|survey| odd(survey, Oddity::Blank)),
        reach: Reach::Nobody,
        ..BASE
    },
];

/// The lines with this oddity.
pub(super) fn odd<'s>(survey: &'s Survey<'s>, which: Oddity) -> Found<'s> {
    let of_kind = move |kind: Kind| {
        let lines = survey.odd[kind].iter().filter(move |(_, oddity)| *oddity == which);
        let words = move |line: usize| {
            let raw = survey.bytes(kind, line);
            Seen {
                file: Some(path(kind)),
                line: Some(line),
                owner: meant(raw).map(|(owner, _)| owner.to_vec()),
                message: message(which, raw),
                evidence: survey.raw(kind, line),
                fix: super::spelling::fix(survey, kind, line, which),
                ..Seen::default()
            }
        };
        lines.map(move |(line, _)| Sight::line(kind, *line, move || words(*line)))
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}

/// What is wrong with a line: who reads it how.
fn message(which: Oddity, raw: &[u8]) -> String {
    match which {
        Oddity::Comment => "a comment".to_owned(),
        Oddity::Blank => "a blank line".to_owned(),
        Oddity::Nul => format!(
            "shadow up to 4.17: joined with the next line; shadow from 4.18 on: refuses the file; {}: {}",
            Dialect::Go.name(),
            reading(Dialect::Go, raw)
        ),
        _ => readers(raw),
    }
}

fn final_newline(survey: &Survey<'_>) -> Vec<Seen> {
    let documents =
        survey.snapshot.files.iter().filter_map(|(kind, file)| Some((kind, file.document.as_ref()?)));
    documents
        .filter(|(_, document)| !document.ends_in_newline())
        .map(|(kind, document)| {
            let line = document.line_count();
            Seen {
                file: Some(path(kind)),
                line: Some(line),
                message: "shadow up to 4.18 reads the file, from 4.19 on it refuses it".to_owned(),
                evidence: survey.raw(kind, line),
                ..Seen::default()
            }
        })
        .collect()
}

/// Owner and range that were most likely meant: what Go programs read, which is what people see, else what
/// shadow reads.
pub(super) fn meant(raw: &[u8]) -> Option<(&[u8], Range)> {
    [Dialect::Go, Dialect::Shadow413].into_iter().find_map(|dialect| granted(dialect, raw))
}

/// What one reader grants, as far as it lies below 2^32.
pub(super) fn granted(dialect: Dialect, raw: &[u8]) -> Option<(&[u8], Range)> {
    match dialect.read(raw) {
        Verdict::Grants { owner, start, count } => Some((owner, Range::clipped(start, count)?)),
        _ => None,
    }
}

/// The line as it should be written for an owner and a range; `None` for an owner that sed would not take as
/// it stands.
pub(super) fn rewritten(owner: &[u8], range: Range) -> Option<String> {
    let plain = Login::new(owner).is_some_and(|name| name.is_plain()) || owner.iter().all(u8::is_ascii_digit);
    let line = String::from_utf8(canonical_line(owner, range)).ok()?;
    (plain && !owner.is_empty() && !owner.contains(&b'\\')).then_some(line)
}

/// The versions of shadow that a dialect stands for: the first, where it is not the oldest, and the last,
/// where it is not the newest.
const fn versions(dialect: Dialect) -> (Option<&'static str>, Option<&'static str>) {
    match dialect {
        Dialect::Shadow413 => (None, Some("4.14")),
        Dialect::Shadow415 => (Some("4.15"), Some("4.17")),
        Dialect::Shadow418 => (Some("4.18"), Some("4.19")),
        Dialect::Shadow420 => (Some("4.20"), None),
        Dialect::Go => (None, None),
    }
}

/// Who reads what: `shadow: 229376-294911; podman, buildah and rootlesskit: 700000-765535`.
pub(super) fn readers(raw: &[u8]) -> String {
    let mut all: Vec<(Dialect, Dialect, String)> = Vec::new();
    for dialect in Dialect::ALL {
        let reading = reading(dialect, raw);
        match all.last_mut() {
            Some((_, last, same)) if *same == reading && dialect != Dialect::Go => *last = dialect,
            _ => all.push((dialect, dialect, reading)),
        }
    }
    let phrase = |(first, last, reading): &(Dialect, Dialect, String)| {
        let name = match (versions(*first).0, versions(*last).1) {
            _ if *first == Dialect::Go => Dialect::Go.name().to_owned(),
            (None, None) => "shadow".to_owned(),
            (None, Some(last)) => format!("shadow up to {last}"),
            (Some(first), None) => format!("shadow from {first} on"),
            (Some(first), Some(last)) => format!("shadow {first} to {last}"),
        };
        format!("{name}: {reading}")
    };
    all.iter().map(phrase).collect::<Vec<_>>().join("; ")
}

/// What one reader makes of a line, in words.
fn reading(dialect: Dialect, raw: &[u8]) -> String {
    let (owner, start, count) = match dialect.read(raw) {
        Verdict::Ignored => return "nothing".to_owned(),
        Verdict::Fails { owner: None } => return "fails for every user".to_owned(),
        Verdict::Fails { owner: Some(_) } => return "fails for this user".to_owned(),
        Verdict::Grants { owner, start, count } => (owner, start, count),
    };
    let ids = match start.checked_add(count) {
        _ if count == 0 && dialect.range(start, count).is_some() => "every ID there is".to_owned(),
        _ if count == 0 => "a range of no IDs".to_owned(),
        Some(end) if end <= 1 << 32 => format!("{start}-{}", end - 1),
        _ => format!("{count} from {start} on, beyond the last ID"),
    };
    let plain = Login::new(owner).is_some_and(|name| name.is_plain());
    if plain || owner.iter().all(u8::is_ascii_digit) { ids } else { format!("{ids} of '{}'", escape(owner)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_reads_what() {
        const GO: &str = "rootlesskit (and podman and buildah without libsubid)";
        for (line, expected) in [
            (&b"u:0700000:65536"[..], format!("shadow: 229376-294911; {GO}: 700000-765535")),
            (
                b"u:700000:10:x",
                format!(
                    "shadow up to 4.17: 700000-700009; shadow from 4.18 on: nothing; {GO}: fails for every user"
                ),
            ),
            (
                b"u:-5:10",
                format!(
                    "shadow up to 4.14: 10 from 18446744073709551611 on, beyond the last ID; shadow from 4.15 on: nothing; {GO}: fails for this user"
                ),
            ),
            (b" u:7:1", format!("shadow: 7-7 of ' u'; {GO}: 7-7")),
            (b"u:7:0", format!("shadow: a range of no IDs; {GO}: a range of no IDs")),
            (
                b"u:0:0",
                format!(
                    "shadow up to 4.19: every ID there is; shadow from 4.20 on: a range of no IDs; {GO}: a range of no IDs"
                ),
            ),
            (b"u:0x7:1", format!("shadow: 7-7; {GO}: fails for this user")),
        ] {
            assert_eq!(readers(line), expected);
        }
    }

    #[test]
    fn a_rewritten_line_is_plain() {
        let range = Range::parse("7:1").unwrap();
        assert_eq!(rewritten(b"bob", range).as_deref(), Some("bob:7:1"));
        assert_eq!(rewritten(b"1001", range).as_deref(), Some("1001:7:1"));
        for owner in [&br"CORP\lena"[..], b"a/b", b"a&b", b"", b"\xff", b"a b"] {
            assert_eq!(rewritten(owner, range), None);
        }
    }
}
