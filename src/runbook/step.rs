//! A step and what it may say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Trail;
use crate::model::{Change, Fact, Goal, Observation, Question};

/// One line of the runbook. Steps are pure: they read an observation and say what it calls for.
pub trait Step: Send + Sync {
    /// Its name, as in `--pause-before` and in events.
    fn name(&self) -> &'static str;

    /// What it is for, in a few words.
    fn purpose(&self) -> &'static str;

    /// What the observation calls for.
    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict;
}

/// What a step says of an observation.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// What the step is for has been reached.
    Done(Done),
    /// One change is needed.
    Change(Proposal),
    /// Something must happen by itself first.
    Wait(Wait),
    /// A dear question must be answered first.
    Look(Question),
    /// It must not go on.
    Refuse(Refusal),
}

impl Verdict {
    /// Done, with a sentence on what was proved.
    pub fn done(proof: impl Into<String>) -> Self {
        Self::Done(Done { proof: proof.into(), findings: Vec::new() })
    }
}

/// A reached step.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What was proved.
    pub proof: String,
    /// The checks behind it, where there were several.
    pub findings: Vec<Finding>,
}

/// A change that a step asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// What to do.
    pub change: Change,
    /// Why.
    pub reason: String,
}

/// Something that must happen by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// What is waited for; two waits for the same thing count as one.
    pub until: String,
    /// What is seen of it now.
    pub seen: String,
    /// How far it is, where that can be counted.
    pub progress: Option<(u64, u64)>,
    /// How long it may last.
    pub limit: Duration,
    /// What shows that it has happened.
    pub wake: Wake,
    /// What to do when it lasts too long.
    pub way_out: String,
}

/// What shows that a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Kubernetes' watch.
    Kubernetes,
    /// The members themselves, asked at short intervals; etcd has no watch for it.
    Members,
}

/// Why a step does not go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The facts that stand in the way, each with what to do.
    pub facts: Vec<Fact>,
    /// All checks, where the step makes several.
    pub findings: Vec<Finding>,
}

impl Refusal {
    /// A refusal for one fact.
    pub fn because(fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { facts: vec![Fact::new(fact, advice)], findings: Vec::new() }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's id, such as `at-rest`.
    pub id: String,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be checked, and the run may go on without it.
    Unknown,
    /// Worth knowing, no reason to stop.
    Advice,
    /// The run must not begin.
    Refused,
}
