//! The list of peers that a new member starts with, set wherever it stands.

use etcd_scale::model::{
    Answer, Change, ConfigMap, EnvSource, Goal, Known, Observation, Question, Record, partition_of, patch_operations,
};
use etcd_scale::runbook::{Step, Trail, Verdict};
use etcd_scale::steps::PatchStatefulSet;
use serde_json::{Value, json};

use super::sample::{by_hand, peer, prechecked, up_to};

/// A run that has added its learner, and its goal.
pub(super) fn with_learner(observation: &Observation) -> (Observation, Goal) {
    let goal = Goal::resolve(&up_to(3, "run"), observation).expect("a goal");
    let record = Box::new(Record::opening(&goal, observation, None));
    let peer_url = "http://rok-etcd-2.rok-etcd-cluster.rok:2380".to_owned();
    let added = Change::AddLearner { name: "rok-etcd-2".into(), peer_url };
    (observation.after(&Change::OpenRun { record }).after(&added), goal)
}

pub(super) fn judged(observation: &Observation, goal: &Goal) -> Verdict {
    PatchStatefulSet.judge(observation, goal, &Trail::default())
}

pub(super) fn change(observation: &Observation, goal: &Goal) -> Change {
    match judged(observation, goal) {
        Verdict::Change(proposal) => proposal.change,
        other => panic!("{other:?}"),
    }
}

pub(super) fn all_three() -> String {
    (0..3).map(peer).collect::<Vec<_>>().join(",")
}

#[test]
fn a_folded_literal_becomes_one_line_of_all_members() {
    let (observation, goal) = with_learner(&by_hand(2));
    let change = change(&observation, &goal);
    let next = observation.after(&change);
    let (_, container) = next.statefulset.template.etcd().unwrap();
    assert_eq!(container.literal("ETCD_INITIAL_CLUSTER"), Some(all_three().as_str()));
    assert_eq!(container.literal("ETCD_INITIAL_CLUSTER_STATE"), Some("existing"));
    assert_eq!(partition_of(&next.statefulset.strategy), 2);
    assert!(matches!(judged(&next, &goal), Verdict::Done(_)));
    // What stands is tested as it stands, folds and all.
    let operations = patch_operations(&change, &observation).unwrap();
    assert!(
        operations.iter().any(|op| op["op"] == "test" && op["value"].as_str().is_some_and(|v| v.contains(",\n  ")))
    );
}

#[test]
fn a_list_that_is_right_in_another_order_is_left_alone() {
    let mut observation = by_hand(2);
    let list = [2, 0, 1].map(peer).join(",");
    observation.statefulset.template.containers[0].env[1].source = EnvSource::Literal(list);
    let (observation, goal) = with_learner(&observation);
    let Change::PatchStatefulSet { env, .. } = change(&observation, &goal) else { panic!() };
    assert_eq!(env.iter().map(|edit| edit.name.as_str()).collect::<Vec<_>>(), ["ETCD_INITIAL_CLUSTER_STATE"]);
}

#[test]
fn flags_are_replaced_in_the_words_they_stand_in() {
    let mut observation = by_hand(2);
    let list = format!("{},{}", peer(0), peer(1));
    let container = &mut observation.statefulset.template.containers[0];
    container.env.remove(1);
    container.args = vec![format!("--initial-cluster={list}"), "--initial-cluster-state=new".into()];
    let (seen, goal) = with_learner(&observation);
    let separate = change(&seen, &goal);
    let words = |observation: &Observation| observation.statefulset.template.containers[0].args.clone();
    let wanted = [format!("--initial-cluster={}", all_three()), "--initial-cluster-state=existing".into()];
    assert_eq!(words(&seen.after(&separate)), wanted);
    assert!(matches!(judged(&seen.after(&separate), &goal), Verdict::Done(_)));

    let mut object = json!({
        "metadata": {"annotations": {"etcd-scale.io/run": seen.statefulset.run_annotation()}},
        "spec": {
            "replicas": 2,
            "updateStrategy": seen.statefulset.strategy,
            "template": {"spec": {"containers": [{"name": "etcd", "args": words(&seen)}]}},
        },
    });
    let operations = Value::Array(patch_operations(&separate, &seen).unwrap());
    json_patch::patch(&mut object, &serde_json::from_value::<json_patch::Patch>(operations).unwrap()).unwrap();
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["args"], json!(wanted));

    // Both in one script.
    let script = |list: &str, state: &str| {
        format!("set -e\nexec etcd --initial-cluster-state {state} \\\n  --initial-cluster '{list}' --name $NAME\n")
    };
    let container = &mut observation.statefulset.template.containers[0];
    container.command = vec!["sh".into(), "-c".into()];
    container.args = vec![script(&list, "new")];
    let (seen, goal) = with_learner(&observation);
    assert_eq!(words(&seen.after(&change(&seen, &goal))), [script(&all_three(), "existing")]);
}

/// The ConfigMap that the variables come from, as an answer.
fn answered(observation: &Observation, map: &Known<Option<ConfigMap>>, name: &str) -> Observation {
    let mut observation = observation.clone();
    let keys = vec!["list".to_owned(), "state".to_owned()];
    for keys in [keys.clone(), keys[..1].to_vec()] {
        observation.answers.push((Question::ConfigMap { name: name.into(), keys }, Answer::ConfigMap(map.clone())));
    }
    observation
}

fn from_config_map(name: &str) -> Observation {
    let mut observation = by_hand(2);
    let env = &mut observation.statefulset.template.containers[0].env;
    env[1].source = EnvSource::ConfigMap { name: name.into(), key: "list".into() };
    env[2].source = EnvSource::ConfigMap { name: name.into(), key: "state".into() };
    observation
}

fn map(immutable: bool) -> ConfigMap {
    let data = [("list".to_owned(), [0, 1].map(peer).join(",")), ("state".to_owned(), "new".to_owned())];
    ConfigMap { version: "7".into(), immutable, owner: None, data: data.into() }
}

#[test]
fn a_config_map_is_patched_behind_the_guard() {
    let (observation, goal) = with_learner(&from_config_map("peers"));
    assert!(matches!(judged(&observation, &goal), Verdict::Look(_)));
    let observation = answered(&observation, &Known::Known(Some(map(false))), "peers");

    let guard = change(&observation, &goal);
    assert!(matches!(&guard, Change::PatchStatefulSet { from: 2, to: 2, env, .. } if env.is_empty()), "{guard:?}");
    let observation = observation.after(&guard);
    assert_eq!(partition_of(&observation.statefulset.strategy), 2);
    assert_eq!(observation.statefulset.replicas, 2);

    let patch = change(&observation, &goal);
    let first_two = [0, 1].map(peer).join(",");
    assert_eq!(
        patch_operations(&patch, &observation).unwrap(),
        [
            json!({"op": "test", "path": "/data/list", "value": first_two}),
            json!({"op": "replace", "path": "/data/list", "value": all_three()}),
            json!({"op": "test", "path": "/data/state", "value": "new"}),
            json!({"op": "replace", "path": "/data/state", "value": "existing"}),
        ]
    );
    let observation = observation.after(&patch);

    let raise = change(&observation, &goal);
    assert!(matches!(&raise, Change::PatchStatefulSet { from: 2, to: 3, env, .. } if env.is_empty()), "{raise:?}");
    assert!(matches!(judged(&observation.after(&raise), &goal), Verdict::Done(_)));
}

/// The facts for which precheck refuses, its looks answered as a plan would assume.
pub(super) fn refused(observation: &Observation) -> String {
    let goal = Goal::resolve(&up_to(3, "run"), observation).unwrap();
    match prechecked(observation.clone(), &goal) {
        Verdict::Refuse(refusal) => refusal.facts.into_iter().map(|fact| fact.fact).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_patched_is_refused_by_name() {
    let with = |name: &str, map| refused(&answered(&from_config_map(name), &map, name));
    assert!(with("peers", Known::Known(Some(map(true)))).contains("key list of ConfigMap peers has to change, and"));
    assert!(with("peers-7tk2m96bfh", Known::Known(Some(map(false)))).contains("carries a hash"));
    assert!(
        with("peers", Known::Known(None)).contains("ConfigMap peers, from which the template reads, does not exist")
    );
    assert!(with("peers", Known::Unknown("forbidden".into())).contains("could not be read: forbidden"));
    let owned = ConfigMap { owner: Some("Release puls8".into()), ..map(false) };
    assert!(with("peers", Known::Known(Some(owned))).contains("Release puls8 would undo that"));
    let mut file = by_hand(2);
    file.statefulset.template.containers[0].args = vec!["--config-file=/etc/etcd.yaml".into()];
    assert!(refused(&file).contains("fixed in the etcd configuration file /etc/etcd.yaml"));
}
