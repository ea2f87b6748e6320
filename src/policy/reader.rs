//! A TOML table that is taken apart key by key: what is left over at the end is a wrong key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Setting;
use crate::error::{Code, Error, Result};
use crate::text::{escape, nearest};

/// The text with its name, to turn byte offsets into lines.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl Text<'_> {
    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count().saturating_add(1)
    }

    pub(super) fn error(&self, offset: usize, why: impl Into<String>) -> Error {
        let line = self.line(offset);
        Error::new(Code::InvalidPolicy, format!("the policy {} cannot be used: line {line}", self.path))
            .why(why)
    }
}

/// One table and the keys that were asked for.
pub(super) struct Table<'a> {
    text: Text<'a>,
    name: &'static str,
    left: DeTable<'a>,
    known: Vec<&'static str>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Table<'a> {
    pub(super) fn new(text: Text<'a>, name: &'static str, table: DeTable<'a>) -> Self {
        Self { text, name, left: table, known: Vec::new() }
    }

    /// Takes a key's value out.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        self.left.remove(key)
    }

    /// A whole number from `low` to `high`.
    pub(super) fn number(&mut self, key: &'static str, low: u64, high: u64) -> Result<Option<Setting<u64>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let offset = value.span().start;
        let number = match value.get_ref() {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str().trim_start_matches('+'), n.radix()).ok(),
            other => return Err(self.wrong_type(offset, key, "a whole number", other)),
        };
        match number {
            Some(n) if (low..=high).contains(&n) => {
                Ok(Some(Setting { value: n, line: self.text.line(offset) }))
            }
            _ => Err(self.text.error(offset, format!("{key} must be from {low} to {high}"))),
        }
    }

    /// A text.
    pub(super) fn string(&mut self, key: &'static str) -> Result<Option<Setting<String>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let offset = value.span().start;
        match value.get_ref() {
            DeValue::String(s) => Ok(Some(Setting { value: s.to_string(), line: self.text.line(offset) })),
            other => Err(self.wrong_type(offset, key, "a text in quotes", other)),
        }
    }

    /// true or false; false where the key is absent.
    pub(super) fn switch(&mut self, key: &'static str) -> Result<bool> {
        match self.take(key) {
            None => Ok(false),
            Some(value) => value
                .get_ref()
                .as_bool()
                .ok_or_else(|| self.wrong_type(value.span().start, key, "true or false", value.get_ref())),
        }
    }

    /// A list of texts; empty where the key is absent.
    pub(super) fn strings(&mut self, key: &'static str) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for item in self.items(key, "a list of texts")? {
            match item.get_ref() {
                DeValue::String(s) => all.push(s.to_string()),
                other => return Err(self.wrong_type(item.span().start, key, "a list of texts", other)),
            }
        }
        Ok(all)
    }

    /// A list of tables with the offset of each; empty where the key is absent.
    pub(super) fn tables(&mut self, key: &'static str) -> Result<Vec<(usize, Table<'a>)>> {
        let mut all = Vec::new();
        for item in self.items(key, "a list of tables")? {
            let offset = item.span().start;
            match item.into_inner() {
                DeValue::Table(table) => all.push((offset, Table::new(self.text, key, table))),
                other => return Err(self.wrong_type(offset, key, "a list of tables", &other)),
            }
        }
        Ok(all)
    }

    /// A table.
    pub(super) fn table(&mut self, key: &'static str) -> Result<Option<Table<'a>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let offset = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => Ok(Some(Table::new(self.text, key, table))),
            other => Err(self.wrong_type(offset, key, "a table", &other)),
        }
    }

    fn items(&mut self, key: &'static str, wanted: &str) -> Result<Vec<Value<'a>>> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let offset = value.span().start;
        match value.into_inner() {
            DeValue::Array(items) => Ok(items.into_iter().collect()),
            other => Err(self.wrong_type(offset, key, wanted, &other)),
        }
    }

    fn wrong_type(&self, offset: usize, key: &str, wanted: &str, got: &DeValue<'_>) -> Error {
        self.text.error(offset, format!("{key} must be {wanted}, not {}", got.type_str()))
    }

    /// Refuses what nobody asked for, naming the nearest right key.
    pub(super) fn finish(self) -> Result<()> {
        let Some((key, _)) = self.left.iter().next() else { return Ok(()) };
        let name = key.get_ref();
        let place = if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
        let nearest = nearest(name, self.known.iter().copied());
        let error =
            self.text.error(key.span().start, format!("there is no key {}{place}", escape(name.as_bytes())));
        Err(match nearest {
            Some(right) => {
                error.fix(format!("did you mean {right}? The keys are: {}", self.known.join(", ")))
            }
            None => error.fix(format!("the keys are: {}", self.known.join(", "))),
        })
    }
}
