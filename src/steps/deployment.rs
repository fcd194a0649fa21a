//! What a deployment repository has to say of the StatefulSet, and why it may not say it.

use super::edits::{Obstacle, template_edits};
use crate::model::{
    Answer, Deployment, Fact, Goal, Join, Known, Member, Observation, Question, Raise, differences,
    strategy_is_on_delete,
};

/// How many differences are worth telling one by one.
const MOST_TOLD: usize = 3;

/// What the commit has to say beyond what stands.
///
/// # Errors
/// What stands in the way of saying so.
pub(super) fn raise(observation: &Observation, goal: &Goal) -> Result<Raise, Obstacle> {
    let edits = template_edits(observation, goal)?;
    if let Some((name, keys)) = &edits.config_map {
        let keys: Vec<_> = keys.iter().map(|edit| edit.key.as_str()).collect();
        return Err(Obstacle::fact(
            format!(
                "{} of ConfigMap {name} has to name the new member, which no template of the overlay does",
                keys.join(", ")
            ),
            "let the start command work the list of peers out, or go without --gitops",
        ));
    }
    if matches!(edits.join, Join::Bypass { .. }) {
        return Err(Obstacle::fact(
            "the new pod would have to start past its image's script first, which is in no template of the overlay",
            "leave it to its script with --join self, or go without --gitops",
        ));
    }
    Ok(Raise { from: goal.from, to: goal.to, env: edits.env, words: edits.words })
}

/// The question of the deployment repository.
pub(super) fn question(goal: &Goal) -> Question {
    Question::Deployment { to: goal.to }
}

/// What a look at the repository found.
///
/// # Errors
/// The question to ask first, or why it has no answer.
pub(super) fn deployment<'a>(observation: &'a Observation, goal: &Goal) -> Result<&'a Deployment, Obstacle> {
    match observation.answer(&question(goal)) {
        Some(Answer::Deployment(Known::Known(deployment))) => Ok(deployment),
        Some(Answer::Deployment(Known::Unknown(why))) => Err(Obstacle::fact(
            format!("the deployment repository could not be looked at: {why}"),
            "mend that, and run the same command again",
        )),
        _ => Err(Obstacle::Ask(question(goal))),
    }
}

/// Everything that forbids the commit, or that forbids to bring it to the cluster.
pub(super) fn objections(observation: &Observation, goal: &Goal, deployment: &Deployment, raise: &Raise) -> Vec<Fact> {
    let mut facts = deployment.obstacles.clone();
    let gitops = goal.gitops.as_ref();
    let overlay = gitops.map(|gitops| gitops.overlay.as_str()).unwrap_or_default();
    if gitops.is_some_and(|gitops| gitops.push) {
        facts.extend(cannot_be_pushed(deployment));
    }
    if deployment.spec.is_null() {
        return facts;
    }
    let spec = &deployment.spec;
    if spec["replicas"] != goal.to {
        facts.push(Fact::new(
            format!(
                "with the rendered patches {overlay} builds a StatefulSet of {} replicas, not {}",
                spec["replicas"], goal.to
            ),
            "let a template in its patches set spec.replicas to ETCD_CLUSTER_SIZE",
        ));
    }
    let set = &observation.statefulset;
    let partition = spec.pointer("/updateStrategy/rollingUpdate/partition").and_then(serde_json::Value::as_i64);
    if let Some(partition) = partition.filter(|partition| *partition < i64::from(goal.from))
        && !strategy_is_on_delete(&set.strategy)
        && !has_voted(observation, goal)
    {
        facts.push(Fact::new(
            format!(
                "{overlay} names the partition {partition}, so that applying it would take away the guard of the {} old pods",
                goal.from
            ),
            "leave updateStrategy.rollingUpdate.partition out of the manifests; etcd-scale sets it and puts it back",
        ));
    }
    if set.spec.is_object() {
        let others: Vec<_> = differences(spec, &raise.applied_to(&set.spec))
            .into_iter()
            .filter(|difference| !matches!(difference.path.as_str(), "replicas" | PARTITION))
            .map(|difference| difference.to_string())
            .collect();
        if !others.is_empty() {
            facts.push(Fact::new(
                format!("applying {overlay} would also change {}", told(&others)),
                "bring repository and StatefulSet to the same state first, in a change of its own",
            ));
        }
    }
    facts
}

/// The field with the guard and all around it.
pub(super) const STRATEGY: &str = "updateStrategy";

/// Where the guard stands; it is looked after by itself.
const PARTITION: &str = "updateStrategy.rollingUpdate.partition";

fn cannot_be_pushed(deployment: &Deployment) -> Option<Fact> {
    match &deployment.upstream {
        None => Some(Fact::new(
            format!("branch {} has no upstream to push to", deployment.branch),
            format!("set one: git push --set-upstream REMOTE {}", deployment.branch),
        )),
        // Once the commit is made, it is among them.
        Some(upstream) if upstream.ahead > 0 && !deployment.files.is_empty() => Some(Fact::new(
            format!("{} lacks {} other commits of branch {}", upstream.name, upstream.ahead, deployment.branch),
            "push those first; etcd-scale pushes no commit but its own",
        )),
        Some(_) => None,
    }
}

/// Some of a list, and how many more there are.
pub(super) fn told(list: &[String]) -> String {
    let mut text = list.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join("; ");
    if list.len() > MOST_TOLD {
        text = format!("{text}; and {} more", list.len() - MOST_TOLD);
    }
    text
}

/// Whether the new member has its vote, so that the old pods need no guard any more.
pub(super) fn has_voted(observation: &Observation, goal: &Goal) -> bool {
    let ordinal = goal.ordinal(observation.statefulset.start);
    observation.member_of_ordinal(ordinal).is_some_and(Member::is_started_voter)
}
