//! Mistakes made on purpose: the walk must find each of them, or it proves nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use etcd_scale::model::{Change, Goal, Known, Observation, Request};
use etcd_scale::runbook::{Proposal, Step, Trail, Verdict};

use super::life::down_to;
use super::sample::{by_hand, rok, up_to};
use super::walk::Walk;

/// A step with a mistake in it.
struct Mistaken {
    right: Box<dyn Step>,
    judge: fn(&dyn Step, &Observation, &Goal, &Trail) -> Verdict,
}

impl Step for Mistaken {
    fn name(&self) -> &'static str {
        self.right.name()
    }

    fn purpose(&self) -> &'static str {
        self.right.purpose()
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        (self.judge)(self.right.as_ref(), observation, goal, trail)
    }
}

/// Asserts that a walk in which every step makes a mistake finds it, and says so in those words.
#[track_caller]
fn is_found(
    start: Observation,
    request: Request,
    says: &str,
    judge: fn(&dyn Step, &Observation, &Goal, &Trail) -> Verdict,
) {
    let walk = Walk::new(start, request, 0).with_steps(|right| Box::new(Mistaken { right, judge }));
    let told = match catch_unwind(AssertUnwindSafe(|| walk.all())) {
        Ok(found) => panic!("the mistake was not found: {found:?}"),
        Err(told) => told.downcast::<String>().map(|told| *told).unwrap_or_default(),
    };
    assert!(told.contains(says), "{told}");
    assert!(told.lines().count() > 1, "it tells the way to it: {told}");
}

#[test]
fn promoted_too_early() {
    is_found(rok(2), up_to(3, "run"), "promoted too early", |step, observation, goal, trail| {
        let verdict = step.judge(observation, goal, trail);
        let learner = observation.members.known().and_then(|members| members.learners().next());
        match (&verdict, learner) {
            (Verdict::Wait(_), Some(learner)) if step.name() == "promote" && learner.started() => {
                Verdict::Change(Proposal {
                    change: Change::Promote { member: learner.id, name: learner.name.clone() },
                    reason: "it has started".to_owned(),
                })
            }
            _ => verdict,
        }
    });
}

#[test]
fn patched_without_the_guard() {
    is_found(rok(2), up_to(3, "run"), "patched without the guard", |step, observation, goal, trail| {
        let mut verdict = step.judge(observation, goal, trail);
        if let Verdict::Change(Proposal { change: Change::PatchStatefulSet { strategy, .. }, .. }) = &mut verdict {
            *strategy = None;
        }
        verdict
    });
}

#[test]
fn an_error_of_the_api_server_taken_for_absence() {
    is_found(by_hand(2), up_to(3, "run"), "it does so only because", |step, observation, goal, trail| {
        let mut absent = observation.clone();
        if absent.claims.known().is_none() {
            absent.claims = Known::Known(Vec::new());
        }
        if absent.volumes.known().is_none() {
            absent.volumes = Known::Known(Vec::new());
        }
        step.judge(&absent, goal, trail)
    });
}

#[test]
fn the_leader_removed() {
    is_found(rok(4), down_to(3, "run"), "the leader is removed", |step, observation, goal, trail| {
        let mut verdict = step.judge(observation, goal, trail);
        let leader = observation.leader();
        if let (Verdict::Change(Proposal { change: Change::RemoveMember { member, .. }, .. }), Some(leader)) =
            (&mut verdict, leader)
        {
            *member = leader;
        }
        verdict
    });
}
