//! Snapshots of what people see, stored in `tests/snapshots`.

/// Masks what differs from run to run: process IDs and the names of transactions.
pub(crate) fn masked(text: &str) -> String {
    let text = pids_masked(text);
    let lines = text.lines().map(|line| match line.strip_prefix("Committed as ") {
        Some(_) => "Committed as TRANSACTION.\n".to_owned(),
        None => format!("{line}\n"),
    });
    lines.collect::<Vec<_>>().concat()
}

fn pids_masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("pid ") {
        let (before, after) = rest.split_at(at + "pid ".len());
        masked.push_str(before);
        let number = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        // Inside a container it is 1, and that is the point.
        masked.push_str(if number > 1 { "PID" } else { &after[..number] });
        rest = &after[number..];
    }
    masked + rest
}

/// Asserts that a text is the stored one.
#[track_caller]
pub(crate) fn assert_shown(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, masked(text)));
}
