//! The list of templates.

use std::fmt::Write as _;

use super::fit::hanging;
use crate::template::{Key, Template};

/// Columns in front of what a value is.
const VALUES: usize = 19;

/// Each template, where its file goes, and the values that it takes, in lines of at most `width` columns.
pub fn templates_text(templates: &[Template], width: usize) -> String {
    let mut out = String::new();
    for template in templates {
        let _ = writeln!(out, "{}", hanging(&format!("{}: {}", template.name, template.about), 0, 2, width));
        // One word: it may be pasted.
        let _ = writeln!(out, "  → {}", template.place);
        for key in template.keys {
            let _ = writeln!(out, "    {:<14} {}", key.name, hanging(&value(key), VALUES, VALUES, width));
        }
        out.push('\n');
    }
    let end = "A value is given by --set KEY=VALUE, one that is in brackets may be left out.";
    let _ = writeln!(out, "{}", hanging(end, 0, 0, width));
    out
}

fn value(key: &Key) -> String {
    match key.default {
        Some(default) => format!("{} [{default}]", key.about),
        None => key.about.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::ALL;

    #[test]
    fn the_list_fits_a_terminal() {
        for width in [60, 80, 120] {
            let text = templates_text(ALL, width);
            let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > width).collect();
            assert!(wide.is_empty(), "{wide:#?}");
        }
        let text = templates_text(ALL, 80);
        assert!(text.contains("    port           the lowest of them [80]\n"), "{text}");
    }
}
