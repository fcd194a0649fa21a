//! `promote`: give the learner its vote as soon as it keeps pace with the leader, and not before.

use super::guard::{changed_besides, watch};
use super::last_words::last_words;
use crate::model::{Change, Goal, Observation, healthy_for_change};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Promotes the learner.
pub struct Promote;

impl Step for Promote {
    fn name(&self) -> &'static str {
        "promote"
    }

    fn purpose(&self) -> &'static str {
        "give it a vote once it keeps pace with the leader"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        let (until, limit) = ("the learner to keep pace with the leader".to_owned(), goal.timeout);
        let wait = |seen: String, progress| {
            Verdict::Wait(Wait {
                until: until.clone(),
                seen,
                progress,
                limit,
                wake: Wake::Members,
                way_out: "run the same command again to go on; the learner costs no quorum meanwhile".to_owned(),
            })
        };
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return wait(observation.members.reason().unwrap_or("no quorum").to_owned(), None);
        };
        let Some(member) = observation.peer_url(ordinal).and_then(|url| members.by_peer_url(&url)) else {
            return Verdict::Refuse(Refusal::because(
                format!("the member for {} is no longer in the member list", set.pod_name(ordinal)),
                "somebody removed it; scale the StatefulSet back, clear the new claim and start again",
            ));
        };
        if !member.learner {
            return Verdict::done(format!("{} ({}) is a voter", member.called(), member.id));
        }
        if let Some(verdict) = watch(observation, goal) {
            return verdict;
        }
        if let Some(refusal) = changed_besides(observation, trail) {
            return Verdict::Refuse(refusal);
        }
        if let Some(fact) = healthy_for_change(observation, Some(member.id)).first() {
            return wait(fact.fact.clone(), None);
        }
        let Some(status) = observation.status_of(member.id) else {
            let words = match last_words(observation, goal, trail, &until, &set.pod_name(ordinal)) {
                Ok(words) => words,
                Err(question) => return Verdict::Look(question),
            };
            // While it loads a snapshot a learner answers nothing: it is behind, not failed.
            return wait(
                format!("{} is receiving data: {}{words}", member.called(), observation.status_missing(member)),
                None,
            );
        };
        if !status.errors.is_empty() {
            return wait(format!("{} reports: {}", member.called(), status.errors.join(", ")), None);
        }
        let (applied, leader) = trail.catch_up.indexes();
        if trail.catch_up.stalled() {
            return Verdict::Refuse(Refusal::because(
                format!(
                    "{} does not catch up: it has applied {applied} of {leader}, and each round takes as long as the last",
                    member.called()
                ),
                "its disk or network is slower than the writes that come in; mend that, or write less, and run the \
                 same command again",
            ));
        }
        if trail.catch_up.keeps_pace() && member.started() {
            return Verdict::Change(Proposal {
                change: Change::Promote { member: member.id, name: member.name.clone() },
                reason: format!("it keeps pace: applied {applied}, the leader is at {leader}"),
            });
        }
        wait(format!("applied {applied} of {leader}"), Some((applied, leader)))
    }
}
