//! What a controller wants done, as data.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::super::kinds;
use super::super::registry::{Deletion, Part, Propagation, Registry};
use super::super::status::Status;
use super::events;
use super::object::{name, namespace, uid};

/// What is to be done for one object, in order. What fails ends it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Whom it is for; failures are counted by it.
    pub(super) key: String,
    pub(super) steps: Vec<Step>,
    /// What is done in the end where a step has failed.
    pub(super) after_failure: Vec<Step>,
    /// When to look again though nothing has changed.
    pub(super) again: Option<Timestamp>,
}

/// One write, and what is told of it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) on_success: Option<Told>,
    /// The error's words are put after the message.
    pub(super) on_failure: Vec<Told>,
}

#[derive(Debug)]
pub(super) enum Action {
    Create {
        resource: &'static str,
        namespace: String,
        object: Value,
    },
    /// Puts an object, of which a part counts, in the place of the one of its version.
    Write {
        resource: String,
        part: Part,
        object: Value,
    },
    Delete {
        resource: String,
        object: Arc<Value>,
        propagation: Propagation,
    },
    /// Nothing but what is told, which holds for as long as it is told again and again.
    Tell,
    /// Nothing can be done, for a reason.
    Fail(String),
}

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) about: Arc<Value>,
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        Self { action, on_success: None, on_failure: Vec::new() }
    }
}

impl Step {
    pub(super) fn whole(resource: &str, object: Value) -> Self {
        Action::Write { resource: resource.to_owned(), part: Part::Whole, object }.into()
    }

    pub(super) fn status(resource: &str, object: Value) -> Self {
        Action::Write { resource: resource.to_owned(), part: Part::Status, object }.into()
    }

    pub(super) fn delete(resource: &str, object: &Arc<Value>) -> Self {
        let propagation = Propagation::Background;
        Action::Delete { resource: resource.to_owned(), object: Arc::clone(object), propagation }.into()
    }

    pub(super) fn tell(about: &Arc<Value>, warning: bool, reason: &'static str, message: impl Into<String>) -> Self {
        let told = Told { about: Arc::clone(about), warning, reason, message: message.into() };
        Self { action: Action::Tell, on_success: Some(told), on_failure: Vec::new() }
    }

    fn apply(&self, registry: &Registry, source: &str) -> Result<(), Status> {
        let done = self.action.apply(registry);
        match &done {
            Ok(()) => {
                let record = if matches!(self.action, Action::Tell) { events::record_state } else { events::record };
                if let Some(told) = &self.on_success {
                    record(registry, &told.about, told.warning, told.reason, &told.message, source);
                }
            }
            Err(status) if is_stale(status) => {}
            Err(status) => {
                for told in &self.on_failure {
                    let message = format!("{}{}", told.message, status.message);
                    events::record(registry, &told.about, told.warning, told.reason, &message, source);
                }
            }
        }
        done
    }
}

impl Action {
    fn apply(&self, registry: &Registry) -> Result<(), Status> {
        match self {
            Self::Create { resource, namespace, object } => {
                registry.create(resource, namespace, object.clone(), false).map(|_| ())
            }
            Self::Write { resource, part, object } => {
                let put = |standing: &mut Value| {
                    standing.clone_from(object);
                    Ok(())
                };
                registry.update(resource, namespace(object), name(object), *part, false, put).map(|_| ())
            }
            Self::Delete { resource, object, propagation } => {
                let deletion =
                    Deletion { uid: Some(uid(object).to_owned()), propagation: *propagation, ..Deletion::default() };
                registry.delete(resource, namespace(object), name(object), &deletion).map(|_| ())
            }
            Self::Tell => Ok(()),
            Self::Fail(why) => Err(Status::new(500, "InternalError", why.clone())),
        }
    }
}

impl Plan {
    pub(super) fn new(object: &Value, steps: Vec<Step>) -> Self {
        Self { key: format!("{}/{}", namespace(object), name(object)), steps, ..Self::default() }
    }

    pub(super) fn apply(&self, registry: &Registry, source: &str) -> Result<(), Status> {
        let done = self.steps.iter().try_for_each(|step| step.apply(registry, source));
        if let Err(status) = &done
            && !is_stale(status)
        {
            for step in &self.after_failure {
                step.apply(registry, source)?;
            }
        }
        done
    }
}

/// Whether a write met an object that is not the one that was looked at: there is a newer look to be had.
///
/// An object that is there already is not that: whoever wanted to create it has looked, and saw that it is not its own.
pub(super) fn is_stale(status: &Status) -> bool {
    status.reason == "Conflict" || (status.reason == "NotFound" && status.details["kind"] != kinds::NAMESPACES)
}
