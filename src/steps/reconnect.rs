//! The remedy where etcd holds members inactive although all are there: one of them restarts, and what it thinks of the
//! others begins anew. etcd goes by the member that is asked alone, so one that is right is enough.

use std::collections::BTreeMap;

use super::hand_over::hand_over;
use super::members_to_answer;
use crate::model::{
    Answer, Change, DataDir, Goal, Known, Member, MemberId, Observation, Pod, Question, RolloutPolicy,
    quorum_after_losing_one,
};
use crate::runbook::{Proposal, Refusal, Trail, Verdict};

/// A voter whose pod may be restarted.
struct Candidate<'a> {
    voter: &'a Member,
    pod: &'a Pod,
    leads: bool,
    /// Whether it holds another inactive itself, as far as that is known.
    mistaken: bool,
}

/// What to do where etcd has refused for too long, with `fact`: restart the pod that does the least harm, one at a time
/// and each at most once.
pub(super) fn reconnect(observation: &Observation, goal: &Goal, trail: &Trail, fact: &str) -> Verdict {
    let inactive = match observation.answer(&Question::InactivePeers) {
        None => return Verdict::Look(Question::InactivePeers),
        Some(Answer::InactivePeers(Known::Known(inactive))) => inactive.clone(),
        Some(_) => BTreeMap::new(),
    };
    let Some(members) = observation.members.known() else { return members_to_answer(observation, goal) };
    let name = |id: &MemberId| members.by_id(*id).map_or_else(|| id.to_string(), Member::called);
    let held = inactive.iter().filter(|(_, peers)| !peers.is_empty()).map(|(pod, peers)| {
        let peers: Vec<_> = peers.iter().map(name).collect();
        format!("{pod} holds {} inactive", peers.join(" and "))
    });
    let held: Vec<_> = held.collect();
    let fact = if held.is_empty() { fact.to_owned() } else { format!("{fact}; {}", held.join(", ")) };
    let refuse = |advice: String| Verdict::Refuse(Refusal::because(fact.clone(), advice));

    let set = &observation.statefulset;
    let container = set.template.etcd().map(|(_, container)| container);
    if let Some(DataDir::NotOnClaim(place)) =
        container.map(|container| set.template.data_dir(container, &set.claim_templates))
    {
        return refuse(format!("mend the connections between the members; {place}, so none may be restarted for it"));
    }
    let restarted = |pod: &str| {
        trail.applied.iter().any(|(change, _)| matches!(change, Change::DeletePod { pod: gone, .. } if gone == pod))
    };
    let mut candidates: Vec<_> = members
        .voters()
        .filter_map(|voter| Some((voter, observation.pod_of(voter)?)))
        .filter(|(_, pod)| !restarted(&pod.name))
        .map(|(voter, pod)| Candidate {
            voter,
            pod,
            leads: observation.leader() == Some(voter.id),
            mistaken: inactive.get(&pod.name).is_some_and(|peers| !peers.is_empty()),
        })
        .collect();
    candidates.sort_by_key(|one| (one.leads, !one.mistaken, one.pod.ordinal));
    let Some(first) = candidates.first() else {
        return refuse("restarting every pod did not help; look for connection errors in the members' logs".to_owned());
    };
    let pod = &first.pod.name;
    if !quorum_after_losing_one(members.voters().count()) && goal.rollout != RolloutPolicy::Now {
        return refuse(format!(
            "restarting {pod} would renew its connections, and for that long there is no quorum: accept that with \
             --rollout now, or do it by hand with kubectl delete pod -n {} {pod}",
            set.namespace
        ));
    }
    if first.leads
        && let Some(to) = members.voters().find(|voter| voter.id != first.voter.id)
        && let Some(next) = observation.pod_of(to)
    {
        return hand_over((first.voter.id, pod), (to.id, &next.name), "the leader's pod is to be restarted");
    }
    Verdict::Change(Proposal {
        change: Change::DeletePod { pod: pod.clone(), uid: first.pod.uid.clone() },
        reason: format!("{fact}; what a restarted member thinks of the others begins anew"),
    })
}
