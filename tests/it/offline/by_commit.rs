//! Runs that go through a deployment repository, on a world that is the model's own prediction.

use etcd_scale::model::{
    Answer, CommandEnd, Delivery, Deployment, Fact, Goal, GoalRefusal, Known, Observation, RUN_ANNOTATION, Upstream,
};
use etcd_scale::runbook::{Interrupt, Outcome, Run, Summary, TroubleKind};
use etcd_scale::steps;
use serde_json::json;

use super::run::{Foreseen, Heard, Meddle, YES};
use super::sample::{by_commit, rok, rok_deploy, up_to};

async fn drive(world: &mut Foreseen, heard: &mut Heard, delivery: Delivery, run: &str) -> Summary {
    let observation = world.observation.clone();
    let mut request = up_to(3, run);
    request.gitops = Some(by_commit(2, delivery).1);
    let goal = Goal::resolve(&request, &observation).expect("a goal");
    Run::new(steps::up_by_commit(), goal, world, heard, Interrupt::default(), YES).drive(observation).await
}

/// A run of which the world is meddled with after a change.
async fn meddled(change: &'static str, meddle: Meddle) -> (Summary, Vec<&'static str>) {
    let (mut world, mut heard) = (Foreseen::new(by_commit(2, rok_deploy()).0), Heard::default());
    world.meddling = Some((change, meddle));
    let summary = drive(&mut world, &mut heard, rok_deploy(), "run").await;
    (summary, world.applied)
}

fn repository(observation: &mut Observation) -> &mut Deployment {
    for (_, answer) in &mut observation.answers {
        if let Answer::Deployment(Known::Known(deployment)) = answer {
            return deployment;
        }
    }
    panic!("no repository");
}

/// The facts for which a run is refused before its first change.
async fn refused(change: impl FnOnce(&mut Observation)) -> String {
    let mut observation = by_commit(2, rok_deploy()).0;
    change(&mut observation);
    let (mut world, mut heard) = (Foreseen::new(observation), Heard::default());
    let summary = drive(&mut world, &mut heard, rok_deploy(), "run").await;
    assert!(world.applied.is_empty(), "{:?}", world.applied);
    let Outcome::Refused { step: "precheck", facts, half_way: false, .. } = summary.outcome else {
        panic!("{:?}", summary.outcome)
    };
    facts.into_iter().map(|fact| fact.fact).collect::<Vec<_>>().join("\n")
}

const WHOLE: &[&str] = &[
    "save-snapshot",
    "open-run",
    "add-learner",
    "patch-statefulset",
    "commit-patches",
    "apply-overlay",
    "promote",
    "move-leader",
    "lower-partition",
    "lower-partition",
    "close-run",
];

#[tokio::test]
async fn two_become_three_by_one_commit() {
    let (mut world, mut heard) = (Foreseen::new(by_commit(2, rok_deploy()).0), Heard::default());
    let summary = drive(&mut world, &mut heard, rok_deploy(), "run").await;
    assert_eq!(summary.outcome, Outcome::Done);
    assert_eq!(world.applied, WHOLE);
    assert_eq!(world.observation.statefulset.strategy, rok(2).statefulset.strategy);
    assert_eq!(summary.plan.unwrap().changes.len(), WHOLE.len(), "the plan foresees all of it");
    assert!(
        summary.steps.iter().any(|reached| reached.step == "await-command" && reached.proof.contains("ended well"))
    );
}

#[tokio::test]
async fn cut_off_after_any_change_it_is_one_commit_all_the_same() {
    for name in WHOLE.iter().skip(2) {
        for made in [true, false] {
            let (mut world, mut heard) = (Foreseen::new(by_commit(2, rok_deploy()).0), Heard::default());
            world.faults.push((name, TroubleKind::Refused, 1, made));
            let summary = drive(&mut world, &mut heard, rok_deploy(), "first").await;
            assert!(matches!(summary.outcome, Outcome::Failed { .. }), "cut at {name}: {:?}", summary.outcome);
            if world.observation.statefulset.run_annotation().is_none() {
                continue;
            }
            // The command ends with the run.
            world.observation.delivering = None;
            let summary = drive(&mut world, &mut heard, rok_deploy(), "second").await;
            assert_eq!(summary.outcome, Outcome::Done, "cut at {name}");
            let commits = world.applied.iter().filter(|applied| **applied == "commit-patches").count();
            assert_eq!(commits, 1, "cut at {name}: {:?}", world.applied);
            assert_eq!(world.observation.members.known().unwrap().voters().count(), 3, "cut at {name}");
        }
    }
}

#[tokio::test]
async fn without_a_command_the_run_stops_for_the_operator_and_goes_on() {
    let (mut world, mut heard) = (Foreseen::new(by_commit(2, Delivery::Operator).0), Heard::default());
    let summary = drive(&mut world, &mut heard, Delivery::Operator, "first").await;
    assert_eq!(summary.outcome, Outcome::Paused { before: "apply-overlay" });
    assert_eq!(world.applied.last(), Some(&"commit-patches"));
    let delivering = world.observation.delivering.take().unwrap();
    world.observation.statefulset.raise(&delivering.raise);
    let summary = drive(&mut world, &mut heard, Delivery::Operator, "second").await;
    assert_eq!(summary.outcome, Outcome::Done);
    assert_eq!(world.applied.iter().filter(|applied| **applied == "commit-patches").count(), 1);
}

#[tokio::test]
async fn a_controller_that_brings_the_commit_is_waited_for() {
    let mut observation = by_commit(2, Delivery::Sync).0;
    observation.statefulset.annotations.insert("argocd.argoproj.io/tracking-id".into(), "x".into());
    let (mut world, mut heard) = (Foreseen::new(observation), Heard::default());
    let summary = drive(&mut world, &mut heard, Delivery::Sync, "run").await;
    assert_eq!(summary.outcome, Outcome::Done, "a reconciler is no obstacle where it has to bring the commit");
    assert!(!world.applied.contains(&"apply-overlay"));
}

#[tokio::test]
async fn a_lost_guard_is_set_again_before_the_promotion() {
    let (summary, applied) =
        meddled("apply-overlay", |seen| seen.statefulset.set_strategy(&json!({"type": "RollingUpdate"}))).await;
    assert_eq!(summary.outcome, Outcome::Done);
    let promoted = applied.iter().position(|applied| *applied == "promote").unwrap();
    let guards: Vec<_> = (0..applied.len()).filter(|at| applied[*at] == "patch-statefulset").collect();
    assert!(guards.len() == 2 && guards[1] < promoted, "{applied:?}");
}

#[tokio::test]
async fn a_lost_annotation_stops_the_run() {
    let (summary, applied) =
        meddled("apply-overlay", |seen| drop(seen.statefulset.annotations.remove(RUN_ANNOTATION))).await;
    let Outcome::Refused { step: "apply-overlay", facts, .. } = summary.outcome else {
        panic!("{:?}", summary.outcome)
    };
    assert!(facts[0].fact.contains("annotation has vanished") && facts[0].advice.contains("merges"), "{facts:?}");
    assert_eq!(applied.last(), Some(&"apply-overlay"));
}

fn command_ends(seen: &mut Observation, well: bool) {
    let command = seen.delivering.as_mut().unwrap().command.as_mut().unwrap();
    command.lines = vec!["error: no such cluster".into()];
    command.ended = Some(CommandEnd { well, how: "exit code 1".into() });
}

#[tokio::test]
async fn a_command_that_does_not_bring_the_commit_is_told_of() {
    for (meddle, told) in [
        (
            (|seen| command_ends(seen, false)) as Meddle,
            "ended with exit code 1; its last lines:\nerror: no such cluster",
        ),
        (|seen| command_ends(seen, true), "ended well, and yet it asks for 2 pods"),
    ] {
        let (summary, _) = meddled("apply-overlay", meddle).await;
        let Outcome::Refused { step: "apply-overlay", facts, half_way: true, .. } = summary.outcome else {
            panic!("{:?}", summary.outcome)
        };
        assert!(facts[0].fact.contains(told), "{facts:?}");
    }
}

#[tokio::test]
async fn an_apply_that_changes_something_else_is_stopped() {
    let (summary, applied) = meddled("apply-overlay", |seen| {
        let raise = seen.delivering.as_ref().unwrap().raise.clone();
        seen.statefulset.raise(&raise);
        seen.statefulset.spec["template"]["spec"]["nodeSelector"] = json!({"disk": "slow"});
    })
    .await;
    let Outcome::Refused { step: "apply-overlay", facts, .. } = summary.outcome else {
        panic!("{:?}", summary.outcome)
    };
    assert_eq!(
        facts[0].fact,
        r#"what was applied has also changed template.spec.nodeSelector from nothing to {"disk":"slow"}"#
    );
    assert!(!applied.contains(&"promote"));
}

#[tokio::test]
async fn what_forbids_the_commit_is_said_before_the_first_change() {
    let said =
        refused(|seen| repository(seen).obstacles.push(Fact::new("patches/x.yaml has uncommitted changes", ""))).await;
    assert!(said.contains("uncommitted changes"), "{said}");

    let said =
        refused(|seen| repository(seen).spec["template"]["spec"]["containers"][0]["image"] = json!("etcd:3.6")).await;
    assert_eq!(
        said,
        r#"applying rok/etcd would also change template.spec.containers[etcd].image from "etcd:3.5" to "etcd:3.6""#
    );

    let said =
        refused(|seen| repository(seen).spec["updateStrategy"] = json!({"rollingUpdate": {"partition": 0}})).await;
    assert!(said.contains("names the partition 0"), "{said}");

    let said = refused(|seen| repository(seen).spec["replicas"] = json!(2)).await;
    assert!(said.contains("builds a StatefulSet of 2 replicas, not 3"), "{said}");

    let said = refused(|seen| {
        repository(seen).spec["template"]["spec"]["containers"][0]["env"][2]["value"] = json!("new");
    })
    .await;
    assert!(said.contains(r#"env[ETCD_INITIAL_CLUSTER_STATE].value from "existing" to "new""#), "{said}");
}

#[tokio::test]
async fn a_guard_in_the_manifest_itself_is_welcome() {
    let mut observation = by_commit(2, rok_deploy()).0;
    repository(&mut observation).spec["updateStrategy"] = json!({"rollingUpdate": {"partition": 2}});
    let (mut world, mut heard) = (Foreseen::new(observation), Heard::default());
    assert_eq!(drive(&mut world, &mut heard, rok_deploy(), "run").await.outcome, Outcome::Done);
}

#[tokio::test]
async fn the_commit_is_pushed_where_that_was_asked_for() {
    let (mut observation, mut gitops) = by_commit(2, rok_deploy());
    repository(&mut observation).upstream = Some(Upstream { name: "origin/main".into(), ahead: 0 });
    gitops.push = true;
    let mut request = up_to(3, "run");
    request.gitops = Some(gitops);
    let (mut world, mut heard) = (Foreseen::new(observation.clone()), Heard::default());
    let goal = Goal::resolve(&request, &observation).unwrap();
    let run = Run::new(steps::up_by_commit(), goal, &mut world, &mut heard, Interrupt::default(), YES);
    assert_eq!(run.drive(observation).await.outcome, Outcome::Done);
    let at = world.applied.iter().position(|applied| *applied == "commit-patches").unwrap();
    assert_eq!(world.applied[at + 1], "push-commit");
}

#[tokio::test]
async fn what_was_begun_one_way_is_finished_that_way() {
    let (mut world, mut heard) = (Foreseen::new(by_commit(2, rok_deploy()).0), Heard::default());
    world.faults.push(("commit-patches", TroubleKind::Refused, 1, false));
    drive(&mut world, &mut heard, rok_deploy(), "first").await;
    let contradiction = |request, observation| match Goal::resolve(&request, observation) {
        Err(GoalRefusal::Contradiction { fact, advice }) => format!("{fact}; {advice}"),
        other => panic!("{other:?}"),
    };
    let said = contradiction(up_to(3, "second"), &world.observation);
    assert!(said.contains("by a commit to rok/etcd") && said.contains("--gitops DIR"), "{said}");
    let mut request = up_to(3, "second");
    let mut gitops = by_commit(2, rok_deploy()).1;
    gitops.overlay = "other".into();
    request.gitops = Some(gitops);
    let said = contradiction(request, &world.observation);
    assert!(said.contains("--overlay rok/etcd"), "{said}");

    let mut world = Foreseen::new(rok(2));
    world.faults.push(("patch-statefulset", TroubleKind::Refused, 1, false));
    let observation = world.observation.clone();
    let goal = Goal::resolve(&up_to(3, "first"), &observation).unwrap();
    Run::new(steps::towards(&goal, &observation), goal, &mut world, &mut heard, Interrupt::default(), YES)
        .drive(observation)
        .await;
    let mut request = up_to(3, "second");
    request.gitops = Some(by_commit(2, rok_deploy()).1);
    assert!(contradiction(request, &world.observation).contains("without --gitops"));
}
