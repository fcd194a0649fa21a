//! For tests of what comes from outside: values of JSON with some parts other than they should be.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Characters that a terminal obeys: it goes back to the line's beginning, writes from right to left, and rings.
pub(crate) const HARM: &str = "\r\u{202e}\u{7}";

/// What a part becomes.
#[derive(Debug, Clone)]
enum Part {
    Gone,
    Other(Value),
    /// Text with [`HARM`] at its end; what is no text stays.
    Harmful,
}

/// Changes of some parts of a value, whichever it is.
#[derive(Debug, Clone)]
pub(crate) struct Mangling(Vec<(Index, Part)>);

/// Up to three changes.
pub(crate) fn mangling() -> impl Strategy<Value = Mangling> {
    let number = prop::sample::select(vec![
        0,
        -1,
        1,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::from(u32::MAX),
        i64::MAX,
        i64::MIN,
    ]);
    let part = prop_oneof![
        Just(Part::Gone),
        Just(Part::Harmful),
        Just(Part::Other(Value::Null)),
        Just(Part::Other(json!([]))),
        Just(Part::Other(json!({}))),
        Just(Part::Other(json!(u64::MAX))),
        number.prop_map(|number| Part::Other(json!(number))),
        "\\PC{0,8}|[-=,:/.$(){}'\"\\[\\] \\t\\r\\n0-9a-z]{0,12}".prop_map(|text| Part::Other(json!(text))),
    ];
    prop::collection::vec((any::<Index>(), part), 1..4).prop_map(Mangling)
}

impl Mangling {
    /// The value with the changes made.
    pub(crate) fn of(&self, value: &Value) -> Value {
        let mut value = value.clone();
        for (index, part) in &self.0 {
            let mut places = Vec::new();
            note(&value, String::new(), &mut places);
            let place = index.get(&places);
            match part {
                Part::Gone => remove(&mut value, place),
                Part::Other(other) => set(&mut value, place, other.clone()),
                Part::Harmful => {
                    if let Some(text) = value.pointer(place).and_then(Value::as_str) {
                        let text = format!("{text}{HARM}");
                        set(&mut value, place, json!(text));
                    }
                }
            }
        }
        value
    }
}

/// Notes every place in a value, as JSON pointers.
fn note(value: &Value, here: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            note(value, format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), places);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| note(value, format!("{here}/{index}"), places));
        }
        _ => {}
    }
    places.push(here);
}

fn set(value: &mut Value, place: &str, other: Value) {
    if let Some(part) = value.pointer_mut(place) {
        *part = other;
    }
}

fn remove(value: &mut Value, place: &str) {
    let Some((parent, key)) = place.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(&key.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(list)) => {
            if let Ok(index) = key.parse::<usize>() {
                list.remove(index);
            }
        }
        _ => {}
    }
}
