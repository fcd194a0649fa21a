//! Events by their newer name, `events.k8s.io/v1`: the same objects as the older ones, with other words for some fields.
//! Clients write them by this name; kubectl reads them by the older one. A watch by this name is not served.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::address::nothing_there;
use super::answer::{Form, json};
use super::objects::Call;
use super::patch::Patch;
use crate::sandbox::kinds;
use crate::sandbox::registry::{Part, Registry};
use crate::sandbox::status::Status;

/// The newer word and the older one.
const FIELDS: &[(&str, &str)] = &[
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// Answers a request for Events by their newer name.
///
/// # Errors
/// With the `Status` that tells why not.
pub(super) fn answer(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    reply(registry, call).map_err(|mut status| {
        if status.details["kind"] == kinds::EVENTS {
            status.message = status.message.replacen(kinds::EVENTS, kinds::NEWER_EVENTS, 1);
            status.details["group"] = json!(call.address.kind.group);
        }
        status
    })
}

fn reply(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, query, .. } = call;
    let (namespace, name) = (&address.namespace, &address.name);
    match *method {
        Method::GET if name.is_empty() && !query.watches() => {
            let (events, version) = registry.list(kinds::EVENTS, address.scope());
            let selector = call.selector()?;
            let events = events.iter().map(|event| Arc::new(newer(event)));
            let events: Vec<_> = events.filter(|event| selector.selects(event)).collect();
            Ok(json(200, &Form::Plain.list(&address.kind, &events, version)))
        }
        Method::GET if !name.is_empty() => Ok(json(200, &newer(&*registry.get(kinds::EVENTS, namespace, name)?))),
        Method::POST if name.is_empty() => {
            let event = older(&call.object()?);
            let created = registry.create(kinds::EVENTS, namespace, event, query.dry_run("CreateOptions")?)?;
            Ok(json(201, &newer(&created)))
        }
        Method::PATCH if !name.is_empty() => {
            let patch = Patch::parse(&call.content_type, &call.body)?;
            let dry_run = query.dry_run("PatchOptions")?;
            let patched = registry.update(kinds::EVENTS, namespace, name, Part::Whole, dry_run, |event| {
                let mut changed = newer(event);
                patch.apply(&mut changed)?;
                *event = older(&changed);
                Ok(())
            })?;
            Ok(json(200, &newer(&patched)))
        }
        _ => Err(nothing_there()),
    }
}

fn newer(event: &Value) -> Value {
    let mut event = renamed(event, |(newer, older)| (*older, *newer));
    event["apiVersion"] = json!("events.k8s.io/v1");
    event
}

fn older(event: &Value) -> Value {
    let mut event = renamed(event, |(newer, older)| (*newer, *older));
    event["apiVersion"] = json!("v1");
    event["kind"] = json!("Event");
    // These are always shown, even where nobody has said anything.
    for (field, nothing) in [("source", json!({})), ("firstTimestamp", Value::Null), ("lastTimestamp", Value::Null)] {
        if event[field].is_null() {
            event[field] = nothing;
        }
    }
    event
}

fn renamed<'a>(event: &Value, words: impl Fn(&'a (&'a str, &'a str)) -> (&'a str, &'a str)) -> Value {
    let mut event = event.clone();
    let Some(fields) = event.as_object_mut() else { return json!({}) };
    for (from, to) in FIELDS.iter().map(words) {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_two_names_for_some_of_its_fields() {
        let sent = json!({"kind": "Event", "note": "n", "regarding": {"name": "etcd"}, "reportingController": "c", "reason": "r"});
        let kept = older(&sent);
        assert_eq!((&kept["message"], &kept["involvedObject"]["name"]), (&json!("n"), &json!("etcd")));
        assert_eq!(kept["note"], Value::Null);
        let shown = newer(&kept);
        assert_eq!((&shown["note"], &shown["reason"]), (&json!("n"), &json!("r")));
        assert_eq!(older(&json!("no event"))["kind"], "Event");
    }
}
