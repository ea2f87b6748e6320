//! The system calls of a command, one by one: recorded, and then met again with a fault.

use super::Sandbox;

/// The calls that change a file, a folder or what is said to the user.
const WRITES: &str = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,copy_file_range,sendfile,fsync,\
    fdatasync,sync_file_range,fallocate,truncate,ftruncate,link,linkat,symlink,symlinkat,rename,renameat,\
    renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,setxattr,\
    fsetxattr,removexattr,fremovexattr,utimensat,mknod,mknodat,exit_group";

/// One call of a command that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The how many-th of its name, from 1.
    pub(crate) nth: usize,
    /// As strace writes it, whole strings included.
    pub(crate) text: String,
}

/// A command that met its fault.
#[derive(Debug)]
pub(crate) struct Met {
    /// Its exit code; 137 where it was killed.
    pub(crate) code: i32,
    pub(crate) output: String,
    /// Whether the fault came at the call that was meant.
    pub(crate) hit: bool,
    /// Its calls up to there that change something, where they were recorded.
    pub(crate) calls: Vec<Call>,
}

impl Call {
    /// Opens for writing, everything that changes something, and the end.
    fn writes(&self) -> bool {
        let opens = self.name.starts_with("open");
        let flags = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"];
        !opens || flags.iter().any(|flag| self.text.contains(flag))
    }

    /// Whether it failed by itself, as a look for what is not there, or never came back.
    pub(crate) fn failed(&self) -> bool {
        self.text.contains(" = -1 E") || self.text.ends_with("= ?")
    }

    /// What stays the same from run to run: name and paths, without numbers and data.
    pub(crate) fn shape(&self) -> String {
        let args = self.text.rsplit_once(" = ").map_or(&self.text[..], |(args, _)| args);
        let data = self.name.contains("write");
        let args = if data { args.split('"').next().unwrap_or_default() } else { args };
        let mut shape = String::new();
        for c in args.trim_end().chars() {
            match c {
                '0'..='9' if shape.ends_with('#') => {}
                '0'..='9' => shape.push('#'),
                c => shape.push(c),
            }
        }
        shape
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.name, self.nth, self.text.chars().take(100).collect::<String>())
    }
}

/// The calls in strace's log, with how many of each name came before.
fn parse(log: &str) -> Vec<Call> {
    let mut seen = std::collections::HashMap::<String, usize>::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let text = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, _)) = text.split_once('(').filter(|(name, _)| !name.starts_with(['+', '<', '-']))
        else {
            continue;
        };
        let nth = seen.entry(name.to_owned()).or_default();
        *nth += 1;
        calls.push(Call { name: name.to_owned(), nth: *nth, text: text.to_owned() });
    }
    calls
}

impl Sandbox {
    /// Runs a command undisturbed and gives its calls that change something, in order, and its exit code.
    pub(crate) fn recorded(&self, command: &str) -> (Vec<Call>, i32) {
        let strace = "strace -f -qq -y -s 100000 -e signal=none -o /tmp/calls";
        let output = self.run(&format!("{strace} -e trace={WRITES} {command}"));
        let log = String::from_utf8(self.read("/tmp/calls").unwrap()).unwrap();
        (parse(&log).into_iter().filter(Call::writes).collect(), output.code)
    }

    /// Runs the command again with a fault at one of its calls, as strace's `inject` has it: `signal=KILL`,
    /// `error=EIO`.
    pub(crate) fn faulted(&self, command: &str, call: &Call, fault: &str) -> Met {
        let strace = "strace -f -qq -y -s 100000 -e signal=none -o /tmp/calls";
        let inject = format!("-e inject={}:{fault}:when={}", call.name, call.nth);
        let run = format!("{strace} -e trace={WRITES} {inject} {command}; echo \"exit $?\"");
        let output = self.run(&run);
        let log = String::from_utf8(self.read("/tmp/calls").unwrap()).unwrap();
        let calls = parse(&log);
        let met = calls.iter().find(|c| (&c.name, c.nth) == (&call.name, call.nth));
        let (said, code) = output.stdout.trim_end().rsplit_once("exit ").unwrap();
        Met {
            code: code.parse().unwrap(),
            output: format!("{said}{}", output.stderr),
            hit: met.is_some_and(|met| met.shape() == call.shape()),
            calls: calls.into_iter().filter(Call::writes).collect(),
        }
    }

    /// Puts the helper that lets a call return an error after it was carried out into place; see `late.c`.
    pub(crate) fn install_late(&self) {
        self.install("/tmp/late", include_str!("late.c"), &[]);
    }

    /// Runs the command again; one of its calls is carried out and returns this error all the same.
    pub(crate) fn failed_late(&self, command: &str, call: &Call, errno: i32) -> Met {
        let run = format!("/tmp/late {} {} {errno} {command}; echo \"exit $?\"", call.name, call.nth);
        let output = self.run(&run);
        let (said, code) = output.stdout.trim_end().rsplit_once("exit ").unwrap();
        let code = code.parse().unwrap();
        Met { code, output: format!("{said}{}", output.stderr), hit: code != 99, calls: Vec::new() }
    }
}
