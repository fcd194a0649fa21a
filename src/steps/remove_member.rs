//! `remove-member`: take a member out of the member list, after leadership has gone from it.

use super::hand_over::{HANDING_OVER, hand_over, handed_over};
use super::members_to_answer;
use crate::model::{Change, Fact, Goal, Member, Observation, Record, Verb, healthy_without, serves};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Removes the member that the goal is about.
pub struct RemoveMember {
    /// Only one that does not serve: what has lost its data and comes back under its old identity can break promises that
    /// it made before, so it goes before anything else.
    pub broken_only: bool,
}

impl Step for RemoveMember {
    fn name(&self) -> &'static str {
        "remove-member"
    }

    fn purpose(&self) -> &'static str {
        if self.broken_only { "remove a member that does not serve, at once" } else { "remove the member from etcd" }
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        let pod = set.pod_name(ordinal);
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        // Without a pattern in the peer URLs no member is ever found, which is not to say that there is none.
        if observation.peer_url(ordinal).is_none() {
            return Verdict::Refuse(Refusal::because(
                format!("which member is that of {pod} cannot be told from the peer URLs"),
                "members must be named after their pods for etcd-scale to remove one",
            ));
        }
        let mut found = observation.member_of_ordinal(ordinal);
        if goal.verb == Verb::Replace {
            let replaced = Record::replaced(goal, observation).and_then(|replaced| replaced.member);
            found = found.filter(|member| Some(member.id) == replaced);
        }
        let Some(member) = found else {
            return Verdict::done(match goal.verb {
                Verb::Replace => format!("the old member of {pod} is not in the member list"),
                _ => format!("no member of {pod} is in the member list"),
            });
        };
        if self.broken_only && serves(observation, member) {
            return Verdict::done(format!("{} serves, so it stays until the rest is prepared", member.called()));
        }
        if goal.verb == Verb::Abort {
            if member.is_started_voter() {
                return Verdict::Refuse(Refusal::because(
                    format!("{} votes already, so there is nothing to take back", member.called()),
                    "see what stands, and what comes next, with `etcd-scale status`",
                ));
            }
            return remove(member, &pod, "it counts for no quorum, so its removal costs none");
        }
        if let Some(fact) = stands_in_the_way(observation, goal, ordinal) {
            return Verdict::Wait(Wait {
                until: "every other voter to be healthy".to_owned(),
                seen: fact.fact,
                progress: None,
                limit: goal.timeout,
                wake: Wake::Members,
                way_out: fact.advice,
            });
        }
        if observation.leader() == Some(member.id) {
            // The lowest ordinal is the one that stays longest.
            let others = members.voters().filter(|voter| voter.id != member.id);
            let mut others: Vec<_> = others.filter_map(|voter| Some((observation.pod_of(voter)?, voter.id))).collect();
            others.sort_by_key(|(pod, _)| pod.ordinal);
            if let Some((to, id)) = others.first() {
                if !handed_over(trail) {
                    return hand_over((member.id, &pod), (*id, &to.name), "the leader is to be removed");
                }
                return Verdict::Wait(Wait {
                    until: "leadership to move away".to_owned(),
                    seen: format!("it is on its way from {pod} to {}", to.name),
                    progress: None,
                    limit: HANDING_OVER,
                    wake: Wake::Members,
                    way_out: "run the same command again".to_owned(),
                });
            }
        }
        let left = members.voters().count().saturating_sub(1);
        remove(member, &pod, &format!("the {left} others are healthy and keep their quorum without it"))
    }
}

fn remove(member: &Member, pod: &str, reason: &str) -> Verdict {
    Verdict::Change(Proposal {
        change: Change::RemoveMember { member: member.id, name: member.called(), pod: pod.to_owned() },
        reason: reason.to_owned(),
    })
}

/// The first fact that forbids the removal: every other voter has to be there and healthy.
fn stands_in_the_way(observation: &Observation, goal: &Goal, ordinal: i32) -> Option<Fact> {
    let mut facts = healthy_without(observation, ordinal);
    let voters = observation.members.known().map_or(0, |members| members.voters().count());
    if facts.is_empty() && i32::try_from(voters) != Ok(goal.from) {
        facts.push(Fact::new(
            format!("the member list has {voters} voters, and {} are expected", goal.from),
            "somebody changed the membership meanwhile; look with `etcd-scale status`",
        ));
    }
    facts.into_iter().next()
}
