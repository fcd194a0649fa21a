//! Every state that a scale-up can reach, walked: the tool may be killed and started again at any of them, members may
//! fail and come back at any of them, and the promises must hold in all.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use etcd_scale::model::{
    Answer, Change, Delivery, Goal, GoalRefusal, JoinChoice, Known, Move, Observation, Request, RolloutPolicy, Verb,
    healthy_for_change, partition_of, quorum, strategy_is_on_delete,
};
use etcd_scale::runbook::{Step, Trail, Verdict};
use etcd_scale::steps;
use serde_json::{Value, json};

use super::sample::{by_commit, by_hand, rok, rok_deploy, self_joining, up_to, with_strategy, with_wal};

/// A state of world and tool: what is seen, and the step that the tool is at; none when it is not running.
#[derive(Clone)]
struct State {
    observation: Observation,
    step: Option<usize>,
}

/// How a state in a walk was first come to: from which, and by what. The state itself is kept only until it has been
/// gone on from.
type Origin = Option<(usize, String)>;

/// What the tool does in a state.
pub(super) enum Act {
    Change(Box<Change>),
    Wait,
    Refused,
    Reached,
}

pub(super) struct Walk {
    request: Request,
    steps: Vec<Box<dyn Step>>,
    start: Observation,
    /// The update strategy that must stand at the end.
    restores: Value,
    /// How many members may be down for reasons of their own at a time.
    failures: usize,
}

/// What was found in a walk.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) reached: usize,
    pub(super) refused: usize,
}

impl Walk {
    pub(super) fn new(start: Observation, request: Request, failures: usize) -> Self {
        let set = &start.statefulset;
        let restores = set.readable_record().map_or_else(|| set.strategy.clone(), |record| record.strategy);
        let size = start.statefulset.replicas;
        let to = request.to.unwrap_or(size);
        let steps = match request.verb {
            Verb::Up if request.gitops.is_some() => steps::up_by_commit(),
            Verb::Up => steps::up(&(size + 1..=to).collect::<Vec<_>>()),
            Verb::Down => steps::down(&(to..size).rev().collect::<Vec<_>>()),
            Verb::Replace => steps::replace(),
            verb => panic!("{verb:?} is not walked from its start"),
        };
        Self { request, steps, start, restores, failures }
    }

    /// A walk of given steps, from wherever a cluster stands.
    pub(super) fn of(start: Observation, request: Request, steps: Vec<Box<dyn Step>>, restores: Value) -> Self {
        Self { request, steps, start, restores, failures: 0 }
    }

    /// The same with other steps in place of its own.
    pub(super) fn with_steps(self, other: impl Fn(Box<dyn Step>) -> Box<dyn Step>) -> Self {
        Self { steps: self.steps.into_iter().map(other).collect(), ..self }
    }

    /// Breadth first over all states. Panics with the shortest way to a broken promise.
    pub(super) fn all(&self) -> Found {
        let first = State { observation: self.start.clone(), step: None };
        let mut seen: HashMap<(u64, u64), usize> = HashMap::new();
        let mut states: Vec<Origin> = Vec::new();
        let mut edges: Vec<Vec<usize>> = Vec::new();
        let mut ends: Vec<bool> = Vec::new();
        let mut queue = VecDeque::new();
        let mut found = Found::default();
        seen.insert(key(&first), 0);
        states.push(None);
        edges.push(Vec::new());
        ends.push(false);
        queue.push_back((0, first));
        while let Some((at, state)) = queue.pop_front() {
            let (nexts, end) = self.next(&state, &mut found, &|| way(&states, at));
            ends[at] = end;
            for (label, next) in nexts {
                let key = key(&next);
                let to = *seen.entry(key).or_insert_with(|| {
                    states.push(Some((at, label)));
                    edges.push(Vec::new());
                    ends.push(false);
                    queue.push_back((states.len() - 1, next));
                    states.len() - 1
                });
                edges[at].push(to);
            }
            assert!(states.len() < 5_000_000, "the walk has no end");
        }
        found.states = states.len();
        self.every_state_has_a_way_out(&states, &edges, &ends);
        found
    }

    /// From every state the goal or a refusal can be reached.
    fn every_state_has_a_way_out(&self, states: &[Origin], edges: &[Vec<usize>], ends: &[bool]) {
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
        for (from, list) in edges.iter().enumerate() {
            for to in list {
                back[*to].push(from);
            }
        }
        let mut good = ends.to_vec();
        let mut queue: VecDeque<usize> = (0..ends.len()).filter(|at| ends[*at]).collect();
        while let Some(at) = queue.pop_front() {
            for from in &back[at] {
                if !good[*from] {
                    good[*from] = true;
                    queue.push_back(*from);
                }
            }
        }
        if let Some(stuck) = good.iter().position(|good| !good) {
            panic!("no way out of a state (goal {:?}):\n{}", self.request.to, way(states, stuck));
        }
    }

    fn next(&self, state: &State, found: &mut Found, way: &dyn Fn() -> String) -> (Vec<(String, State)>, bool) {
        let mut nexts = Vec::new();
        let mut end = false;
        let observation = &state.observation;
        match state.step {
            None if self.is_replaced(observation) => {
                self.check_goal(observation, way);
                found.reached += 1;
                end = true;
            }
            None => match Goal::resolve(&self.request, observation) {
                Ok(_) => nexts.push(("started".to_owned(), State { step: Some(0), ..state.clone() })),
                Err(GoalRefusal::NothingToDo(_)) => {
                    self.check_goal(observation, way);
                    found.reached += 1;
                    end = true;
                }
                Err(_) => {
                    found.refused += 1;
                    end = true;
                }
            },
            Some(step) => {
                // It may be killed anywhere.
                nexts.push(("killed".to_owned(), State { step: None, observation: without_command(observation) }));
                let (at, act) = self.act(observation, step);
                // The largest walks go without: what failing members and commits add to them is not in what is hidden.
                if self.failures == 0 && self.request.gitops.is_none() {
                    self.check_blind(observation, step, &act, way);
                }
                match act {
                    Act::Change(change) => {
                        self.check_change(observation, &change, way);
                        let next = State { observation: observation.after(&change), step: Some(at) };
                        nexts.push((format!("{} made", change.sentence()), next));
                    }
                    Act::Wait => {}
                    Act::Refused => {
                        found.refused += 1;
                        end = true;
                    }
                    Act::Reached => {
                        self.check_goal(observation, way);
                        found.reached += 1;
                        end = true;
                    }
                }
                if at != step {
                    nexts.push((format!("at {}", self.name(at)), State { step: Some(at), ..state.clone() }));
                }
            }
        }
        let down = observation.pods.len()
            - observation.pods.iter().filter(|pod| observation.status_of_pod(&pod.name).is_some()).count();
        for step in observation.moves() {
            let fails = matches!(step, Move::MemberFailed(_));
            if fails && down >= self.failures {
                continue;
            }
            let mut next = observation.after_move(&step);
            settle_quorum(&mut next);
            nexts.push((format!("{step:?}"), State { observation: next, step: state.step }));
        }
        (nexts, end)
    }

    pub(super) fn name(&self, at: usize) -> &'static str {
        self.steps.get(at).map_or("the end", |step| step.name())
    }

    /// Walks the tool on from a step until it does something that takes the world.
    pub(super) fn act(&self, seen: &Observation, from: usize) -> (usize, Act) {
        let goal = match Goal::resolve(&self.request, seen) {
            Ok(goal) => goal,
            // A run that is to take the place of another looks whether it may.
            Err(_) if self.replaces().is_some() && seen.statefulset.run_annotation().is_some() => {
                return (from, Act::Refused);
            }
            // A run keeps its goal; resolving fails otherwise only where the size is reached and the record gone.
            Err(_) => return (self.steps.len(), Act::Reached),
        };
        let mut observation = seen.clone();
        let mut trail = Trail::default();
        // Two looks, so that a learner which has everything is seen to keep pace.
        for now in [0, 100, 200] {
            trail.see(&observation, &goal, Duration::from_millis(now));
        }
        let mut at = from;
        while at < self.steps.len() {
            match self.steps[at].judge(&observation, &goal, &trail) {
                Verdict::Done(_) => at += 1,
                Verdict::Look(question) => {
                    let answer = question.assumed(&observation);
                    observation.answers.push((question, answer));
                }
                Verdict::Wait(_) => return (at, Act::Wait),
                Verdict::Refuse(_) => return (at, Act::Refused),
                Verdict::Change(proposal) => {
                    let ours = observation.statefulset.readable_record().is_some_and(|record| record.run == goal.run);
                    if !proposal.change.touches_cluster() {
                        at += 1;
                        continue;
                    }
                    if !ours {
                        let record = Box::new(etcd_scale::model::Record::opening(&goal, &observation, None));
                        return (at, Act::Change(Box::new(Change::OpenRun { record })));
                    }
                    return (at, Act::Change(Box::new(proposal.change)));
                }
            }
        }
        match observation.statefulset.readable_record() {
            Some(record) if !record.deferred => (at, Act::Change(Box::new(Change::CloseRun))),
            _ => (at, Act::Reached),
        }
    }

    pub(super) fn check_goal(&self, observation: &Observation, way: &dyn Fn() -> String) {
        let set = &observation.statefulset;
        let members = observation.members.known().unwrap();
        let to = self.to();
        let right = members.voters().count() == usize::try_from(to).unwrap()
            && members.learners().count() == 0
            && set.replicas == to;
        assert!(right, "called reached:\n{}", way());
        if let Some(ordinal) = self.replaces() {
            let old = self.start.member_of_ordinal(ordinal).map(|member| member.id);
            assert_ne!(observation.member_of_ordinal(ordinal).map(|member| member.id), old, "the old one:\n{}", way());
        }
        // Where volumes are made by hand, each member has one for each of its claims.
        let volumes = observation.volumes.known().unwrap().len();
        assert!(
            self.request.verb != Verb::Up
                || volumes == 0
                || volumes == usize::try_from(to).unwrap() * set.claim_templates.len(),
            "{volumes} volumes:\n{}",
            way()
        );
        match set.readable_record() {
            Some(record) => {
                assert!(record.deferred, "a record is left:\n{}", way());
                assert_eq!(record.strategy, self.restores, "{}", way());
            }
            None => assert_eq!(set.strategy, self.restores, "{}", way()),
        }
    }

    /// Unknown is not absent: where one thing cannot be read, the tool does what it would do anyway, or nothing.
    fn check_blind(&self, observation: &Observation, step: usize, act: &Act, way: &dyn Fn() -> String) {
        for (what, blinded) in blinded(observation) {
            let blindly = match self.act(&blinded, step).1 {
                Act::Change(change) => change.sentence(),
                Act::Reached => "call it done".to_owned(),
                Act::Wait | Act::Refused => continue,
            };
            let seeing = match act {
                Act::Change(change) => change.sentence(),
                Act::Reached => "call it done".to_owned(),
                Act::Wait | Act::Refused => "nothing".to_owned(),
            };
            assert_eq!(blindly, seeing, "it does so only because it cannot read {what}:\n{}", way());
        }
    }

    /// The size to reach.
    fn to(&self) -> i32 {
        self.request.to.unwrap_or(self.start.statefulset.replicas)
    }

    /// Whether a replacement is over. Asked for again, it would begin another.
    fn is_replaced(&self, observation: &Observation) -> bool {
        let old = |ordinal| self.start.member_of_ordinal(ordinal).map(|member| member.id);
        observation.statefulset.run_annotation().is_none()
            && self.replaces().is_some_and(|ordinal| {
                let member = observation.member_of_ordinal(ordinal);
                member.is_some_and(|member| Some(member.id) != old(ordinal) && !member.learner)
            })
    }

    /// The ordinal whose member is replaced.
    fn replaces(&self) -> Option<i32> {
        self.request.replacement.as_ref().and_then(|replacement| replacement.pod.rsplit_once('-')?.1.parse().ok())
    }

    /// The promises of a change, at the moment it is made.
    pub(super) fn check_change(&self, observation: &Observation, change: &Change, way: &dyn Fn() -> String) {
        let set = &observation.statefulset;
        let members = observation.members.known().unwrap();
        let healthy = |own| healthy_for_change(observation, own).is_empty();
        let down = members.voters().filter(|voter| observation.status_of(voter.id).is_none()).count();
        match change {
            Change::AddLearner { .. } => {
                assert!(healthy(None), "added on an unhealthy cluster:\n{}", way());
                assert_eq!(members.learners().count(), 0, "a second learner:\n{}", way());
            }
            Change::Promote { member, .. } => {
                assert!(healthy(Some(*member)), "promoted on an unhealthy cluster:\n{}", way());
                let learner = observation.status_of(*member).unwrap();
                let leader = observation.leader_status().unwrap();
                assert!(learner.raft_applied >= leader.raft_index, "promoted too early:\n{}", way());
                assert!(self.request.gitops.is_none() || self.guarded(observation), "unguarded:\n{}", way());
            }
            Change::PatchStatefulSet { from, to, .. } if self.request.verb != Verb::Up => {
                let beyond = set.start + to..set.start + from;
                for ordinal in beyond {
                    assert_eq!(observation.member_of_ordinal(ordinal), None, "its pod goes before it:\n{}", way());
                }
                let next = observation.after(change);
                let restarts = next.moves().into_iter().any(|step| matches!(step, Move::PodReplaced(_)));
                assert!(!restarts, "a pod that stays would restart:\n{}", way());
            }
            Change::PatchStatefulSet { from, strategy, .. } => {
                let joins = |observation: &Observation| {
                    observation.statefulset.template.etcd().is_some_and(|(_, c)| c.joins_by_itself().is_some())
                };
                if joins(&observation.after(change)) {
                    assert!(healthy(None), "a member of its own making on an unhealthy cluster:\n{}", way());
                    assert_eq!(members.learners().count(), 0, "its pod would wait for ever:\n{}", way());
                } else {
                    assert_eq!(members.learners().count(), 1, "a pod without a member:\n{}", way());
                }
                let next = observation.after(change);
                let guarded = strategy_is_on_delete(&next.statefulset.strategy)
                    || partition_of(&next.statefulset.strategy) == *from
                    || (self.request.gitops.is_some() && self.guarded(&next));
                let set_again = strategy.is_some() || strategy_is_on_delete(&set.strategy);
                assert!(guarded && set_again, "patched without the guard:\n{}", way());
                assert!(
                    !next.moves().iter().any(|step| matches!(step, Move::PodReplaced(_))),
                    "an old pod would restart:\n{}",
                    way()
                );
            }
            Change::LowerPartition { frees, .. } => {
                let next = observation.after(change);
                let freed: Vec<_> = etcd_scale::model::Rollout::of(&next).freed().map(|o| set.pod_name(o)).collect();
                assert_eq!(freed, frees.iter().cloned().collect::<Vec<_>>(), "frees other pods:\n{}", way());
                if let Some(pod) = frees {
                    self.check_restart(observation, pod, down, way);
                }
            }
            Change::RemoveMember { .. } | Change::DeleteClaim { .. } => check_removal(observation, change, way),
            // A pod whose member is gone, or not added yet, serves nobody.
            Change::DeletePod { pod, .. }
                if self.replaces().is_some_and(|ordinal| {
                    *pod == set.pod_name(ordinal) && observation.member_of_ordinal(ordinal).is_none()
                }) => {}
            // The learner's pod may go at any time.
            Change::DeletePod { pod, .. }
                if members.learners().any(|learner| observation.pod_of(learner).is_some_and(|p| p.name == *pod)) => {}
            Change::DeletePod { pod, .. } => self.check_restart(observation, pod, down, way),
            Change::RestoreCommand { pod, record, .. } => {
                let member = observation.status_of_pod(pod).unwrap().member;
                assert_eq!(record.restored, Some(member), "noted as another:\n{}", way());
                assert!(members.by_id(member).unwrap().learner, "a voter is restarted:\n{}", way());
            }
            Change::MoveLeader { to, .. } => {
                assert!(observation.status_of(to.0).is_some(), "leadership to a member that is down:\n{}", way());
                assert!(healthy(None), "{}", way());
            }
            Change::CreateVolume { name, .. } => {
                let volumes = observation.volumes.known().unwrap();
                assert!(volumes.iter().all(|volume| volume.name != *name), "made a second time:\n{}", way());
                assert_eq!(members.learners().count(), 0, "the learner went before its volume:\n{}", way());
                let record = set.readable_record().unwrap();
                assert!(record.volumes.contains(name), "made before it was written down:\n{}", way());
            }
            Change::CommitPatches { .. } => {
                assert!(self.guarded(observation), "committed without the guard:\n{}", way());
                assert_eq!(members.learners().count(), 1, "a pod without a member:\n{}", way());
                assert!(!committed(observation), "committed twice:\n{}", way());
            }
            Change::ApplyOverlay { .. } => {
                assert!(self.guarded(observation), "applied without the guard:\n{}", way());
                assert!(committed(observation), "applied before the commit:\n{}", way());
            }
            Change::SaveSnapshot { .. }
            | Change::TakeBack { .. }
            | Change::NoteUsedPath { .. }
            | Change::DeleteVolume { .. }
            | Change::PushCommit { .. }
            | Change::OpenRun { .. }
            | Change::PatchConfigMap { .. }
            | Change::DeferRollout { .. }
            | Change::CloseRun => {}
        }
    }

    fn guarded(&self, observation: &Observation) -> bool {
        let strategy = &observation.statefulset.strategy;
        strategy_is_on_delete(strategy) || partition_of(strategy) == self.request.to.unwrap() - 1
    }

    fn check_restart(&self, observation: &Observation, pod: &str, down: usize, way: &dyn Fn() -> String) {
        let voters = observation.members.known().unwrap().voters().count();
        assert_eq!(down, 0, "a second member down:\n{}", way());
        assert!(observation.pods.iter().all(|pod| pod.ready), "a pod is not ready:\n{}", way());
        let leads = observation.status_of_pod(pod).unwrap().leads();
        assert!(!leads || voters == 1, "the leader's pod is restarted:\n{}", way());
        if self.request.rollout != Some(RolloutPolicy::Now) {
            // Counted here once more: the tool's own rule is what is being tested.
            assert!(voters - 1 > voters / 2, "no quorum would be left:\n{}", way());
        }
    }
}

/// The promises of a change that takes something away.
fn check_removal(observation: &Observation, change: &Change, way: &dyn Fn() -> String) {
    let members = observation.members.known().unwrap();
    match change {
        // A learner, or one that never started, counts for nothing that stands.
        Change::RemoveMember { member, .. }
            if members.by_id(*member).is_some_and(|one| one.learner || !one.started()) => {}
        Change::RemoveMember { member, .. } => {
            let others: Vec<_> = members.voters().filter(|voter| voter.id != *member).collect();
            let up = others.iter().filter(|voter| observation.status_of(voter.id).is_some()).count();
            assert_ne!(observation.leader(), Some(*member), "the leader is removed:\n{}", way());
            assert_eq!(up, others.len(), "removed while another is down:\n{}", way());
            assert!(up >= quorum(members.voters().count() - 1) && up > 0, "no quorum is left:\n{}", way());
            assert!(members.list.iter().all(etcd_scale::model::Member::started), "two unstarted:\n{}", way());
        }
        Change::DeleteClaim { claim, .. } => {
            let ordinal: i32 = claim.rsplit_once('-').unwrap().1.parse().unwrap();
            assert_eq!(observation.member_of_ordinal(ordinal), None, "data of a member:\n{}", way());
        }
        _ => {}
    }
}

/// What is seen where one thing cannot be read.
fn blinded(observation: &Observation) -> Vec<(&'static str, Observation)> {
    fn error<T>() -> Known<T> {
        Known::Unknown("the server is currently unable to handle the request".to_owned())
    }
    let without = |what, hide: fn(&mut Observation)| {
        let mut blinded = observation.clone();
        hide(&mut blinded);
        (what, blinded)
    };
    vec![
        without("the claims", |seen| seen.claims = error()),
        without("the volumes", |seen| seen.volumes = error()),
        without("the Service", |seen| seen.service = error()),
        without("the member list", |seen| seen.members = error()),
        without("the alarms", |seen| seen.alarms = error()),
        without("any member's status", |seen| seen.statuses.values_mut().for_each(|status| *status = error())),
    ]
}

/// The command that applies ends with the run that has started it.
fn without_command(observation: &Observation) -> Observation {
    let mut observation = observation.clone();
    observation.delivering.take_if(|delivering| delivering.command.is_some());
    observation
}

/// Whether the deployment repository has the commit.
fn committed(observation: &Observation) -> bool {
    observation.answers.iter().any(
        |(_, answer)| matches!(answer, Answer::Deployment(Known::Known(deployment)) if deployment.files.is_empty()),
    )
}

/// Without a quorum nobody serves a linearizable read, and what a member lists is its own copy.
pub(super) fn settle_quorum(observation: &mut Observation) {
    let Known::Known(members) = &observation.members else { return };
    let up = members.voters().filter(|voter| observation.status_of(voter.id).is_some()).count();
    let stands = up >= quorum(members.voters().count()) && observation.leader_status().is_some();
    if let Known::Known(members) = &mut observation.members {
        members.by_quorum = stands;
    }
    for status in observation.statuses.values_mut() {
        if let Known::Known(status) = status
            && !status.learner
        {
            status.healthy = if stands { Known::Known(()) } else { Known::Unknown("no quorum".to_owned()) };
        }
    }
}

/// All that tells one state from another, as a hash. The template goes by its revision, and what never changes is left
/// out. Two of 64 bits, so that no two states are ever taken for one.
fn key(state: &State) -> (u64, u64) {
    let Observation { statefulset: set, pods, claims, volumes, members, statuses, delivering, .. } = &state.observation;
    let hash = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, state.step, committed(&state.observation)).hash(&mut hasher);
        (set.replicas, &set.strategy, &set.update_revision, &set.current_revision, &set.annotations).hash(&mut hasher);
        (pods, claims, volumes, members, statuses, delivering).hash(&mut hasher);
        hasher.finish()
    };
    (hash(0), hash(1))
}

fn way(states: &[Origin], mut at: usize) -> String {
    let mut steps = Vec::new();
    while let Some((from, label)) = &states[at] {
        steps.push(label.clone());
        at = *from;
    }
    steps.reverse();
    steps.join("\n")
}

pub(super) fn walk(start: Observation, request: Request, failures: usize) -> Found {
    let found = Walk::new(start, request, failures).all();
    assert!(found.reached > 0, "the goal is never reached: {found:?}");
    found
}

#[test]
fn two_to_three_with_every_kill_and_one_failure_at_a_time() {
    let found = walk(rok(2), up_to(3, "run"), 1);
    assert!(found.states > 500, "{found:?}");
}

#[test]
fn three_to_four_with_every_kill() {
    walk(rok(3), up_to(4, "run"), 0);
}

#[test]
fn volumes_by_hand_with_every_kill_and_one_failure_at_a_time() {
    let found = walk(by_hand(2), up_to(3, "run"), 1);
    assert!(found.states > 500, "{found:?}");
}

#[test]
fn past_the_script_of_an_image_that_adds_itself_with_every_kill_and_one_failure_at_a_time() {
    let found = walk(self_joining(2), up_to(3, "run"), 1);
    assert!(found.states > 500, "{found:?}");
    walk(self_joining(3), up_to(4, "run"), 0);
    for strategy in [json!({"type": "OnDelete"}), json!({"type": "RollingUpdate"})] {
        let mut start = self_joining(2);
        start.statefulset.strategy = strategy;
        walk(start.clone(), up_to(3, "run"), 0);
        start.statefulset.ordered_ready = true;
        walk(start, up_to(3, "run"), 0);
    }
    walk(self_joining(1), up_to(2, "run"), 0);
}

#[test]
fn an_image_that_adds_itself_left_to_it_with_every_kill_and_one_failure_at_a_time() {
    for (size, failures) in [(1, 1), (2, 1), (3, 0)] {
        let mut request = up_to(size + 1, "run");
        request.join = JoinChoice::Itself;
        walk(self_joining(size), request, failures);
    }
}

#[test]
fn by_commit_with_every_kill_and_lost_guard() {
    for (delivery, size, failures) in
        [(rok_deploy(), 2, 0), (rok_deploy(), 1, 1), (Delivery::Sync, 2, 0), (Delivery::Operator, 2, 0)]
    {
        let (start, gitops) = by_commit(size, delivery);
        let mut request = up_to(size + 1, "run");
        request.gitops = Some(gitops);
        let found = walk(start, request, failures);
        assert!(found.states > 50, "{found:?}");
    }
    for strategy in [json!({"type": "OnDelete"}), json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 9}})] {
        let (mut start, gitops) = by_commit(2, rok_deploy());
        start.statefulset.set_strategy(&strategy);
        let mut request = up_to(3, "run");
        request.gitops = Some(gitops);
        walk(start, request, 0);
    }
}

#[test]
fn two_volumes_by_hand_with_every_kill() {
    let found = walk(with_wal(by_hand(2)), up_to(3, "run"), 0);
    assert!(found.refused == 0, "{found:?}");
}

#[test]
fn one_to_two_defers_the_rollout() {
    walk(rok(1), up_to(2, "run"), 1);
}

#[test]
fn every_policy_and_strategy_keeps_the_promises() {
    let strategies: BTreeMap<&str, Value> = BTreeMap::from([
        ("none", json!({"type": "RollingUpdate"})),
        ("own partition", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})),
        ("large partition", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 9}})),
        ("on delete", json!({"type": "OnDelete"})),
    ]);
    for strategy in strategies.values() {
        for rollout in [RolloutPolicy::Guarded, RolloutPolicy::Defer, RolloutPolicy::Now] {
            let mut request = up_to(3, "run");
            request.rollout = Some(rollout);
            walk(with_strategy(2, strategy.clone()), request, 0);
        }
    }
    let mut ordered = rok(2);
    ordered.statefulset.ordered_ready = true;
    walk(ordered, up_to(3, "run"), 0);
}

#[test]
fn ordinals_may_start_anywhere() {
    for strategy in
        [json!({"type": "RollingUpdate"}), json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})]
    {
        let shifted = shifted_by(5, &with_strategy(2, strategy));
        let found = walk(shifted, up_to(3, "run"), 0);
        assert!(found.refused == 0, "{found:?}");
    }
}

/// The same cluster with `spec.ordinals.start`.
fn shifted_by(start: i32, observation: &Observation) -> Observation {
    let mut text = serde_json::to_string(observation).unwrap();
    for ordinal in (0..observation.statefulset.replicas).rev() {
        text = text.replace(&format!("rok-etcd-{ordinal}"), &format!("rok-etcd-{}", ordinal + start));
        text = text.replace(&format!("\"ordinal\":{ordinal},"), &format!("\"ordinal\":{},", ordinal + start));
    }
    let mut shifted: Observation = serde_json::from_str(&text).unwrap();
    shifted.statefulset.start = start;
    shifted
}

#[test]
fn a_deferred_rollout_is_carried_along() {
    let mut request = up_to(2, "first");
    request.rollout = Some(RolloutPolicy::Defer);
    let walk_one = Walk::new(rok(1), request, 0);
    // Follow the tool and the favourable moves to its end.
    let mut observation = rok(1);
    let mut step = 0;
    for _ in 0..200 {
        let (at, act) = walk_one.act(&observation, step);
        step = at;
        match act {
            Act::Change(change) => observation = observation.after(&change),
            Act::Wait => {
                let favourable = observation.moves().into_iter().find(Move::favourable).expect("a way on");
                observation = observation.after_move(&favourable);
            }
            Act::Reached => break,
            Act::Refused => panic!("refused"),
        }
    }
    let record = observation.statefulset.readable_record().expect("the record stays");
    assert!(record.deferred);
    assert_eq!(partition_of(&observation.statefulset.strategy), 1);
    let second = Walk { restores: record.strategy, ..Walk::new(observation, up_to(3, "second"), 0) };
    assert!(second.all().reached > 0);
}
