//! `add-learner`: put the new member into the member list, without a vote.

use std::time::Duration;

use super::reconnect::reconnect;
use super::voters_to_be_healthy;
use crate::model::{Change, Goal, Join, Observation, new_member_name, new_peer_url};
use crate::runbook::{Proposal, Refusal, Step, Trail, TroubleKind, Verdict};

/// etcd refuses additions until every peer has been connected for 5 s (`HealthInterval`, server/etcdserver/server.go);
/// after this long it is no longer that.
const RECONNECTING: Duration = Duration::from_secs(30);

/// Adds the new member as a learner.
pub struct AddLearner;

impl Step for AddLearner {
    fn name(&self) -> &'static str {
        "add-learner"
    }

    fn purpose(&self) -> &'static str {
        "add the new member, without a vote yet"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        if let Some(member) = observation.member_of_ordinal(ordinal) {
            let url = member.peer_urls.first().map_or("", String::as_str);
            return Verdict::done(format!("member {} is in the list with {url}", member.id));
        }
        match Join::of(observation, goal) {
            Err(fact) => return Verdict::Refuse(Refusal::because(fact.fact, fact.advice)),
            Ok(Join::Itself) => return Verdict::done("left to the pod's own start, which adds it as a voter"),
            Ok(Join::Learner | Join::Bypass { .. }) => {}
        }
        let members = observation.members.known().filter(|members| members.by_quorum);
        if members.is_some() && set.replicas != goal.from {
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods already, and the new one's member is gone", set.replicas),
                "its claim may hold a removed member's data; scale back, clear that claim, and run the same command again",
            ));
        }
        if let Some(wait) = voters_to_be_healthy(observation, goal) {
            return wait;
        }
        if let Some(failing) = trail.failing("add-learner")
            && failing.last.kind == TroubleKind::NotYet
        {
            // A restarted member has as long again.
            let since = trail.last_applied("delete-pod").unwrap_or_default().max(failing.since);
            if trail.now.saturating_sub(since) > RECONNECTING {
                let fact =
                    format!("etcd has refused the new member for {} s: {}", RECONNECTING.as_secs(), failing.last);
                return reconnect(observation, goal, trail, &fact);
            }
        }
        let members = observation.members.known().map(|members| members.list.as_slice()).unwrap_or_default();
        match new_peer_url(members, &set.name, ordinal) {
            Err(error) => Verdict::Refuse(Refusal::because(
                error.to_string(),
                "members must be named after their pods for etcd-scale to add another",
            )),
            Ok(peer_url) => {
                let name = new_member_name(members, &set.name, ordinal).unwrap_or_else(|| set.pod_name(ordinal));
                Verdict::Change(Proposal {
                    change: Change::AddLearner { name, peer_url },
                    reason: "a learner receives the data and counts for no quorum until it is promoted".to_owned(),
                })
            }
        }
    }
}
