//! `snapshot`: the whole database in a file here, verified, before the first change.

use std::path::PathBuf;

use super::members_to_answer;
use crate::model::{Change, ClusterId, Goal, Observation, REVISION, SnapshotChoice, Stage, Verb};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// The pod that a snapshot is best taken from, and its cluster: a follower, so that the leader keeps its disk and
/// network for writes. Never a learner: etcd 3.4 makes its stream hang.
pub fn snapshot_source(observation: &Observation) -> Option<(String, ClusterId)> {
    observation
        .statuses
        .iter()
        .filter_map(|(pod, status)| Some((pod, status.known()?)))
        .filter(|(_, status)| !status.learner && status.healthy.known().is_some())
        .min_by_key(|(pod, status)| (status.leads(), (*pod).clone()))
        .map(|(pod, status)| (pod.clone(), status.cluster))
}

/// Saves a snapshot before the first change.
pub struct Snapshot;

impl Step for Snapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn purpose(&self) -> &'static str {
        "keep a verified copy of the database"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        if let Some(snapshot) = &trail.snapshot {
            return Verdict::done(format!("saved to {} and verified", snapshot.file.display()));
        }
        if goal.snapshot == SnapshotChoice::None {
            return Verdict::done("none taken, as asked (--no-snapshot)");
        }
        let earlier = goal.resumed.as_ref().and_then(|record| record.snapshot.clone());
        if let Some(place) = earlier {
            return Verdict::done(format!("taken before the first change: {place}"));
        }
        let stage = Stage::of(observation);
        if goal.resumed.is_some() && stage == Stage::Unknown {
            return members_to_answer(observation, goal);
        }
        // Of a member that did not serve nothing was to be saved; the others still have all.
        let only_removed = goal.verb == Verb::Replace && stage == Stage::MemberRemoved;
        // What a deferred rollout has left is no half-done change.
        if goal.resumed.is_some() && stage.is_past_first_change() && !only_removed {
            return Verdict::done("the first change was made already, without a snapshot");
        }
        let Some((pod, cluster)) = snapshot_source(observation) else {
            return Verdict::Refuse(Refusal::because(
                "no voter is healthy, so none can send a snapshot",
                "see which members answer with `etcd-scale status`",
            ));
        };
        let (file, revision) = match &goal.snapshot {
            SnapshotChoice::File(file) => (file.clone(), false),
            SnapshotChoice::In(directory) => {
                // To the millisecond: a run that was killed and the one that follows may begin in the same second.
                let (second, fraction) =
                    goal.started.trim_end_matches('Z').split_once('.').unwrap_or((&goal.started, "0"));
                let second: String = second.chars().filter(|c| !matches!(c, '-' | ':' | 'Z')).collect();
                // The revision moves on with every write: in the name it would make the change another one each time.
                let name = format!("{}-{cluster}-{REVISION}-{second}.{fraction:.3}Z.db", observation.statefulset.name);
                (directory.join(PathBuf::from(name)), true)
            }
            SnapshotChoice::None => return Verdict::done("none taken"),
        };
        Verdict::Change(Proposal {
            change: Change::SaveSnapshot { pod, file, revision },
            reason: "it is the way back if anything goes wrong".to_owned(),
        })
    }
}
