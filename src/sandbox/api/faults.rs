//! Trouble with the API server on demand: which fault a request meets.

use std::time::Duration;

use serde_json::Value;

use crate::sandbox::kinds;
use crate::sandbox::registry::{Deletion, Part, Registry};
use crate::sandbox::status::Status;

/// How often it is looked whether a fault has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What etcd's own calls are of, as resources of the API are: those that change it, through a port-forward.
pub(super) const ETCD: &str = "etcd";

/// A call of the API, or of etcd's through a tunnel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) user: &'a str,
    pub(super) verb: &'a str,
    pub(super) resource: &'a str,
    pub(super) subresource: &'a str,
    pub(super) namespace: &'a str,
    /// The object; for a call of etcd's the pod.
    pub(super) name: &'a str,
}

/// What a call meets instead of its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// An error, without anything done.
    Error(Status),
    /// Silence: no answer, for as long as the client waits.
    Silence,
    /// What was asked for is done, and then there is silence.
    SilenceAfter,
    /// The connection is cut before anything is done.
    Cut,
    /// What was asked for is done, and then the connection is cut.
    CutAfter,
    /// Nothing, but later: once the fault has ended.
    Delay,
}

/// A fault that a call has met.
pub(super) struct Met {
    pub(super) trouble: Trouble,
    namespace: String,
    name: String,
    /// Whether it is used up by this call.
    used_up: bool,
}

impl Met {
    /// Ends a fault that is used up: once all is done that it lets be done, so that who waits for its end knows.
    pub(super) fn carried_out(&self, registry: &Registry) {
        if self.used_up {
            drop(registry.delete(kinds::FAULTS, &self.namespace, &self.name, &Deletion::default()));
        }
    }

    /// Waits until somebody has ended the fault.
    pub(super) async fn ended(&self, registry: &Registry) {
        while registry.get(kinds::FAULTS, &self.namespace, &self.name).is_ok() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The fault that a call meets, if it meets any: the first `answer` fault that fits and lets no more calls pass.
pub(super) fn met(registry: &Registry, call: &Call<'_>) -> Option<Met> {
    let (faults, _) = registry.list(kinds::FAULTS, None);
    faults.iter().filter(|fault| fits(&fault["spec"]["answer"], call)).find_map(|fault| use_up(registry, fault))
}

fn use_up(registry: &Registry, fault: &Value) -> Option<Met> {
    let text = |field: &str| fault["metadata"][field].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let (mut meets, mut left) = (false, None);
    let counted = registry.update(kinds::FAULTS, namespace, name, Part::Whole, false, |fault| {
        let answer = &mut fault["spec"]["answer"];
        let number = |field: &str| answer[field].as_u64();
        match (number("skip"), number("times")) {
            (Some(skip @ 1..), _) => answer["skip"] = (skip - 1).into(),
            (_, Some(0)) => {}
            (_, Some(times)) => {
                (meets, left) = (true, Some(times - 1));
                answer["times"] = (times - 1).into();
            }
            (_, None) => meets = true,
        }
        Ok(())
    });
    (counted.is_ok() && meets).then(|| Met {
        trouble: trouble(&fault["spec"]["answer"]),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        used_up: left == Some(0),
    })
}

fn fits(answer: &Value, call: &Call<'_>) -> bool {
    let any = |field: &str, actual: &str| match &answer[field] {
        Value::String(wanted) => wanted == actual,
        Value::Array(wanted) => wanted.is_empty() || wanted.iter().any(|wanted| wanted == actual),
        _ => true,
    };
    answer.is_object()
        && any("verbs", call.verb)
        && any("resource", call.resource)
        && any("subresource", call.subresource)
        && any("namespace", call.namespace)
        && any("name", call.name)
        && any("user", call.user)
}

fn trouble(answer: &Value) -> Trouble {
    if answer["late"] == true {
        return Trouble::Delay;
    }
    match (answer["code"].as_u64(), answer["after"] == true, answer["silent"] == true) {
        (_, true, true) => Trouble::SilenceAfter,
        (_, false, true) => Trouble::Silence,
        (_, true, false) => Trouble::CutAfter,
        (None, false, _) => Trouble::Cut,
        (Some(code), false, _) => Trouble::Error(match code {
            409 => Status::new(409, "Conflict", "the object has been modified (a fault of the sandbox)"),
            429 => Status::new(
                429,
                "TooManyRequests",
                "too many requests, please try again later (a fault of the sandbox)",
            ),
            503 => Status::new(
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request (a fault of the sandbox)",
            ),
            code => Status::new(
                u16::try_from(code).ok().filter(|code| (400..600).contains(code)).unwrap_or(500),
                "InternalError",
                "Internal error occurred: a fault of the sandbox",
            ),
        }),
    }
}
