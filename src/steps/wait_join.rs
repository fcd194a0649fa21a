//! `wait-join`: until the new member runs and is known to the others; or until it is plain that it never will.

use std::time::Duration;

use super::guard::{changed_besides, watch};
use super::last_words::{last_words, telling};
use super::members_to_answer;
use crate::model::{Answer, Goal, Join, Known, Member, Observation, Pod, Question};
use crate::runbook::{Refusal, Step, Trail, Verdict, Wait, Wake};

/// A container that has ended this often will not come up by itself. Fewer is common while the Service's name of the
/// new pod spreads.
const CRASH_LOOP: i32 = 4;

/// How many lines of its log are told then.
const LINES_OF_A_CRASH: usize = 8;

/// Reasons of a waiting container that no time heals.
const HOPELESS: &[&str] = &["ErrImageNeverPull", "InvalidImageName"];

/// Reasons that mostly stay, where they have stood for a while.
const STUBBORN: &[&str] =
    &["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError", "ImageInspectError"];

/// How long a stubborn reason may stand.
const STUBBORN_FOR: Duration = Duration::from_secs(60);

/// What is waited for.
const UNTIL: &str = "the new member to join";

/// Waits for the new member to join.
pub struct WaitJoin;

impl Step for WaitJoin {
    fn name(&self) -> &'static str {
        "wait-join"
    }

    fn purpose(&self) -> &'static str {
        "wait for the new member to start and join"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        let pod_name = set.pod_name(ordinal);
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        if let Some(verdict) = watch(observation, goal) {
            return verdict;
        }
        if let Some(refusal) = changed_besides(observation, trail) {
            return Verdict::Refuse(refusal);
        }
        let coming = Coming { observation, goal, trail, until: UNTIL };
        let member = observation.peer_url(ordinal).and_then(|url| members.by_peer_url(&url));
        let itself = Join::of(observation, goal).is_ok_and(|join| join == Join::Itself);
        if member.is_none() && !itself {
            return Verdict::Refuse(Refusal::because(
                format!("the member for {pod_name} is no longer in the member list"),
                "somebody removed it; scale the StatefulSet back, clear the new claim and start again",
            ));
        }
        if let Some(member) = member.filter(|member| member.started()) {
            return Verdict::done(format!("{} has joined as {}", member.name, member.id));
        }
        match observation.pod(ordinal) {
            None => coming.wait(&format!("pod {pod_name} is not created yet"), Wake::Kubernetes),
            Some(pod) => judge_pod(coming, member, pod),
        }
    }
}

/// What is known while a pod's member is waited for.
#[derive(Clone, Copy)]
pub(super) struct Coming<'a> {
    pub(super) observation: &'a Observation,
    pub(super) goal: &'a Goal,
    pub(super) trail: &'a Trail,
    /// What is waited for.
    pub(super) until: &'static str,
}

impl Coming<'_> {
    pub(super) fn wait(self, seen: &str, wake: Wake) -> Verdict {
        Verdict::Wait(Wait {
            until: self.until.to_owned(),
            seen: seen.to_owned(),
            progress: None,
            limit: self.goal.timeout,
            wake,
            way_out: format!("mend what holds the pod back and run the same command again; {}", self.meanwhile()),
        })
    }

    /// What the member costs as long as it does not run.
    fn meanwhile(self) -> &'static str {
        let set = &self.observation.statefulset;
        match self.observation.member_of_ordinal(self.goal.ordinal(set.start)) {
            Some(member) if !member.learner => {
                "the new member counts for the quorum already: until it runs the cluster bears one loss less"
            }
            Some(_) => "the learner costs no quorum meanwhile",
            None => "the membership is as it was",
        }
    }
}

/// What is to be said of a pod whose member is not there yet.
pub(super) fn judge_pod(coming: Coming<'_>, member: Option<&Member>, pod: &Pod) -> Verdict {
    let Coming { observation, trail, until, .. } = coming;
    let set = &observation.statefulset;
    let name = &pod.name;
    if let Some(status) = observation.status_of_pod(name) {
        let ours = observation.members.known().map(|members| members.cluster);
        if ours != Some(status.cluster) {
            return Verdict::Refuse(Refusal::because(
                format!(
                    "{name} has formed a cluster of its own ({}) instead of joining this one ({})",
                    status.cluster,
                    ours.map(|id| id.to_string()).unwrap_or_default()
                ),
                format!(
                    "its start command ignores the cluster state; {}scale back, delete the new claim, and mend the template",
                    member.map_or_else(String::new, |member| format!(
                        "take the new member back with `etcdctl member remove {}`, ",
                        member.id
                    ))
                ),
            ));
        }
    }
    let container = set.template.etcd().map_or("etcd", |(_, container)| container.name.as_str());
    let Some(state) = pod.container(container) else {
        return coming.wait(&format!("pod {name} is {}", pod.state()), Wake::Kubernetes);
    };
    let long_enough = trail.waiting_for(until).is_some_and(|waited| waited >= STUBBORN_FOR);
    let in_vain = |reason: &str| HOPELESS.contains(&reason) || (long_enough && STUBBORN.contains(&reason));
    if let Some(waiting) = state.waiting.as_ref().filter(|waiting| in_vain(&waiting.reason)) {
        return Verdict::Refuse(Refusal::because(
            format!("container {container} of {name} cannot start, {}: {}", waiting.reason, waiting.message),
            "mend what it names, in the template or beside it; then run the same command again",
        ));
    }
    if state.restarts >= CRASH_LOOP && !state.running {
        let question = Question::LastLines { pod: name.clone(), container: container.to_owned() };
        let lines = match observation.answer(&question) {
            None => return Verdict::Look(question),
            Some(Answer::LastLines(Known::Known(lines))) => telling(lines, LINES_OF_A_CRASH).join("\n"),
            Some(Answer::LastLines(Known::Unknown(why))) => format!("(its log could not be read: {why})"),
            Some(_) => String::new(),
        };
        return Verdict::Refuse(Refusal::because(
            format!("container {container} of {name} has ended {} times; its last lines:\n{lines}", state.restarts),
            format!("mend what it complains of and run the same command again; {}", coming.meanwhile()),
        ));
    }
    let seen = if state.running {
        let words = match last_words(observation, coming.goal, trail, until, name) {
            Ok(words) => words,
            Err(question) => return Verdict::Look(question),
        };
        format!("{name} runs, its member has not joined yet{words}")
    } else {
        let ended = state.last_exit.as_ref().map(|exit| format!(", last ended with {exit}")).unwrap_or_default();
        format!("pod {name} is {}{ended}", pod.state())
    };
    let wake = if state.running { Wake::Members } else { Wake::Kubernetes };
    coming.wait(&seen, wake)
}
