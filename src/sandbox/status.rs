//! What the API server answers when it does not do what was asked: a Kubernetes `Status` object.

use serde_json::{Value, json};

/// An answer that is not the object asked for. `Status` is Kubernetes' own word for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    /// The HTTP code.
    pub(super) code: u16,
    /// A word for programs, such as `NotFound`.
    pub(super) reason: &'static str,
    /// A sentence for people, in the words that kube-apiserver has for it.
    pub(super) message: String,
    /// More for programs: kind, name, causes.
    pub(super) details: Value,
}

impl Status {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// There is no such object.
    pub(super) fn not_found(resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, name)
    }

    /// There is one of that name already.
    pub(super) fn already_exists(resource: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists")).about(resource, name)
    }

    /// The object is not the one that was read.
    pub(super) fn conflict(resource: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// The object would not be valid. `resource` is its kind, as in kube-apiserver's own text: `StatefulSet.apps`.
    pub(super) fn invalid(resource: &str, name: &str, field: &str, why: &str) -> Self {
        let mut status = Self::new(422, "Invalid", format!("{resource} \"{name}\" is invalid: {field}: {why}"));
        let (kind, group) = resource.split_once('.').unwrap_or((resource, ""));
        let cause = json!({"reason": "FieldValueInvalid", "message": why, "field": field});
        status.details = json!({"name": name, "group": group, "kind": kind, "causes": [cause]});
        status
    }

    /// The object would not be valid, for one cause or several.
    pub(super) fn invalid_for(resource: &str, name: &str, causes: &[Cause]) -> Self {
        let said: Vec<_> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let said = if let [one] = said.as_slice() { one.clone() } else { format!("[{}]", said.join(", ")) };
        let mut status = Self::new(422, "Invalid", format!("{resource} \"{name}\" is invalid: {said}"));
        let (kind, group) = resource.split_once('.').unwrap_or((resource, ""));
        let list = causes.iter();
        let list = list.map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}));
        status.details = json!({"name": name, "group": group, "kind": kind, "causes": list.collect::<Vec<_>>()});
        status
    }

    /// The server has no more to say than its code does.
    pub(super) fn bare(code: u16, reason: &'static str, message: &str) -> Self {
        Self { details: json!({}), ..Self::new(code, reason, message) }
    }

    /// What was sent cannot be read.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The user may not do this.
    pub(super) fn forbidden(resource: &str, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        Self::new(403, "Forbidden", format!("{resource}{named} is forbidden: {why}")).about(resource, name)
    }

    /// A watch asked for changes that are forgotten.
    pub(super) fn gone(since: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {since} ({oldest})"))
    }

    fn about(mut self, resource: &str, name: &str) -> Self {
        let (kind, group) = resource.split_once('.').unwrap_or((resource, ""));
        self.details = json!({"name": name, "group": group, "kind": kind});
        self
    }

    /// The object that goes over the wire.
    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            let mut details = self.details.clone();
            if let Some(fields) = details.as_object_mut() {
                fields.retain(|_, value| *value != json!(""));
            }
            object["details"] = details;
        }
        object
    }
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cause {
    /// A word for programs.
    pub(super) reason: &'static str,
    /// Where it is: `spec.replicas`.
    pub(super) field: String,
    pub(super) message: String,
}

impl Cause {
    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Self {
        Self { reason, field: field.into(), message }
    }

    /// A value that may not be. `value` is as kube-apiserver shows it: strings in quotes.
    pub(super) fn invalid(field: impl Into<String>, value: impl std::fmt::Display, why: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
    }

    /// A field that must be there.
    pub(super) fn required(field: impl Into<String>, why: &str) -> Self {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Self::new("FieldValueRequired", field, format!("Required value{why}"))
    }

    /// A field that may not be changed, or not be there.
    pub(super) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }

    /// A value that is none of a few.
    pub(super) fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| format!("\"{value}\"")).collect();
        let message = format!("Unsupported value: \"{value}\": supported values: {}", supported.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    /// A value that is there already.
    pub(super) fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: \"{value}\""))
    }

    /// A value that names nothing.
    pub(super) fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: \"{value}\""))
    }
}
