//! Values in their places: quoted as the target reads them, or refused. What is a word for one target is code for
//! another.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::text::{escape, shell_word};

/// A filter: the text that stands for the value, or why none can.
type Filter = fn(&str) -> Result<String, String>;

/// All filters, by the name of what the value becomes.
pub(super) const FILTERS: [(&str, Filter); 9] = [
    ("sh", sh),
    ("program", program),
    ("id", id),
    ("count", count),
    ("toml", toml),
    ("yaml", yaml),
    ("systemd", systemd),
    ("pam", pam),
    ("apparmor", apparmor),
];

/// Renders nothing but what went through a filter; a value that nobody gave is an error.
pub(super) fn environment() -> Environment<'static> {
    let bad = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_formatter(move |out, _, value| match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text).map_err(Into::into),
        _ => Err(bad("a value stands in the text without a filter".to_owned())),
    });
    for (name, filter) in FILTERS {
        environment.add_filter(name, move |value: String| {
            let refused = |why: String| bad(format!("'{}' {why}", escape(value.as_bytes())));
            filter(&value).map(Value::from_safe_string).map_err(refused)
        });
    }
    environment
}

/// A word of a shell command.
fn sh(value: &str) -> Result<String, String> {
    let word = shell_word(value.as_bytes()).filter(|_| !value.is_empty());
    word.ok_or_else(|| "cannot be a word of a script".to_owned())
}

/// The program of a shell command: never one that a PATH or the working folder decides.
fn program(value: &str) -> Result<String, String> {
    sh(absolute(value)?)
}

/// An ID, or a number of them, in decimal.
fn id(value: &str) -> Result<String, String> {
    match value.parse::<u32>() {
        Ok(number) if number > 0 && number.to_string() == value => Ok(value.to_owned()),
        _ => Err("is not a decimal number from 1 to 4294967295".to_owned()),
    }
}

/// A number that may be 0.
fn count(value: &str) -> Result<String, String> {
    if value == "0" { Ok(value.to_owned()) } else { id(value).map_err(|why| why.replace("from 1", "from 0")) }
}

/// A string of TOML: JSON's escapes are among its own.
fn toml(value: &str) -> Result<String, String> {
    printable(value).map(json)
}

/// A double-quoted scalar of YAML, for which a JSON string is one. Ansible renders what looks like a template.
fn yaml(value: &str) -> Result<String, String> {
    if value.contains('{') {
        return Err("has a brace, which Ansible takes for a template".to_owned());
    }
    printable(value).map(json)
}

/// The program of an `ExecStart=` (systemd.service(5), systemd.unit(5)): quoted, and no specifier in it.
fn systemd(value: &str) -> Result<String, String> {
    let text = absolute(value)?;
    if text.contains(['"', '\'', '\\', '$']) {
        return Err("has a quote, a backslash or a $, which systemd takes in no program's path".to_owned());
    }
    Ok(plain(text).unwrap_or_else(|| format!("\"{}\"", text.replace('%', "%%"))))
}

/// An argument in a line of pam.d(5): in brackets, in which `]` alone means something.
fn pam(value: &str) -> Result<String, String> {
    let text = absolute(value)?;
    if text.contains(['#', '\\']) {
        return Err("has a # or a backslash, at which PAM cuts or joins lines".to_owned());
    }
    Ok(plain(text).unwrap_or_else(|| format!("[{}]", text.replace(']', r"\]"))))
}

/// A path of an AppArmor profile (apparmor.d(5)): quoted, and nothing in it matches other paths.
fn apparmor(value: &str) -> Result<String, String> {
    let text = absolute(value)?;
    if text.contains(['"', '\\', '@']) {
        return Err("has a quote, a backslash or an @, which no path of a profile should have".to_owned());
    }
    let escaped = |c: char| if "*?[]{}^".contains(c) { format!("\\{c}") } else { c.to_string() };
    Ok(plain(text).unwrap_or_else(|| format!("\"{}\"", text.chars().map(escaped).collect::<String>())))
}

/// A path from the root on, without what no program's path should have.
fn absolute(value: &str) -> Result<&str, String> {
    if !value.starts_with('/') || value.ends_with('/') {
        return Err("is not the absolute path of a program".to_owned());
    }
    printable(value)
}

/// A path that every target takes as it is.
fn plain(path: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    path.chars().all(plain).then(|| path.to_owned())
}

fn printable(value: &str) -> Result<&str, String> {
    if value.is_empty() || escape(value.as_bytes()) != value {
        return Err("is empty, or has a character that cannot be seen".to_owned());
    }
    Ok(value)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A word as systemd reads it: its own quotes and escapes, then specifiers.
    fn from_systemd(word: &str) -> Option<String> {
        let text = match word.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?.to_owned(),
            None => word.to_owned(),
        };
        (!text.replace("%%", "").contains(['%', '"', '\'', '\\', '$'])).then(|| text.replace("%%", "%"))
    }

    /// The only argument of a PAM line, as libpam cuts it out (`_pam_mkargv`).
    fn from_pam(word: &str) -> Option<String> {
        let Some(inner) = word.strip_prefix('[') else {
            return (!word.contains(char::is_whitespace)).then(|| word.to_owned());
        };
        let mut out = String::new();
        let mut rest = inner.chars();
        while let Some(c) = rest.next() {
            match c {
                ']' => return rest.next().is_none().then_some(out),
                '\\' => out.push(rest.next()?),
                c => out.push(c),
            }
        }
        None
    }

    /// A path that matches itself and nothing else.
    fn from_apparmor(word: &str) -> Option<String> {
        let inner = word.strip_prefix('"').map_or(Some(word), |rest| rest.strip_suffix('"'))?;
        let quoted = inner.len() < word.len();
        let mut out = String::new();
        let mut rest = inner.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => out.push(rest.next()?),
                c if "*?[]{}^\"@".contains(c) || (!quoted && (c.is_whitespace() || c == ',')) => return None,
                c => out.push(c),
            }
        }
        Some(out)
    }

    /// A word as a POSIX shell reads it.
    fn from_sh(word: &str) -> Option<String> {
        if !word.contains('\'') {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-:@%=,".contains(c);
            return word.chars().all(plain).then(|| word.to_owned());
        }
        let inner = word.strip_prefix('\'')?.strip_suffix('\'')?.replace(r"'\''", "\u{0}");
        (!inner.contains('\'')).then(|| inner.replace('\u{0}', "'"))
    }

    /// What a reader of the target makes of the text.
    fn read(name: &str, text: &str) -> Option<String> {
        match name {
            "sh" | "program" => from_sh(text),
            "toml" => {
                let table: ::toml::Table = ::toml::from_str(&format!("v = {text}")).ok()?;
                table.get("v").and_then(|v| v.as_str()).map(str::to_owned)
            }
            "yaml" => serde_json::from_str::<String>(text).ok(),
            "systemd" => from_systemd(text),
            "pam" => from_pam(text),
            "apparmor" => from_apparmor(text),
            _ => text.parse::<u32>().ok().map(|number| number.to_string()),
        }
    }

    proptest! {
        #[test]
        fn no_value_escapes_its_place(
            value in r#"/?[a-z0-9 '"\\$`%;&|<>(){}\[\]*?#@!~^,:=\n\t\r\u{7f}\u{85}\u{2028}\u{202e}é-]{0,12}"#
        ) {
            for (name, filter) in FILTERS {
                if let Ok(text) = filter(&value) {
                    prop_assert!(!text.contains('\n'), "{name}: {text:?}");
                    prop_assert_eq!(read(name, &text), Some(value.clone()), "{}: {:?}", name, text);
                }
            }
        }
    }

    #[test]
    fn each_target_has_its_own_quotes() {
        let path = r"/opt/a b/%n]*";
        for (name, expected) in [
            ("sh", r"'/opt/a b/%n]*'"),
            ("toml", r#""/opt/a b/%n]*""#),
            ("yaml", r#""/opt/a b/%n]*""#),
            ("systemd", r#""/opt/a b/%%n]*""#),
            ("pam", r"[/opt/a b/%n\]*]"),
            ("apparmor", r#""/opt/a b/%n\]\*""#),
        ] {
            let (_, filter) = FILTERS.into_iter().find(|(filter, _)| *filter == name).unwrap();
            assert_eq!(filter(path).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_no_quotes_can_hold_is_refused() {
        let taken = |value: &str| -> Vec<&str> {
            FILTERS.into_iter().filter(|(_, filter)| filter(value).is_ok()).map(|(name, _)| name).collect()
        };
        let values = ["", "a\nb", "/a\u{202e}b", "0", "/", "/a$b", "/a#b", "{{ x }}", "+5"];
        let expected: [&[&str]; 9] = [
            &[],
            &[],
            &[],
            &["sh", "count", "toml", "yaml"],
            &["sh", "toml", "yaml"],
            &["sh", "program", "toml", "yaml", "pam", "apparmor"],
            &["sh", "program", "toml", "yaml", "systemd", "apparmor"],
            &["sh", "toml"],
            &["sh", "toml", "yaml"],
        ];
        for (value, expected) in values.into_iter().zip(expected) {
            assert_eq!(taken(value), expected, "{value:?}");
        }
    }
}
