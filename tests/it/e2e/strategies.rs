//! StatefulSets that differ: update strategies, the order of pods, where the data is, one member.

use serde_json::json;

use crate::harness::{Manifest, PodWatch};

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn without_a_rolling_update_object() {
    let strategy = json!({"type": "RollingUpdate"});
    let cluster = Manifest::new().strategy(strategy.clone()).start("no-object");
    assert_eq!(cluster.strategy(), strategy, "the API server keeps it absent");

    cluster.run(&["up", "--yes"]).exits(0);

    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn with_a_partition_of_the_users_own() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let cluster = Manifest::new().strategy(strategy.clone()).start("own-partition");
    let old = cluster.uids();

    cluster.run(&["up", "--yes"]).exits(0);

    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.on_present_template(), ["etcd-1", "etcd-2"], "down to the partition, never below");
    assert_eq!(cluster.uids()["etcd-0"], old["etcd-0"]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn with_on_delete() {
    let strategy = json!({"type": "OnDelete"});
    let cluster = Manifest::new().strategy(strategy.clone()).start("on-delete");
    let watch = PodWatch::of(&cluster);

    let ended = cluster.run(&["up", "--yes", "-o", "ndjson"]);

    ended.exits(0);
    cluster.has_grown(3, &strategy);
    watch.had_one_down_at_most(&cluster, 3);
    let count = |kind: &str| ended.changes().iter().filter(|change| change["kind"] == kind).count();
    assert_eq!(count("delete-pod"), 2, "each old pod is deleted once\n{ended}");
    assert_eq!(count("lower-partition"), 0, "there is no partition under OnDelete\n{ended}");
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn with_ordered_pods() {
    let cluster = Manifest::new().ordered().start("ordered");
    let strategy = cluster.strategy();
    let watch = PodWatch::of(&cluster);

    cluster.run(&["up", "--yes"]).exits(0);

    cluster.has_grown(3, &strategy);
    watch.had_one_down_at_most(&cluster, 3);
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn data_on_an_empty_dir_is_never_restarted() {
    let cluster = Manifest::new().unclaimed().start("empty-dir");
    let strategy = cluster.strategy();
    let before = cluster.standing();
    let old = cluster.uids();

    cluster.run(&["up", "--yes"]).exits(3).says("an emptyDir").says("--rollout defer").says("Nothing was changed");
    assert_eq!(cluster.standing(), before);

    cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0);
    cluster.has_voters(3);
    let grown = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| grown[pod] == *uid), "no member was restarted: {old:?} {grown:?}");
    let record = cluster.record().expect("the record stays");
    assert_eq!(record["deferred"], true);
    assert_eq!(record["strategy"], strategy);

    let deferred = cluster.standing();
    let refused = cluster.run(&["settle", "--yes"]);
    assert_ne!(refused.code, Some(0), "{refused}");
    refused.says("an emptyDir");
    assert_eq!(cluster.standing(), deferred);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn one_to_two_defers_and_three_brings_all_along() {
    let cluster = Manifest::new().of_the_guides().replicas(1).start("from-one");
    let strategy = cluster.strategy();
    let first = cluster.uids();

    let ended = cluster.run(&["up", "--yes"]);
    ended.exits(0).says("remains").says("--to 3").says("settle --rollout now");
    cluster.has_voters(2);
    assert_eq!(cluster.uids()["etcd-0"], first["etcd-0"], "with two voters nothing is restarted");
    assert_eq!(cluster.record().expect("the record stays")["deferred"], true);

    let deferred = cluster.standing();
    cluster.run(&["settle", "--yes"]).exits(3).says("no quorum");
    assert_eq!(cluster.standing(), deferred);

    cluster.run(&["up", "--to", "3", "--yes"]).exits(0).never_says("remains");
    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn one_to_two_now_accepts_the_gap() {
    let cluster = Manifest::new().replicas(1).start("from-one-now");
    let strategy = cluster.strategy();

    cluster.run(&["up", "--yes", "--rollout", "now"]).exits(0);

    cluster.has_grown(2, &strategy);
    assert_eq!(cluster.on_present_template().len(), 2);
}
