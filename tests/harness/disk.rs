//! A file system that keeps no promise but fsync's: what it may hold after a power cut, from a recorded trace.
//!
//! The idea is ALICE's (Pillai et al., OSDI 2014). Of each folder any of the changes to its names since its
//! last fsync may have happened, in their order; of each file's data what was written since its last fsync is
//! there, or is not, or half of it is, or its length is and zeros stand there. So a rename may last before the
//! data of the renamed file does, and of two renames the second alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Call, Image};

/// Mode and bytes of a file.
pub(crate) type Content = (u32, Vec<u8>);
/// Files by path, folders with a slash at the end; an absent one is not there.
pub(crate) type State = BTreeMap<String, Content>;

#[derive(Debug, Default)]
struct Folder {
    durable: BTreeMap<String, usize>,
    pending: Vec<Vec<(String, Option<usize>)>>,
}

#[derive(Debug)]
struct File {
    durable: Content,
    now: Content,
}

/// The file system while a command runs.
#[derive(Debug)]
pub(crate) struct Disk {
    files: Vec<File>,
    folders: BTreeMap<String, Folder>,
    /// Names as processes see them.
    names: BTreeMap<String, usize>,
    /// Files that are open for writing, by descriptor.
    open: BTreeMap<String, usize>,
}

/// Descriptors that lead to a folder end in its path.
fn split(path: &str) -> (String, String) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    (folder.to_owned(), name.to_owned())
}

/// What a change can touch.
pub(super) fn ours(path: &str) -> bool {
    ["subuid", "subgid", "subidctl", ".pwd.lock"].iter().any(|part| path.contains(part))
}

impl Disk {
    /// Everything of the image is durable.
    pub(crate) fn new(image: &Image) -> Self {
        let mut disk =
            Self { files: vec![], folders: BTreeMap::new(), names: BTreeMap::new(), open: BTreeMap::new() };
        for path in image.paths().filter(|path| ours(path)) {
            let Some(bytes) = image.file(path) else {
                disk.folders.entry(path.to_owned()).or_default();
                continue;
            };
            let content = (image.mode(path), bytes.to_vec());
            let id = disk.file(content);
            let (folder, name) = split(path);
            disk.folders.entry(folder).or_default().durable.insert(name, id);
            disk.names.insert(path.to_owned(), id);
        }
        disk
    }

    /// After some calls of a process that was killed, and what others made durable since.
    pub(crate) fn resumed(before: &Image, calls: &[Call], now: &Image) -> Self {
        let mut disk = Self::new(before);
        for call in calls {
            disk.apply(call);
        }
        disk.open.clear();
        for path in now.paths().filter(|path| ours(path)) {
            let Some(bytes) = now.file(path) else { continue };
            let content = (now.mode(path), bytes.to_vec());
            if disk.names.get(path).is_some_and(|id| disk.files[*id].now == content) {
                continue;
            }
            let id = disk.file(content);
            let (folder, name) = split(path);
            let folder = disk.folders.entry(folder).or_default();
            for change in &mut folder.pending {
                change.retain(|(changed, _)| *changed != name);
            }
            folder.durable.insert(name, id);
            disk.names.insert(path.to_owned(), id);
        }
        disk
    }

    fn file(&mut self, content: Content) -> usize {
        self.files.push(File { durable: content.clone(), now: content });
        self.files.len() - 1
    }

    fn change(&mut self, folder: &str, names: Vec<(String, Option<usize>)>) {
        for (name, id) in &names {
            let path = format!("{folder}/{name}");
            match id {
                Some(id) => self.names.insert(path, *id),
                None => self.names.remove(&path),
            };
        }
        self.folders.entry(folder.to_owned()).or_default().pending.push(names);
    }

    /// Carries out a recorded call.
    pub(crate) fn apply(&mut self, call: &Call) {
        if call.failed() {
            return;
        }
        let args = arguments(&call.text);
        let result = call.text.rsplit_once(" = ").unwrap().1;
        let text = |at: usize| String::from_utf8(args[at].clone()).unwrap();
        let fd = |at: usize| text(at).split('<').next().unwrap().to_owned();
        let folder = |at: usize| {
            let arg = text(at);
            arg.split_once('<').unwrap().1.trim_end_matches('>').to_owned()
        };
        let opened = self.open.get(&fd(0)).copied();
        match call.name.as_str() {
            "openat" => {
                let id = if text(2).contains("O_TMPFILE") {
                    self.file((0o600, Vec::new()))
                } else {
                    let path = format!("{}/{}", folder(0), text(1));
                    match self.names.get(&path) {
                        Some(id) => *id,
                        None if ours(&path) => {
                            let id = self.file((0o600, Vec::new()));
                            self.change(&folder(0), vec![(text(1), Some(id))]);
                            id
                        }
                        None => return,
                    }
                };
                self.open.insert(result.split('<').next().unwrap().to_owned(), id);
            }
            "write" | "pwrite64" => {
                let Some(id) = opened.filter(|_| !["1", "2"].contains(&fd(0).as_str())) else { return };
                let bytes = &mut self.files[id].now.1;
                let at =
                    args.get(3).map_or(bytes.len(), |at| std::str::from_utf8(at).unwrap().parse().unwrap());
                bytes.resize(bytes.len().max(at + args[1].len()), 0);
                bytes[at..at + args[1].len()].copy_from_slice(&args[1]);
            }
            "fallocate" if text(1) == "0" => {
                let len: usize = text(3).parse().unwrap();
                let bytes = &mut self.files[opened.unwrap()].now.1;
                bytes.resize(bytes.len().max(len), 0);
            }
            "ftruncate" => self.files[opened.unwrap()].now.1.truncate(text(1).parse().unwrap()),
            "fchmod" => {
                if let Some(id) = opened.filter(|_| !self.folders.contains_key(&folder(0))) {
                    self.files[id].now.0 = u32::from_str_radix(&text(1), 8).unwrap();
                }
            }
            "linkat" => self.change(&folder(2), vec![(text(3), opened)]),
            "renameat" => {
                let id = self.names[&format!("{}/{}", folder(0), text(1))];
                self.change(&folder(0), vec![(text(1), None), (text(3), Some(id))]);
            }
            "unlinkat" => self.change(&folder(0), vec![(text(1), None)]),
            "mkdirat" => {
                // A folder is a file without content, and what lies in it is there only if it is.
                let id = self.file((0o700, Vec::new()));
                self.change(&folder(0), vec![(text(1), Some(id))]);
                self.folders.entry(format!("{}/{}", folder(0), text(1))).or_default();
            }
            "fsync" | "fdatasync" => {
                // A folder is always open, whatever file had its number before.
                if let Some(folder) = self.folders.get_mut(&folder(0)) {
                    for (name, id) in std::mem::take(&mut folder.pending).into_iter().flatten() {
                        match id {
                            Some(id) => folder.durable.insert(name, id),
                            None => folder.durable.remove(&name),
                        };
                    }
                } else if let Some(id) = opened {
                    self.files[id].durable = self.files[id].now.clone();
                }
            }
            "fallocate" | "fchown" | "fsetxattr" | "exit_group" | "sendto" => {}
            other => panic!("the model does not know {other}: {call}"),
        }
    }

    /// Every state that a power cut may leave now; of more than `bound`, the extremes and a sample.
    pub(crate) fn states(&self, bound: usize, seed: &mut u64) -> Vec<State> {
        let folders: Vec<&str> = self
            .folders
            .iter()
            .filter(|(_, f)| !f.pending.is_empty())
            .map(|(path, _)| path.as_str())
            .collect();
        let reachable: BTreeSet<usize> = self
            .folders
            .values()
            .flat_map(|f| {
                f.durable.values().copied().chain(f.pending.iter().flatten().filter_map(|(_, id)| *id))
            })
            .collect();
        let files: Vec<usize> =
            reachable.into_iter().filter(|id| self.files[*id].durable != self.files[*id].now).collect();
        // Of each folder a bit for each change, of each file one of four.
        let mut sizes = Vec::new();
        for folder in &folders {
            sizes.extend(self.folders[*folder].pending.iter().map(|_| 2_usize));
        }
        sizes.extend(files.iter().map(|_| VARIANTS));
        let total = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size)).unwrap_or(usize::MAX);
        let mut picks: Vec<Vec<usize>> = Vec::new();
        if total <= bound {
            picks.extend((0..total).map(|mut n| {
                sizes
                    .iter()
                    .map(|size| {
                        let digit = n % size;
                        n /= size;
                        digit
                    })
                    .collect()
            }));
        } else {
            let (none, all) = (vec![0; sizes.len()], vec![1; sizes.len()]);
            for at in 0..sizes.len() {
                for value in 0..sizes[at] {
                    for base in [&none, &all] {
                        let mut pick = base.clone();
                        pick[at] = value;
                        picks.push(pick);
                    }
                }
            }
            while picks.len() < bound {
                picks.push(sizes.iter().map(|size| next(seed) % size).collect());
            }
        }
        let mut seen = HashSet::new();
        picks
            .iter()
            .map(|pick| self.state(&folders, &files, pick))
            .filter(|s| seen.insert(s.clone()))
            .collect()
    }

    fn state(&self, pending: &[&str], unsynced: &[usize], pick: &[usize]) -> State {
        let mut picks = pick.iter();
        let mut names = BTreeMap::new();
        let mut missing = Vec::new();
        let mut chosen: BTreeMap<&str, BTreeMap<&String, usize>> = BTreeMap::new();
        for (path, folder) in &self.folders {
            let mut there: BTreeMap<&String, usize> = folder.durable.iter().map(|(n, id)| (n, *id)).collect();
            if pending.contains(&path.as_str()) {
                for change in &folder.pending {
                    if *picks.next().unwrap() == 0 {
                        continue;
                    }
                    for (name, id) in change {
                        match id {
                            Some(id) => there.insert(name, *id),
                            None => there.remove(name),
                        };
                    }
                }
            }
            chosen.insert(path, there);
        }
        let variants: BTreeMap<usize, usize> = unsynced.iter().copied().zip(picks.copied()).collect();
        for (path, there) in &chosen {
            for (name, id) in there {
                names.insert(format!("{path}/{name}"), *id);
            }
        }
        for path in self.folders.keys() {
            let (parent, name) = split(path);
            let made = self.folders.contains_key(&parent) && self.names.contains_key(path);
            if made && !chosen[parent.as_str()].contains_key(&name) {
                missing.push(format!("{path}/"));
            }
        }
        let is_there = |path: &str| !missing.iter().any(|gone| path.starts_with(gone));
        let folders = self.folders.keys().filter(|path| ours(path)).map(|path| format!("{path}/"));
        let files = names.into_iter().filter(|(path, _)| !self.folders.contains_key(path) && is_there(path));
        let content = |id: usize| self.files[id].variant(variants.get(&id).copied().unwrap_or(0));
        let files = files.map(|(path, id)| (path, content(id)));
        folders.filter(|path| is_there(path)).map(|path| (path, (0o700, Vec::new()))).chain(files).collect()
    }
}

const VARIANTS: usize = 4;

impl File {
    fn variant(&self, which: usize) -> Content {
        let (now, durable) = (&self.now, &self.durable);
        let same = now.1.iter().zip(&durable.1).take_while(|(a, b)| a == b).count();
        match which {
            0 => durable.clone(),
            1 => now.clone(),
            2 => (now.0, now.1.iter().enumerate().map(|(at, b)| if at < same { *b } else { 0 }).collect()),
            _ => (durable.0, now.1[..same + (now.1.len() - same) / 2].to_vec()),
        }
    }
}

/// xorshift: the same states for the same seed.
pub(crate) fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap()
}

/// A call's arguments: strings as their bytes, everything else as strace writes it.
fn arguments(text: &str) -> Vec<Vec<u8>> {
    let text = text.split_once('(').unwrap().1.as_bytes();
    let (mut args, mut arg, mut at) = (vec![], vec![], 0);
    let mut depth = 0_u32;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string(text, at + 1, &mut arg),
            b',' if depth == 0 => args.push(std::mem::take(&mut arg)),
            b')' if depth == 0 => break,
            b' ' if depth == 0 => {}
            b'<' | b'(' | b'{' => {
                depth += 1;
                arg.push(*byte);
            }
            b'>' | b')' | b'}' => {
                depth -= 1;
                arg.push(*byte);
            }
            _ => arg.push(*byte),
        }
        at += 1;
    }
    args.push(arg);
    args
}

/// Reads a string with C's escapes up to its closing quote, and gives the quote's place.
fn string(text: &[u8], mut at: usize, into: &mut Vec<u8>) -> usize {
    while text[at] != b'"' {
        if text[at] != b'\\' {
            into.push(text[at]);
            at += 1;
            continue;
        }
        let digits = text[at + 1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
        if digits > 0 {
            let octal = std::str::from_utf8(&text[at + 1..=at + digits]).unwrap();
            into.push(u8::try_from(u32::from_str_radix(octal, 8).unwrap()).unwrap());
            at += 1 + digits;
            continue;
        }
        into.push(match text[at + 1] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 11,
            b'f' => 12,
            other => other,
        });
        at += 2;
    }
    at
}
