//! A run as a report tells it: its steps, the changes in each with what was seen after them, and what it proved.

use jiff::Timestamp;
use serde::Serialize;

use super::super::change::diff;
use super::super::text::what_is_done;
use super::timeline::Timeline;
use crate::model::{Change, Goal, Moved, Standing};
use crate::runbook::{Event, Finding, Level, Outcome, Plan, Reply, SavedSnapshot, Summary};

/// A run from its first event to its last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Story {
    verb: &'static str,
    /// Such as `rok/rok-etcd, 2 -> 3 members`.
    title: String,
    goal: Goal,
    dry_run: bool,
    /// Who began it, where it finishes another's run.
    resumed: Option<String>,
    started: Timestamp,
    ended: Timestamp,
    /// Seconds from its first event to its last.
    seconds: f64,
    outcome: String,
    /// What a person was told at the end.
    pub(super) closing: String,
    steps: Vec<StepTold>,
    plan: Option<Plan>,
    snapshot: Option<SavedSnapshot>,
    before: Standing,
    after: Option<Standing>,
    pub(super) timeline: Timeline,
    /// How many changes were begun.
    #[serde(skip)]
    begun: usize,
}

/// A step that was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepTold {
    step: &'static str,
    index: usize,
    total: usize,
    purpose: &'static str,
    /// Seconds since the start.
    at: f64,
    /// How long it took; none where it did not come to its end.
    seconds: Option<f64>,
    proof: Option<String>,
    findings: Vec<Finding>,
    waits: Vec<WaitTold>,
    /// What was seen to move before its first change.
    seen: Vec<Seen>,
    changes: Vec<ChangeTold>,
    /// The last question and its answer, until its change begins.
    #[serde(skip)]
    asked: Option<(Change, Option<Reply>)>,
}

/// Something that was waited for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitTold {
    until: String,
    /// What was seen last.
    seen: String,
    at: f64,
    seconds: f64,
    /// Whether it lasts.
    #[serde(skip)]
    lasts: bool,
}

/// A change that was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeTold {
    /// Its place among all changes of the run, from 1.
    number: usize,
    at: f64,
    sentence: String,
    command: String,
    /// The patch as lines of a diff.
    diff: Vec<String>,
    /// Whether it only keeps the run's own record.
    bookkeeping: bool,
    /// The answer to the question before it; none where all was agreed to beforehand.
    answer: Option<Reply>,
    /// How long the call took; none where none came back.
    seconds: Option<f64>,
    /// What came back instead of an answer that it was made.
    troubles: Vec<String>,
    /// Whether the last of that was the end of it.
    failed: bool,
    /// What was seen to move afterwards.
    seen: Vec<Seen>,
    change: Change,
}

/// What was seen, and when.
#[derive(Debug, Serialize)]
struct Seen {
    at: f64,
    sentence: String,
    #[serde(flatten)]
    moved: Moved,
}

impl Story {
    pub(super) fn begin(statefulset: &str, goal: &Goal, dry_run: bool, before: &Standing, now: Timestamp) -> Self {
        Self {
            verb: goal.verb.word(),
            title: what_is_done(statefulset, goal),
            dry_run,
            resumed: goal.resumed.as_ref().map(|record| format!("{} at {}", record.by, record.started)),
            goal: goal.clone(),
            started: now,
            ended: now,
            seconds: 0.0,
            outcome: "unfinished".to_owned(),
            closing: String::new(),
            steps: Vec::new(),
            plan: None,
            snapshot: None,
            timeline: Timeline::begin(before),
            before: before.clone(),
            after: None,
            begun: 0,
        }
    }

    pub(super) fn hear(&mut self, event: &Event, now: Timestamp) {
        // A clock that is set back tells of no time before the last event.
        self.ended = self.ended.max(now);
        let at = self.ended.duration_since(self.started).as_secs_f64();
        self.seconds = at;
        let number = self.begun + 1;
        self.timeline.hear(event, number, at);
        match event {
            Event::StepStarted { step, index, total, purpose } => self.steps.push(StepTold {
                step,
                index: *index,
                total: *total,
                purpose,
                at,
                seconds: None,
                proof: None,
                findings: Vec::new(),
                waits: Vec::new(),
                seen: Vec::new(),
                changes: Vec::new(),
                asked: None,
            }),
            Event::Planned { plan } => self.plan = Some(plan.clone()),
            Event::RunEnded { summary } => self.end(summary, at),
            _ => {
                if let Some(step) = self.steps.last_mut() {
                    step.hear(event, number, at);
                }
            }
        }
        if let Event::ChangeStarted { tries: 0, .. } = event {
            self.begun += 1;
        }
    }

    fn end(&mut self, summary: &Summary, at: f64) {
        if let Some(step) = self.steps.last_mut() {
            step.end_wait(at);
        }
        let outcome = serde_json::to_value(&summary.outcome).ok();
        let word = outcome.as_ref().and_then(|outcome| outcome["outcome"].as_str());
        word.unwrap_or_default().clone_into(&mut self.outcome);
        self.snapshot.clone_from(&summary.snapshot);
        self.after = Some(summary.after.clone());
        if let Outcome::Refused { facts, findings, .. } = &summary.outcome
            && let Some(step) = self.steps.last_mut()
        {
            step.findings.clone_from(findings);
            if findings.is_empty() {
                step.findings.extend(facts.iter().map(|fact| Finding {
                    id: step.step.to_owned(),
                    level: Level::Refused,
                    found: fact.fact.clone(),
                    advice: Some(fact.advice.clone()),
                }));
            }
        }
    }
}

impl StepTold {
    fn hear(&mut self, event: &Event, number: usize, at: f64) {
        match event {
            Event::StepDone { proof, findings, seconds, .. } => {
                self.end_wait(at);
                self.proof = Some(proof.clone());
                self.findings.clone_from(findings);
                self.seconds = Some(*seconds);
            }
            Event::Waiting { until, seen, .. } => {
                if self.waits.last().is_none_or(|wait| !wait.lasts || wait.until != *until) {
                    self.end_wait(at);
                    let (until, seen) = (until.clone(), seen.clone());
                    self.waits.push(WaitTold { until, seen, at, seconds: 0.0, lasts: true });
                } else if let Some(wait) = self.waits.last_mut() {
                    wait.seen.clone_from(seen);
                    wait.seconds = at - wait.at;
                }
            }
            Event::ConfirmRequested { change, .. } => {
                self.end_wait(at);
                self.asked = Some((change.clone(), None));
            }
            Event::ConfirmAnswered { reply } => {
                if let Some((_, answer)) = &mut self.asked {
                    *answer = Some(*reply);
                }
            }
            Event::ChangeStarted { change, sentence, command, tries: 0 } => {
                self.end_wait(at);
                // The record goes before the change that was asked for, and an answer holds for its own change only.
                let answer = self.asked.take_if(|(asked, _)| asked == change).and_then(|(_, answer)| answer);
                self.changes.push(ChangeTold {
                    number,
                    at,
                    sentence: sentence.clone(),
                    command: command.clone(),
                    diff: diff(change),
                    bookkeeping: change.is_bookkeeping(),
                    answer,
                    seconds: None,
                    troubles: Vec::new(),
                    failed: false,
                    seen: Vec::new(),
                    change: change.clone(),
                });
            }
            Event::ChangeApplied { change, seconds } => {
                if let Some(change) = self.last(change) {
                    change.seconds = Some(*seconds);
                }
            }
            Event::ChangeFailed { change, trouble, for_good, .. } => {
                if let Some(change) = self.last(change) {
                    change.failed = *for_good;
                    if change.troubles.last() != Some(&trouble.message) {
                        change.troubles.push(trouble.message.clone());
                    }
                }
            }
            Event::Moved { moved, .. } if !moved.is_progress() => {
                let seen = self.changes.last_mut().map_or(&mut self.seen, |change| &mut change.seen);
                seen.push(Seen { at, sentence: moved.sentence(), moved: moved.clone() });
            }
            _ => {}
        }
    }

    /// The last change of a kind, by [`Change::name`].
    fn last(&mut self, name: &str) -> Option<&mut ChangeTold> {
        self.changes.iter_mut().rev().find(|told| told.change.name() == name)
    }

    fn end_wait(&mut self, at: f64) {
        if let Some(wait) = self.waits.last_mut().filter(|wait| wait.lasts) {
            wait.seconds = at - wait.at;
            wait.lasts = false;
        }
    }
}
