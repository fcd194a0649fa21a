//! The text of etcd's configuration file: the two values in it that a new member needs, changed where they stand.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::{peers_in, same_peers};

const LIST: &str = "initial-cluster";
const STATE: &str = "initial-cluster-state";

/// What a new member starts with, where both values are found as they stand.
#[derive(Deserialize)]
struct Places {
    #[serde(rename = "initial-cluster")]
    list: Option<Spanned<Value>>,
    #[serde(rename = "initial-cluster-state")]
    state: Option<Spanned<Value>>,
}

/// The text of a configuration file of etcd's, in YAML.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigText<'a> {
    text: &'a str,
    document: Value,
    list: String,
}

impl<'a> ConfigText<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// Why no list of peers can be changed in it, as the end of a sentence that begins with the file.
    pub fn read(text: &'a str) -> Result<Self, String> {
        let document = parsed(text)?;
        let Some(keys) = document.as_object() else { return Err("is no mapping of keys to values".to_owned()) };
        // etcd reads keys in any case, and which of two counts is its parser's affair.
        let alike = |key: &&String| [LIST, STATE].iter().any(|own| key.eq_ignore_ascii_case(own) && key != own);
        if let Some(other) = keys.keys().find(alike) {
            return Err(format!("has the key {other}, which is not written as etcd writes it"));
        }
        match document.get(LIST) {
            None => Err(format!("has no {LIST}")),
            Some(Value::String(list)) if peers_in(list).is_some() => {
                Ok(Self { text, list: list.trim().to_owned(), document })
            }
            Some(_) => Err(format!("has an {LIST} that is no list of names and peer URLs")),
        }
    }

    /// The list of peers as it stands.
    pub fn list(&self) -> &str {
        &self.list
    }

    /// How the member calls itself; etcd calls one without a name `default`.
    pub fn name(&self) -> &str {
        self.document["name"].as_str().unwrap_or("default")
    }

    /// Where the member says that its peers reach it, as it stands.
    pub fn peer_urls(&self) -> &str {
        self.document["initial-advertise-peer-urls"].as_str().unwrap_or("http://localhost:2380")
    }

    /// The text with this list of peers and the state `existing`, everything else as it stands, byte for byte. A list
    /// that names the same peers already is left as it is.
    ///
    /// # Errors
    /// Why they cannot be changed by themselves, as the end of a sentence that begins with the file.
    pub fn joining(&self, list: &str) -> Result<String, String> {
        let list = if same_peers(&self.list, list) { &self.list } else { list };
        let first = set(self.text, LIST, list)?;
        set(&first, STATE, "existing")
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| first_line(&error))
}

fn first_line(error: &serde_saphyr::Error) -> String {
    format!("is no YAML that can be read: {}", error.to_string().lines().next().unwrap_or_default())
}

/// The text with one value set, in the first form that is proved to change nothing else.
fn set(text: &str, key: &str, value: &str) -> Result<String, String> {
    let places: Places = serde_saphyr::from_str(text).map_err(|error| first_line(&error))?;
    let Places { list, state } = places;
    let forms = match (key, &list, &state) {
        (LIST, Some(present), _) | (STATE, _, Some(present)) => {
            if trimmed(&present.value) == value {
                return Ok(text.to_owned());
            }
            if present.defined != present.referenced {
                return Err(format!("takes its {key} from another place in it"));
            }
            let place = place_of(text, &present.defined);
            place.map_or_else(Vec::new, |place| replaced(text, &place, value))
        }
        _ => added(text, key, value, list.as_ref().and_then(|list| place_of(text, &list.defined))),
    };
    let mut wanted = parsed(text)?;
    wanted[key] = Value::from(value);
    let right = |form: &String| {
        parsed(form).is_ok_and(|mut document| {
            // A block may end in a line break, which etcd takes no notice of.
            document[key] = Value::from(trimmed(&document[key]));
            document == wanted
        })
    };
    forms.into_iter().find(right).ok_or_else(|| format!("does not let its {key} be changed alone"))
}

fn trimmed(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim_end()
}

/// Where a value stands in the text, without the white space that follows it.
fn place_of(text: &str, location: &Location) -> Option<Range<usize>> {
    let span = location.span();
    let from = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let value = text.get(from..from + length)?;
    Some(from..from + value.trim_end().len())
}

/// The text with another value in this place: in the same quotes or none, or in some where it needs them.
fn replaced(text: &str, place: &Range<usize>, value: &str) -> Vec<String> {
    let quote = text[place.clone()].chars().next().filter(|first| matches!(first, '\'' | '"'));
    let own = quote.map_or_else(|| value.to_owned(), |quote| format!("{quote}{value}{quote}"));
    [own, format!("\"{value}\"")]
        .iter()
        .map(|value| {
            let mut changed = text.to_owned();
            changed.replace_range(place.clone(), value);
            changed
        })
        .collect()
}

/// The text with one more key: on a line before the list's, on a line at the end, or behind the list within braces.
fn added(text: &str, key: &str, value: &str, list: Option<Range<usize>>) -> Vec<String> {
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut forms = Vec::new();
    let mut insert = |at: usize, what: &str| {
        let mut changed = text.to_owned();
        changed.insert_str(at, what);
        forms.push(changed);
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim_start();
        let indent = &line[..line.len() - words.len()];
        let rest = words.trim_start_matches(['"', '\'']).strip_prefix(LIST);
        if rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':')) {
            insert(at, &format!("{indent}{key}: {value}{line_break}"));
        }
        at += line.len();
    }
    let before = if text.ends_with('\n') { "" } else { line_break };
    insert(text.len(), &format!("{before}{key}: {value}{line_break}"));
    if let Some(list) = list {
        insert(list.end, &format!(", \"{key}\": \"{value}\""));
    }
    forms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "a-0=http://a-0:2380,a-1=http://a-1:2380";
    const NEW: &str = "a-0=http://a-0:2380,a-1=http://a-1:2380,a-2=http://a-2:2380";

    fn joining(text: &str) -> Result<String, String> {
        ConfigText::read(text)?.joining(NEW)
    }

    #[test]
    fn only_the_two_values_change() {
        let text =
            format!("# of all\nname: 'ä'\ninitial-cluster: {OLD} # peers\n\ninitial-cluster-state: 'new'\nx: 1\n");
        let wanted = text.replace(OLD, NEW).replace("'new'", "'existing'");
        assert_eq!(joining(&text).unwrap(), wanted);
        assert_eq!(joining(&wanted).unwrap(), wanted, "a second time nothing changes");
        let read = ConfigText::read(&text).unwrap();
        assert_eq!((read.list(), read.name(), read.peer_urls()), (OLD, "ä", "http://localhost:2380"));
    }

    #[test]
    fn a_list_over_several_lines_becomes_one() {
        let lines = "a-0=http://a-0:2380,\n  a-1=http://a-1:2380";
        for (head, body) in [(">-", lines), ("|", lines), (">  # folded", lines), ("|2-", lines)] {
            let text = format!("initial-cluster: {head}\n  {body}\n\n# end\ninitial-cluster-state: existing\n");
            assert_eq!(joining(&text).unwrap(), text.replace(lines, NEW), "{head}");
        }
        let plain = format!("initial-cluster:\n  {lines}\ninitial-cluster-state: existing\n");
        assert_eq!(joining(&plain).unwrap(), plain.replace(lines, NEW));
        // The same peers, but with white space in the names.
        let folded = "a-0=http://a-0:2380,\n  a-1=http://a-1:2380,\n  a-2=http://a-2:2380";
        let text = format!("initial-cluster: |-\n  {folded}\ninitial-cluster-state: existing\n");
        assert_eq!(joining(&text).unwrap(), text.replace(folded, NEW));
        let turned = text.replace(folded, "a-2=http://a-2:2380,a-0=http://a-0:2380,a-1=http://a-1:2380");
        assert_eq!(joining(&turned).unwrap(), turned);
    }

    #[test]
    fn a_state_that_is_missing_is_added() {
        let line = "initial-cluster-state: existing\n";
        let text = format!("name: a\r\ninitial-cluster: {OLD}\r\n");
        let wanted = format!("name: a\r\ninitial-cluster-state: existing\r\ninitial-cluster: {NEW}\r\n");
        assert_eq!(joining(&text).unwrap(), wanted);
        let text = format!("log: |\n  initial-cluster: {OLD}\n\"initial-cluster\" : {OLD}\nx: 1");
        let wanted = format!("log: |\n  initial-cluster: {OLD}\n{line}\"initial-cluster\" : {NEW}\nx: 1");
        assert_eq!(joining(&text).unwrap(), wanted);
        let text = format!("{{\"initial-cluster\": \"{OLD}\", \"name\": \"a\"}}\n");
        let wanted =
            format!("{{\"initial-cluster\": \"{NEW}\", \"initial-cluster-state\": \"existing\", \"name\": \"a\"}}\n");
        assert_eq!(joining(&text).unwrap(), wanted);
    }

    #[test]
    fn what_cannot_be_changed_alone_is_left() {
        let why = |text: &str| joining(text).unwrap_err();
        assert!(why("name: [a").starts_with("is no YAML that can be read: "));
        assert!(why("#!/bin/sh\nexec etcd\n").contains("no mapping"));
        assert_eq!(why("name: a\n"), "has no initial-cluster");
        assert!(why("initial-cluster: ${PEERS}\n").contains("no list"));
        assert!(why(&format!("Initial-Cluster: {OLD}\n")).contains("has the key Initial-Cluster"));
        assert!(why(&format!("initial-cluster: {OLD}\ninitial-cluster: {OLD}\n")).contains("no YAML"));
        assert!(why(&format!("x: &peers {OLD}\ninitial-cluster: *peers\n")).contains("from another place"));
        let shared = format!("initial-cluster: &peers {OLD}\nx: *peers\n");
        assert_eq!(why(&shared), "does not let its initial-cluster be changed alone");
        assert!(joining(&format!("---\ninitial-cluster: {OLD}\n---\nx: 1\n")).is_err());
        assert!(joining(&format!("initial-cluster: {OLD}\ninitial-cluster-state:\nx: 1\n")).is_err());
    }

    /// Other keys, comments and white space of a file.
    fn others() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("# initial-cluster: of old\n".to_owned()),
            Just("\n".to_owned()),
            Just("KEY: 'it''s' # said\n".to_owned()),
            Just("KEY: [1, 0x10, {a: ~}]\n".to_owned()),
            Just("KEY:\n  initial-cluster: \"n\\u00e4\"\n  # ü\n".to_owned()),
            Just("KEY: |\n  initial-cluster: none\n   in: here\n\n".to_owned()),
            "KEY: [a-z]{1,9}(  # [a-zß ]{0,5})?\n",
        ];
        proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn whatever_else_there_is_stays(
            before in others(),
            between in others(),
            after in others(),
            list in prop::sample::select(vec![
                format!("initial-cluster: {OLD}"),
                format!("initial-cluster: '{OLD}'  # here"),
                format!("\"initial-cluster\":   \"{OLD}\""),
                format!("initial-cluster: >-\n  {OLD}"),
                format!("initial-cluster: |\n    {OLD}\n"),
            ]),
            state in prop::sample::select(vec!["", "initial-cluster-state: new\n", "initial-cluster-state: \"new\" #\n"]),
        ) {
            let mut number = 0;
            let mut keys = |text: &str| {
                // Keys are different from each other.
                text.split("KEY").map(str::to_owned).reduce(|whole, part| {
                    number += 1;
                    format!("{whole}key-{number}{part}")
                }).unwrap_or_default()
            };
            let (before, between, after) = (keys(&before), keys(&between), keys(&after));
            let text = format!("{before}{list}\n{between}{state}{after}");
            let joined = joining(&text).unwrap();
            let list = list.replace(OLD, NEW);
            let wanted = if state.is_empty() {
                format!("{before}initial-cluster-state: existing\n{list}\n{between}{after}")
            } else {
                format!("{before}{list}\n{between}{}{after}", state.replace("new", "existing"))
            };
            prop_assert_eq!(joined, wanted);
        }

        #[test]
        fn any_text_is_survived(
            text in "\\PC*|([-a-c:#'\"|>&*!~{}\\[\\], \\t\\r\\n]|initial-cluster|a-0=http://a-0:1){0,20}",
        ) {
            if let Ok(joined) = joining(&text) {
                let read = ConfigText::read(&joined).unwrap();
                prop_assert_eq!(read.list(), NEW);
            }
        }
    }
}
