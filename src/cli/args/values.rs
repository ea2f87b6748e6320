//! Values that take more than one word of clap to read.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::findings;
use crate::idmap::{Extent, Userns, triples};
use crate::proof::Engine;
use crate::range::PerKind;

impl ValueEnum for Engine {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

pub(super) fn parse_engine() -> impl TypedValueParser<Value = findings::Engine> {
    PossibleValuesParser::new(findings::Engine::ALL.map(findings::Engine::name))
        .map(|name| findings::Engine::named(&name).unwrap_or(findings::Engine::Any))
}

/// Seconds, also with a fraction; at most a day.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=86400.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds from 0 to 86400".to_owned())
}

/// As [`parse_seconds`], but not 0: nothing can be proven in no time.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let time = parse_seconds(text).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| "a number of seconds above 0, at most 86400".to_owned())
}

/// A map; clap takes a plain `Vec` for a flag that is given several times.
pub(super) type Map = Vec<Extent>;

pub(super) fn parse_userns(text: &str) -> Result<Userns, String> {
    match text {
        "auto" => Ok(Userns::Auto),
        "keep-id" => Ok(Userns::KeepId),
        "identity" => Ok(Userns::Identity),
        _ => match parse_triples(text) {
            Ok(map) => Ok(Userns::Explicit(PerKind { uid: map.clone(), gid: map })),
            Err(words) => Err(format!("auto, keep-id, identity, or {words}")),
        },
    }
}

pub(super) fn parse_triples(text: &str) -> Result<Map, String> {
    triples(text).ok_or_else(|| "triples INSIDE:HOST:COUNT with commas between them, no ID twice".to_owned())
}

pub(super) fn parse_sample(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a sample is a whole number from 1 on".to_owned())
}
