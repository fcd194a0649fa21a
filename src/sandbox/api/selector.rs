//! Selectors: which objects of a list are meant, by their labels or by their fields.

use serde_json::Value;

use crate::sandbox::kinds::{self, Kind};
use crate::sandbox::status::Status;

/// A condition on one label or field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// Conditions that all have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Condition>,
    fields: Vec<Condition>,
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, Status> {
        Ok(Self { labels: conditions(labels)?, fields: field_conditions(fields)? })
    }

    /// Whether a kind can be looked through by the fields that are asked for.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn suits(&self, kind: &Kind) -> Result<(), Status> {
        let more: &[&str] = match kind.resource().as_str() {
            kinds::PODS => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.podIPs",
                "status.nominatedNodeName",
            ],
            kinds::EVENTS => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            kinds::NAMESPACES => &["status.phase"],
            kinds::NODES => &["spec.unschedulable"],
            kinds::SECRETS => &["type"],
            kinds::SERVICES => &["spec.clusterIP", "spec.type"],
            _ => &[],
        };
        let name = |condition: &Condition| match condition {
            Condition::In(name, _) | Condition::NotIn(name, _) | Condition::Exists(name) | Condition::Absent(name) => {
                name.clone()
            }
        };
        let common = ["metadata.name", "metadata.namespace"];
        let known = |field: &String| common.contains(&field.as_str()) || more.contains(&field.as_str());
        match self.fields.iter().map(name).find(|field| !known(field)) {
            None => Ok(()),
            Some(field) if more.is_empty() => Err(Status::bad_request(format!(
                "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            ))),
            Some(field) => Err(Status::bad_request(format!("field label not supported: {field}"))),
        }
    }

    pub(super) fn selects(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let field = |path: &str| {
            let found = path.split('.').fold(object, |value, part| &value[part]);
            // A field that is not there is empty, as in kube-apiserver.
            Some(
                found
                    .as_str()
                    .map_or_else(|| if found.is_null() { String::new() } else { found.to_string() }, str::to_owned),
            )
        };
        self.labels.iter().all(|condition| condition.holds(|name| labels[name].as_str().map(str::to_owned)))
            && self.fields.iter().all(|condition| condition.holds(field))
    }
}

impl Condition {
    fn holds(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::In(name, values) => value(name).is_some_and(|value| values.contains(&value)),
            Self::NotIn(name, values) => value(name).is_none_or(|value| !values.contains(&value)),
            Self::Exists(name) => value(name).is_some(),
            Self::Absent(name) => value(name).is_none(),
        }
    }
}

fn conditions(text: &str) -> Result<Vec<Condition>, Status> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = end_of_first(rest);
        found.push(condition(rest[..end].trim())?);
        rest = rest[end..].trim_start_matches(',').trim_start();
    }
    Ok(found)
}

/// A field is compared and nothing else.
fn field_conditions(text: &str) -> Result<Vec<Condition>, Status> {
    match text.split(',').find(|part| !part.trim().is_empty() && !part.contains('=')) {
        Some(part) => Err(Status::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'"))),
        None => conditions(text),
    }
}

/// Where the first condition ends: at a comma that is in no parentheses.
fn end_of_first(text: &str) -> usize {
    let mut within = false;
    let ends = |(_, letter): &(usize, char)| {
        match letter {
            '(' => within = true,
            ')' => within = false,
            _ => {}
        }
        *letter == ',' && !within
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

fn condition(text: &str) -> Result<Condition, Status> {
    let one = |value: &str| vec![value.trim().to_owned()];
    let name = |name: &str| name.trim().to_owned();
    if let Some((left, right)) = text.split_once("!=") {
        return Ok(Condition::NotIn(name(left), one(right)));
    }
    if let Some((left, right)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Condition::In(name(left), one(right)));
    }
    if let Some((left, right)) = text.split_once('(') {
        let values = right.trim_end().strip_suffix(')').ok_or_else(|| unreadable(text))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match left.split_whitespace().collect::<Vec<_>>()[..] {
            [label, "in"] => Ok(Condition::In(name(label), values)),
            [label, "notin"] => Ok(Condition::NotIn(name(label), values)),
            [_, word, ..] => Err(unexpected(word)),
            _ => Err(unreadable(text)),
        };
    }
    if let Some(word) = text.split_whitespace().nth(1) {
        return Err(unexpected(word));
    }
    Ok(match text.strip_prefix('!') {
        Some(label) => Condition::Absent(name(label)),
        None => Condition::Exists(name(text)),
    })
}

fn unexpected(word: &str) -> Status {
    let known = "in, notin, =, ==, !=, gt, lt";
    Status::bad_request(format!("unable to parse requirement: found '{word}', expected: {known}"))
}

fn unreadable(text: &str) -> Status {
    Status::bad_request(format!("unable to parse requirement: found '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(labels: &str, fields: &str) -> bool {
        let object = json!({
            "metadata": {"name": "a-0", "labels": {"app": "a", "tier": "db"}},
            "status": {"phase": "Running"},
        });
        Selector::parse(labels, fields).unwrap().selects(&object)
    }

    #[test]
    fn conditions_are_read_as_kubectl_writes_them() {
        for (labels, expected) in [
            ("", true),
            ("app=a", true),
            ("app==a,tier=db", true),
            ("app!=a", false),
            ("app in (b, a),tier", true),
            ("app notin (b,c), !none", true),
            ("none", false),
            ("none!=x", true),
            ("!tier", false),
        ] {
            assert_eq!(selects(labels, ""), expected, "{labels}");
        }
        assert!(selects("", "metadata.name=a-0,status.phase!=Failed"));
        assert!(!selects("", "metadata.name=a-1"));
        assert!(selects("", "spec.nodeName="));
        assert!(Selector::parse("a in (b", "").is_err());
        assert!(Selector::parse("a b", "").is_err());
    }
}
