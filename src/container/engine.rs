//! What an installed engine makes of the files: it is asked itself, as the user.

use std::os::fd::OwnedFd;
use std::time::Instant;

use super::ask::{Answer, Asking};
use super::{LookAround, Spec, runner};
use crate::error::Result;
use crate::findings::{Asked, engine_cause, too_short};
use crate::host::{self, Root, Runtime};
use crate::idmap::{self, Extent};
use crate::proof::{Engine, EngineProof, Failure, Kept, Place, Probe, ProbeStatus, Proof, Step};
use crate::range::{Kind, PerKind};
use crate::text::escape;

/// Shows both maps, an empty line between them.
const SHOW: &str = "cat /proc/self/uid_map && echo && cat /proc/self/gid_map";

/// Of many images so many are tried: one may be without a shell, or for another machine.
const IMAGES: usize = 3;

/// Bytes of an engine's words that are passed on: its last ones, which say why it gave up.
const LONGEST_WORDS: usize = 1000;

type Maps = PerKind<Vec<Extent>>;

/// Asks an engine for its maps, as the user, and compares them with those that the files give.
///
/// An engine that is not there, fails or has other IDs is no error but a proof with `ok: false` and the cause.
///
/// # Errors
/// As [`super::run`], and `read-failed` where its program cannot be looked at.
pub fn ask_engine(engine: Engine, spec: &Spec, machine: LookAround<'_>, root: &Root) -> Result<EngineProof> {
    let (program, helper) = host::program(root, engine.name())?;
    let mut seen = Seen {
        proof: EngineProof { engine, program: None, version: None, proof: unproven(spec) },
        kept: None,
        words: String::new(),
    };
    let Some(program) = program else {
        seen.proof.proof.failure =
            Some(missing(engine, helper.path.as_deref().zip(helper.untrusted.as_deref())));
        return Ok(seen.proof);
    };
    seen.proof.program = helper.path;
    let expected = PerKind::try_from_fn(|kind| {
        let own = if kind == Kind::Uid { spec.uid.get() } else { spec.gid.get() };
        engine.expected(own, &spec.ranges[kind]).filter(|_| !spec.ranges[kind].is_empty()).ok_or(())
    });
    // An engine that is asked where the files give nothing would keep the namespace of one ID that it makes.
    let Ok(expected) = expected else {
        let own = runner::run(spec, machine)?.failure;
        seen.proof.proof.failure = own.or_else(|| Some(too_short(&spec.user, &spec.ranges)));
        return Ok(seen.proof);
    };
    seen.proof.proof.expected = expected;
    let runtime = Runtime::of(root, spec.uid);
    let asking = Asking {
        user: spec,
        runtime: runtime.as_ref().map(|runtime| runtime.path.as_str()),
        deadline: Instant::now() + spec.timeout,
    };
    seen.proof.version = version(&asking.run(&program, &[engine.name(), "--version"])?);
    seen.kept = runtime.as_ref().and_then(|runtime| runtime.kept_by(engine, spec.uid));
    match engine {
        Engine::Podman => {
            if seen.hear("unshare", &asking.run(&program, &["podman", "unshare", "sh", "-c", SHOW])?) {
                images(&mut seen, &asking, &program)?;
            }
        }
        Engine::Buildah => {
            seen.hear("unshare", &asking.run(&program, &["buildah", "unshare", "sh", "-c", SHOW])?);
        }
        Engine::Docker | Engine::Nerdctl => daemon(&mut seen, &asking, &program)?,
        // /usr has programs and their libraries where a root has them.
        Engine::Apptainer => {
            let words = ["apptainer", "exec", "--fakeroot", "--no-home", "/usr", "/bin/sh", "-c", SHOW];
            seen.hear("exec", &asking.run(&program, &words)?);
        }
    }
    seen.judge(spec, machine)
}

/// A daemon of the user's own: its namespace as the kernel shows it from outside, and whether it answers.
fn daemon(seen: &mut Seen, asking: &Asking<'_>, program: &OwnedFd) -> Result<()> {
    let Some(maps) = seen.kept.as_ref().map(|kept| kept.maps.clone()) else {
        seen.probe("daemon", ProbeStatus::Failed, "it does not run".to_owned());
        return Ok(());
    };
    if !seen.show("daemon", maps) {
        return Ok(());
    }
    let socket = format!("unix://{}/docker.sock", asking.runtime.unwrap_or_default());
    let info = ["info", "--format", "{{json .SecurityOptions}}"];
    let mut words = vec![seen.proof.engine.name()];
    if seen.proof.engine == Engine::Docker {
        words.extend(["--host", &socket]);
    }
    let answer = asking.run(program, &[&words[..], &info].concat())?;
    let rootless = answer.stdout.windows(8).any(|part| part == b"rootless");
    if answer.code == Some(0) && rootless {
        seen.probe("info", ProbeStatus::Ok, "the daemon answers, and says that it is rootless".to_owned());
    } else {
        seen.words = self::words(&answer);
        seen.probe("info", ProbeStatus::Failed, seen.words.clone());
    }
    Ok(())
}

/// Runs a container of an image that is there, without network: its map is the one that counts in the end.
fn images(seen: &mut Seen, asking: &Asking<'_>, program: &OwnedFd) -> Result<()> {
    let list =
        asking.run(program, &["podman", "images", "--quiet", "--no-trunc", "--filter", "dangling=false"])?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let images: Vec<&str> = list.lines().filter(|id| is_image(id)).take(IMAGES).collect();
    let mut last = "there is no local image to run".to_owned();
    for image in images {
        let answer = asking.run(
            program,
            &[
                "podman",
                "run",
                "--rm",
                "--pull=never",
                "--network=none",
                "--cgroups=disabled",
                "--entrypoint=sh",
                image,
                "-c",
                SHOW,
            ],
        )?;
        // What podman run says where the image has no such program, or it cannot be executed.
        if !matches!(answer.code, Some(126 | 127)) {
            seen.hear("run", &answer);
            return Ok(());
        }
        last = format!("no local image has a shell: {}", words(&answer));
    }
    seen.probe("run", ProbeStatus::NotApplicable, last);
    Ok(())
}

/// `sha256:` and digits, as podman prints them.
fn is_image(id: &str) -> bool {
    id.strip_prefix("sha256:").is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A proof of nothing yet.
fn unproven(spec: &Spec) -> Proof {
    Proof {
        ok: false,
        place: Place::Host,
        user: spec.user.to_string(),
        uid: spec.uid.get(),
        userns: spec.userns.name(),
        maps: PerKind::default(),
        inside: PerKind::default(),
        expected: PerKind::default(),
        identity: None,
        probes: Vec::new(),
        failure: None,
        command_exit: None,
    }
}

fn missing(engine: Engine, untrusted: Option<(&str, &str)>) -> Failure {
    let name = engine.name();
    let (message, evidence, fix) = match untrusted {
        Some((path, why)) => (
            format!("{name} cannot be trusted"),
            format!("{path}: {why}"),
            format!("put the real {name} in its place"),
        ),
        None => (
            format!("{name} is not installed"),
            format!("none of {} has it", host::FOLDERS.join(", ")),
            format!("install {name}, or name an engine that is installed"),
        ),
    };
    let helper_message = if untrusted.is_some() { "not used" } else { "not installed" }.to_owned();
    let cause = "engine-missing".to_owned();
    Failure { step: Step::Engine, helper_message, cause, message, evidence, fix }
}

/// What is known so far.
struct Seen {
    proof: EngineProof,
    kept: Option<Kept>,
    /// What the engine said where it did not show what it should.
    words: String,
}

impl Seen {
    /// Takes in an answer; true where it has the maps that the files give.
    fn hear(&mut self, what: &str, answer: &Answer) -> bool {
        let shown = maps(&answer.stdout).filter(|_| answer.code == Some(0));
        let Some(shown) = shown else {
            self.words = words(answer);
            self.probe(what, ProbeStatus::Failed, self.words.clone());
            return false;
        };
        let right = self.show(what, shown);
        if !right {
            self.words = words(answer);
        }
        right
    }

    /// Takes in maps; true where they are those that the files give.
    fn show(&mut self, what: &str, shown: Maps) -> bool {
        let right = shown == self.proof.proof.expected;
        if right {
            self.probe(what, ProbeStatus::Ok, "its maps are those that the files give".to_owned());
        } else {
            self.probe(what, ProbeStatus::Failed, "its maps are not those that the files give".to_owned());
        }
        if self.proof.proof.maps.uid.is_empty() || !right {
            self.proof.proof.maps = shown.clone();
            self.proof.proof.inside = shown;
        }
        right
    }

    fn probe(&mut self, what: &str, status: ProbeStatus, message: String) {
        let id = format!("{}-{what}", self.proof.engine.name());
        self.proof.proof.probes.push(Probe { id, status, message });
    }

    /// The verdict. Where the engine is not as it should be a container of our own says whether it alone is.
    fn judge(mut self, spec: &Spec, machine: LookAround<'_>) -> Result<EngineProof> {
        let proof = &mut self.proof.proof;
        proof.ok =
            proof.maps == proof.expected && proof.probes.iter().all(|p| p.status != ProbeStatus::Failed);
        if !proof.ok {
            let shown = Some(&proof.maps).filter(|maps| !maps.uid.is_empty());
            proof.failure = Some(engine_cause(Asked {
                engine: self.proof.engine,
                user: &spec.user,
                by_other: nix::unistd::geteuid().as_raw() != spec.uid.get(),
                expected: &proof.expected,
                shown,
                kept: self.kept.as_ref(),
                words: &self.words,
                own: runner::run(spec, machine)?.failure,
            }));
        }
        Ok(self.proof)
    }
}

/// Both maps, as [`SHOW`] prints them.
fn maps(stdout: &[u8]) -> Option<Maps> {
    let text = std::str::from_utf8(stdout).ok()?;
    let (uid, gid) = text.split_once("\n\n")?;
    let map = |text: &str| idmap::parse(text).filter(|map| !map.is_empty());
    Some(PerKind { uid: map(uid)?, gid: map(gid)? })
}

/// The last words of an engine that failed.
fn words(answer: &Answer) -> String {
    let said = answer.stderr.trim_ascii();
    let last = said.get(said.len().saturating_sub(LONGEST_WORDS)..).unwrap_or_default();
    match (last.is_empty(), answer.code) {
        (false, _) => escape(last),
        (true, Some(code)) => format!("exit code {code} without a word"),
        (true, None) => "no word".to_owned(),
    }
}

/// The third word of `NAME version 1.2.3, …`.
fn version(answer: &Answer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.stdout);
    let word = text.split_ascii_whitespace().nth(2)?.trim_end_matches(',');
    Some(escape(word.as_bytes()).chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stdout: &str, stderr: &[u8]) -> Answer {
        Answer { code: Some(1), stdout: stdout.as_bytes().to_vec(), stderr: stderr.to_vec() }
    }

    #[test]
    fn maps_are_read_whole_or_not_at_all() {
        let one = "         0       1001          1\n         1     165536      65536\n";
        let both = maps(format!("{one}\n{one}").as_bytes()).unwrap();
        assert_eq!((both.uid.len(), &both.uid), (2, &both.gid));
        for bad in
            ["", one, "\n\n", &format!("{one}\n"), &format!("{one}\nhello\n"), &format!("{one}\n0 1\n")]
        {
            assert_eq!(maps(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn versions_of_real_engines() {
        for (said, version) in [
            ("podman version 4.3.1\n", Some("4.3.1")),
            ("buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)\n", Some("1.28.2")),
            ("Docker version 20.10.24+dfsg1, build 297e128\n", Some("20.10.24+dfsg1")),
            ("apptainer version 1.4.5\n", Some("1.4.5")),
            ("what\n", None),
            ("a b \x1b[31m\n", Some("\\x1b[31m")),
        ] {
            assert_eq!(super::version(&answer(said, b"")).as_deref(), version);
        }
    }

    #[test]
    fn an_engines_words_are_escaped_and_its_last_ones() {
        let long = [vec![b'x'; 5000], b"\x1b[31mlast\n".to_vec()].concat();
        let said = words(&answer("", &long));
        assert!(said.ends_with(r"\x1b[31mlast") && said.len() < LONGEST_WORDS + 10, "{said}");
        assert_eq!(words(&answer("", b" \n")), "exit code 1 without a word");
    }

    #[test]
    fn only_a_digest_is_an_image() {
        assert!(is_image("sha256:0a"));
        for bad in ["", "sha256:", "--privileged", "sha256:0a --privileged", "busybox"] {
            assert!(!is_image(bad), "{bad}");
        }
    }
}
