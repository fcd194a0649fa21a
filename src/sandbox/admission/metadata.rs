//! Names, labels and keys: what letters they may have.

use serde_json::Value;

use super::super::kinds;
use super::super::status::Cause;

pub(super) const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
     with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
     and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SERVICE_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and \
     end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
     '[a-z]([-a-z0-9]*[a-z0-9])?')";
const KEY_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
     character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and \
     end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const DATA_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
     'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

pub(super) fn check(resource: &str, object: &Value, causes: &mut Vec<Cause>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
        return;
    }
    let mut wrong = |why: &str| causes.push(Cause::invalid("metadata.name", format!("\"{name}\""), why));
    if resource.ends_with(".rbac.authorization.k8s.io") {
        if matches!(name, "." | "..") {
            wrong(&format!("may not be '{name}'"));
        }
        for letter in ['/', '%'].into_iter().filter(|letter| name.contains(*letter)) {
            wrong(&format!("may not contain '{letter}'"));
        }
    } else {
        let (most, fits, rule) = match resource {
            kinds::NAMESPACES => (63, is_label(name), LABEL_RULE),
            kinds::SERVICES => {
                (63, is_label(name) && name.starts_with(|first: char| first.is_ascii_lowercase()), SERVICE_RULE)
            }
            _ => (253, name.split('.').all(is_label_of_any_length), SUBDOMAIN_RULE),
        };
        if name.len() > most {
            wrong(&format!("must be no more than {most} characters"));
        } else if !fits {
            wrong(rule);
        }
    }
    labels(&object["metadata"]["labels"], "metadata.labels", causes);
    for key in object["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key) {
        // Annotations' keys are as labels', in any case.
        self::key(&key.to_lowercase(), "metadata.annotations", causes);
    }
}

pub(super) fn labels(labels: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        self::key(key, field, causes);
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            causes.push(Cause::invalid(field, format!("\"{value}\""), "must be no more than 63 characters"));
        } else if !value.is_empty() && !is_name(value) {
            causes.push(Cause::invalid(field, format!("\"{value}\""), VALUE_RULE));
        }
    }
}

fn key(key: &str, field: &str, causes: &mut Vec<Cause>) {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let mut wrong = |why: &str| causes.push(Cause::invalid(field, format!("\"{key}\""), why));
    if prefix.is_some_and(|prefix| !prefix.split('.').all(is_label_of_any_length)) {
        wrong(&format!("prefix part {SUBDOMAIN_RULE}"));
    }
    if name.is_empty() {
        wrong("name part must be non-empty");
    } else if name.len() > 63 {
        wrong("name part must be no more than 63 characters");
    } else if !is_name(name) {
        wrong(KEY_RULE);
    }
}

/// Nobody new may hold what is on its way out.
pub(super) fn check_finalizers(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    if before["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let list = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let standing = list(before);
    let new: Vec<_> =
        list(after).iter().filter(|finalizer| !standing.contains(finalizer)).map(Value::to_string).collect();
    if !new.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            new.join(", ")
        );
        causes.push(Cause::forbidden("metadata.finalizers", &why));
    }
}

/// The keys of configuration and secrets.
pub(super) fn check_data(object: &Value, causes: &mut Vec<Cause>) {
    for field in ["data", "binaryData", "stringData"] {
        for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
            let fits =
                !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
            if !fits {
                causes.push(Cause::invalid(format!("{field}[{key}]"), format!("\"{key}\""), DATA_RULE));
            }
        }
    }
}

/// Whether it is an RFC 1123 label.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

fn is_label_of_any_length(text: &str) -> bool {
    let edge =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
}

fn is_name(text: &str) -> bool {
    let edge = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}
