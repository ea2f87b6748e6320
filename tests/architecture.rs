//! The rooms of the house: who may import whom, and what pure rooms may never touch.

use std::path::{Path, PathBuf};

/// The effect rooms, from the top down: each may import those after it.
const EFFECT: &[&[&str]] = &[&["cli"], &["container"], &["commit"], &["host"], &["sys"]];

/// The pure rooms, from the top down. Rooms of one step do not import each other.
const PURE: &[&[&str]] = &[
    &["report"],
    &["template"],
    &["findings"],
    &["planner"],
    &["policy"],
    &["state"],
    &["proof", "snapshot"],
    &["idmap"],
    &["idfile"],
    &["range"],
    &["error"],
    &["text"],
];

/// What pure rooms may never name: files, environment, processes, threads, clocks, system calls.
const EFFECTS: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "std::io",
    "SystemTime",
    "Instant",
    "nix::",
    "libc::",
];

/// An errno is plain data, and `error`'s constructors take one.
const PLAIN_DATA: &str = "nix::errno::Errno";

fn step(column: &[&[&str]], room: &str) -> Option<usize> {
    column.iter().position(|rooms| rooms.contains(&room))
}

/// The source files with the room of each, tests aside; `lib.rs` and `main.rs` belong to no room.
fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (room, inside.to_owned(), text)
        })
        .filter(|(room, path, _)| room != "lib" && room != "main" && !path.ends_with("tests.rs"))
        .collect()
}

/// A file's code: no comments, and not the unit tests at its end. Lines keep their numbers.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}

/// The rooms that a file names by `crate::ROOM`, `crate::{ROOM, ROOM::…}` or as many `super::` as lead to the
/// crate, with the lines.
fn named_rooms(path: &Path, code: &str) -> Vec<(usize, String)> {
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
    let code = code.replace(&"super::".repeat(depth), "crate::");
    let mut named = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + found.len()..];
        let rooms = match rest.strip_prefix('{') {
            None => vec![word(rest)],
            Some(group) => top_level(group).split(',').map(|part| word(part.trim())).collect(),
        };
        named.extend(rooms.into_iter().filter(|room| !room.is_empty()).map(|room| (line, room)));
    }
    named
}

/// What stands in a group of braces, up to its end, without the groups inside it.
fn top_level(group: &str) -> String {
    let mut depth = 0;
    let mut top = String::new();
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match depth {
            ..0 => break,
            0 => top.push(c),
            _ => {}
        }
    }
    top
}

/// Whether a line has this path, not as the end of a longer word (`unix::` is not `nix::`), and not as the
/// way to a constant (`libc::S_ISUID`), which is plain data.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let longer = code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let constant =
            path == "libc::" && code[at + path.len()..].starts_with(|c: char| c.is_ascii_uppercase());
        !longer && !constant
    })
}

/// Why a room may not name another; `None` where it may.
fn forbidden(from: &str, to: &str) -> Option<&'static str> {
    if from == to {
        return None;
    }
    let (from_effect, to_effect) = (step(EFFECT, from), step(EFFECT, to));
    let (from_pure, to_pure) = (step(PURE, from), step(PURE, to));
    match (from_effect, from_pure, to_effect, to_pure) {
        (Some(a), _, Some(b), _) if a < b => None,
        (_, Some(a), _, Some(b)) if a < b => None,
        (Some(_), _, _, Some(_)) => None,
        (_, Some(_), Some(_), _) => Some("a pure room uses an effect room"),
        (None, None, ..) | (.., None, None) => Some("a room that the order does not know"),
        _ => Some("an import runs upwards"),
    }
}

#[test]
fn imports_run_downwards() {
    let mut faults = Vec::new();
    for (room, path, text) in sources() {
        for (line, named) in named_rooms(&path, &code(&text)) {
            if let Some(why) = forbidden(&room, &named) {
                faults.push(format!("src/{}:{line}: {why}: {room} names {named}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_order_itself_is_read_rightly() {
    assert_eq!(forbidden("cli", "commit"), None);
    assert_eq!(forbidden("commit", "planner"), None);
    assert_eq!(forbidden("planner", "snapshot"), None);
    assert!(forbidden("commit", "container").is_some());
    assert!(forbidden("planner", "host").is_some());
    assert!(forbidden("snapshot", "proof").is_some());
    assert!(forbidden("idfile", "planner").is_some());
    assert!(forbidden("range", "attic").is_some());
    let rooms = |path: &str, code: &str| -> Vec<String> {
        named_rooms(Path::new(path), code).into_iter().map(|(_, room)| room).collect()
    };
    assert_eq!(rooms("host/x.rs", "use crate::{\n  range::{Kind, Uid}, text};"), ["range", "text"]);
    assert_eq!(rooms("host/x.rs", "x(crate::text::path(p), super::root())"), ["text"]);
    assert_eq!(rooms("host/mod.rs", "use super::commit::Lock;"), ["commit"]);
    assert_eq!(rooms("host/x.rs", "use super::super::commit::Lock;"), ["commit"]);
}

#[test]
fn unsafe_code_is_in_sys_alone() {
    let faults: Vec<String> = sources()
        .iter()
        .filter(|(room, ..)| room != "sys")
        .flat_map(|(_, path, text)| {
            let path = path.display().to_string();
            text.lines().enumerate().filter_map(move |(n, line)| {
                let code = line.split("//").next().unwrap_or_default();
                let word =
                    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|w| w == "unsafe");
                (word || code.contains("unsafe_code")).then(|| format!("src/{path}:{}: unsafe", n + 1))
            })
        })
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn pure_rooms_touch_nothing() {
    let mut faults = Vec::new();
    for (room, path, text) in sources() {
        if step(PURE, &room).is_none() {
            continue;
        }
        for (line, code) in code(&text).lines().enumerate() {
            let code = code.replace(PLAIN_DATA, "");
            for effect in EFFECTS.iter().filter(|effect| names(&code, effect)) {
                faults.push(format!(
                    "src/{}:{}: {room} is pure and names {effect}",
                    path.display(),
                    line + 1
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Files of 60 to 250 lines are the habit; more than 400 of code, comments and blanks aside, is a room inside
/// a room.
#[test]
fn files_are_short() {
    let faults: Vec<String> = sources()
        .iter()
        .map(|(_, path, text)| {
            (path.display(), code(text).lines().filter(|line| !line.trim().is_empty()).count())
        })
        .filter(|(_, lines)| *lines > 400)
        .map(|(path, lines)| format!("src/{path}: {lines} lines"))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
