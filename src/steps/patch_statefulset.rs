//! `patch-statefulset`: ask for one more pod, tell the template, and guard the old pods, in one patch.

use super::members_to_answer;
use crate::model::{
    Change, Container, EnvEdit, EnvSource, Goal, Observation, SizeEnv, SizeVariable, StateVariable, StatefulSet,
    guarded_strategy,
};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Raises the StatefulSet by one pod.
pub struct PatchStatefulSet;

impl Step for PatchStatefulSet {
    fn name(&self) -> &'static str {
        "patch-statefulset"
    }

    fn purpose(&self) -> &'static str {
        "ask for its pod, and keep the old pods as they are"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let env = match template_edits(set, goal) {
            Ok(env) => env,
            Err((fact, advice)) => return Verdict::Refuse(Refusal::because(fact, advice)),
        };
        if set.replicas == goal.to && env.is_empty() {
            return Verdict::done(format!("the StatefulSet asks for {} pods", set.replicas));
        }
        if set.replicas != goal.from {
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods, and not by this run's patch", set.replicas),
                format!(
                    "somebody changed replicas meanwhile; set them back to {}, and run the same command again",
                    goal.from
                ),
            ));
        }
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        let url = observation.peer_url(goal.new_ordinal(set.start));
        if url.and_then(|url| members.by_peer_url(&url)).is_none() {
            return Verdict::Refuse(Refusal::because(
                "the new member is no longer in the member list, so its pod could not join",
                "somebody removed it; run the same command again to begin anew",
            ));
        }
        let guard = guarded_strategy(&set.strategy, goal.from);
        let reason = if guard.is_some() {
            "its pod starts from the new template; the partition keeps the old pods from restarting"
        } else {
            "its pod starts from the new template; under OnDelete the old pods stay as they are"
        };
        Verdict::Change(Proposal {
            change: Change::PatchStatefulSet {
                from: goal.from,
                to: goal.to,
                env,
                strategy: guard.map(|guard| (set.strategy.clone(), guard)),
            },
            reason: reason.to_owned(),
        })
    }
}

/// What has to change in the template for one more member.
///
/// # Errors
/// The fact that forbids it, and what to do.
pub(super) fn template_edits(set: &StatefulSet, goal: &Goal) -> Result<Vec<EnvEdit>, (String, String)> {
    let Some((index, container)) = set.template.etcd() else {
        return Err((not_etcd(set), "name the StatefulSet that runs etcd".to_owned()));
    };
    let mut edits = Vec::new();
    match size_variable(set, container, goal) {
        SizeVariable::None => {}
        SizeVariable::One(name) => edits.push(edit(index, container, &name, &goal.to.to_string())),
        SizeVariable::Several(names) => {
            return Err((
                format!("several variables may be the cluster's size: {}", names.join(", ")),
                "say which with --size-env NAME, or --size-env none".to_owned(),
            ));
        }
        SizeVariable::NotThere(name) => {
            return Err((
                format!("--size-env {name} names no literal variable of container {}", container.name),
                "name one that stands in the template, or none".to_owned(),
            ));
        }
    }
    match set.template.state_variable(container) {
        StateVariable::Existing => {}
        StateVariable::Set(name) => edits.push(edit(index, container, &name, "existing")),
        StateVariable::Add => edits.push(edit(index, container, "ETCD_INITIAL_CLUSTER_STATE", "existing")),
        StateVariable::Fixed(place) => {
            return Err((
                format!("the cluster state that the new member starts with comes from {place}"),
                "let it come from the variable ETCD_INITIAL_CLUSTER_STATE, or set it to `existing` first".to_owned(),
            ));
        }
    }
    edits.retain(|edit| edit.from.as_ref() != Some(&edit.to));
    Ok(edits)
}

/// The size variable, going by the operator's choice where there is one.
pub(super) fn size_variable(set: &StatefulSet, container: &Container, goal: &Goal) -> SizeVariable {
    match &goal.size_env {
        SizeEnv::None => SizeVariable::None,
        SizeEnv::Name(name) if container.literal(name).is_some() => SizeVariable::One(name.clone()),
        SizeEnv::Name(name) => SizeVariable::NotThere(name.clone()),
        SizeEnv::Auto => set.template.size_variable(container, goal.from),
    }
}

/// Says that no container runs etcd, and what there is instead.
pub fn not_etcd(set: &StatefulSet) -> String {
    let images: Vec<_> = set.template.containers.iter().map(|container| container.image.as_str()).collect();
    format!("StatefulSet {}/{} does not run etcd; its images are {}", set.namespace, set.name, images.join(", "))
}

fn edit(container_index: usize, container: &Container, name: &str, to: &str) -> EnvEdit {
    // The last of several variables of one name is the one in force.
    let found = container.env.iter().enumerate().rev().find(|(_, var)| var.name == name);
    let from = found.and_then(|(_, var)| match &var.source {
        EnvSource::Literal(value) => Some(value.clone()),
        EnvSource::From(_) => None,
    });
    EnvEdit {
        container: container_index,
        index: found.map(|(index, _)| index),
        first: container.env.is_empty(),
        name: name.to_owned(),
        from,
        to: to.to_owned(),
    }
}
