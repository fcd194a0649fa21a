//! Events: what controllers tell people about objects.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::debug;

use super::super::kinds;
use super::super::registry::{Part, Registry, now};
use super::object::{moment, name, reference, uid};

/// How often what goes on is told again, as real controllers look again at what waits.
pub(super) const EVERY: SignedDuration = SignedDuration::from_secs(15);

/// Tells that something is so, unless that was told a moment ago.
pub(super) fn record_state(
    registry: &Registry,
    about: &Value,
    warning: bool,
    reason: &str,
    message: &str,
    source: &str,
) {
    let told = same(registry, about, warning, reason, message, source);
    let last = told.and_then(|event| moment(&event["lastTimestamp"]));
    if last.is_none_or(|last| Timestamp::now().duration_since(last) >= EVERY) {
        record(registry, about, warning, reason, message, source);
    }
}

/// What was told before in the same words.
fn same(
    registry: &Registry,
    about: &Value,
    warning: bool,
    reason: &str,
    message: &str,
    source: &str,
) -> Option<Arc<Value>> {
    let (told, _) = registry.list(kinds::EVENTS, Some(namespace(about)));
    told.into_iter().find(|event| {
        event["involvedObject"]["uid"] == uid(about)
            && event["reason"] == reason
            && event["message"] == message
            && event["type"] == kind(warning)
            && event["source"]["component"] == source
    })
}

/// Events about what belongs to no namespace are in `default`.
fn namespace(about: &Value) -> &str {
    about["metadata"]["namespace"].as_str().unwrap_or("default")
}

fn kind(warning: bool) -> &'static str {
    if warning { "Warning" } else { "Normal" }
}

/// Tells something about an object. What was told before in the same words is counted.
pub(in crate::sandbox) fn record(
    registry: &Registry,
    about: &Value,
    warning: bool,
    reason: &str,
    message: &str,
    source: &str,
) {
    let namespace = namespace(about);
    let done = if let Some(event) = same(registry, about, warning, reason, message, source) {
        registry.update(kinds::EVENTS, namespace, name(&event), Part::Whole, false, |event| {
            event["count"] = json!(event["count"].as_u64().unwrap_or_default() + 1);
            event["lastTimestamp"] = json!(now());
            Ok(())
        })
    } else {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let object = json!({
            "metadata": {"name": format!("{}.{}", name(about), &random[..16])},
            "involvedObject": reference(about),
            "type": kind(warning), "reason": reason, "message": message, "source": {"component": source}, "count": 1,
            "firstTimestamp": now(), "lastTimestamp": now(), "eventTime": null,
            "reportingComponent": source, "reportingInstance": "",
        });
        registry.create(kinds::EVENTS, namespace, object, false)
    };
    if let Err(status) = done {
        // A namespace that ends takes no more events, in a real cluster either.
        debug!("an event is lost: {}", status.message);
    }
}
