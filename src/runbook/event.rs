//! What happens in a run, as data: the one source of text, progress, JSON and reports.

use serde::Serialize;

use super::{Finding, Plan, Reply, SavedSnapshot, Trouble};
use crate::model::{Change, Fact, Goal, KeyComparison, KeyHolder, Moved, Standing};

/// Something that happened. Who hears it knows when.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// `namespace/name`.
        statefulset: String,
        /// What it is to reach.
        goal: Box<Goal>,
        /// All steps, in order.
        steps: Vec<String>,
        /// Whether it only foresees.
        dry_run: bool,
        /// What stands before the first change.
        before: Box<Standing>,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: &'static str,
        /// Its place, from 1.
        index: usize,
        /// How many there are.
        total: usize,
        /// What it is for.
        purpose: &'static str,
    },
    /// What lies ahead, foreseen.
    Planned {
        /// The changes and how it ends.
        plan: Plan,
    },
    /// A change was asked for.
    ConfirmRequested {
        /// The change.
        change: Change,
        /// Why.
        reason: String,
    },
    /// The question was answered.
    ConfirmAnswered {
        /// How.
        reply: Reply,
    },
    /// A change is being made.
    ChangeStarted {
        /// The change.
        change: Change,
        /// What it does.
        sentence: String,
        /// The kubectl or etcdctl command that would do the same.
        command: String,
        /// How often it was tried before without passing.
        tries: u32,
    },
    /// A change takes long.
    ChangeProgress {
        /// Its name.
        change: &'static str,
        /// Bytes done.
        done: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
    },
    /// The call that makes a change returned. The proof comes with the next observation.
    ChangeApplied {
        /// Its name.
        change: &'static str,
        /// How long the call took.
        seconds: f64,
    },
    /// A change did not pass.
    ChangeFailed {
        /// Its name.
        change: &'static str,
        /// What came back.
        trouble: Trouble,
        /// How often it has been tried.
        tries: u32,
        /// Whether that is the end of it. Otherwise it will be looked at, and tried again where it is still called for.
        for_good: bool,
    },
    /// Something must happen by itself.
    Waiting {
        /// The step that waits.
        step: &'static str,
        /// For what.
        until: String,
        /// What is seen of it.
        seen: String,
        /// How far it is, where that can be counted.
        progress: Option<(u64, u64)>,
        /// How long it has lasted.
        seconds: f64,
        /// How long it may last.
        limit_seconds: f64,
    },
    /// A look takes long.
    LookProgress {
        /// The step that asked.
        step: &'static str,
        /// What is looked at.
        look: &'static str,
        /// Keys done.
        done: u64,
        /// Keys in all, where that is known.
        total: Option<u64>,
    },
    /// The keys of two members were compared.
    KeysCompared {
        /// At this revision.
        revision: i64,
        /// The member that is compared with.
        reference: KeyHolder,
        /// The other.
        other: KeyHolder,
        /// What came of it.
        comparison: KeyComparison,
    },
    /// The apply command has written something.
    CommandOutput {
        /// The lines.
        lines: Vec<String>,
    },
    /// An observation shows that something has moved since the one before.
    Moved {
        /// What.
        #[serde(flatten)]
        moved: Moved,
        /// On the run's own clock.
        seconds: f64,
    },
    /// Reading the world failed and is tried again.
    ObserveFailed {
        /// What came back.
        trouble: Trouble,
    },
    /// Finding out whether another run still lives.
    Locking {
        /// What is seen.
        seen: String,
    },
    /// A step has reached what it is for.
    StepDone {
        /// Its name.
        step: &'static str,
        /// What was proved.
        proof: String,
        /// The checks behind it.
        findings: Vec<Finding>,
        /// How long it took.
        seconds: f64,
    },
    /// The API server checked a foreseen patch without applying it (`--dry-run=server`).
    Rehearsed {
        /// The change.
        change: &'static str,
        /// What it has against the patch; none where it would take it.
        trouble: Option<Trouble>,
    },
    /// The run is over.
    RunEnded {
        /// How, and what remains.
        summary: Box<Summary>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Everything was reached.
    Done,
    /// Everything was reached that a dry run can foresee.
    Foreseen,
    /// Stopped on purpose before a step.
    Paused {
        /// The step.
        before: &'static str,
    },
    /// A step refused.
    Refused {
        /// The step.
        step: &'static str,
        /// Why.
        facts: Vec<Fact>,
        /// All checks of the step, where it makes several.
        findings: Vec<Finding>,
        /// Whether something of this or the interrupted run stands in the cluster.
        half_way: bool,
    },
    /// A change failed for good, or the world could not be read.
    Failed {
        /// The step.
        step: &'static str,
        /// What came back.
        trouble: Trouble,
    },
    /// A question was answered with no.
    Declined {
        /// The change.
        change: Change,
    },
    /// A question was needed and there was nobody to ask.
    NobodyToAsk {
        /// The change.
        change: Change,
    },
    /// A wait lasted too long.
    TimedOut {
        /// The step.
        step: &'static str,
        /// For what.
        until: String,
        /// What was seen last.
        seen: String,
        /// What to do.
        way_out: String,
    },
    /// The cluster contradicts the goal of an unfinished run, or this run was overtaken.
    Contradiction {
        /// What contradicts what.
        fact: String,
        /// What to do.
        advice: String,
    },
    /// Another run holds the lock.
    Locked {
        /// Who.
        holder: String,
    },
    /// A signal.
    Interrupted {
        /// Its number.
        signal: i32,
    },
}

/// A step that was reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reached {
    /// Its name.
    pub step: String,
    /// What was proved.
    pub proof: String,
    /// Seconds that it took.
    pub seconds: f64,
}

/// What a run has done, at its end.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The steps that were reached, in order.
    pub steps: Vec<Reached>,
    /// The changes that were made, in order.
    pub changes: Vec<Change>,
    /// The snapshot.
    pub snapshot: Option<SavedSnapshot>,
    /// Whether this run finished what another began, and whose.
    pub resumed: Option<String>,
    /// What was foreseen, where the run got as far as a plan.
    pub plan: Option<Plan>,
    /// Whether the rollout was left for later.
    pub deferred: bool,
    /// Tools that keep the StatefulSet as a source of their own says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What stands after the last change, as last seen.
    pub after: Standing,
    /// Seconds from start to end.
    pub seconds: f64,
}
