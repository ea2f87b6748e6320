//! Embedded templates to text. A value that nobody gave is an error, and so is a value that goes into the text
//! without a filter: what is a word for one target is code for another.

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::error::{Code, Error, Result};
use crate::range::{Count, Kind, Range, SubId};
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
    /// What is wrong with these values together, each of which its place takes.
    wrong: fn(&BTreeMap<String, String>) -> Option<String>,
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
        ("new_uid", "the first uid of the new range; left out: of the range that the owner has now"),
        ("new_gid", "the first gid of the new range; left out: of the range that the owner has now"),
        ("count", "how many IDs each of the ranges has"),
    ],
    text: include_str!("../../templates/chown-script.sh"),
    wrong: moves_wrongly,
}];

/// Ranges that pass the last ID, or of which files would move twice.
fn moves_wrongly(values: &BTreeMap<String, String>) -> Option<String> {
    let number = |key: &str| values.get(key).and_then(|text| text.parse().ok());
    let count = Count::new(number("count")?)?;
    for kind in Kind::BOTH.map(Kind::name) {
        let range = |age: &str| {
            let first = number(&format!("{age}_{kind}")).and_then(|first| u32::try_from(first).ok());
            Range::new(SubId::new(first.unwrap_or(u32::MAX)), count)
                .ok_or_else(|| format!("the {age} {kind}s pass 4294967295, the last ID"))
        };
        match (range("old"), range("new")) {
            (Err(why), _) | (_, Err(why)) => return Some(why),
            (Ok(old), Ok(new)) if old != new && old.overlaps(new) => {
                return Some(format!(
                    "the old {kind}s {old} and the new {new} overlap: some files would move twice"
                ));
            }
            _ => {}
        }
    }
    None
}

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
        let refused = |why: String, fix: String| {
            Error::new(Code::Usage, format!("the template {} cannot be rendered", self.name))
                .why(why)
                .fix(fix)
        };
        let text = environment().render_str(self.text, values).map_err(|error| {
            refused(escape(error.detail().unwrap_or("it cannot be rendered").as_bytes()), all())
        })?;
        match (self.wrong)(values) {
            Some(why) => Err(refused(why, "give other values".to_owned())),
            None => Ok(text),
        }
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
    fn ranges_that_would_be_wrong_are_refused_at_once() {
        for (change, why) in [
            (("new_uid", "100500"), "the old uids 100000-165535 and the new 100500-166035 overlap"),
            (("new_gid", "99999"), "overlap"),
            (("new_uid", "4294901761"), "the new uids pass 4294967295"),
            (("old_gid", "4294967295"), "the old gids pass 4294967295"),
        ] {
            let error = rendered(&[change]).unwrap_err();
            assert!(error.why.contains(why), "{error:?}");
        }
        assert!(rendered(&[("new_uid", "100000")]).is_ok(), "only the gids move");
        assert!(rendered(&[("new_uid", "4294901760")]).is_ok());
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
