//! The two ports of the loop: the world it looks at and changes, and the reporter it tells and asks.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::{Event, Proposal, SavedSnapshot, Wake};
use crate::model::{Answer, Change, Observation, Question};

/// How much of an observation is read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Whole,
    /// What the members say; the rest only where the watch has shown a change.
    Members,
}

/// What the loop looks at and changes. The only implementation that touches the outside is in `cluster`.
pub trait World {
    /// The run's own clock.
    fn now(&self) -> Duration;

    /// Reads the world.
    fn observe(&mut self, depth: Depth) -> impl Future<Output = Result<Observation, Trouble>>;

    /// Answers a dear question. What cannot be answered is an answer of its own. `progress` hears of what was looked at,
    /// for questions that take long.
    fn look(
        &mut self,
        question: &Question,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> impl Future<Output = Answer>;

    /// Makes a change. `progress` hears of bytes done, for changes that take long.
    fn apply(
        &mut self,
        change: &Change,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> impl Future<Output = Result<Apply, Trouble>>;

    /// Waits until something may have changed, at most for `limit`.
    fn wake(&mut self, wake: Wake, limit: Duration) -> impl Future<Output = ()>;

    /// Takes the lock; calls `waiting` while it finds out whether another holder still lives.
    fn lock(&mut self, waiting: &mut dyn FnMut(&str)) -> impl Future<Output = Result<(), LockError>>;

    /// Why the lock is no longer ours, where it was taken and lost.
    fn lock_lost(&self) -> Option<String>;

    /// Lets the lock go, where it is held.
    fn unlock(&mut self) -> impl Future<Output = ()>;
}

/// Whom the loop tells and asks. The only implementation that prints or prompts is in `report`.
pub trait Reporter {
    /// Takes in an event.
    fn report(&mut self, event: &Event);

    /// Asks whether a change may be made. Asked once for each change.
    fn confirm(&mut self, proposal: &Proposal, observation: &Observation) -> impl Future<Output = Reply>;
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Make this change.
    Yes,
    /// Make this change and all that follow.
    All,
    /// Make no change.
    No,
    /// There was nobody to ask.
    Nobody,
    /// The question was interrupted.
    Interrupted,
}

/// What an applied change gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Apply {
    /// Nothing beyond the change itself.
    Applied,
    /// A snapshot, verified.
    Snapshot(SavedSnapshot),
}

/// What came back instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// What to make of it.
    pub kind: TroubleKind,
    /// What was tried and what came back.
    pub message: String,
    /// What helps.
    pub advice: Option<String>,
}

/// What to make of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The answer was lost: the change may have been made. Look before trying again.
    Lost,
    /// Refused for now; the same may pass later.
    NotYet,
    /// Somebody else changed what it rests on. Look and judge again.
    Conflict,
    /// Refused for good.
    Refused,
    /// What was asked for does not exist.
    NotFound,
    /// A fault of the program's own.
    Internal,
}

impl Trouble {
    /// Trouble of a kind.
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), advice: None }
    }

    /// The same, with what helps.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Why the lock could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LockError {
    /// Another run holds it and renews it.
    #[error("{holder} holds the lock and is at work")]
    Held {
        /// Who.
        holder: String,
    },
    /// It could not be read or written.
    #[error("{0}")]
    Trouble(Trouble),
}
