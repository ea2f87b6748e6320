//! Containers for the users of a plan: before the change in a world, after it on the host.

use std::collections::HashSet;

use serde_json::Value;

use super::facts::Context;
use super::output::Output;
use super::person::{Person, spec};
use super::progress::Progress;
use crate::container::{self, LookAround, Spec, Stage, World};
use crate::error::{Code, Error, Result};
use crate::host::{self, Helpers, read_following};
use crate::idmap::Userns;
use crate::planner::{Holders, Owner, Plan, sample};
use crate::proof::Proof;
use crate::range::{Kind, PerKind};
use crate::report::{error_text, proof as report};
use crate::snapshot::Account;

/// Those whose containers are made, of how many.
pub(super) struct People {
    chosen: Vec<Person>,
    all: usize,
    userns: Userns,
}

impl People {
    /// The plan's users who have an account and any range; of many a sample.
    pub(super) fn of(context: &Context, plan: &Plan, most: usize) -> Self {
        let accounts = &context.snapshot.accounts;
        let files = PerKind::from_fn(|kind| &plan.files[kind].after);
        let holders = Holders::new(files);
        let mut seen = HashSet::new();
        let mut all: Vec<Person> = plan
            .assignments
            .iter()
            .filter(|a| a.uid.is_some() && seen.insert(a.uid))
            .filter_map(|a| accounts.by_name(&a.user).or_else(|| accounts.by_uid(a.uid?)))
            .map(|account| {
                let spellings = Owner::account(account.clone()).spellings(accounts);
                (account.clone(), holders.ranges(&spellings))
            })
            .filter(|(_, ranges)| !ranges.uid.is_empty() || !ranges.gid.is_empty())
            .collect();
        let several: Vec<bool> = all.iter().map(|(_, r)| r.uid.len() > 1 || r.gid.len() > 1).collect();
        let (count, chosen) = (all.len(), sample(&several, most));
        let mut index = 0..;
        all.retain(|_| index.next().is_some_and(|index: usize| chosen.binary_search(&index).is_ok()));
        Self { chosen: all, all: count, userns: Userns::default() }
    }

    /// The same with another map in their containers.
    pub(super) fn with(self, userns: Userns) -> Self {
        Self { userns, ..self }
    }

    /// Runs their containers on the planned files, in one world.
    ///
    /// # Errors
    /// `world-unavailable`, `world-map-too-long`, and as [`container::run`].
    pub(super) fn in_world(
        &self,
        context: &Context,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<Vec<Proof>> {
        if self.chosen.is_empty() {
            return Ok(Vec::new());
        }
        let (helpers, _) = host::helpers(&context.root)?;
        let accounts: Vec<Account> = self.chosen.iter().map(|(account, _)| account.clone()).collect();
        let files = PerKind::from_fn(|kind| &plan.files[kind].after);
        let login_defs =
            read_following(&context.root, "/etc/login.defs")?.map(|(bytes, _)| bytes).unwrap_or_default();
        let mut stage = Stage::new(&context.root, &accounts, files, login_defs)?;
        for (_, ranges) in &self.chosen {
            for kind in Kind::BOTH {
                ranges[kind].iter().for_each(|range| stage.give(kind, *range));
            }
        }
        let world = World::make(&context.snapshot, &context.policy, &stage, &helpers)?;
        self.there(&world, &|| host::machine(&context.root, None), progress)
    }

    /// Runs their containers in a world that is there.
    ///
    /// # Errors
    /// As [`container::run`].
    pub(super) fn there(
        &self,
        world: &World,
        machine: LookAround<'_>,
        progress: &mut Progress,
    ) -> Result<Vec<Proof>> {
        self.each(progress, |person| world.prove(&self.spec(person, Helpers::default()), machine))
    }

    /// Runs the same containers as the real users.
    ///
    /// # Errors
    /// As [`container::run`].
    pub(super) fn on_host(&self, context: &Context, progress: &mut Progress) -> Result<Vec<Proof>> {
        self.each(progress, |person| {
            let (helpers, _) = host::helpers(&context.root)?;
            container::run(&self.spec(person, helpers), &|| host::machine(&context.root, Some(&person.0)))
        })
    }

    fn spec(&self, person: &Person, helpers: Helpers) -> Spec {
        Spec { userns: self.userns.clone(), ..spec(person, helpers) }
    }

    fn each(&self, progress: &mut Progress, prove: impl Fn(&Person) -> Result<Proof>) -> Result<Vec<Proof>> {
        let count = self.chosen.len();
        let numbered = self.chosen.iter().zip(1..);
        let proofs = numbered.map(|(person, number): (&Person, usize)| {
            progress.step(|| format!("proving {number} of {count}"));
            prove(person)
        });
        let proofs = proofs.collect();
        progress.clear();
        proofs
    }

    /// Says what was proven where.
    pub(super) fn show(&self, proofs: &[Proof], output: Output) -> Result<()> {
        if self.chosen.is_empty() {
            output.note(
                "note: no owner of the plan has both an account and a range, so no container was started\n",
            );
        }
        output.text(&report::several(proofs, self.all))
    }
}

/// Worlds are root's to make.
pub(super) fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::new(Code::NotRoot, "only root can try something in a world")
        .why(format!("this process runs as uid {}", nix::unistd::geteuid()))
        .fix("run it with sudo"))
}

/// The first container that failed, as an error. `undo` names the change that stands all the same.
pub(super) fn failure(proofs: &[Proof], undo: Option<&str>) -> Option<Error> {
    let failed = proofs.iter().find(|proof| !proof.ok)?;
    let user = &failed.user;
    let why = failed.failure.as_ref().map(|f| format!("{}: {}", f.cause, f.evidence)).unwrap_or_default();
    let fix = failed.failure.as_ref().map(|f| f.fix.clone()).unwrap_or_default();
    Some(match undo {
        None => Error::new(
            Code::ProofFailed,
            format!("a container of {user} does not work on the planned files; nothing was changed"),
        )
        .why(why)
        .fix(fix),
        Some(transaction) => Error::new(
            Code::ProofFailed,
            format!("the change is committed, but a container of {user} does not work on this host"),
        )
        .why(why)
        .fix(format!("{fix}; or put the change back: sudo subidctl undo {transaction}")),
    })
}

/// Adds what was found before to a document, where the command looks for anything.
pub(super) fn with_findings(mut document: Value, findings: &Value) -> Value {
    if let Some(object) = document.as_object_mut().filter(|_| !findings.is_null()) {
        object.insert("findings".to_owned(), findings.clone());
    }
    document
}

/// Adds the proofs to a document, and whether all of them are good and nobody was refused.
pub(super) fn with_proofs(mut document: Value, proofs: &[Proof], findings: &Value) -> Value {
    if let Some(object) = document.as_object_mut() {
        let refused = object.get("refusals").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        object.insert("ok".to_owned(), (!refused && proofs.iter().all(|proof| proof.ok)).into());
        object.insert("proofs".to_owned(), proofs.iter().map(report::json).collect());
        let findings = if findings.is_null() { Value::Array(Vec::new()) } else { findings.clone() };
        object.insert("findings".to_owned(), findings);
    }
    document
}

/// What `--verify` has seen so far; without it, nothing is started.
pub(super) struct Proofs<'a> {
    people: Option<People>,
    context: &'a Context,
    plan: &'a Plan,
    findings: &'a Value,
    seen: Vec<Proof>,
}

impl<'a> Proofs<'a> {
    /// For a plan; of many users so many containers are started, or none.
    pub(super) fn new(
        context: &'a Context,
        plan: &'a Plan,
        sample: Option<usize>,
        findings: &'a Value,
    ) -> Self {
        let people = sample.map(|most| People::of(context, plan, most));
        Self { people, context, plan, findings, seen: Vec::new() }
    }

    /// Tries the planned files; the exit code where that fails.
    pub(super) fn in_world(&mut self, output: Output, progress: &mut Progress) -> Result<Option<u8>> {
        let Some(people) = &self.people else { return Ok(None) };
        let proofs = people.in_world(self.context, self.plan, progress)?;
        people.show(&proofs, output)?;
        let failed = failure(&proofs, None);
        self.seen.extend(proofs);
        Ok(failed.map(|error| said(&error, output)))
    }

    /// Tries the host. The change stands, whatever comes of it, so a failure is said and no error.
    pub(super) fn on_host(
        &mut self,
        transaction: Option<&str>,
        output: Output,
        progress: &mut Progress,
    ) -> Option<u8> {
        let people = self.people.as_ref()?;
        let proofs = match people.on_host(self.context, progress) {
            Ok(proofs) => proofs,
            Err(error) => return Some(said(&error, output)),
        };
        let _ = people.show(&proofs, output);
        let failed = failure(&proofs, transaction);
        self.seen.extend(proofs);
        failed.map(|error| said(&error, output))
    }

    /// Adds what was seen to a document.
    pub(super) fn document(&self, document: Value) -> Value {
        match self.people {
            Some(_) => with_proofs(document, &self.seen, self.findings),
            None => with_findings(document, self.findings),
        }
    }
}

/// Prints an error beside the document that is still to come; its exit code.
fn said(error: &Error, output: Output) -> u8 {
    super::to_stderr(&error_text(error, output.errors));
    error.code.exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_with_a_refusal_is_not_ok() {
        let ok = |refusals| with_proofs(json!({ "refusals": refusals }), &[], &json!([]))["ok"].clone();
        assert_eq!((ok(json!([])), ok(json!([{ "owner": "nobody" }]))), (json!(true), json!(false)));
    }
}
