//! The plan: what lies ahead, foreseen by walking the changes and the world's favourable moves.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Apply, SavedSnapshot, Step, Trail, Verdict};
use crate::model::{Change, Fact, Goal, Member, MemberId, Observation, Record, ordinal_of, patch_operations};

/// How far a plan may go; a cluster of nine needs under a hundred.
const MOST_MOVES: usize = 2_000;

/// What lies ahead.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The changes, in order.
    pub changes: Vec<Planned>,
    /// How it ends.
    pub end: PlanEnd,
}

/// One foreseen change.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The step that asks for it.
    pub step: &'static str,
    /// The change.
    pub change: Change,
    /// What it does.
    pub sentence: String,
    /// Why.
    pub reason: String,
    /// The kubectl or etcdctl command that would do the same.
    pub command: String,
    /// How to take it back.
    pub undo: String,
    /// The JSON patch, where it is one.
    pub patch: Option<Vec<Value>>,
}

/// How a plan ends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "end", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum PlanEnd {
    /// At the goal.
    Reached {
        /// Whether the rollout is left for later.
        deferred: bool,
    },
    /// A step refuses.
    Refused {
        /// The step.
        step: &'static str,
        /// Why.
        facts: Vec<Fact>,
    },
    /// What a step waits for is none of the world's favourable moves.
    Unforeseen {
        /// The step.
        step: &'static str,
        /// What it waits for.
        until: String,
    },
}

/// Walks `steps` from an observation. Pure: looks are answered with what is assumed.
pub fn plan(steps: &[Box<dyn Step>], observation: &Observation, goal: &Goal, trail: &Trail) -> Plan {
    let known = listed(observation).map(|member| member.id).collect();
    let mut walk = Walk { observation: observation.clone(), trail: trail.clone(), known, changes: Vec::new() };
    for step in steps {
        if let Some(end) = walk.step(step.as_ref(), goal) {
            return Plan { changes: walk.changes, end };
        }
    }
    let deferred = walk.observation.statefulset.readable_record().is_some_and(|record| record.deferred);
    if !deferred && walk.observation.statefulset.run_annotation().is_some() {
        walk.make(&Change::CloseRun, "", "the goal is reached");
    }
    Plan { changes: walk.changes, end: PlanEnd::Reached { deferred } }
}

fn listed(observation: &Observation) -> impl Iterator<Item = &Member> {
    observation.members.known().into_iter().flat_map(|members| &members.list)
}

struct Walk {
    observation: Observation,
    trail: Trail,
    /// The members that there were before anything was foreseen.
    known: Vec<MemberId>,
    changes: Vec<Planned>,
}

impl Walk {
    fn step(&mut self, step: &dyn Step, goal: &Goal) -> Option<PlanEnd> {
        let mut idle = 0;
        for _ in 0..MOST_MOVES {
            let now = self.trail.now + Duration::from_millis(100);
            self.trail.see(&self.observation, goal, now);
            match step.judge(&self.observation, goal, &self.trail) {
                Verdict::Done(_) => return None,
                Verdict::Refuse(refusal) => {
                    return Some(PlanEnd::Refused { step: step.name(), facts: refusal.facts });
                }
                Verdict::Look(question) => {
                    let answer = question.assumed(&self.observation);
                    self.observation.answers.push((question, answer));
                }
                Verdict::Change(proposal) => {
                    idle = 0;
                    self.open(&proposal.change, step.name(), goal);
                    self.make(&proposal.change, step.name(), &proposal.reason);
                }
                Verdict::Wait(wait) => {
                    match self.observation.moves().into_iter().find(crate::model::Move::favourable) {
                        Some(step) => {
                            idle = 0;
                            self.observation = self.observation.after_move(&step);
                        }
                        // Some waits only need another look: a round of catching up ends with the second.
                        None if idle < 10 => idle += 1,
                        None => return Some(PlanEnd::Unforeseen { step: step.name(), until: wait.until }),
                    }
                }
            }
        }
        Some(PlanEnd::Unforeseen { step: step.name(), until: "an end".to_owned() })
    }

    /// The record goes before the first change in the cluster.
    fn open(&mut self, change: &Change, step: &'static str, goal: &Goal) {
        let ours = self.observation.statefulset.readable_record().is_some_and(|record| record.run == goal.run);
        if change.touches_cluster() && !ours {
            let record = Box::new(Record::opening(goal, &self.observation, None));
            self.make(&Change::OpenRun { record }, step, "a cut-off run can be finished from anywhere");
        }
    }

    fn make(&mut self, change: &Change, step: &'static str, reason: &str) {
        let applied = match change {
            Change::SaveSnapshot { pod, file, .. } => {
                Apply::Snapshot(SavedSnapshot { file: file.clone(), bytes: 0, sha256: String::new(), pod: pod.clone() })
            }
            _ => Apply::Applied,
        };
        // What id etcd will give a new member nobody can foresee.
        let mut command = change.command(&self.observation);
        for member in listed(&self.observation).filter(|member| !self.known.contains(&member.id)) {
            let set = &self.observation.statefulset.name;
            let ordinal = member.peer_urls.iter().find_map(|url| ordinal_of(url, set)).unwrap_or_default();
            command = command.replace(&member.id.to_string(), &format!("ID_OF_{set}-{ordinal}"));
        }
        self.changes.push(Planned {
            step,
            sentence: change.sentence(),
            reason: reason.to_owned(),
            command,
            undo: change.undo(),
            patch: patch_operations(change, &self.observation),
            change: change.clone(),
        });
        self.observation = self.observation.after(change);
        let now = self.trail.now;
        self.trail.tried(change, &Ok(applied), now);
    }
}
