//! Embedded templates to text. A value that nobody gave is an error, and so is a value that goes into the text
//! without a filter: what is a word for one target is code for another.

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::error::{Code, Error, Result};
use crate::text::{escape, shell_word};

/// A file that other systems need, with places for values.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it makes, in one phrase.
    pub about: &'static str,
    /// The values that it takes, all of them, and what each is.
    pub keys: &'static [(&'static str, &'static str)],
    /// Its text.
    pub text: &'static str,
}

/// All templates, by name.
pub const ALL: &[Template] = &[Template {
    name: "chown-script",
    about: "a script that moves a user's files from an old range of IDs to a new one",
    keys: &[
        ("owner", "the user whose files they are"),
        ("path", "the folder to begin in, from / on"),
        ("old_uid", "the first uid of the old range"),
        ("old_gid", "the first gid of the old range"),
        ("new_uid", "the first uid of the new range"),
        ("new_gid", "the first gid of the new range"),
        ("count", "how many IDs each of the ranges has"),
    ],
    text: include_str!("../../templates/chown-script.sh"),
}];

/// Finds a template.
///
/// # Errors
/// `usage`, with the nearest name.
pub fn find(name: &str) -> Result<&'static Template> {
    ALL.iter().find(|t| t.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|t| t.name).collect();
        Error::new(Code::Usage, format!("there is no template {}", escape(name.as_bytes())))
            .why(format!("the templates are: {}", names.join(", ")))
            .fix("subidctl template list says what each is for")
    })
}

impl Template {
    /// The text with the values in their places.
    ///
    /// # Errors
    /// `usage` where a value is missing, unknown, or nothing that its place can take.
    pub fn render(&self, values: &BTreeMap<String, String>) -> Result<String> {
        let keys: Vec<&str> = self.keys.iter().map(|(key, _)| *key).collect();
        let all = || format!("{} takes: {}", self.name, keys.join(", "));
        if let Some(wrong) = values.keys().find(|key| !keys.contains(&key.as_str())) {
            let likeness = |key: &&&str| (strsim::jaro_winkler(key, wrong) * 1000.0).round();
            let near = keys.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            return Err(Error::new(Code::Usage, format!("there is no value {}", escape(wrong.as_bytes())))
                .why(all())
                .fix(near.map_or_else(String::new, |near| format!("did you mean {near}?"))));
        }
        let missing: Vec<&str> = keys.iter().filter(|key| !values.contains_key(**key)).copied().collect();
        if !missing.is_empty() {
            let set: Vec<String> = missing.iter().map(|key| format!("--set {key}=…")).collect();
            return Err(Error::new(Code::Usage, format!("the template {} needs more values", self.name))
                .why(format!("missing: {}", missing.join(", ")))
                .fix(format!("add {}", set.join(" "))));
        }
        environment().render_str(self.text, values).map_err(|error| {
            let detail = escape(error.detail().unwrap_or("it cannot be rendered").as_bytes());
            Error::new(Code::Usage, format!("the template {} cannot be rendered", self.name))
                .why(detail)
                .fix(all())
        })
    }
}

fn environment() -> Environment<'static> {
    let bad = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_formatter(move |out, _, value| match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text).map_err(Into::into),
        _ => Err(bad("a value stands in the text without a filter".to_owned())),
    });
    // A word of a shell command.
    environment.add_filter("sh", move |value: String| {
        let word = shell_word(value.as_bytes()).filter(|_| !value.is_empty());
        let shown = escape(value.as_bytes());
        word.map(Value::from_safe_string)
            .ok_or_else(|| bad(format!("'{shown}' cannot be a word of a script")))
    });
    // An ID or a count of them, in decimal.
    environment.add_filter("id", move |value: String| {
        let id = value.parse::<u32>().ok().filter(|id| *id > 0 && id.to_string() == value);
        let shown = escape(value.as_bytes());
        id.map(|id| Value::from_safe_string(id.to_string()))
            .ok_or_else(|| bad(format!("'{shown}' is not a decimal number from 1 to 4294967295")))
    });
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(change: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [
            ("owner", "alice"),
            ("path", "/home/al ice"),
            ("old_uid", "100000"),
            ("old_gid", "100000"),
            ("new_uid", "300000"),
            ("new_gid", "300000"),
            ("count", "65536"),
        ];
        base.iter().chain(change).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn rendered(change: &[(&str, &str)]) -> Result<String> {
        find("chown-script").unwrap().render(&values(change))
    }

    #[test]
    fn values_are_quoted_or_refused() {
        let text = rendered(&[("owner", "o'neil; rm -rf /")]).unwrap();
        assert!(
            text.contains("\nowner='o'\\''neil; rm -rf /'\npath='/home/al ice'\nold_uid=100000\n"),
            "{text}"
        );
        assert!(text.ends_with("| report\n") && !text.contains("{{"), "{text}");
        for (key, value) in
            [("count", "0x10"), ("count", "-1"), ("count", "1; reboot"), ("owner", "a\nb"), ("owner", "")]
        {
            assert_eq!(rendered(&[(key, value)]).unwrap_err().code, Code::Usage, "{key}={value}");
        }
    }

    #[test]
    fn missing_and_unknown_values_are_named() {
        let template = find("chown-script").unwrap();
        let error = template.render(&BTreeMap::new()).unwrap_err();
        assert!(error.why.contains("owner, path, old_uid"), "{error:?}");
        let error = rendered(&[("old_uids", "1")]).unwrap_err();
        assert_eq!(error.fix, "did you mean old_uid?");
        assert!(find("chown").unwrap_err().why.contains("chown-script"));
    }

    #[test]
    fn a_place_without_a_filter_or_a_value_is_an_error() {
        let render = |text: &'static str| Template { text, ..ALL[0] }.render(&values(&[]));
        assert!(render("{{ owner }}").is_err());
        assert!(render("{{ nobody|sh }}").is_err());
        assert_eq!(render("{{ owner|sh }}").unwrap(), "alice");
    }

    #[test]
    fn every_key_is_used_and_no_other() {
        for template in ALL {
            for (key, _) in template.keys {
                assert!(template.text.contains(&format!("{{{{ {key}|")), "{key}");
            }
            assert_eq!(template.text.matches("{{").count(), template.keys.len());
        }
    }
}
