//! Images that add their own pod to the cluster: gone past at the new pod's first start, or left to it.

use serde_json::{Value, json};

use crate::harness::{Cluster, Launch, Manifest, Peers, PodWatch};

fn adding(launch: Launch) -> Manifest {
    Manifest::new().peers(Peers::Variable).launch(launch)
}

/// What the etcd container of the template runs.
fn command(cluster: &Cluster) -> (Value, Value) {
    let container = cluster.set()["spec"]["template"]["spec"]["containers"][0].clone();
    (container["command"].clone(), container["args"].clone())
}

/// Grows by one with the rollout deferred, and proves that it came out as on any other image.
#[track_caller]
fn grows(manifest: &Manifest, from: usize, test: &str, options: &[&str], kinds: &[&str]) -> Cluster {
    let cluster = manifest.clone().replicas(from).start(test);
    let (old, own) = (cluster.uids(), command(&cluster));
    let watch = PodWatch::of(&cluster);

    let ended = cluster.run(&[&["up", "--yes", "--rollout", "defer", "-o", "ndjson"], options].concat());

    ended.exits(0).says("adds its own pod to the cluster");
    assert_eq!(ended.kinds(), kinds, "{ended}");
    cluster.has_voters(from + 1);
    assert_eq!(command(&cluster), own, "the template's command is another");
    assert_eq!(cluster.variable("ETCD_INITIAL_CLUSTER"), Some(Manifest::list(cluster.name(), from + 1)));
    assert_eq!(cluster.variable("ETCD_INITIAL_CLUSTER_STATE").as_deref(), Some("existing"));
    let newest = format!("etcd-{from}");
    assert!(cluster.on_present_template().contains(&newest), "{newest} does not run its own command");
    let new = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| new[pod] == *uid), "an old pod was restarted");
    watch.had_one_down_at_most(&cluster, from + 1);
    cluster.run(&["verify"]).exits(0).says("hashes equal on");
    cluster
}

const PAST: &[&str] = &["open-run", "add-learner", "patch-statefulset", "restore-command", "promote", "defer-rollout"];

const BY_ITSELF: &[&str] = &["open-run", "patch-statefulset", "defer-rollout"];

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn its_script_is_gone_past_at_the_first_start() {
    let cluster = grows(&adding(Launch::AddsItself).by_hand(), 3, "adds", &[], &{
        let mut kinds = PAST.to_vec();
        kinds.insert(1, "create-volume");
        kinds
    });
    cluster.run(&["settle", "--yes"]).exits(0);
    cluster.has_voters(4);
    cluster.has_no_traces();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_script_that_first_removes_its_own_member() {
    grows(&adding(Launch::ReplacesItself), 2, "replaces", &["--join", "learner"], PAST);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn under_on_delete_its_pod_is_deleted_to_come_back() {
    let mut kinds = PAST.to_vec();
    kinds.insert(4, "delete-pod");
    let manifest = adding(Launch::AddsItself).strategy(json!({"type": "OnDelete"}));
    grows(&manifest, 2, "adds-on-delete", &[], &kinds);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn it_is_left_to_its_script() {
    let cluster = grows(&adding(Launch::AddsItself), 2, "adds-self", &["--join", "self"], BY_ITSELF);
    cluster.run(&["settle", "--yes"]).exits(0);
    cluster.has_voters(3);
    cluster.has_no_traces();
    grows(&adding(Launch::ReplacesItself), 2, "replaces-self", &["--join", "self"], BY_ITSELF);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_before_and_after_its_command_is_restored() {
    let cluster = adding(Launch::AddsItself).start("adds-kill");
    let (strategy, own) = (cluster.strategy(), command(&cluster));
    for kind in ["patch-statefulset", "restore-command"] {
        let mut running = cluster.program(&["up", "--to", "3", "--yes", "-o", "ndjson"]).start();
        running.until("the change is made", |event| event.applied(kind));
        running.kill();
    }
    assert_eq!(cluster.record().unwrap()["join"]["way"], "bypass");
    cluster.run(&["status"]).exits(0).says("next: etcd-scale up");

    cluster.run(&["up", "--yes"]).exits(0).says("This finished the run that");

    cluster.has_voters(3);
    cluster.has_no_traces();
    assert_eq!((cluster.strategy(), command(&cluster)), (strategy, own));
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_script_that_cannot_be_gone_past() {
    let unseen = adding(Launch::AddsItself).start("adds-unseen");
    let add = json!([{"op": "add", "path": "/spec/template/spec/containers/0/lifecycle",
        "value": {"preStop": {"exec": {"command": ["true"]}}}}]);
    unseen.kubectl(&["patch", "statefulset", "etcd", "--type=json", "-p", &add.to_string()]);
    unseen.kubectl(&["rollout", "status", "statefulset", "etcd"]);
    unseen.rests(2);
    let before = unseen.standing();

    unseen.run(&["up", "--yes", "--join", "learner"]).exits(3).says("preStop hook").says("--join self");

    assert_eq!(unseen.standing(), before);
    unseen.run(&["up", "--dry-run"]).exits(0).says("there is no learner phase");
    unseen.run(&["up", "--yes", "--rollout", "defer"]).exits(0);
    unseen.has_voters(3);
}
