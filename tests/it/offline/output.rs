//! What people and programs see of a run, as snapshots. The clock is the foreseen world's, so that every run is the same.

use std::io::Write;
use std::sync::{Arc, Mutex};

use etcd_scale::model::{Goal, Observation, RolloutPolicy};
use etcd_scale::report::{Console, Format, Style};
use etcd_scale::runbook::{Interrupt, Options, Run, Trouble, TroubleKind};
use etcd_scale::steps;
use serde_json::Value;

use super::run::{Foreseen, YES};
use super::sample::{rok, up_to};

/// Keeps what is written.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Page {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Drives a run and gives what went to standard output and standard error.
pub(super) async fn shown(
    world: &mut Foreseen,
    style: Style,
    options: Options,
    rollout: Option<RolloutPolicy>,
) -> (String, String) {
    shown_with(world, style, options, rollout, |_| ()).await
}

/// The same, where something is told after the run.
async fn shown_with(
    world: &mut Foreseen,
    style: Style,
    options: Options,
    rollout: Option<RolloutPolicy>,
    more: impl FnOnce(&mut Console),
) -> (String, String) {
    let (out, err) = (Page::default(), Page::default());
    let mut console = Console::writing_to(style, Interrupt::default(), Box::new(out.clone()), Box::new(err.clone()));
    let observation = world.observation.clone();
    let mut request = up_to(observation.statefulset.replicas + 1, "run");
    request.rollout = rollout;
    let goal = Goal::resolve(&request, &observation).unwrap();
    let run = Run::new(steps::towards(&goal, &observation), goal, world, &mut console, Interrupt::default(), options);
    run.drive(observation).await;
    more(&mut console);
    console.end(0);
    (out.text(), err.text())
}

/// Takes nothing any more.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_result_that_cannot_be_written_is_told() {
    let err = Page::default();
    let mut console =
        Console::writing_to(Style::default(), Interrupt::default(), Box::new(Full), Box::new(err.clone()));
    assert!(!console.tell_unwritten());
    console.status(&rok(2));
    assert!(console.tell_unwritten());
    assert!(err.text().contains("cannot write to standard output"), "{}", err.text());
}

#[tokio::test]
async fn a_rollback_that_is_refused_is_told_in_the_document_of_the_run() {
    let style = Style { format: Format::Json, ..Style::default() };
    let refused = |console: &mut Console| console.refused(&Trouble::new(TroubleKind::Refused, "not now"), 3);
    let (out, _) = shown_with(&mut Foreseen::new(rok(2)), style, YES, None, refused).await;
    let document: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(document["rollback"]["trouble"]["message"], "not now");
    assert_eq!(document["statefulset"], "rok/rok-etcd");
}

#[tokio::test]
async fn a_whole_run() {
    let (_, err) = shown(&mut Foreseen::new(rok(2)), Style::default(), YES, None).await;
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn a_dry_run() {
    let dry = Options { yes: false, dry_run: true };
    let (_, err) = shown(&mut Foreseen::new(rok(2)), Style::default(), dry, None).await;
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn a_deferred_rollout() {
    let (_, err) = shown(&mut Foreseen::new(rok(1)), Style::default(), YES, None).await;
    let end = err.split_once("Done:").map(|(_, end)| end.to_owned()).expect("it is done");
    insta::assert_snapshot!(end);
}

#[tokio::test]
async fn what_has_to_be_changed_at_the_source_is_named() {
    let mut observation = rok(2);
    observation.statefulset.annotations.insert("meta.helm.sh/release-name".into(), "rok".into());
    // By a dry run as well: the source can be changed beforehand.
    for options in [YES, Options { yes: false, dry_run: true }] {
        let (_, err) = shown(&mut Foreseen::new(observation.clone()), Style::default(), options, None).await;
        let line = err.lines().find(|line| line.contains("persist")).expect("it is named");
        assert_eq!(
            line.trim(),
            "persist   Helm would undo this: change its source before its next sync: replicas 3 (in many charts \
             replicaCount), ETCD_CLUSTER_SIZE 3, ETCD_INITIAL_CLUSTER_STATE existing"
        );
    }
}

#[tokio::test]
async fn a_refusal() {
    let mut observation: Observation = rok(3);
    observation.statefulset.annotations.insert("argocd.argoproj.io/tracking-id".into(), "x".into());
    observation.pods[1].ready = false;
    let (_, err) = shown(&mut Foreseen::new(observation), Style::default(), YES, None).await;
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn nobody_to_ask() {
    let (_, err) =
        shown(&mut Foreseen::new(rok(2)), Style { quiet: true, ..Style::default() }, Options::default(), None).await;
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn text_from_the_cluster_does_not_reach_the_terminal_raw() {
    let mut observation = rok(2);
    observation.statefulset.owner =
        Some(etcd_scale::model::Owner { kind: "Evil\u{1b}[2J".into(), name: "x\rDone".into() });
    let (_, err) = shown(&mut Foreseen::new(observation), Style::default(), YES, None).await;
    assert!(err.contains("Evil\\u{1b}[2J") && err.contains("x\\rDone"), "{err}");
    assert!(!err.contains('\u{1b}') && !err.contains('\r'));
}

#[tokio::test]
async fn one_document() {
    let style = Style { format: Format::Json, quiet: true, ..Style::default() };
    let (out, _) = shown(&mut Foreseen::new(rok(2)), style, YES, Some(RolloutPolicy::Defer)).await;
    let document: serde_json::Value = serde_json::from_str(&out).expect("one JSON document");
    assert_eq!(document["version"], 1);
    assert_eq!(document["outcome"], "done");
    assert_eq!(document["exitCode"], 0);
    assert_eq!(document["deferred"], true);
    assert_eq!(document["goal"]["to"], 3);
    let changes: Vec<_> = document["changes"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(changes, ["save-snapshot", "open-run", "add-learner", "patch-statefulset", "promote", "defer-rollout"]);
}

#[tokio::test]
async fn one_event_a_line() {
    let style = Style { format: Format::Ndjson, quiet: true, ..Style::default() };
    let mut world = Foreseen::new(rok(2));
    world.faults.push(("add-learner", TroubleKind::NotYet, 1, false));
    let (out, _) = shown(&mut world, style, YES, None).await;
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!((line["version"].as_u64(), line["seq"].as_u64()), (Some(1), u64::try_from(number).ok()));
    }
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!((types.first(), types.last()), (Some(&"run-started"), Some(&"run-ended")));
    for kind in ["step-started", "planned", "change-started", "change-applied", "change-failed", "waiting", "step-done"]
    {
        assert!(types.contains(&kind), "no {kind}");
    }
}
