//! The loop, driven through a world that is the model's own prediction and a reporter that answers from a list.

use std::collections::VecDeque;
use std::time::Duration;

use etcd_scale::model::{
    Answer, Change, ClaimPolicy, Goal, Known, Move, Moved, Observation, Question, Record, Request, Verb, with_revision,
};
use etcd_scale::runbook::{
    Apply, Depth, Event, Interrupt, LockError, Options, Outcome, Proposal, Reply, Reporter, Run, SavedSnapshot,
    Summary, Trail, Trouble, TroubleKind, Wake, World,
};
use etcd_scale::steps;

use super::sample::{rok, up_to};

pub(super) type Meddle = fn(&mut Observation);

/// A world that makes every favourable move as soon as somebody waits.
pub(super) struct Foreseen {
    pub(super) observation: Observation,
    clock: Duration,
    /// What happens to changes of this name: how often, and whether they are made all the same.
    pub(super) faults: Vec<(&'static str, TroubleKind, u32, bool)>,
    /// Applied when the change of this name has been made.
    pub(super) meddling: Option<(&'static str, Meddle)>,
    lost: Option<String>,
    held: bool,
    locked: u32,
    released: u32,
    pub(super) applied: Vec<&'static str>,
    /// Nothing moves by itself.
    pub(super) frozen: bool,
    /// Answers to looks; others are as a plan assumes them.
    pub(super) answers: Vec<(Question, Answer)>,
    /// All looks.
    pub(super) asked: Vec<Question>,
    /// How long it takes to ask the members again.
    looks_every: Duration,
    /// Every other look cannot read members and statuses.
    pub(super) blinks: bool,
    looks: u32,
    /// Raised by a look that then never ends.
    interrupted: Option<Interrupt>,
}

impl Foreseen {
    pub(super) fn new(observation: Observation) -> Self {
        Self {
            observation,
            clock: Duration::ZERO,
            faults: Vec::new(),
            meddling: None,
            lost: None,
            held: false,
            locked: 0,
            released: 0,
            applied: Vec::new(),
            frozen: false,
            answers: Vec::new(),
            asked: Vec::new(),
            looks_every: Duration::from_millis(50),
            blinks: false,
            looks: 0,
            interrupted: None,
        }
    }
}

impl World for Foreseen {
    fn now(&self) -> Duration {
        self.clock
    }

    async fn observe(&mut self, _: Depth) -> Result<Observation, Trouble> {
        self.clock += Duration::from_millis(50);
        self.looks += 1;
        if let Some(interrupt) = &self.interrupted {
            interrupt.raise(15);
            std::future::pending::<()>().await;
        }
        let mut seen = self.observation.clone();
        if self.blinks && self.looks.is_multiple_of(2) {
            seen.members = Known::Unknown("timed out".into());
            seen.statuses.values_mut().for_each(|status| *status = Known::Unknown("timed out".into()));
        }
        Ok(seen)
    }

    async fn look(
        &mut self,
        question: &Question,
        observation: &Observation,
        _: &mut dyn FnMut(u64, Option<u64>),
    ) -> Answer {
        self.asked.push(question.clone());
        let answer = self.answers.iter().find(|(asked, _)| asked == question).map(|(_, answer)| answer.clone());
        let kept = || self.observation.answer(question).cloned();
        answer.or_else(kept).unwrap_or_else(|| question.assumed(observation))
    }

    async fn apply(
        &mut self,
        change: &Change,
        seen: &Observation,
        _: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Apply, Trouble> {
        let closes = *change == Change::CloseRun;
        assert_eq!(self.released == self.locked, closes, "the lock goes before the record, and nothing else");
        let fault = self.faults.iter_mut().find(|fault| fault.0 == change.name() && fault.2 > 0);
        let made = fault.as_ref().is_none_or(|fault| fault.3);
        if made {
            self.applied.push(change.name());
            self.observation = self.observation.after(change);
            if let Some((name, meddle)) = self.meddling
                && name == change.name()
            {
                meddle(&mut self.observation);
            }
        }
        if let Some(fault) = fault {
            fault.2 -= 1;
            return Err(Trouble::new(fault.1, "a fault of the test"));
        }
        Ok(match change {
            Change::SaveSnapshot { pod, file, .. } => {
                let file = with_revision(file, pod, seen);
                Apply::Snapshot(SavedSnapshot { file, bytes: 1, sha256: "00".into(), pod: pod.clone() })
            }
            _ => Apply::Applied,
        })
    }

    async fn wake(&mut self, wake: Wake, limit: Duration) {
        self.clock += limit.min(match wake {
            Wake::Members => self.looks_every,
            Wake::Kubernetes => Duration::from_secs(1),
        });
        if !self.frozen
            && let Some(step) = self.observation.moves().into_iter().find(Move::favourable)
        {
            self.observation = self.observation.after_move(&step);
        }
    }

    async fn lock(&mut self, _: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        if self.held {
            return Err(LockError::Held { holder: "other@host".into() });
        }
        self.locked += 1;
        Ok(())
    }

    fn lock_lost(&self) -> Option<String> {
        self.lost.clone()
    }

    async fn unlock(&mut self) {
        self.released = self.locked;
    }
}

/// Keeps events and gives answers.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) events: Vec<String>,
    /// What was seen to move, and when.
    pub(super) moved: Vec<(Moved, f64)>,
    replies: VecDeque<Reply>,
    asked: Vec<&'static str>,
}

impl Reporter for Heard {
    fn report(&mut self, event: &Event) {
        if let Event::Moved { moved, seconds } = event {
            self.moved.push((moved.clone(), *seconds));
        }
        let event = serde_json::to_value(event).unwrap();
        self.events.push(event["type"].as_str().unwrap().to_owned());
    }

    async fn confirm(&mut self, proposal: &Proposal, _: &Observation) -> Reply {
        self.asked.push(proposal.change.name());
        self.replies.pop_front().unwrap_or(Reply::Nobody)
    }
}

pub(super) async fn drive(world: &mut Foreseen, heard: &mut Heard, to: i32, run: &str, options: Options) -> Summary {
    let observation = world.observation.clone();
    let goal = Goal::resolve(&up_to(to, run), &observation).expect("a goal");
    Run::new(steps::towards(&goal, &observation), goal, world, heard, Interrupt::default(), options)
        .drive(observation)
        .await
}

pub(super) const YES: Options = Options { yes: true, dry_run: false };

#[tokio::test]
async fn two_become_three() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let before = world.observation.statefulset.strategy.clone();
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert_eq!(summary.outcome, Outcome::Done);
    assert_eq!(
        world.applied,
        [
            "save-snapshot",
            "open-run",
            "add-learner",
            "patch-statefulset",
            "promote",
            "move-leader",
            "lower-partition",
            "lower-partition",
            "close-run"
        ]
    );
    assert_eq!(world.observation.statefulset.strategy, before);
    assert_eq!((world.locked, world.released), (1, 1));
    assert_eq!(summary.steps.len(), 12);
    assert!(heard.asked.is_empty());
}

#[tokio::test]
async fn a_slow_way_to_the_members_is_no_slow_learner() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.looks_every = Duration::from_secs(3);
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert_eq!(summary.outcome, Outcome::Done);
}

#[tokio::test]
async fn each_change_is_asked_for_and_no_stops() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    heard.replies = VecDeque::from([Reply::Yes, Reply::No]);
    let summary = drive(&mut world, &mut heard, 3, "run", Options::default()).await;
    assert!(matches!(summary.outcome, Outcome::Declined { .. }));
    assert_eq!(heard.asked, ["save-snapshot", "add-learner"]);
    assert_eq!(world.applied, ["save-snapshot"]);
    assert!(world.observation.statefulset.run_annotation().is_none());
}

#[tokio::test]
async fn all_is_asked_once() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    heard.replies = VecDeque::from([Reply::All]);
    let summary = drive(&mut world, &mut heard, 3, "run", Options::default()).await;
    assert_eq!(summary.outcome, Outcome::Done);
    assert_eq!(heard.asked, ["save-snapshot"]);
}

#[tokio::test]
async fn nobody_to_ask_leaves_no_trace() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let summary = drive(&mut world, &mut heard, 3, "run", Options::default()).await;
    assert!(matches!(summary.outcome, Outcome::NobodyToAsk { .. }));
    assert!(world.applied.is_empty());
    assert_eq!(world.locked, 0);
}

#[tokio::test]
async fn a_lost_answer_is_looked_at_before_the_change_is_repeated() {
    for change in ["open-run", "add-learner", "patch-statefulset", "promote", "lower-partition", "close-run"] {
        for made in [true, false] {
            let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
            world.faults.push((change, TroubleKind::Lost, 1, made));
            let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
            assert_eq!(summary.outcome, Outcome::Done, "{change} {made}");
            let times = world.applied.iter().filter(|applied| **applied == change).count();
            let once = if change == "lower-partition" { 2 } else { 1 };
            assert_eq!(times, once, "{change} {made}: {:?}", world.applied);
        }
    }
}

#[tokio::test]
async fn an_unhealthy_cluster_is_waited_out_and_then_named() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.faults.push(("add-learner", TroubleKind::NotYet, 5, false));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert_eq!(summary.outcome, Outcome::Done);

    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.faults.push(("add-learner", TroubleKind::NotYet, u32::MAX, false));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(
        matches!(&summary.outcome, Outcome::Refused { step: "add-learner", half_way: true, .. }),
        "{:?}",
        summary.outcome
    );
    assert!(world.clock < Duration::from_secs(60), "{:?}", world.clock);
}

#[tokio::test]
async fn another_run_that_took_over_is_left_alone() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.meddling = Some(("add-learner", |observation| {
        let text = observation.statefulset.run_annotation().unwrap();
        let mut record = Record::parse(text).unwrap();
        record.run = "other".into();
        observation.statefulset.annotations.insert(etcd_scale::model::RUN_ANNOTATION.into(), record.to_annotation());
    }));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(summary.outcome, Outcome::Contradiction { .. }), "{:?}", summary.outcome);
    assert_eq!(world.applied.last(), Some(&"add-learner"));
}

#[tokio::test]
async fn a_change_that_is_taken_back_each_time_is_not_made_for_ever() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.meddling = Some(("patch-statefulset", |observation| observation.statefulset.replicas = 2));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(summary.outcome, Outcome::Failed { step: "patch-statefulset", .. }), "{:?}", summary.outcome);
}

#[tokio::test]
async fn a_run_that_began_meanwhile_is_not_overwritten() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.meddling = Some(("save-snapshot", |observation| {
        let goal = Goal::resolve(&up_to(3, "other"), observation).unwrap();
        let record = Record::opening(&goal, observation, None);
        observation.statefulset.annotations.insert(etcd_scale::model::RUN_ANNOTATION.into(), record.to_annotation());
    }));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(summary.outcome, Outcome::Contradiction { .. }), "{:?}", summary.outcome);
    assert_eq!(world.applied, ["save-snapshot"]);
}

#[tokio::test]
async fn a_member_removed_by_hand_is_not_added_over_its_data() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.faults.push(("promote", TroubleKind::Refused, 1, false));
    let summary = drive(&mut world, &mut heard, 3, "first", YES).await;
    assert!(matches!(summary.outcome, Outcome::Failed { step: "promote", .. }), "{:?}", summary.outcome);
    let Known::Known(members) = &mut world.observation.members else { panic!("no members") };
    members.list.retain(|member| !member.learner);
    let refusal = Goal::resolve(&up_to(3, "second"), &world.observation);
    assert!(matches!(refusal, Err(etcd_scale::model::GoalRefusal::Contradiction { .. })), "{refusal:?}");
}

/// A world in which a run to three members has failed before the vote.
async fn half_way(claims: Option<ClaimPolicy>) -> Foreseen {
    let mut world = Foreseen::new(rok(2));
    world.faults.push(("promote", TroubleKind::Refused, 1, false));
    let goal = Goal::resolve(&Request { claims, ..up_to(3, "first") }, &world.observation).expect("a goal");
    let (observation, mut heard) = (world.observation.clone(), Heard::default());
    let steps = steps::towards(&goal, &observation);
    let summary = Run::new(steps, goal, &mut world, &mut heard, Interrupt::default(), YES).drive(observation).await;
    assert!(matches!(summary.outcome, Outcome::Failed { step: "promote", .. }), "{:?}", summary.outcome);
    world
}

#[tokio::test]
async fn checking_leaves_an_unfinished_run_as_it_is() {
    let mut world = half_way(None).await;
    let (before, applied) = (world.observation.statefulset.clone(), world.applied.len());
    for verb in [Verb::Check, Verb::Verify] {
        let goal = Goal::resolve(&Request { verb, ..up_to(3, "second") }, &world.observation).expect("a goal");
        let (observation, mut heard) = (world.observation.clone(), Heard::default());
        let steps = steps::towards(&goal, &observation);
        Run::new(steps, goal, &mut world, &mut heard, Interrupt::default(), YES).drive(observation).await;
    }
    assert_eq!(world.observation.statefulset, before);
    assert_eq!(world.applied.len(), applied, "{:?}", world.applied);
}

#[tokio::test]
async fn taking_back_deletes_a_claim_only_where_that_is_told() {
    let world = half_way(Some(ClaimPolicy::Delete)).await;
    let request = Request { verb: Verb::Abort, to: None, ..up_to(3, "second") };
    let goal = Goal::resolve(&request, &world.observation).expect("a goal");
    assert_eq!(goal.claims, ClaimPolicy::Keep);
    let goal = Goal::resolve(&Request { claims: Some(ClaimPolicy::Delete), ..request }, &world.observation);
    assert_eq!(goal.expect("a goal").claims, ClaimPolicy::Delete);
    let again = Goal::resolve(&up_to(3, "second"), &world.observation).expect("a goal");
    assert_eq!(again.claims, ClaimPolicy::Delete, "growing goes on as it was begun");
}

#[tokio::test]
async fn settling_what_others_have_settled_clears_the_record() {
    let (mut world, mut heard) = (Foreseen::new(rok(3)), Heard::default());
    let mut request = up_to(4, "first");
    request.rollout = Some(etcd_scale::model::RolloutPolicy::Defer);
    let goal = Goal::resolve(&request, &world.observation).unwrap();
    let observation = world.observation.clone();
    let run = Run::new(steps::towards(&goal, &observation), goal, &mut world, &mut heard, Interrupt::default(), YES);
    assert_eq!(run.drive(observation).await.outcome, Outcome::Done);
    // Somebody brings the template along and puts the strategy back.
    world.observation.statefulset.strategy = rok(3).statefulset.strategy;
    for pod in &mut world.observation.pods {
        pod.revision = world.observation.statefulset.update_revision.clone();
    }
    let mut request = up_to(4, "second");
    request.verb = Verb::Settle;
    let goal = Goal::resolve(&request, &world.observation).unwrap();
    let observation = world.observation.clone();
    let run = Run::new(steps::settle(), goal, &mut world, &mut heard, Interrupt::default(), YES);
    let summary = run.drive(observation).await;
    assert_eq!(summary.outcome, Outcome::Done);
    assert!(!summary.deferred);
    assert!(world.observation.statefulset.run_annotation().is_none());
}

#[tokio::test]
async fn a_vanished_annotation_or_lock_stops_the_run() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.meddling = Some(("add-learner", |observation| observation.statefulset.annotations.clear()));
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(summary.outcome, Outcome::Contradiction { .. }), "{:?}", summary.outcome);

    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.lost = Some("deleted".into());
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(summary.outcome, Outcome::Failed { .. }), "{:?}", summary.outcome);
    assert!(world.applied.is_empty());
}

#[tokio::test]
async fn a_held_lock_ends_the_run_before_any_change() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.held = true;
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert_eq!(summary.outcome, Outcome::Locked { holder: "other@host".into() });
    assert!(world.applied.is_empty());
}

#[tokio::test]
async fn a_wait_ends_at_its_limit() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    world.frozen = true;
    let summary = drive(&mut world, &mut heard, 3, "run", YES).await;
    assert!(matches!(&summary.outcome, Outcome::TimedOut { step: "wait-join", .. }), "{:?}", summary.outcome);
    assert!(world.clock >= Duration::from_secs(600) && world.clock < Duration::from_secs(700));
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_foresees_what_a_run_does() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let before = world.observation.clone();
    let dry = Options { yes: true, dry_run: true };
    let summary = drive(&mut world, &mut heard, 3, "run", dry).await;
    assert_eq!(summary.outcome, Outcome::Foreseen);
    assert_eq!(world.observation, before);
    assert_eq!((world.locked, world.applied.len()), (0, 0));
    let foreseen: Vec<_> = summary.plan.unwrap().changes.iter().map(|planned| planned.change.name()).collect();

    drive(&mut world, &mut heard, 3, "run", YES).await;
    assert_eq!(foreseen, world.applied);
}

#[tokio::test]
async fn a_run_cut_off_after_any_change_is_finished_by_the_next() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    drive(&mut world, &mut heard, 3, "whole", YES).await;
    let whole = world.applied.len();
    for cut in 1..whole {
        let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
        // A fault for good right after the change at `cut` stands for the end of the process.
        let name = {
            let (mut first, mut heard) = (Foreseen::new(rok(2)), Heard::default());
            drive(&mut first, &mut heard, 3, "first", YES).await;
            first.applied[cut]
        };
        world.faults.push((name, TroubleKind::Refused, 1, false));
        let summary = drive(&mut world, &mut heard, 3, "first", YES).await;
        assert!(matches!(summary.outcome, Outcome::Failed { .. }), "cut before {name}");
        let mut request = up_to(3, "second");
        if world.observation.statefulset.run_annotation().is_some() {
            // As `up` without a number would be resolved: it finishes the first run instead of adding one more.
            request.to = None;
        }
        let goal = Goal::resolve(&request, &world.observation).expect("a goal");
        assert_eq!(goal.to, 3);
        let observation = world.observation.clone();
        let run =
            Run::new(steps::towards(&goal, &observation), goal, &mut world, &mut heard, Interrupt::default(), YES);
        let summary = run.drive(observation).await;
        assert_eq!(summary.outcome, Outcome::Done, "cut before {name}");
        assert_eq!(world.observation.members.known().unwrap().voters().count(), 3, "cut before {name}");
        assert_eq!(world.observation.statefulset.strategy, rok(2).statefulset.strategy, "cut before {name}");
        assert!(world.observation.statefulset.run_annotation().is_none(), "cut before {name}");
    }
}

#[tokio::test]
async fn an_interrupt_stops_before_the_next_change() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let observation = world.observation.clone();
    let goal = Goal::resolve(&up_to(3, "run"), &observation).unwrap();
    let interrupt = Interrupt::default();
    interrupt.raise(2);
    let run = Run::new(steps::towards(&goal, &observation), goal, &mut world, &mut heard, interrupt, YES);
    let summary = run.drive(observation).await;
    assert_eq!(summary.outcome, Outcome::Interrupted { signal: 2 });
    assert!(world.applied.is_empty());
}

#[tokio::test]
async fn an_interrupt_is_obeyed_while_the_world_is_read() {
    let (mut world, mut heard) = (Foreseen::new(rok(2)), Heard::default());
    let interrupt = Interrupt::default();
    world.interrupted = Some(interrupt.clone());
    let observation = world.observation.clone();
    let goal = Goal::resolve(&up_to(3, "run"), &observation).unwrap();
    let run = Run::new(steps::towards(&goal, &observation), goal, &mut world, &mut heard, interrupt, YES);
    assert_eq!(run.drive(observation).await.outcome, Outcome::Interrupted { signal: 15 });
}

#[test]
fn another_change_of_the_same_kind_is_a_new_one() {
    let claim = |name: &str| Change::DeleteClaim { claim: name.into(), uid: "u".into(), volume: None };
    let lost = Err(Trouble::new(TroubleKind::Lost, "no answer"));
    let second = Duration::from_secs(1);
    let mut trail = Trail::default();
    trail.tried(&claim("a"), &lost, second);
    trail.tried(&claim("a"), &lost, second * 2);
    assert_eq!((trail.tries(&claim("a")), trail.tries(&claim("b"))), (2, 0));
    trail.tried(&claim("b"), &lost, second * 3);
    assert_eq!((trail.tries(&claim("a")), trail.tries(&claim("b"))), (0, 1));
    assert_eq!(trail.failing_for("delete-claim"), Some(second * 2), "two that take turns have no more time than one");
}
