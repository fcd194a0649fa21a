//! `status` of several StatefulSets, as people and programs see it.

use std::collections::BTreeMap;

use etcd_scale::model::{
    Change, ClusterId, Known, MemberId, Observation, RUN_ANNOTATION, RolloutPolicy, Waiting, healthy_for_change,
};
use etcd_scale::report::{Console, Format, Style};
use etcd_scale::runbook::{Interrupt, Trouble, TroubleKind};

use super::output::{Page, shown};
use super::run::{Foreseen, YES};
use super::sample::rok;

type Found = BTreeMap<(String, String), Result<Observation, Trouble>>;

/// What goes to standard output and standard error.
fn told(format: Format, namespace: Option<&str>, found: &Found) -> (String, String) {
    let (out, err) = (Page::default(), Page::default());
    let style = Style { format, ..Style::default() };
    let mut console = Console::writing_to(style, Interrupt::default(), Box::new(out.clone()), Box::new(err.clone()));
    console.statuses(namespace, found);
    (out.text(), err.text())
}

fn found(list: Vec<(&str, Result<Observation, Trouble>)>) -> Found {
    list.into_iter().map(|(namespace, read)| ((namespace.to_owned(), "rok-etcd".to_owned()), read)).collect()
}

/// One whose rollout was left for later.
async fn deferred() -> Observation {
    let mut world = Foreseen::new(rok(2));
    shown(&mut world, Style::default(), YES, Some(RolloutPolicy::Defer)).await;
    world.observation
}

/// The same half-way through it.
fn half_way(mut observation: Observation) -> Observation {
    let record = observation.statefulset.annotations.get_mut(RUN_ANNOTATION).expect("a record");
    *record = record.replace("\"deferred\":true", "\"deferred\":false");
    observation
}

/// A member that does not answer.
fn without(mut observation: Observation, pod: &str) -> Observation {
    observation.statuses.insert(pod.to_owned(), Known::Unknown("timed out".to_owned()));
    observation
}

/// Nothing is heard of any member.
fn silent(mut observation: Observation) -> Observation {
    observation.statuses.clear();
    observation.members = Known::Unknown("no voter answers:\n\u{1b}[2Jtimed out".to_owned());
    observation.pods[1].ready = false;
    observation
}

fn with_learner() -> Observation {
    let peer_url = "http://rok-etcd-2.rok-etcd-cluster.rok:2380".to_owned();
    rok(2).after(&Change::AddLearner { name: "rok-etcd-2".to_owned(), peer_url })
}

fn forbidden() -> Trouble {
    Trouble::new(TroubleKind::Refused, "cannot list the pods of rok-etcd: forbidden").advise("ask for the role")
}

#[tokio::test]
async fn a_line_each() {
    let deferred = deferred().await;
    let (out, err) = told(
        Format::Text,
        None,
        &found(vec![
            ("well", Ok(rok(3))),
            ("deferred", Ok(deferred.clone())),
            ("half-way", Ok(without(half_way(deferred), "rok-etcd-1"))),
            ("learner", Ok(with_learner())),
            ("down", Ok(without(rok(3), "rok-etcd-2"))),
            ("silent", Ok(silent(rok(3)))),
            ("forbidden", Err(forbidden())),
        ]),
    );
    assert_eq!(err, "");
    insta::assert_snapshot!(out);
}

#[test]
fn one_document_or_one_a_line() {
    let found = found(vec![("b", Ok(rok(3))), ("a", Err(forbidden()))]);
    let document: serde_json::Value = serde_json::from_str(&told(Format::Json, None, &found).0).expect("one document");
    assert_eq!(document["version"], 1);
    let list = document["statefulsets"].as_array().expect("a list");
    assert_eq!(
        (list.len(), &list[0]["statefulset"], &list[0]["trouble"]["advice"]),
        (2, &"a/rok-etcd".into(), &"ask for the role".into())
    );
    assert!(list[0].get("stage").is_none(), "unknown is not at rest");
    assert_eq!((&list[1]["stage"], &list[1]["quorum"]), (&"at-rest".into(), &true.into()));

    let (lines, _) = told(Format::Ndjson, None, &found);
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]["version"], &lines[1]["seq"]), (2, &1.into(), &1.into()));
    assert_eq!(lines[1]["stage"], "at-rest");
}

#[test]
fn none_is_said_in_a_sentence() {
    let nothing = Found::new();
    let (out, err) = told(Format::Text, Some("rok"), &nothing);
    assert_eq!((out.as_str(), err.as_str()), ("", "No StatefulSet in namespace rok runs etcd.\n"));
    assert_eq!(told(Format::Text, None, &nothing).1, "No StatefulSet in any namespace runs etcd.\n");
    let document: serde_json::Value = serde_json::from_str(&told(Format::Json, None, &nothing).0).expect("JSON");
    assert_eq!(document, serde_json::json!({"version": 1, "statefulsets": []}));
}

#[test]
fn a_member_is_replaced_only_where_it_is_lost() {
    let advised = |observation: Observation| {
        let found = found(vec![("rok", Ok(observation))]);
        let document: serde_json::Value = serde_json::from_str(&told(Format::Json, None, &found).0).expect("JSON");
        let text = |field: &str| document["statefulsets"][0][field].as_str().map(str::to_owned);
        (text("next"), text("otherwise"))
    };
    let replace = || Some("etcd-scale replace --sts rok-etcd -n rok rok-etcd-2".to_owned());
    let look = |command: &str| (Some(format!("kubectl {command}")), replace());
    assert_eq!(advised(rok(3)), (None, None));

    let silent = without(rok(3), "rok-etcd-2");
    assert_eq!(advised(silent.clone()), look("logs -n rok rok-etcd-2 -c etcd"));
    let mut pending = silent.clone();
    pending.pods[2].containers[0].running = false;
    assert_eq!(advised(pending.clone()), look("describe pod -n rok rok-etcd-2"));
    let mut gone = silent.clone();
    gone.pods.pop();
    assert_eq!(advised(gone), look("describe statefulset -n rok rok-etcd"));

    let mut crashing = pending;
    crashing.pods[2].containers[0].waiting =
        Some(Waiting { reason: "CrashLoopBackOff".to_owned(), message: String::new() });
    let mut without_volume = silent.clone();
    without_volume.claims.known_mut().expect("claims")[2].phase = "Lost".to_owned();
    let mut unstarted = silent.clone();
    unstarted.members.known_mut().expect("a member list").list[2].name.clear();
    let mut on_its_own = rok(3);
    let status = on_its_own.statuses.get_mut("rok-etcd-2").and_then(Known::known_mut).expect("a status");
    (status.member, status.cluster) = (MemberId(1), ClusterId(1));
    // One whose peer URL fits no pod's is told of like any other, and not taken for a member of its pod.
    let mut elsewhere = crashing.clone();
    elsewhere.members.known_mut().expect("a member list").list[2].peer_urls =
        vec!["http://rok-etcd-2.rok-etcd-cluster.rok:2381".to_owned()];
    assert_eq!(advised(elsewhere), (None, None));
    // What a change of size is refused with leads there as well.
    let refused = |observation: &Observation| healthy_for_change(observation, None).remove(0).advice;
    assert!(refused(&silent).starts_with("bring it back first"));
    for lost in [&crashing, &without_volume] {
        assert!(refused(lost).ends_with(&replace().expect("a command")), "{}", refused(lost));
    }
    for lost in [crashing, without_volume, unstarted, on_its_own] {
        assert_eq!(advised(lost), (replace(), None));
    }
}

/// What `status -o json` says of one.
fn document(observation: Observation) -> serde_json::Value {
    let text = told(Format::Json, None, &found(vec![("rok", Ok(observation))])).0;
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    document["statefulsets"][0].take()
}

#[test]
fn a_pod_that_was_scaled_away_comes_back_only_to_its_data() {
    let mut scaled = rok(3);
    scaled.statefulset.replicas = 2;
    scaled.pods.pop();
    scaled.statuses.remove("rok-etcd-2");
    let seen = document(scaled.clone());
    assert_eq!(seen["next"], "kubectl scale statefulset -n rok rok-etcd --replicas=3");
    assert_eq!((seen.get("otherwise"), seen.get("leftoverClaims")), (None, None));

    scaled.claims.known_mut().expect("claims").pop();
    assert_eq!(document(scaled)["next"], "kubectl describe statefulset -n rok rok-etcd");
}

#[tokio::test]
async fn a_claim_is_left_over_only_where_nobody_may_use_it() {
    let mut shrunk = rok(3);
    shrunk.statefulset.replicas = 2;
    shrunk.pods.pop();
    shrunk.statuses.remove("rok-etcd-2");
    shrunk.members.known_mut().expect("a member list").list.pop();
    let left = |observation: Observation| document(observation).get("leftoverClaims").cloned();
    assert_eq!(left(shrunk.clone()), Some(serde_json::json!(["data-rok-etcd-2"])));

    assert_eq!(left(rok(3)), None);
    assert_eq!(left(silent(shrunk.clone())), None, "unknown is not absent");
    let mut elsewhere = shrunk.clone();
    elsewhere.members.known_mut().expect("a member list").list[1].peer_urls = vec!["http://10.0.0.7:2380".to_owned()];
    assert_eq!(left(elsewhere), None, "whose pod is whose is not known");
    let mut ending = shrunk;
    ending.claims.known_mut().expect("claims")[2].terminating = true;
    assert_eq!(left(ending), None);
}

#[tokio::test]
async fn two_voters_settle_only_with_a_gap() {
    let three = deferred().await;
    assert_eq!(document(three.clone())["next"], "etcd-scale settle --sts rok-etcd -n rok");
    assert_eq!(document(silent(three.clone()))["next"], "etcd-scale settle --sts rok-etcd -n rok");
    let mut two = three;
    two.members.known_mut().expect("a member list").list.pop();
    let seen = document(two);
    assert_eq!(seen["next"], "etcd-scale up --sts rok-etcd -n rok --to 3");
    assert_eq!(seen["otherwise"], "etcd-scale settle --sts rok-etcd -n rok --rollout now");
}

#[tokio::test]
async fn what_finishes_a_run_may_be_given_twice() {
    let run = half_way(deferred().await);
    assert_eq!(document(run.clone())["next"], "etcd-scale up --sts rok-etcd -n rok --to 3");
    let mut overtaken = run;
    overtaken.statefulset.replicas = 5;
    let seen = document(overtaken);
    assert_eq!(
        (&seen["stage"], &seen["next"]),
        (&"overtaken".into(), &"etcd-scale abort --sts rok-etcd -n rok".into())
    );
}
