//! Snapshots of what people see, stored in `tests/snapshots`.

/// Masks what differs from run to run: process IDs, the names of transactions, and times.
pub(crate) fn masked(text: &str) -> String {
    let text = pids_masked(text);
    let text = shape_masked(&text, "99999999-999999-xxxxxxxx", "TRANSACTION");
    let text = shape_masked(&text, "9999-99-99 99:99:99", "TIME");
    text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

/// Masks what has this shape: 9 is any digit, x any hexadecimal one.
fn shape_masked(text: &str, shape: &str, mask: &str) -> String {
    let fits = |found: &str| {
        found.len() == shape.len()
            && found.bytes().zip(shape.bytes()).all(|(found, wanted)| match wanted {
                b'9' => found.is_ascii_digit(),
                b'x' => found.is_ascii_hexdigit(),
                other => found == other,
            })
    };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        if rest.get(..shape.len()).is_some_and(fits) {
            out.push_str(mask);
            rest = &rest[shape.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
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
