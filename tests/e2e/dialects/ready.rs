//! Real programs, started once and asked thousands of times.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use crate::harness::Sandbox;

/// Where the preloaded library lies in a sandbox.
const LIBRARY: &str = "/tmp/ready.so";

/// One of shadow's programs. Ended when dropped: its questions end.
struct Ready {
    child: Child,
    questions: Option<ChildStdin>,
    answers: ChildStdout,
}

/// The programs that are asked, by their place in [`NAMES`].
pub(super) struct Programs {
    ready: [Ready; 3],
    /// Whether each question is a start of the program, as people ask it.
    pub(super) each_started: bool,
}

const NAMES: [&str; 3] = ["getsubids", "newuidmap", "newgidmap"];

/// Puts the library that keeps a program ready into a sandbox; see `ready.c`.
pub(super) fn install(sandbox: &Sandbox) {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    let library = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("ready.c"), folder.path().join("ready.so"));
        std::fs::write(&source, include_str!("ready.c")).unwrap();
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status();
        assert!(built.unwrap().success(), "ready.c does not compile");
        std::fs::read(library).unwrap()
    });
    sandbox.write(LIBRARY, library);
}

impl Programs {
    /// The programs of the system that this thread is in, where [`install`] was called before.
    pub(super) fn new() -> Self {
        Self { ready: NAMES.map(Ready::new), each_started: false }
    }

    /// What a program does when this user starts it.
    pub(super) fn ask(&mut self, name: &str, (uid, gid): (u32, u32), arguments: &[String]) -> Output {
        if self.each_started {
            let mut command = Command::new(format!("/usr/bin/{name}"));
            return command.args(arguments).uid(uid).gid(gid).env_clear().output().unwrap();
        }
        let place = NAMES.iter().position(|other| *other == name).unwrap();
        self.ready[place].ask((uid, gid), arguments)
    }
}

impl Ready {
    fn new(name: &str) -> Self {
        let mut command = Command::new(format!("/usr/bin/{name}"));
        // Else each question would look up the functions that it calls.
        command.env_clear().env("LD_PRELOAD", LIBRARY).env("LD_BIND_NOW", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { questions: child.stdin.take(), answers: child.stdout.take().unwrap(), child }
    }

    fn ask(&mut self, (uid, gid): (u32, u32), arguments: &[String]) -> Output {
        let words: Vec<u8> = arguments.iter().flat_map(|word| word.bytes().chain([0])).collect();
        let length = u32::try_from(words.len()).unwrap();
        let mut question: Vec<u8> = [uid, gid, length].iter().flat_map(|n| n.to_ne_bytes()).collect();
        question.extend(words);
        self.questions.as_mut().unwrap().write_all(&question).unwrap();
        let [status, stdout, stderr] = [(); 3].map(|()| {
            let mut bytes = [0; 4];
            self.answers.read_exact(&mut bytes).unwrap();
            u32::from_ne_bytes(bytes)
        });
        let [stdout, stderr] = [stdout, stderr].map(|length| {
            let mut bytes = vec![0; length as usize];
            self.answers.read_exact(&mut bytes).unwrap();
            bytes
        });
        Output { status: ExitStatus::from_raw(status.cast_signed()), stdout, stderr }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        drop(self.questions.take());
        drop(self.child.wait());
    }
}
