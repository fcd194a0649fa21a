//! Patches do to an object what the model foresees, and nothing to an object that has changed meanwhile.

use etcd_scale::model::{Change, Goal, Observation, RUN_ANNOTATION, Record, patch_operations};
use etcd_scale::runbook::{Step, Trail, Verdict};
use etcd_scale::steps::PatchStatefulSet;
use serde_json::{Value, json};

use super::sample::{up_to, with_strategy};

/// The object of which the sample is the observation.
fn object(observation: &Observation) -> Value {
    let set = &observation.statefulset;
    json!({
        "metadata": {"resourceVersion": set.resource_version, "annotations": {"kept": "yes"}},
        "spec": {
            "replicas": set.replicas,
            "updateStrategy": set.strategy,
            "template": {"spec": {"containers": [{
                "name": "etcd",
                "env": [
                    {"name": "ETCDCTL_API", "value": "3"},
                    {"name": "ETCD_CLUSTER_SIZE", "value": set.replicas.to_string()},
                    {"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "new"},
                ],
            }]}},
        },
    })
}

fn apply(object: &mut Value, change: &Change, observation: &Observation) -> Result<(), json_patch::PatchError> {
    let operations = Value::Array(patch_operations(change, observation).expect("a patch"));
    json_patch::patch(object, &serde_json::from_value::<json_patch::Patch>(operations).unwrap())
}

/// The observation of a run that has added its learner, its object, and the patch that comes next.
fn about_to_patch(strategy: Value) -> (Observation, Value, Change) {
    let mut observation = with_strategy(2, strategy);
    observation.statefulset.annotations.insert("kept".into(), "yes".into());
    let mut object = object(&observation);
    let goal = Goal::resolve(&up_to(3, "run"), &observation).unwrap();
    let open = Change::OpenRun { record: Box::new(Record::opening(&goal, &observation, None)) };
    apply(&mut object, &open, &observation).unwrap();
    observation = observation.after(&open).after(&Change::AddLearner {
        name: "rok-etcd-2".into(),
        peer_url: "http://rok-etcd-2.rok-etcd-cluster.rok:2380".into(),
    });
    let Verdict::Change(proposal) = PatchStatefulSet.judge(&observation, &goal, &Trail::default()) else {
        panic!("no change");
    };
    (observation, object, proposal.change)
}

#[test]
fn replicas_template_and_guard_change_in_one_patch() {
    for strategy in [
        json!({"type": "RollingUpdate"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}),
        json!({"type": "OnDelete"}),
    ] {
        let (observation, mut object, change) = about_to_patch(strategy.clone());
        apply(&mut object, &change, &observation).unwrap();
        let env = &object["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(object["spec"]["replicas"], 3);
        assert_eq!(env[0]["value"], "3", "the version of etcdctl's API is no size");
        assert_eq!(env[1], json!({"name": "ETCD_CLUSTER_SIZE", "value": "3"}));
        assert_eq!(env[2], json!({"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "existing"}));
        assert_eq!(object["spec"]["updateStrategy"], observation.after(&change).statefulset.strategy);
        if strategy["type"] == "OnDelete" {
            assert_eq!(object["spec"]["updateStrategy"], strategy);
        } else {
            assert_eq!(object["spec"]["updateStrategy"]["rollingUpdate"]["partition"], 2);
        }
        let observation = observation.after(&change);
        let lower = Change::LowerPartition {
            frees: None,
            from: observation.statefulset.strategy.clone(),
            to: strategy.clone(),
        };
        apply(&mut object, &lower, &observation).unwrap();
        assert_eq!(object["spec"]["updateStrategy"], strategy);
        apply(&mut object, &Change::CloseRun, &observation).unwrap();
        assert_eq!(object["metadata"]["annotations"], json!({"kept": "yes"}));
    }
}

#[test]
fn an_object_that_changed_meanwhile_is_left_alone() {
    let meddle: [(&str, Value); 5] = [
        ("/spec/replicas", json!(4)),
        ("/spec/updateStrategy/rollingUpdate/partition", json!(1)),
        ("/spec/template/spec/containers/0/env/1/value", json!("7")),
        ("/spec/template/spec/containers/0/env/2/name", json!("OTHER")),
        ("/metadata/annotations/etcd-scale.io~1run", json!("another run")),
    ];
    for (place, value) in meddle {
        let (observation, mut object, change) =
            about_to_patch(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
        *object.pointer_mut(place).unwrap() = value;
        let before = object.clone();
        assert!(apply(&mut object, &change, &observation).is_err(), "{place}");
        assert_eq!(object, before, "{place}");
    }
}

#[test]
fn a_template_that_is_taken_back_has_the_revision_that_was_held_back_before() {
    let (mut observation, _, change) = about_to_patch(json!({"type": "RollingUpdate"}));
    observation.statefulset.update_revision = "held back".to_owned();
    let patched = observation.after(&change);
    let record = patched.statefulset.readable_record().and_then(|record| record.patched);
    let taken_back = patched.after(&Change::TakeBack { patched: Box::new(record.expect("it is noted")) });
    assert_ne!(patched.statefulset.update_revision, "held back");
    assert_eq!(taken_back.statefulset.update_revision, "held back");
    assert_eq!(taken_back.statefulset.template, observation.statefulset.template);
}

#[test]
fn the_record_is_written_only_on_the_object_that_was_seen() {
    let observation = with_strategy(2, json!({"type": "RollingUpdate"}));
    let mut object = object(&observation);
    object["metadata"]["resourceVersion"] = json!("2");
    let goal = Goal::resolve(&up_to(3, "run"), &observation).unwrap();
    let open = Change::OpenRun { record: Box::new(Record::opening(&goal, &observation, None)) };
    assert!(apply(&mut object, &open, &observation).is_err());

    // Without any annotation the map has to be made first.
    object["metadata"] = json!({"resourceVersion": "1"});
    apply(&mut object, &open, &observation).unwrap();
    let text = object["metadata"]["annotations"][RUN_ANNOTATION].as_str().unwrap();
    let record = Record::parse(text).unwrap();
    assert_eq!((record.from, record.to, record.run.as_str()), (2, 3, "run"));
    assert_eq!(record.strategy, json!({"type": "RollingUpdate"}));
}

#[test]
fn a_record_of_another_version_is_not_taken_for_none() {
    let mut observation = with_strategy(2, json!({"type": "RollingUpdate"}));
    for text in ["{}", "not json", "{\"version\": 2}"] {
        observation.statefulset.annotations.insert(RUN_ANNOTATION.into(), text.into());
        assert!(Goal::resolve(&up_to(3, "run"), &observation).is_err(), "{text}");
    }
}
