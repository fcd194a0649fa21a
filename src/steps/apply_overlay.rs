//! `apply-overlay`: bring the commit to the cluster, and prove that it brought what it says and nothing else.

use super::deployment::{STRATEGY, deployment, raise};
use super::edits::Obstacle;
use super::guard::{besides, changed_besides, watch};
use super::members_to_answer;
use crate::model::{Change, Delivery, Goal, Observation, Raise, differences};
use crate::runbook::{Proposal, Step, Trail, Verdict, Wait, Wake};

/// Brings the commit to the cluster.
pub struct ApplyOverlay;

impl Step for ApplyOverlay {
    fn name(&self) -> &'static str {
        "apply-overlay"
    }

    fn purpose(&self) -> &'static str {
        "bring the commit to the StatefulSet"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        if !observation.members.is_known_and(|members| members.by_quorum) {
            return members_to_answer(observation, goal);
        }
        if let Some(verdict) = watch(observation, goal) {
            return verdict;
        }
        judge(observation, goal, trail).unwrap_or_else(|obstacle| obstacle.verdict(observation, goal))
    }
}

fn judge(observation: &Observation, goal: &Goal, trail: &Trail) -> Result<Verdict, Obstacle> {
    let set = &observation.statefulset;
    let raise = raise(observation, goal)?;
    if set.replicas == goal.to && raise.env.is_empty() && raise.words.is_empty() {
        return arrived(observation, goal, trail);
    }
    if set.replicas != goal.from && set.replicas != goal.to {
        return Err(Obstacle::fact(
            format!("the StatefulSet asks for {} pods, and the commit says {}", set.replicas, goal.to),
            format!(
                "somebody changed replicas meanwhile; set them back to {}, and run the same command again",
                goal.from
            ),
        ));
    }
    let Some(gitops) = &goal.gitops else { return Ok(Verdict::done("no commit is to be applied")) };
    let until = format!("the StatefulSet to have what the commit says of {}", gitops.overlay);
    let seen = missing(set.replicas, &raise);
    let wait = |by: &str, way_out: &str| {
        Verdict::Wait(Wait {
            until: until.clone(),
            seen: format!("{seen}; {by}"),
            progress: None,
            limit: goal.timeout,
            wake: Wake::Kubernetes,
            way_out: format!("{way_out}; the learner costs no quorum meanwhile"),
        })
    };
    let command = match &gitops.delivery {
        Delivery::Command(command) => command,
        Delivery::Sync => {
            let way_out = "see why the GitOps controller has not brought the commit (was it pushed?), and run the same \
                           command again";
            return Ok(wait("the GitOps controller has to bring it", way_out));
        }
        Delivery::Operator => {
            return Ok(wait("somebody has to apply it", "apply the overlay, and run the same command again"));
        }
    };
    let started = observation.delivering.as_ref().and_then(|delivering| delivering.command.as_ref());
    match started {
        None => Ok(Verdict::Change(Proposal {
            change: Change::ApplyOverlay { command: command.clone(), raise: Box::new(raise) },
            reason: format!("{seen}; the guard keeps the old pods as they are whatever it does to the template"),
        })),
        Some(started) => match &started.ended {
            None => Ok(wait(
                &format!("{} is at work", started.text),
                "see what the apply command waits for, and run the same command again",
            )),
            Some(end) if end.well => Err(Obstacle::fact(
                format!("{} ended well, and yet {seen}", started.text),
                format!("see that it applies {} to this cluster, then run the same command again", gitops.overlay),
            )),
            Some(end) => Err(Obstacle::fact(
                format!("{} ended with {}; its last lines:\n{}", started.text, end.how, started.last_lines()),
                "mend what it complains of, and run the same command again; the commit stands, the learner costs no quorum \
                 meanwhile",
            )),
        },
    }
}

/// What the StatefulSet lacks yet.
fn missing(replicas: i32, raise: &Raise) -> String {
    if replicas != raise.to {
        return format!("it asks for {replicas} pods");
    }
    let names: Vec<_> = raise.env.iter().map(|edit| edit.name.as_str()).collect();
    if names.is_empty() {
        return "its command line is as before".to_owned();
    }
    format!("{} is not set to what the new member needs", names.join(", "))
}

/// The StatefulSet has what the commit says: whether it has anything else, too.
fn arrived(observation: &Observation, goal: &Goal, trail: &Trail) -> Result<Verdict, Obstacle> {
    let spec = &observation.statefulset.spec;
    if let Some(refusal) = changed_besides(observation, trail) {
        return Ok(Verdict::Refuse(refusal));
    }
    let deployment = deployment(observation, goal)?;
    if spec.is_object() && deployment.spec.is_object() {
        // What stands is what was made of the manifest, so here the manifest is what was to be.
        let others: Vec<_> = differences(&deployment.spec, spec)
            .into_iter()
            .filter(|difference| !difference.path.starts_with(STRATEGY))
            .map(|difference| difference.reversed().to_string())
            .collect();
        if !others.is_empty() {
            return Ok(Verdict::Refuse(besides(&others)));
        }
    }
    let commit = deployment.commit.as_deref().unwrap_or("the commit");
    Ok(Verdict::done(format!(
        "the StatefulSet asks for {} pods and has nothing but what {commit} says",
        observation.statefulset.replicas
    )))
}
