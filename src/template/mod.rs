//! Embedded templates to text. A value that nobody gave is an error, and so is a value that goes into the text
//! without a filter: what is a word for one target is code for another.

mod catalogue;
mod filters;

pub use catalogue::ALL;

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::policy;
use crate::range::{Count, Kind, Range, SubId};
use crate::text::{escape, nearest};

/// A file that other systems need, with places for values.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is for, in one phrase.
    pub about: &'static str,
    /// Where the file goes.
    pub place: &'static str,
    /// The values that it takes, all of them.
    pub keys: &'static [Key],
    /// Its text.
    pub text: &'static str,
    /// The file's permission bits: a script can be executed.
    pub mode: u32,
    /// What is wrong with these values together, each of which its place takes, or with the text.
    wrong: fn(&BTreeMap<String, String>, &str) -> Option<String>,
}

/// A value that a template takes.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What stands there where nobody gives it.
    pub default: Option<&'static str>,
}

/// Nothing can be wrong with these values together.
fn nothing(_: &BTreeMap<String, String>, _: &str) -> Option<String> {
    None
}

/// Why the text is no policy.
fn no_policy(_: &BTreeMap<String, String>, text: &str) -> Option<String> {
    policy::parse("", text.as_bytes()).err().map(|error| error.why)
}

/// A number that the kernel does not take.
fn no_sysctl(values: &BTreeMap<String, String>, _: &str) -> Option<String> {
    let beyond = |(key, most): (&str, u32)| {
        let value = values.get(key).filter(|value| value.parse::<u32>().is_ok_and(|value| value > most))?;
        Some(format!("{key}={value}: the kernel takes {most} at most"))
    };
    [("port", 65535), ("namespaces", i32::MAX.unsigned_abs())].into_iter().find_map(beyond)
}

/// A folder that depends on where the script is started; ranges that pass the last ID, or of which files would
/// move twice.
fn moves_wrongly(values: &BTreeMap<String, String>, _: &str) -> Option<String> {
    if let Some(path) = values.get("path").filter(|path| !path.starts_with('/')) {
        return Some(format!("path={}: it is not absolute", escape(path.as_bytes())));
    }
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
        let near = nearest(name, ALL.iter().map(|t| t.name));
        Error::new(Code::Usage, format!("there is no template {}", escape(name.as_bytes())))
            .why(format!("it is none of the {} that subidctl has", ALL.len()))
            .fix(match near {
                Some(near) => format!("did you mean {near}? subidctl template list has them all"),
                None => "subidctl template list has them all".to_owned(),
            })
    })
}

impl Template {
    /// The text with the values in their places.
    ///
    /// # Errors
    /// `usage` where a value is missing, unknown, or nothing that its place can take.
    pub fn render(&self, values: &BTreeMap<String, String>) -> Result<String> {
        let keys: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
        let all = || {
            let takes = if keys.is_empty() { "no values".to_owned() } else { keys.join(", ") };
            format!("{} takes: {takes}", self.name)
        };
        if let Some(wrong) = values.keys().find(|key| !keys.contains(&key.as_str())) {
            let likeness = |key: &&&str| (strsim::jaro_winkler(key, wrong) * 1000.0).round();
            let near = keys.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            return Err(Error::new(Code::Usage, format!("there is no value {}", escape(wrong.as_bytes())))
                .why(all())
                .fix(
                    near.map_or_else(|| "leave --set out".to_owned(), |near| format!("did you mean {near}?")),
                ));
        }
        let mut values = values.clone();
        for key in self.keys {
            if let Some(default) = key.default {
                values.entry(key.name.to_owned()).or_insert_with(|| default.to_owned());
            }
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
        let text = filters::environment().render_str(self.text, &values).map_err(|error| {
            refused(escape(error.detail().unwrap_or("it cannot be rendered").as_bytes()), all())
        })?;
        match (self.wrong)(&values, &text) {
            Some(why) => Err(refused(why, "give other values".to_owned())),
            None => Ok(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        for (key, value) in [
            ("count", "0x10"),
            ("count", "-1"),
            ("count", "1; reboot"),
            ("owner", "a\nb"),
            ("owner", ""),
            ("path", "home"),
        ] {
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
        assert!(find("chown").unwrap_err().fix.contains("chown-script"));
    }

    #[test]
    fn a_place_without_a_filter_or_a_value_is_an_error() {
        let render =
            |text: &'static str| Template { text, ..*find("chown-script").unwrap() }.render(&values(&[]));
        assert!(render("{{ owner }}").is_err());
        assert!(render("{{ nobody|sh }}").is_err());
        assert_eq!(render("{{ owner|sh }}").unwrap(), "alice");
    }

    #[test]
    fn every_key_is_used_and_no_other() {
        for template in ALL {
            for key in template.keys {
                assert!(
                    template.text.contains(&format!("{{{{ {}|", key.name)),
                    "{}: {}",
                    template.name,
                    key.name
                );
            }
            assert_eq!(template.text.matches("{{").count(), template.keys.len(), "{}", template.name);
            assert_eq!(template.mode == 0o755, template.text.starts_with("#!/bin/sh"), "{}", template.name);
        }
        assert!(ALL.is_sorted_by_key(|template| template.name));
    }

    /// Values that every key takes, by its name.
    fn fitting(template: &Template) -> BTreeMap<String, String> {
        let value = |key: &Key| match key.name {
            "owner" | "group" => "alice",
            "path" => "/home/alice",
            "first" => "1200001000",
            "last" => "1200005999",
            name if name.starts_with("new_") => "300000",
            _ => key.default.unwrap_or("65536"),
        };
        template.keys.iter().map(|key| (key.name.to_owned(), value(key).to_owned())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_value_changes_its_own_lines_and_adds_none(
            value in r#"/?[a-z0-9 '"\\$`%;&|<>(){}\[\]*?#@!~^,:=\n\t\r\u{7f}\u{85}\u{2028}é-]{0,12}"#
        ) {
            for template in ALL {
                let usual = template.render(&fitting(template)).unwrap();
                let marked: Vec<bool> = template.text.lines().map(|line| line.contains("{{")).collect();
                for key in template.keys {
                    let mut values = fitting(template);
                    values.insert(key.name.to_owned(), value.clone());
                    let Ok(text) = template.render(&values) else { continue };
                    prop_assert_eq!(text.lines().count(), marked.len(), "{}: {}", template.name, text);
                    for ((line, before), marked) in text.lines().zip(usual.lines()).zip(&marked) {
                        prop_assert!(*marked || line == before, "{}: {:?}", template.name, line);
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_that_the_kernel_refuses_are_refused() {
        for (name, key, most) in
            [("sysctl-ports", "port", 65535), ("sysctl-namespaces", "namespaces", 2_147_483_647_u32)]
        {
            let given = |value: u32| BTreeMap::from([(key.to_owned(), value.to_string())]);
            let template = find(name).unwrap();
            assert!(template.render(&given(most)).is_ok(), "{name}");
            let error = template.render(&given(most + 1)).unwrap_err();
            assert!(error.why.contains(&format!("{most} at most")), "{error:?}");
        }
    }

    #[test]
    fn policies_that_contradict_themselves_are_refused() {
        let template = find("policy-directory").unwrap();
        for (key, value, why) in [
            ("last", "1200000999", "FIRST-LAST"),
            ("last", "1200025999", "passes 2^31"),
            ("start", "917504000", "overlaps"),
            ("first", "1", "uids"),
        ] {
            let mut values = fitting(template);
            values.insert(key.to_owned(), value.to_owned());
            let error = template.render(&values).unwrap_err();
            assert!(error.why.contains(why), "{key}={value}: {error:?}");
        }
    }
}
