//! The list of templates.

use std::fmt::Write as _;

use crate::template::{Key, Template};

/// Columns in front of what a value is.
const VALUES: usize = 19;

/// Each template, where its file goes, and the values that it takes, in lines of at most `width` columns.
pub fn templates_text(templates: &[Template], width: usize) -> String {
    let mut out = String::new();
    for template in templates {
        let _ = writeln!(out, "{}: {}", template.name, template.about);
        let _ = writeln!(out, "  → {}", template.place);
        for key in template.keys {
            wrapped(&mut out, &format!("    {:<14} ", key.name), &value(key), width);
        }
        out.push('\n');
    }
    out.push_str("A value is given by --set KEY=VALUE, one that is in brackets may be left out.\n");
    out
}

fn value(key: &Key) -> String {
    match key.default {
        Some(default) => format!("{} [{default}]", key.about),
        None => key.about.to_owned(),
    }
}

fn wrapped(out: &mut String, first: &str, text: &str, width: usize) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(VALUES);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::ALL;

    #[test]
    fn the_list_fits_a_terminal() {
        for width in [80, 120] {
            let text = templates_text(ALL, width);
            let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > width).collect();
            assert!(wide.is_empty(), "{wide:#?}");
        }
        let text = templates_text(ALL, 80);
        assert!(text.contains("    port           the lowest of them [80]\n"), "{text}");
    }
}
