//! What has moved between two observations: pods that came, went or restarted, members, the leader, and how far a learner is.
//!
//! [`Move`](super::Move) is what the world may do next; this is what it was seen to have done.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MemberId, Observation, Pod};

/// One thing that was seen to have moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Moved {
    /// There is a pod that was not there.
    PodCreated {
        /// Its name.
        pod: String,
        /// How far it is.
        phase: PodPhase,
        /// What it is doing.
        state: String,
    },
    /// A pod of the same name, with another uid: it was deleted and created anew.
    PodRecreated {
        /// Its name.
        pod: String,
        /// How far it is.
        phase: PodPhase,
        /// What it is doing.
        state: String,
        /// Whether it runs the present template.
        on_present_template: bool,
    },
    /// A pod does something else than before.
    PodChanged {
        /// Its name.
        pod: String,
        /// How far it is.
        phase: PodPhase,
        /// What it is doing.
        state: String,
    },
    /// A pod is not there any more.
    PodGone {
        /// Its name.
        pod: String,
    },
    /// A container was restarted in its pod.
    ContainerRestarted {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// How often it was restarted by now.
        restarts: i32,
        /// How its last process ended.
        last_exit: Option<String>,
    },
    /// A member is in the list that was not there.
    MemberAdded {
        /// Its id.
        member: MemberId,
        /// What it is called.
        name: String,
        /// Whether it has no vote.
        learner: bool,
    },
    /// A member has started and published itself.
    MemberStarted {
        /// Its id.
        member: MemberId,
        /// What it is called.
        name: String,
    },
    /// A learner has got its vote.
    MemberPromoted {
        /// Its id.
        member: MemberId,
        /// What it is called.
        name: String,
    },
    /// A member is not in the list any more.
    MemberRemoved {
        /// Its id.
        member: MemberId,
        /// What it was called.
        name: String,
    },
    /// The members name another leader, or none in which they agree; or the same one was elected again.
    LeaderChanged {
        /// What the last one is called.
        from: Option<String>,
        /// What the present one is called.
        to: Option<String>,
        /// The raft term, where there is a leader that answers.
        term: Option<u64>,
    },
    /// A learner has applied more, or the leader has written more.
    LearnerProgress {
        /// Its id.
        member: MemberId,
        /// What it is called.
        name: String,
        /// The last index that it has applied.
        applied: u64,
        /// The leader's last index.
        leader: u64,
    },
}

/// How far a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodPhase {
    /// Not all of its containers are ready.
    NotReady,
    /// All of them are.
    Ready,
    /// It is being deleted.
    Terminating,
}

impl PodPhase {
    /// How far a pod is.
    pub fn of(pod: &Pod) -> Self {
        if pod.terminating {
            Self::Terminating
        } else if pod.fully_ready() {
            Self::Ready
        } else {
            Self::NotReady
        }
    }
}

impl Moved {
    /// Whether it only counts on, as long as a learner catches up.
    pub fn is_progress(&self) -> bool {
        matches!(self, Self::LearnerProgress { .. })
    }

    /// A sentence on it.
    pub fn sentence(&self) -> String {
        match self {
            Self::PodCreated { pod, state, .. } => format!("pod {pod} was created, {state}"),
            Self::PodRecreated { pod, state, on_present_template: true, .. } => {
                format!("pod {pod} was created anew on the present template, {state}")
            }
            Self::PodRecreated { pod, state, on_present_template: false, .. } => {
                format!("pod {pod} was created anew on an old template, {state}")
            }
            Self::PodChanged { pod, state, .. } => format!("pod {pod} is {state}"),
            Self::PodGone { pod } => format!("pod {pod} is gone"),
            Self::ContainerRestarted { pod, container, restarts, last_exit } => {
                let ended = last_exit.as_ref().map(|exit| format!(", its last process ended with {exit}"));
                format!("container {container} of {pod} was restarted ({restarts}){}", ended.unwrap_or_default())
            }
            Self::MemberAdded { member, name, learner } => {
                format!("member {member} ({name}) is in the list as a {}", if *learner { "learner" } else { "voter" })
            }
            Self::MemberStarted { member, name } => format!("member {member} has started as {name}"),
            Self::MemberPromoted { member, name } => format!("{name} ({member}) is a voter"),
            Self::MemberRemoved { member, name } => format!("member {member} ({name}) is not in the list any more"),
            Self::LeaderChanged { from, to, term } => {
                let term = term.map(|term| format!(" in term {term}")).unwrap_or_default();
                match (from, to) {
                    (Some(from), Some(to)) if from == to => format!("{to} was elected again and leads{term}"),
                    (Some(from), Some(to)) => format!("{to} leads{term}, after {from}"),
                    (None, Some(to)) => format!("{to} leads{term}"),
                    (Some(from), None) => format!("the members agree on no leader; {from} was the last"),
                    (None, None) => "the members agree on no leader".to_owned(),
                }
            }
            Self::LearnerProgress { name, applied, leader, .. } => {
                format!("{name} has applied {applied}, the leader is at {leader}")
            }
        }
    }
}

impl Observation {
    /// What has moved since an earlier observation. What could not be read in one of the two has not moved.
    pub fn moved_since(&self, before: &Self) -> Vec<Moved> {
        let mut moved = Vec::new();
        moved.extend(pods(before, self));
        moved.extend(members(before, self));
        moved.extend(leader(before, self));
        moved.extend(progress(before, self));
        moved
    }

    /// The same, where it could not be read with what was last read: the members, where no quorum stands behind their
    /// list, and the statuses, where not one member answered. So what moved meanwhile is seen at the next reading.
    #[must_use]
    pub fn or_last_read(&self, last: &Self) -> Self {
        let mut seen = self.clone();
        if !self.members.is_known_and(|members| members.by_quorum) {
            seen.members.clone_from(&last.members);
        }
        if nobody_answers(self) {
            seen.statuses.clone_from(&last.statuses);
        }
        seen
    }

    /// What the leader is called, where the members agree on one.
    pub fn leader_name(&self) -> Option<String> {
        let leader = self.leader()?;
        let member = self.members.known().and_then(|members| members.by_id(leader));
        Some(member.map_or_else(|| leader.to_string(), super::Member::called))
    }
}

fn nobody_answers(observation: &Observation) -> bool {
    observation.statuses.values().all(|status| status.known().is_none())
}

fn pods(before: &Observation, after: &Observation) -> Vec<Moved> {
    let mut moved = Vec::new();
    let old: BTreeMap<_, _> = before.pods.iter().map(|pod| (pod.name.as_str(), pod)).collect();
    for pod in &after.pods {
        let (name, phase, state) = (pod.name.clone(), PodPhase::of(pod), pod.state());
        match old.get(name.as_str()) {
            None => moved.push(Moved::PodCreated { pod: name, phase, state }),
            Some(old) if old.uid != pod.uid => moved.push(Moved::PodRecreated {
                pod: name,
                phase,
                state,
                on_present_template: pod.revision == after.statefulset.update_revision,
            }),
            Some(old) => {
                let restarted = pod.containers.iter().filter(|container| {
                    old.container(&container.name).is_some_and(|old| old.restarts < container.restarts)
                });
                moved.extend(restarted.map(|container| Moved::ContainerRestarted {
                    pod: name.clone(),
                    container: container.name.clone(),
                    restarts: container.restarts,
                    last_exit: container.last_exit.clone(),
                }));
                if PodPhase::of(old) != phase || old.state() != state {
                    moved.push(Moved::PodChanged { pod: name, phase, state });
                }
            }
        }
    }
    let gone = before.pods.iter().filter(|old| after.pods.iter().all(|pod| pod.name != old.name));
    moved.extend(gone.map(|pod| Moved::PodGone { pod: pod.name.clone() }));
    moved
}

fn members(before: &Observation, after: &Observation) -> Vec<Moved> {
    let (Some(old), Some(new)) = (before.members.known(), after.members.known()) else { return Vec::new() };
    // A list that one member gave from its own store may be behind.
    if !(old.by_quorum && new.by_quorum) {
        return Vec::new();
    }
    let mut moved = Vec::new();
    for member in &new.list {
        let (id, name) = (member.id, member.called());
        let Some(old) = old.by_id(id) else {
            moved.push(Moved::MemberAdded { member: id, name, learner: member.learner });
            continue;
        };
        if member.started() && !old.started() {
            moved.push(Moved::MemberStarted { member: id, name: name.clone() });
        }
        if old.learner && !member.learner {
            moved.push(Moved::MemberPromoted { member: id, name });
        }
    }
    let removed = old.list.iter().filter(|member| new.by_id(member.id).is_none());
    moved.extend(removed.map(|member| Moved::MemberRemoved { member: member.id, name: member.called() }));
    moved
}

fn leader(before: &Observation, after: &Observation) -> Option<Moved> {
    let term = |observation: &Observation| observation.leader_status().map(|status| status.raft_term);
    if nobody_answers(before) || nobody_answers(after) {
        return None;
    }
    let (old, new) = (before.leader(), after.leader());
    let again = old == new && matches!((term(before), term(after)), (Some(old), Some(new)) if old != new);
    (old != new || again).then(|| Moved::LeaderChanged {
        from: before.leader_name(),
        to: after.leader_name(),
        term: term(after),
    })
}

fn progress(before: &Observation, after: &Observation) -> Vec<Moved> {
    let indexes = |observation: &Observation, learner: MemberId| {
        Some((observation.status_of(learner)?.raft_applied, observation.leader_status()?.raft_index))
    };
    // One that has just got its vote has come to its end, which is told too.
    let was_learner = |id| before.members.is_known_and(|members| members.learners().any(|learner| learner.id == id));
    let members = after.members.known().map(|members| members.list.as_slice()).unwrap_or_default();
    members
        .iter()
        .filter(|member| member.learner || was_learner(member.id))
        .filter_map(|learner| {
            let (applied, leader) = indexes(after, learner.id)?;
            (indexes(before, learner.id) != Some((applied, leader))).then(|| Moved::LearnerProgress {
                member: learner.id,
                name: learner.called(),
                applied,
                leader,
            })
        })
        .collect()
}
