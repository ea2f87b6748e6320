//! Random files and random requests, through the program itself, below `--root`.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

use crate::harness::{Output, needs, size};

const USERS: [(&str, u32); 4] = [("alice", 1001), ("bob", 1002), ("carol", 1003), ("dave", 120_000)];

/// A line as people, tools and accidents write it. Without its newline.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let owner = prop::sample::select(vec![
        "alice", "bob", "carol", "dave", "ghost", "1001", "1002", "!old", "#off", "", " alice", "-nis",
        "0x3e9",
    ]);
    let start = prop_oneof![
        100_000u64..400_000,
        Just(165_536),
        Just(231_072),
        0u64..70_000,
        4_294_900_000u64..4_295_000_000
    ];
    let count = prop_oneof![Just(65536u64), 0u64..70_000, Just(1)];
    let number = |text: u64| {
        prop::sample::select(vec![
            format!("{text}"),
            format!("{text}"),
            format!("{text}"),
            format!("0x{text:x}"),
            format!("0{text:o}"),
        ])
    };
    let fields = (owner, start.prop_flat_map(number), count.prop_flat_map(number));
    prop_oneof![
        6 => fields.clone().prop_map(|(o, s, c)| format!("{o}:{s}:{c}").into_bytes()),
        1 => fields.clone().prop_map(|(o, s, c)| format!("{o}:{s}:{c}:more").into_bytes()),
        1 => fields.prop_map(|(o, s, c)| format!("{o}:{s}:{c} \r").into_bytes()),
        1 => prop::sample::select(vec![&b"# a comment"[..], b"", b"x", b"b\xff\xfe:300000:5", b"::", b"+"]).prop_map(<[u8]>::to_vec),
    ]
}

/// A file, mostly tidy, so that requests often succeed.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let tidy =
        prop::collection::vec((0u32..12, prop::sample::select(vec!["alice", "bob", "ghost", "!old"])), 0..5)
            .prop_map(|slots| {
                let mut seen = std::collections::BTreeSet::new();
                slots
                    .into_iter()
                    .filter(|(slot, _)| seen.insert(*slot))
                    .map(|(slot, owner)| format!("{owner}:{}:65536", 100_000 + slot * 65536).into_bytes())
                    .collect::<Vec<_>>()
            });
    let lines = prop_oneof![3 => tidy, 1 => prop::collection::vec(line(), 0..8)];
    (lines, any::<bool>()).prop_map(|(lines, newline)| {
        let mut bytes = lines.join(&b'\n');
        if newline && !bytes.is_empty() {
            bytes.push(b'\n');
        }
        bytes
    })
}

fn request() -> impl Strategy<Value = Vec<String>> {
    let users = prop::sample::subsequence(USERS.map(|(name, _)| name.to_owned()).to_vec(), 1..=4);
    let option = prop_oneof![
        4 => Just(Vec::new()),
        2 => (1u32..200_000).prop_map(|n| vec!["--count".to_owned(), n.to_string()]),
    ];
    (users, option).prop_map(|(users, option)| [option, users].concat())
}

fn subidctl(root: &Path, command: &str, arguments: &[String]) -> Output {
    let name = command;
    let mut command = Command::new(env!("CARGO_BIN_EXE_subidctl"));
    command.arg(name).arg("-R").arg(root).arg("--yes").args(arguments);
    command.stdin(std::process::Stdio::null());
    Output::of(&format!("{command:?}"), &mut command)
}

/// A number as strtoul takes it in base 0: what the laxest deployed reader sees.
fn lax(field: &str) -> Option<u64> {
    match field.strip_prefix("0x").or_else(|| field.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if field.len() > 1 && field.starts_with('0') => u64::from_str_radix(&field[1..], 8).ok(),
        None => field.parse().ok(),
    }
}

/// What a line takes for any reader: an opinion of its own, not subidctl's.
fn taken(line: &[u8]) -> Option<(u64, u64)> {
    let text = String::from_utf8_lossy(line);
    let fields: Vec<&str> = text.split(':').collect();
    let number = |n: usize| fields.get(n).copied().and_then(lax);
    // Not for shadow: a NIS marker, an empty field. What remains are readers of decimal numbers.
    let strict = text.starts_with(['+', '-', ':']);
    let (start, count) = (number(1)?, number(2)?);
    if strict && (fields.len() != 3 || format!("{start}:{count}") != fields[1..].join(":")) {
        return None;
    }
    (count > 0).then(|| (start, start + count - 1))
}

/// How many IDs a line gives to a user, if every reader takes it alike.
fn grants(line: &[u8], name: &str, uid: u32) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let [owner, start, count] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
    let plain = |field: &str| field.parse::<u64>().ok().filter(|number| number.to_string() == field);
    plain(start)?;
    plain(count).filter(|_| owner == name || owner == uid.to_string())
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    if lines.last() == Some(&&b""[..]) {
        lines.pop();
    }
    lines
}

/// The lines of `after` that `before` has not; the rest must be `before`, byte for byte and in order.
fn added(before: &[u8], after: &[u8]) -> Vec<String> {
    let mut old = lines(before).into_iter().peekable();
    let mut new = Vec::new();
    for line in lines(after) {
        if old.peek() == Some(&line) {
            old.next();
        } else {
            new.push(String::from_utf8(line.to_vec()).expect("a new line is plain text"));
        }
    }
    assert_eq!(old.next(), None, "a line changed or is lost");
    new
}

/// `after` with a mark before each line that `before` has not.
fn marked(before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut old = lines(before).into_iter().peekable();
    let mark =
        |line: &[u8]| if old.next_if_eq(&line).is_some() { line.to_vec() } else { [b"!", line].concat() };
    let all: Vec<Vec<u8>> = lines(after).into_iter().map(mark).collect();
    let newline: &[u8] = if after.ends_with(b"\n") { b"\n" } else { b"" };
    [&all.join(&b'\n')[..], newline].concat()
}

/// Whether anything was committed.
fn check(files: &[Vec<u8>; 2], request: &[String]) -> bool {
    let tree = tempfile::tempdir().unwrap();
    let etc = tree.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::create_dir_all(tree.path().join("var/lib/subidctl")).unwrap();
    let passwd = USERS.map(|(name, uid)| format!("{name}:x:{uid}:{uid}::/:/bin/sh\n")).concat();
    std::fs::write(etc.join("passwd"), passwd).unwrap();
    let read = || ["subuid", "subgid"].map(|name| std::fs::read(etc.join(name)).unwrap());
    for (name, content) in ["subuid", "subgid"].iter().zip(files) {
        std::fs::write(etc.join(name), content).unwrap();
    }

    let first = subidctl(tree.path(), "apply", request);
    let after = read();
    if first.code != 0 {
        assert!([1, 4, 6, 7].contains(&first.code), "{first}");
        assert_eq!(&after, files, "refused, and yet something changed\n{first}");
        return false;
    }
    for (before, after) in files.iter().zip(&after) {
        assert!(after == before || after.ends_with(b"\n"), "no newline at the end\n{first}");
        let new = added(before, after);
        let mut all: Vec<(u64, u64)> = lines(before).into_iter().filter_map(taken).collect();
        all.extend(USERS.iter().map(|(_, uid)| (u64::from(*uid), u64::from(*uid))));
        all.extend([(0, 65535), (u64::from(u32::MAX), u64::from(u32::MAX))]);
        for line in new {
            let (owner, start, end) = super::ranges(&line).remove(0);
            assert!(request.contains(&owner), "{line}: nobody asked\n{first}");
            assert!(all.iter().all(|(a, b)| end < *a || *b < start), "{line} meets something\n{first}");
            all.push((start, end));
        }
    }
    let wanted = match request {
        [option, count, ..] if option == "--count" => count.parse().unwrap(),
        _ => 65536,
    };
    for (bytes, (name, uid)) in after.iter().flat_map(|bytes| USERS.map(|user| (bytes, user))) {
        let has: u64 = lines(bytes).into_iter().filter_map(|line| grants(line, name, uid)).sum();
        assert!(
            has >= wanted || !request.iter().any(|word| word == name),
            "{name} has {has} of {wanted}\n{first}"
        );
    }
    let stats = || {
        use std::os::unix::fs::MetadataExt;
        ["subuid", "subgid"].map(|name| {
            let meta = std::fs::metadata(etc.join(name)).unwrap();
            (meta.ino(), meta.mtime(), meta.mtime_nsec())
        })
    };
    let before = stats();
    let second = subidctl(tree.path(), "apply", request).ok();
    assert_eq!(read(), after, "the second apply changed something\n{second}");
    assert_eq!(stats(), before, "the second apply wrote something\n{second}");
    let undone = subidctl(tree.path(), "undo", &[]).ok();
    for ((before, after), now) in files.iter().zip(&after).zip(read()) {
        assert_eq!(now, marked(before, after), "undo changed more than what was given\n{undone}");
    }
    &after != files
}

#[test]
fn random_files_and_requests_never_overlap_and_settle_at_once() {
    needs!();
    let committed = std::cell::Cell::new(0);
    let cases = size(150, 3000);
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    proptest!(config, |(subuid in file(), same in any::<bool>(), subgid in file(), request in request())| {
        let subgid = if same { subuid.clone() } else { subgid };
        committed.set(committed.get() + u32::from(check(&[subuid, subgid], &request)));
    });
    // Refusals alone would prove nothing.
    assert!(committed.get() * 4 > cases, "{} of {cases} were committed", committed.get());
}
