//! Every template against the program that reads it.

mod accounts;
mod ansible;
mod boot;
mod policies;
mod units;

use crate::harness::Sandbox;

/// A path that every target must quote.
const ODD: &str = "/srv/it's 100%n of [a b], *?/subidctl";

/// Renders a template to a file, with these `--set` values.
fn render(sandbox: &Sandbox, name: &str, values: &[(&str, &str)], to: &str) {
    let quoted = |value: &str| value.replace('\'', r"'\''");
    let set: String = values.iter().map(|(key, value)| format!(" --set '{key}={}'", quoted(value))).collect();
    sandbox
        .run(&format!("mkdir -p \"$(dirname {to})\"; subidctl template render {name}{set} --to {to}"))
        .ok();
}

/// The program at such a path.
fn installed_oddly(sandbox: &Sandbox, path: &str) {
    let quoted = path.replace('\'', r"'\''");
    sandbox
        .run(&format!("mkdir -p \"$(dirname '{quoted}')\"; ln -s /usr/local/bin/subidctl '{quoted}'"))
        .ok();
}
