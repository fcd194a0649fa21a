//! What was seen to move, told one after another, leads from the first observation to the last.

use std::collections::BTreeMap;

use etcd_scale::model::{Known, MemberId, Moved, Observation, PodPhase};

use super::run::{Foreseen, Heard, YES, drive};
use super::sample::rok;

/// As much of an observation as can be told from what has moved.
#[derive(Debug, Default, PartialEq)]
struct Told {
    pods: BTreeMap<String, PodPhase>,
    members: BTreeMap<MemberId, bool>,
    leader: Option<String>,
}

impl Told {
    fn of(observation: &Observation) -> Self {
        let pods = observation.pods.iter().map(|pod| (pod.name.clone(), PodPhase::of(pod)));
        let members = observation.members.known().expect("a member list");
        Self {
            pods: pods.collect(),
            members: members.list.iter().map(|member| (member.id, member.learner)).collect(),
            leader: observation.leader_name(),
        }
    }

    fn follow(&mut self, moved: &Moved) {
        match moved {
            Moved::PodCreated { pod, phase, .. } => {
                assert!(self.pods.insert(pod.clone(), *phase).is_none(), "{pod} was there");
            }
            Moved::PodRecreated { pod, phase, .. } | Moved::PodChanged { pod, phase, .. } => {
                assert!(self.pods.insert(pod.clone(), *phase).is_some(), "{pod} was not there");
            }
            Moved::PodGone { pod } => assert!(self.pods.remove(pod).is_some(), "{pod} was not there"),
            Moved::MemberAdded { member, learner, .. } => {
                assert!(self.members.insert(*member, *learner).is_none(), "{member} was there");
            }
            Moved::MemberPromoted { member, .. } => assert_eq!(self.members.insert(*member, false), Some(true)),
            Moved::MemberRemoved { member, .. } => assert!(self.members.remove(member).is_some()),
            Moved::LeaderChanged { from, to, .. } => {
                assert_eq!(self.leader, *from);
                self.leader.clone_from(to);
            }
            Moved::ContainerRestarted { .. } | Moved::MemberStarted { .. } | Moved::LearnerProgress { .. } => {}
        }
    }
}

#[tokio::test]
async fn it_leads_from_the_first_observation_to_the_last() {
    for (size, restarts) in [(2, 2), (1, 0)] {
        let (mut world, mut heard) = (Foreseen::new(rok(size)), Heard::default());
        let mut told = Told::of(&world.observation);
        drive(&mut world, &mut heard, size + 1, "run", YES).await;
        for (moved, _) in &heard.moved {
            told.follow(moved);
        }
        assert_eq!(told, Told::of(&world.observation));
        assert!(heard.moved.is_sorted_by_key(|(_, seconds)| *seconds));
        let count = |is: fn(&Moved) -> bool| heard.moved.iter().filter(|(moved, _)| is(moved)).count();
        assert_eq!(count(|moved| matches!(moved, Moved::MemberStarted { .. })), 1);
        assert_eq!(count(|moved| matches!(moved, Moved::MemberPromoted { .. })), 1);
        assert_eq!(count(|moved| matches!(moved, Moved::PodRecreated { .. })), restarts);
    }
}

#[test]
fn what_could_not_be_read_has_not_moved() {
    let before = rok(3);
    assert_eq!(before.moved_since(&before), []);
    let mut blind = before.clone();
    blind.members = Known::Unknown("timed out".into());
    blind.statuses.values_mut().for_each(|status| *status = Known::Unknown("timed out".into()));
    assert_eq!(blind.moved_since(&before), []);
    assert_eq!(before.moved_since(&blind), []);
    let mut behind = before.clone();
    let members = behind.members.known_mut().expect("a member list");
    members.by_quorum = false;
    members.list.pop();
    assert_eq!(behind.moved_since(&before), []);
}

#[tokio::test]
async fn what_moved_while_nothing_could_be_read_is_told_afterwards() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let mut told = Told::of(&world.observation);
    world.blinks = true;
    drive(&mut world, &mut heard, 3, "run", YES).await;
    for (moved, _) in &heard.moved {
        told.follow(moved);
    }
    assert_eq!(told, Told::of(&world.observation));
}

#[test]
fn an_election_and_a_restart_are_seen() {
    let before = rok(3);
    let mut after = before.clone();
    for status in after.statuses.values_mut().filter_map(Known::known_mut) {
        status.raft_term += 1;
    }
    let told = |after: &Observation| after.moved_since(&before).iter().map(Moved::sentence).collect::<Vec<_>>();
    assert_eq!(told(&after), ["rok-etcd-0 was elected again and leads in term 3"]);
    for status in after.statuses.values_mut().filter_map(Known::known_mut) {
        status.leader = Some(MemberId(102));
    }
    assert_eq!(told(&after), ["rok-etcd-2 leads in term 3, after rok-etcd-0"]);
    let mut after = before.clone();
    after.pods[1].containers[0].restarts = 1;
    after.pods[1].containers[0].last_exit = Some("Error, exit code 1".into());
    assert_eq!(
        told(&after),
        ["container etcd of rok-etcd-1 was restarted (1), its last process ended with Error, exit code 1"]
    );
}
