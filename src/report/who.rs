//! Whose is an ID.

use serde_json::{Value, json};

use super::Style;
use super::table::table;
use crate::planner::WhoAnswer;
use crate::range::Kind;
use crate::text::escape;

/// One line an answer; an answer that is the same for uid and gid is one line.
pub fn who_text(ids: &[(u32, Vec<WhoAnswer>)], style: Style) -> String {
    let mut rows = Vec::new();
    for (id, answers) in ids {
        if answers.is_empty() {
            rows.push([
                id.to_string(),
                "uid, gid".to_owned(),
                "nobody's".to_owned(),
                String::new(),
                String::new(),
            ]);
        }
        let same = |a: &WhoAnswer, b: &WhoAnswer| {
            (a.what, &a.owner, a.range, a.inside) == (b.what, &b.owner, b.range, b.inside)
        };
        for (index, answer) in answers.iter().enumerate() {
            let twin = answers
                .iter()
                .enumerate()
                .find(|(other, b)| *other != index && b.kind != answer.kind && same(answer, b));
            let kind = match twin {
                Some(_) if answer.kind == Kind::Gid => continue,
                Some(_) => "uid, gid",
                None => answer.kind.name(),
            };
            let inside = answer.inside.map_or_else(|| "-".to_owned(), |i| i.to_string());
            rows.push([
                id.to_string(),
                kind.to_owned(),
                sentence(answer),
                inside,
                place(answer, twin.map(|t| t.1)),
            ]);
        }
    }
    table([">ID", "AS", "IS", ">INSIDE", "FROM"], &rows, style.width, Clone::clone)
}

/// Where it is known from; of a range in both files both lines.
fn place(answer: &WhoAnswer, twin: Option<&WhoAnswer>) -> String {
    match twin {
        Some(twin) if twin.place != answer.place => format!("{}, {}", answer.place, twin.place),
        _ => answer.place.clone(),
    }
}

fn sentence(answer: &WhoAnswer) -> String {
    let owner = escape(&answer.owner);
    let range = answer.range;
    match answer.what {
        "range" => match answer.uid {
            Some(uid) => format!("of {owner} (uid {uid}), {range}"),
            None => format!("of {owner}, {range}"),
        },
        "released" => format!("released by {owner}: {range}"),
        "account" => format!("the account {owner}"),
        "primary-group" => format!("the primary group of {owner}"),
        "group" => format!("the group {owner}"),
        "window" => format!("in the window slot {range} of {owner}"),
        "namespace" => format!("used by a running user namespace: {range}"),
        _ => format!("reserved for {owner}: {range}"),
    }
}

/// `subidctl.who.v1`.
pub fn who_json(ids: &[(u32, Vec<WhoAnswer>)]) -> Value {
    let answers: Vec<Value> =
        ids.iter().flat_map(|(id, answers)| answers.iter().map(|a| answer(*id, a))).collect();
    let asked: Vec<u32> = ids.iter().map(|(id, _)| *id).collect();
    json!({ "schema": "subidctl.who.v1", "ids": asked, "answers": answers })
}

fn answer(id: u32, a: &WhoAnswer) -> Value {
    let mut value = json!({
        "id": id,
        "kind": a.kind.name(),
        "what": a.what,
        "owner": String::from_utf8_lossy(&a.owner),
        "uid": a.uid,
        "start": a.range.first(),
        "count": a.range.count().get(),
        "inside": a.inside,
        "place": a.place,
    });
    super::add_hex(&mut value, "owner_hex", &a.owner);
    value
}
