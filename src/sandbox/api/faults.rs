//! Trouble with the API server on demand: which fault a request meets.

use serde_json::Value;

use super::address::Address;
use crate::sandbox::kinds;
use crate::sandbox::registry::{Deletion, Part, Registry};
use crate::sandbox::status::Status;

/// What a request meets instead of its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// An error, without anything done.
    Error(Status),
    /// Silence: no answer, for as long as the client waits.
    Silence,
    /// The connection is cut before anything is done.
    Cut,
    /// What was asked for is done, and then the connection is cut.
    CutAfter,
}

/// The trouble that a request meets, if it meets any: the first `answer` fault that fits, which is used up by it.
pub(super) fn met(registry: &Registry, address: &Address, verb: &str) -> Option<Trouble> {
    if address.kind.resource() == kinds::FAULTS {
        return None; // or none could ever be ended
    }
    let (faults, _) = registry.list(kinds::FAULTS, None);
    let fault = faults.iter().find(|fault| fits(&fault["spec"]["answer"], address, verb))?;
    let text = |field: &str| fault["metadata"][field].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let mut left = None;
    let used = registry.update(kinds::FAULTS, namespace, name, Part::Whole, false, |fault| {
        let times = &mut fault["spec"]["answer"]["times"];
        if let Some(number) = times.as_u64() {
            let rest = number.saturating_sub(1);
            *times = rest.into();
            left = Some(rest);
        }
        Ok(())
    });
    if used.is_ok() && left == Some(0) {
        drop(registry.delete(kinds::FAULTS, namespace, name, &Deletion::default()));
    }
    Some(trouble(&fault["spec"]["answer"]))
}

fn fits(answer: &Value, address: &Address, verb: &str) -> bool {
    let any = |field: &str, actual: &str| answer[field].as_str().is_none_or(|wanted| wanted == actual);
    let verbs = answer["verbs"].as_array().map(Vec::as_slice).unwrap_or_default();
    answer.is_object()
        && (verbs.is_empty() || verbs.iter().any(|wanted| wanted == verb))
        && any("resource", &address.kind.plural)
        && any("subresource", &address.subresource)
        && any("namespace", &address.namespace)
        && any("name", &address.name)
}

fn trouble(answer: &Value) -> Trouble {
    match (answer["code"].as_u64(), answer["after"] == true, answer["silent"] == true) {
        (_, _, true) => Trouble::Silence,
        (_, true, _) => Trouble::CutAfter,
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
