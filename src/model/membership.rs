//! Membership and quorum: what etcd requires before a member may come or go, and what we require on top.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Alarm, Claim, Known, Member, MemberId, Observation, Stage, ordinal_of};

/// A fact that stands in the way, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What is so.
    pub fact: String,
    /// What helps.
    pub advice: String,
}

impl Fact {
    /// A fact and its advice.
    pub fn new(fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { fact: fact.into(), advice: advice.into() }
    }
}

/// How many of `voters` must agree.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Whether the voters still have a quorum while one of them, healthy now, is down.
pub fn quorum_after_losing_one(voters: usize) -> bool {
    voters > quorum(voters)
}

/// As [`healthy_for_change`], of all but the member of an ordinal: the one that is to go, whatever it says or does.
pub fn healthy_without(observation: &Observation, ordinal: i32) -> Vec<Fact> {
    let mut others = observation.clone();
    others.statuses.remove(&observation.statefulset.pod_name(ordinal));
    let leaving = observation.member_of_ordinal(ordinal).map(|member| member.id);
    unhealthy(&others, leaving, None)
}

/// Whether a member serves as a voter should.
pub fn serves(observation: &Observation, member: &Member) -> bool {
    let cluster = observation.members.known().map(|members| members.cluster);
    observation.status_of(member.id).is_some_and(|status| {
        status.healthy.known().is_some() && status.errors.is_empty() && Some(status.cluster) == cluster
    })
}

/// Whether there is evidence that a member does not come back by itself: its data is lost, corrupt or another
/// cluster's, or its etcd does not stay up. That it does not answer is none.
pub fn is_lost(observation: &Observation, member: &Member) -> bool {
    let Some(cluster) = observation.members.known().map(|members| members.cluster) else { return false };
    let corrupt = |alarm: &Alarm| alarm.member == member.id && alarm.kind == "CORRUPT";
    if observation.alarms.is_known_and(|alarms| alarms.iter().any(corrupt)) {
        return true;
    }
    let Some(pod) = observation.pod_of(member) else { return false };
    // Who answers in its place, or for another cluster, has not got its data.
    if let Some(status) = observation.status_of_pod(&pod.name) {
        return status.member != member.id || status.cluster != cluster;
    }
    let etcd = observation.statefulset.template.etcd().and_then(|(_, etcd)| pod.container(&etcd.name));
    let does_not_stay_up = etcd.is_some_and(|etcd| {
        let crashes = etcd.waiting.as_ref().is_some_and(|waiting| waiting.reason == "CrashLoopBackOff");
        crashes || (etcd.running && !member.started())
    });
    let own = observation.claim_names(pod.ordinal);
    let without_volume = |claim: &Claim| claim.phase == "Lost" && own.contains(&claim.name);
    does_not_stay_up || observation.claims.is_known_and(|claims| claims.iter().any(without_volume))
}

/// The ordinal of the one voter that does not serve, where the others are well enough for it to be replaced, and
/// whether it is lost ([`is_lost`]).
pub fn replaceable(observation: &Observation) -> Option<(i32, bool)> {
    let members = observation.members.known().filter(|members| members.by_quorum)?;
    let mut broken = members.voters().filter(|voter| !serves(observation, voter));
    let (one, none) = (broken.next()?, broken.next());
    let name = &observation.statefulset.name;
    let ordinal = one.peer_urls.iter().find_map(|url| ordinal_of(url, name))?;
    let alone = none.is_none() && healthy_without(observation, ordinal).is_empty();
    alone.then(|| (ordinal, is_lost(observation, one)))
}

/// What to do about a member that is lost ([`is_lost`]), where one is and nothing stands in the way of replacing it.
pub fn replacing_the_lost(observation: &Observation) -> Option<String> {
    let (replace, lost) = replacement(observation)?;
    lost.then(|| format!("it does not come back by itself: {replace}"))
}

/// What to do about a member that is waited for: `mend`, or replace it. That it is lost is not seen at every moment: one
/// that crashes runs in between.
pub fn mend_or_replace(observation: &Observation, mend: &str) -> String {
    replacing_the_lost(observation).unwrap_or_else(|| match replacement(observation) {
        Some((replace, _)) => format!("{mend}; or, where the member does not come back: {replace}"),
        None => mend.to_owned(),
    })
}

/// The command that replaces the one voter that does not serve, where no other is on its way, and whether it is lost.
fn replacement(observation: &Observation) -> Option<(String, bool)> {
    let (ordinal, lost) = replaceable(observation).filter(|_| Stage::of(observation).is_between_members())?;
    let set = &observation.statefulset;
    Some((format!("{} {}", set.command("replace"), set.pod_name(ordinal)), lost))
}

/// A scale-up by hand, which no run explains: more pods are asked for than etcd has members.
pub fn pods_without_members(observation: &Observation) -> Option<Fact> {
    let members = observation.members.known().filter(|members| members.by_quorum)?;
    let set = &observation.statefulset;
    let (pods, count) = (set.replicas, i32::try_from(members.list.len()).ok()?);
    let advice = format!(
        "unless its pods add themselves, take back what was scaled by hand: kubectl scale statefulset -n {} {} \
         --replicas={count}; then grow with `etcd-scale up`",
        set.namespace, set.name
    );
    let fact = format!("the StatefulSet asks for {pods} pods, and etcd has {count} members");
    (pods > count).then(|| Fact::new(fact, advice))
}

/// Everything that forbids a membership change now: all voters started and healthy, no alarm, no learner, one leader
/// and one cluster id on all. Nothing is asked of the member that the change is about: the run's own learner, or the
/// voter that is to go.
///
/// Stricter than etcd's own check (server/etcdserver/server.go, `mayAddMember`), which lets a change pass while a
/// minority is down; what etcd would refuse is among it.
pub fn healthy_for_change(observation: &Observation, about: Option<MemberId>) -> Vec<Fact> {
    unhealthy(observation, about, replacing_the_lost(observation).as_deref())
}

/// The same. `replacing` is what to do about the one that is lost, where one is.
fn unhealthy(observation: &Observation, about: Option<MemberId>, replacing: Option<&str>) -> Vec<Fact> {
    let Some(members) = observation.members.known() else {
        let fact = format!("the member list could not be read: {}", observation.members.reason().unwrap_or_default());
        let advice = if observation.way_is_in_doubt() {
            "pods are ready all the same, so the way to them may be what fails: try another --via"
        } else {
            "look at the pods' logs; without a quorum no member can be added"
        };
        return vec![Fact::new(fact, advice)];
    };
    let mut facts = Vec::new();
    if !members.by_quorum {
        facts.push(Fact::new(
            "the cluster has no quorum: only a member's own copy of the member list could be read",
            "bring the missing members back before changing the cluster's size",
        ));
    }
    for voter in members.voters().filter(|voter| Some(voter.id) != about) {
        voter_facts(observation, voter, replacing, &mut facts);
    }
    for learner in members.learners().filter(|learner| Some(learner.id) != about) {
        facts.push(Fact::new(
            format!("member {} ({}) is a learner that no run of etcd-scale left behind", learner.called(), learner.id),
            format!("promote it, or take it back with `etcdctl member remove {}`", learner.id),
        ));
    }
    // Of all that answer, listed or not: a member that founded a cluster of its own lists only itself.
    let clusters: BTreeSet<_> = observation
        .statuses
        .values()
        .filter_map(Known::known)
        .map(|status| status.cluster)
        .chain([members.cluster])
        .collect();
    if clusters.len() > 1 {
        let ids: Vec<_> = clusters.iter().map(ToString::to_string).collect();
        facts.push(Fact::new(
            format!("the members do not agree on the cluster's id: {}", ids.join(", ")),
            "a member formed a cluster of its own; it must be removed and its data cleared",
        ));
    }
    let leaders: BTreeSet<_> = members
        .voters()
        .filter(|voter| Some(voter.id) != about)
        .filter_map(|voter| observation.status_of(voter.id))
        .map(|status| status.leader)
        .collect();
    if leaders.contains(&None) {
        facts.push(Fact::new("at least one member knows no leader", "wait for the election to end and run again"));
    } else if leaders.len() > 1 {
        facts.push(Fact::new("the members name different leaders", "wait for the election to end and run again"));
    }
    match observation.alarms.known() {
        None => facts.push(Fact::new(
            format!("the alarms could not be read: {}", observation.alarms.reason().unwrap_or_default()),
            "an alarm must be ruled out before the cluster's size is changed",
        )),
        Some(alarms) => facts.extend(alarms.iter().filter(|alarm| Some(alarm.member) != about).map(|alarm| {
            let name = members.by_id(alarm.member).map_or_else(|| alarm.member.to_string(), Member::called);
            Fact::new(
                format!("alarm {} is raised by {name}", alarm.kind),
                match alarm.kind.as_str() {
                    "NOSPACE" => "compact and defragment, then `etcdctl alarm disarm`",
                    _ => "find the member with wrong data and replace it before anything else",
                },
            )
        })),
    }
    facts
}

fn voter_facts(observation: &Observation, voter: &Member, replacing: Option<&str>, facts: &mut Vec<Fact>) {
    if !voter.started() {
        facts.push(Fact::new(
            format!("member {} ({}) was added and never started", voter.called(), voter.id),
            format!("start it, or take it back with `etcdctl member remove {}`", voter.id),
        ));
        return;
    }
    match observation.status_of(voter.id) {
        None => facts.push(Fact::new(
            format!("voter {} does not answer: {}", voter.called(), observation.status_missing(voter)),
            replacing.unwrap_or("bring it back first; etcd refuses to add a member while a voter is missing"),
        )),
        Some(status) => {
            if let Some(reason) = status.healthy.reason() {
                facts.push(Fact::new(
                    format!("voter {} is not healthy: {reason}", voter.called()),
                    "every voter must serve reads before the cluster's size is changed",
                ));
            }
            if status.learner {
                facts.push(Fact::new(
                    format!("{} is a voter in the member list and believes itself a learner", voter.called()),
                    "restart it once, so that it reads its own membership again (etcd-io/etcd#18347)",
                ));
            }
            for error in &status.errors {
                facts.push(Fact::new(
                    format!("{} reports: {error}", voter.called()),
                    "clear what it reports before the cluster's size is changed",
                ));
            }
        }
    }
}

/// Pods whose etcd may be asked for cluster-wide things, best first: the leader, then other voters that answer.
/// Learners are never asked: they refuse all but Status and serializable reads.
pub fn clients_to_ask(observation: &Observation) -> Vec<String> {
    let mut asked: Vec<_> = observation
        .statuses
        .iter()
        .filter_map(|(pod, status)| Some((pod, status.known()?)))
        .filter(|(_, status)| !status.learner)
        .collect();
    asked.sort_by_key(|(pod, status)| (!status.leads(), (*pod).clone()));
    asked.into_iter().map(|(pod, _)| pod.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorums() {
        let quorums: Vec<_> = (1..=7).map(quorum).collect();
        assert_eq!(quorums, [1, 2, 2, 3, 3, 4, 4]);
        assert!(!quorum_after_losing_one(1));
        assert!(!quorum_after_losing_one(2));
        assert!((3..=9).all(quorum_after_losing_one));
    }
}
