//! Several rounds, `down`, `replace` and `abort`: every state that they can reach, walked as `up`'s are, and random walks
//! over clusters of any size in any state.

use etcd_scale::model::{
    ClaimPolicy, Goal, GoalRefusal, Move, Observation, Replacement, Request, RolloutPolicy, Stage, Verb, Victim, quorum,
};
use etcd_scale::steps;
use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::Config as ProptestConfig;
use proptest::{prop_assert, proptest};
use serde_json::json;

use super::sample::{by_hand, rok, self_joining, up_to, with_strategy};
use super::walk::{Act, Walk, settle_quorum, walk};
use crate::harness::setting;

/// `down --to N`.
pub(super) fn down_to(to: i32, run: &str) -> Request {
    Request { verb: Verb::Down, ..up_to(to, run) }
}

/// `replace` of an ordinal.
pub(super) fn replacing(ordinal: i32) -> Request {
    let replacement = Some(Replacement { pod: rok(1).statefulset.pod_name(ordinal), victim: Victim::Broken });
    Request { verb: Verb::Replace, to: None, replacement, ..up_to(0, "run") }
}

/// The same cluster with a member that does not answer.
pub(super) fn without(ordinal: i32, observation: &Observation) -> Observation {
    let mut observation = observation.after_move(&Move::MemberFailed(ordinal));
    let up = observation.members.known().unwrap().voters().find(|voter| observation.status_of(voter.id).is_some());
    let leader = up.expect("another one").id;
    observation = observation.after_move(&Move::Elected(leader));
    settle_quorum(&mut observation);
    observation
}

#[test]
fn one_to_three_in_one_run_with_every_kill() {
    walk(rok(1), up_to(3, "run"), 0);
    walk(by_hand(2), up_to(4, "run"), 0);
    walk(self_joining(2), up_to(4, "run"), 0);
}

#[test]
fn five_to_three_and_lower_with_every_kill_and_one_failure_at_a_time() {
    let found = walk(rok(3), down_to(2, "run"), 1);
    assert!(found.states > 100, "{found:?}");
    walk(rok(5), down_to(3, "run"), 0);
    walk(rok(2), down_to(1, "run"), 0);
    walk(with_strategy(3, json!({"type": "OnDelete"})), down_to(2, "run"), 0);
    for claims in [ClaimPolicy::Keep, ClaimPolicy::Delete] {
        let mut request = down_to(3, "run");
        request.claims = Some(claims);
        walk(by_hand(4), request, 0);
    }
}

#[test]
fn a_broken_member_is_replaced_with_every_kill_and_failure() {
    for ordinal in 0..3 {
        walk(without(ordinal, &rok(3)), replacing(ordinal), 0);
    }
    let found = walk(without(1, &rok(3)), replacing(1), 1);
    assert!(found.states > 100, "{found:?}");
    walk(without(1, &with_strategy(3, json!({"type": "OnDelete"}))), replacing(1), 0);
    walk(without(2, &by_hand(3)), replacing(2), 0);
    let mut forced = replacing(0);
    forced.replacement.as_mut().unwrap().victim = Victim::Any;
    walk(rok(3), forced, 0);
}

/// The world once the tool has made its change, or what it waits for has come.
fn after(observation: &Observation, act: &Act) -> Observation {
    match act {
        Act::Change(change) => observation.after(change),
        Act::Wait => {
            let favourable = observation.moves().into_iter().find(Move::favourable).expect("a way on");
            observation.after_move(&favourable)
        }
        Act::Reached => panic!("it has ended"),
        Act::Refused => panic!("refused"),
    }
}

/// The scale-up of another run, as far as its rollout.
fn promoted(start: Observation, to: i32) -> Observation {
    let walk = Walk::new(start.clone(), up_to(to, "first"), 0);
    let (mut observation, mut step) = (start, 0);
    while Stage::of(&observation) != Stage::Promoted {
        let (at, act) = walk.act(&observation, step);
        step = at;
        observation = after(&observation, &act);
    }
    observation
}

#[test]
fn one_that_another_run_waits_for_is_replaced_with_every_kill() {
    for (start, to, ordinal) in [(rok(3), 4, 1), (rok(2), 3, 0), (by_hand(3), 4, 2), (rok(3), 4, 3)] {
        let lost = without(ordinal, &promoted(start, to));
        let goal = Goal::resolve(&replacing(ordinal), &lost).expect("a goal");
        assert!(goal.supersedes.is_some());
        walk(lost, replacing(ordinal), 0);
    }
}

/// Follows the tool and the world's favourable moves to where the tool ends.
fn follow(mut observation: Observation, request: &Request) -> Result<Observation, GoalRefusal> {
    for _ in 0..50 {
        let goal = match Goal::resolve(request, &observation) {
            Ok(goal) => goal,
            Err(GoalRefusal::NothingToDo(_)) => return Ok(observation),
            Err(refusal) => return Err(refusal),
        };
        let steps = steps::towards(&goal, &observation);
        let walk = Walk::of(observation.clone(), request.clone(), steps, serde_json::Value::Null);
        match walk.act(&observation, 0) {
            (_, Act::Reached) => return Ok(observation),
            (at, Act::Refused) => panic!("refused by {}", walk.name(at)),
            (_, act) => observation = after(&observation, &act),
        }
    }
    panic!("no end")
}

#[test]
fn from_everywhere_before_the_vote_it_is_taken_back() {
    for (start, to) in [(rok(2), 3), (rok(1), 2), (by_hand(3), 4), (self_joining(2), 3)] {
        let (mut taken_back, mut refused) = (0, 0);
        let mut observation = start.clone();
        let up = up_to(to, "first");
        let walk = Walk::new(start.clone(), up.clone(), 0);
        let mut step = 0;
        loop {
            let mut request = up_to(0, "second");
            (request.verb, request.to, request.claims) = (Verb::Abort, None, Some(ClaimPolicy::Delete));
            match follow(observation.clone(), &request) {
                Ok(end) if observation.statefulset.readable_record().is_some_and(|record| !record.deferred) => {
                    taken_back += 1;
                    let (before, after) = (&start.statefulset, &end.statefulset);
                    assert_eq!(after.replicas, before.replicas);
                    assert_eq!(after.template, before.template);
                    assert_eq!(after.strategy, before.strategy);
                    assert_eq!(after.run_annotation(), None);
                    assert_eq!(end.members, start.members);
                    assert_eq!(end.claims, start.claims);
                }
                Ok(_) => {}
                Err(refusal) => {
                    assert!(format!("{refusal:?}").contains("votes already"), "{refusal:?}");
                    refused += 1;
                }
            }
            let (at, act) = walk.act(&observation, step);
            step = at;
            if matches!(act, Act::Reached) {
                break;
            }
            observation = after(&observation, &act);
        }
        assert!(taken_back > 3 && refused > 0, "{taken_back} {refused}");
    }
}

/// What may be asked for.
fn requests(size: i32) -> impl Strategy<Value = Request> {
    (0..4, 1..10, 0..size, any::<bool>(), any::<bool>()).prop_map(move |(verb, to, ordinal, delete, defer)| {
        let mut request = match verb {
            0 => up_to(to, "run"),
            1 => down_to(to, "run"),
            2 => replacing(ordinal),
            _ => Request { verb: Verb::Abort, to: None, ..up_to(0, "run") },
        };
        request.claims = Some(if delete { ClaimPolicy::Delete } else { ClaimPolicy::Keep });
        request.rollout = defer.then_some(RolloutPolicy::Defer);
        request
    })
}

/// How many stories are told: few where all tests are run, as many as `PROPTEST_CASES` says in `make torture`.
fn cases() -> u32 {
    setting("PROPTEST_CASES", "100").parse().expect("PROPTEST_CASES is a number")
}

/// A walk of the tool on a cluster: what is asked for, and for each move of the world which one it is; or a kill, after
/// which something else may be asked for.
struct Story {
    observation: Observation,
    request: Request,
    label: Vec<String>,
}

impl Story {
    /// The tool makes what it would, checked by the promises; whether there was anything.
    fn acts(&mut self) -> Option<Act> {
        let goal = Goal::resolve(&self.request, &self.observation).ok()?;
        let steps = steps::towards(&goal, &self.observation);
        let restores = goal.strategy_to_restore(&self.observation);
        let walk = Walk::of(self.observation.clone(), self.request.clone(), steps, restores);
        let (_, act) = walk.act(&self.observation, 0);
        if let Act::Change(change) = &act {
            walk.check_change(&self.observation, change, &|| self.label.join("\n"));
            self.label.push(change.sentence());
            self.observation = self.observation.after(change);
        }
        Some(act)
    }

    fn moves(&mut self, which: usize, favourable: bool) {
        let moves: Vec<_> =
            self.observation.moves().into_iter().filter(|step| !favourable || step.favourable()).collect();
        // A minority may fail; what was lost for good is no business of the tool's.
        let down = self.down();
        let voters = self.observation.members.known().map_or(0, |members| members.voters().count());
        let bearable: Vec<_> = moves
            .iter()
            .filter(|step| !matches!(step, Move::MemberFailed(_)) || voters - down > quorum(voters))
            .collect();
        let Some(step) = bearable.get(which % bearable.len().max(1)) else { return };
        self.label.push(format!("{step:?}"));
        self.observation = self.observation.after_move(step);
        settle_quorum(&mut self.observation);
    }

    fn down(&self) -> usize {
        let members = self.observation.members.known();
        members.map_or(0, |members| {
            members.voters().filter(|voter| self.observation.status_of(voter.id).is_none()).count()
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever is asked for, killed and asked for instead, and whatever the world does in between: each change keeps the
    /// promises, and at the end, with nothing failing any more, the last request reaches its goal or a refusal.
    #[test]
    fn no_sequence_breaks_a_promise(
        size in 1..10_i32,
        script in prop::collection::vec((0..10_u8, any::<usize>()), 0..60),
        asked in prop::collection::vec(requests(5), 1..4),
    ) {
        let start = rok(size);
        let mut story = Story { observation: start, request: asked[0].clone(), label: Vec::new() };
        let mut next = asked.iter().cycle();
        for (kind, which) in script {
            match kind {
                0 => {
                    story.request = next.next().expect("a cycle").clone();
                    story.label.push(format!("killed; then {:?} {:?}", story.request.verb, story.request.to));
                }
                1..=3 => story.moves(which, false),
                _ => drop(story.acts()),
            }
        }
        let mut ended = false;
        for _ in 0..400 {
            match story.acts() {
                None | Some(Act::Reached | Act::Refused) => {
                    ended = true;
                    break;
                }
                Some(Act::Change(_)) => {}
                Some(Act::Wait) => {
                    let before = story.label.len();
                    story.moves(0, true);
                    // A wait that no move of the world ends is one that has a limit, and a way out.
                    if story.label.len() == before {
                        ended = true;
                        break;
                    }
                }
            }
        }
        prop_assert!(ended, "no end:\n{}", story.label.join("\n"));
    }
}
