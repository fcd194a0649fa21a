//! The trail: what a run has seen and done, as data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Apply, Trouble};
use crate::model::{CatchUp, Change, Goal, Observation, Raise};

/// What a run has seen and done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trail {
    /// The run's own clock: time since its start.
    pub now: Duration,
    /// The snapshot that was saved.
    pub snapshot: Option<SavedSnapshot>,
    /// How the learner catches up.
    pub catch_up: CatchUp,
    /// What was applied, in order, and when.
    pub applied: Vec<(Change, Duration)>,
    /// The StatefulSet's `spec` right before the overlay was applied, and what that had to change.
    pub before_apply: Option<(Value, Raise)>,
    spec: Value,
    failing: BTreeMap<&'static str, Failing>,
    waits: BTreeMap<String, Duration>,
}

/// A saved and verified snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedSnapshot {
    /// Where it is.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 that etcd sent behind it and that was verified, in hex.
    pub sha256: String,
    /// The pod that sent it.
    pub pod: String,
}

/// A change that was tried and has not passed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// The change.
    pub change: Change,
    /// When one of its kind failed first.
    pub since: Duration,
    /// How often this very change was tried.
    pub tries: u32,
    /// What came back last.
    pub last: Trouble,
}

impl Trail {
    /// Takes in a new observation.
    pub fn see(&mut self, observation: &Observation, goal: &Goal, now: Duration) {
        self.now = now;
        if self.before_apply.is_none() && goal.gitops.is_some() {
            self.spec.clone_from(&observation.statefulset.spec);
        }
        // There is never more than one.
        if let Some(learner) = observation.members.known().and_then(|members| members.learners().next()) {
            self.catch_up.observe(observation, learner.id, now);
        }
    }

    /// Takes in how a change came out.
    pub fn tried(&mut self, change: &Change, result: &Result<Apply, Trouble>, now: Duration) {
        self.now = now;
        match result {
            Ok(applied) => {
                self.failing.remove(change.name());
                self.waits.clear();
                self.applied.push((change.clone(), now));
                if let Change::ApplyOverlay { raise, .. } = change
                    && self.spec.is_object()
                {
                    self.before_apply = Some((std::mem::take(&mut self.spec), raise.as_ref().clone()));
                }
                if let Apply::Snapshot(snapshot) = applied {
                    self.snapshot = Some(snapshot.clone());
                }
            }
            Err(trouble) => {
                let failing = self.failing.entry(change.name()).or_insert_with(|| Failing {
                    change: change.clone(),
                    since: now,
                    tries: 0,
                    last: trouble.clone(),
                });
                if failing.change != *change {
                    (failing.change, failing.tries) = (change.clone(), 0);
                }
                failing.tries += 1;
                failing.last = trouble.clone();
            }
        }
    }

    /// How a kind of change has been failing, by [`Change::name`].
    pub fn failing(&self, change: &str) -> Option<&Failing> {
        self.failing.get(change)
    }

    /// How often this very change was tried without passing. Another of its kind is a new one.
    pub fn tries(&self, change: &Change) -> u32 {
        self.failing(change.name()).filter(|failing| failing.change == *change).map_or(0, |failing| failing.tries)
    }

    /// For how long a kind of change has been failing.
    pub fn failing_for(&self, change: &str) -> Option<Duration> {
        self.failing(change).map(|failing| self.now.saturating_sub(failing.since))
    }

    /// When a change of this kind was last applied.
    pub fn last_applied(&self, change: &str) -> Option<Duration> {
        self.applied.iter().rev().find(|(applied, _)| applied.name() == change).map(|(_, at)| *at)
    }

    /// Something else is waited for, so a change that was failing is not failing any more.
    pub fn waits(&mut self) {
        self.failing.clear();
    }

    /// How long a wait has lasted, where it is under way.
    pub fn waiting_for(&self, until: &str) -> Option<Duration> {
        self.waits.get(until).map(|since| self.now.saturating_sub(*since))
    }

    /// A new step begins: what was waited for or failed before no longer counts.
    pub fn begin_step(&mut self) {
        self.waits.clear();
        self.failing.clear();
    }

    /// How often in a row a change was applied last, which is more than once only where it did not show.
    pub fn repeats(&self, change: &Change) -> usize {
        self.applied.iter().rev().take_while(|(applied, _)| applied == change).count()
    }

    /// How long a wait has lasted since the last change or step; the first call begins it.
    pub fn waited(&mut self, until: &str, now: Duration) -> Duration {
        let since = *self.waits.entry(until.to_owned()).or_insert(now);
        now.saturating_sub(since)
    }

    /// Whether anything in the cluster was changed by this run.
    pub fn changed_the_cluster(&self) -> bool {
        self.applied.iter().any(|(change, _)| change.touches_cluster())
    }
}
