//! `commit-patches`: render the deployment repository's patches for the new size, and commit them.

use super::deployment::{deployment, objections, raise};
use super::edits::Obstacle;
use crate::model::{Change, Delivery, Deployment, Goal, Join, Observation};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Commits the rendered patches.
pub struct CommitPatches;

impl Step for CommitPatches {
    fn name(&self) -> &'static str {
        "commit-patches"
    }

    fn purpose(&self) -> &'static str {
        "render the patches for the new size and commit them"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        judge(observation, goal, trail).unwrap_or_else(|obstacle| obstacle.verdict(observation, goal))
    }
}

fn judge(observation: &Observation, goal: &Goal, trail: &Trail) -> Result<Verdict, Obstacle> {
    let set = &observation.statefulset;
    if observation.members.known().is_none_or(|members| !members.by_quorum) {
        return Err(Obstacle::Members);
    }
    let raise = raise(observation, goal)?;
    let deployment = deployment(observation, goal)?;
    let facts = objections(observation, goal, deployment, &raise);
    if !facts.is_empty() {
        return Ok(Verdict::Refuse(Refusal { facts, findings: Vec::new() }));
    }
    if deployment.files.is_empty() {
        return Ok(committed(goal, deployment));
    }
    if trail.last_applied("commit-patches").is_some() {
        let names: Vec<_> = deployment.files.iter().map(|file| file.path.as_str()).collect();
        return Err(Obstacle::fact(
            format!("the commit was made, and {} is not as it was written", names.join(", ")),
            "a hook may have changed it; see with: git show",
        ));
    }
    if set.replicas != goal.from && set.replicas != goal.to {
        return Err(Obstacle::fact(
            format!("the StatefulSet asks for {} pods, and not by this run", set.replicas),
            format!(
                "somebody changed replicas meanwhile; set them back to {}, and run the same command again",
                goal.from
            ),
        ));
    }
    let itself = matches!(Join::of(observation, goal), Ok(Join::Itself));
    if !itself && observation.member_of_ordinal(goal.ordinal(set.start)).is_none() {
        return Err(Obstacle::fact(
            "the new member is no longer in the member list, so its pod could not join",
            "somebody removed it; run the same command again to begin anew",
        ));
    }
    Ok(Verdict::Change(Proposal {
        change: Change::CommitPatches {
            files: deployment.files.clone(),
            message: message(&set.name, goal.to),
            raise: left_to_others(goal).then(|| Box::new(raise)),
        },
        reason: format!("what is applied from branch {} has to ask for {} pods", deployment.branch, goal.to),
    }))
}

/// The commit stands; whether it has to be pushed yet.
fn committed(goal: &Goal, deployment: &Deployment) -> Verdict {
    let commit = deployment.commit.as_deref().unwrap_or("the last commit");
    if let Some(upstream) = deployment.upstream.as_ref().filter(|upstream| upstream.ahead > 0)
        && goal.gitops.as_ref().is_some_and(|gitops| gitops.push)
    {
        return Verdict::Change(Proposal {
            change: Change::PushCommit { upstream: upstream.name.clone() },
            reason: format!("{} has not got {commit} yet", upstream.name),
        });
    }
    Verdict::done(format!("branch {} asks for {} pods, by {commit}", deployment.branch, goal.to))
}

fn left_to_others(goal: &Goal) -> bool {
    goal.gitops.as_ref().is_some_and(|gitops| !matches!(gitops.delivery, Delivery::Command(_)))
}

/// The commit's message: the guide's own where it is the guide's StatefulSet.
fn message(statefulset: &str, to: i32) -> String {
    let name = if statefulset == "rok-etcd" { "Rok etcd" } else { statefulset };
    format!("Scale {name} to {to} members")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_the_guides() {
        assert_eq!(message("rok-etcd", 3), "Scale Rok etcd to 3 members");
        assert_eq!(message("etcd", 5), "Scale etcd to 5 members");
    }
}
