//! `down`: the highest ordinal goes, its member before its pod.

use serde_json::json;

use crate::harness::{Manifest, PodWatch};

use super::cut_off::{kill_after, rounds};

/// A run from three to two tells about this many events.
const EVENTS: usize = 60;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn the_leader_hands_over_before_it_goes() {
    let cluster = Manifest::new().replicas(4).start("down-leader");
    cluster.lead("etcd-3");
    let strategy = cluster.strategy();
    let (_, term) = cluster.leader();
    let watch = PodWatch::of(&cluster);

    let ended = cluster.run(&["down", "--yes", "--rollout", "defer", "-o", "ndjson"]);

    ended.exits(0);
    assert_eq!(ended.kinds(), ["open-run", "move-leader", "remove-member", "patch-statefulset", "defer-rollout"]);
    cluster.has_voters(3);
    assert_eq!(cluster.leader(), ("etcd-0".to_owned(), term + 1), "nobody was elected but by the hand-over");
    assert_eq!(cluster.variable("ETCD_CLUSTER_SIZE").as_deref(), Some("3"));
    assert!(cluster.claims().contains("store-etcd-3"), "it is kept unless told");
    watch.had_one_of_those_down_at_most(&cluster, 4);

    cluster.run(&["settle", "--yes"]).exits(0);
    assert_eq!(cluster.strategy(), strategy);
    cluster.has_no_traces();
    assert_eq!(cluster.on_present_template().len(), 3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn down_and_up_and_down_again() {
    let cluster = Manifest::new().replicas(3).start("down-up-down");
    cluster.run(&["down", "--yes"]).exits(3).says("--to 2");
    cluster.run(&["down", "--to", "2", "--yes"]).exits(0).says("store-etcd-2 is kept");
    cluster.has_voters(2);

    cluster.run(&["up", "--yes"]).exits(3).says("claim store-etcd-2 exists already").says("--claim delete");
    cluster.run(&["status"]).exits(0).says("--to 3 --claim delete");
    cluster.run(&["up", "--yes", "--claim", "delete"]).exits(0).says("DELETE claim store-etcd-2");
    cluster.has_voters(3);
    cluster.has_no_traces();

    cluster.run(&["down", "--to", "1", "--yes", "--claim", "delete"]).exits(0).says("DELETE claim");
    cluster.has_voters(1);
    assert_eq!(cluster.claims().len(), 1, "{:?}", cluster.claims());
    cluster.run(&["down", "--yes"]).exits(3).says("no member");
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
    cluster.has_voters(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn what_stands_in_the_way_is_named() {
    let cluster = Manifest::new().replicas(3).start("down-refused");
    let before = cluster.standing();
    cluster.run(&["down", "--to", "4", "--yes"]).exits(3).says("etcd-scale up");
    cluster.run(&["down", "--to", "2"]).exits(4);
    cluster.run(&["down", "--to", "2", "--dry-run"]).exits(0).says("Remove member").says("Nothing was changed");
    assert_eq!(cluster.standing(), before);
    cluster.empty("etcd-0");
    cluster.run(&["down", "--to", "2", "--yes"]).exits(3).says("does not answer");
    // One that is broken may go, where it is the one to go.
    cluster.run(&["replace", "etcd-0", "--yes"]).exits(0);
    cluster.corrupt("etcd-2");
    cluster.run(&["down", "--to", "2", "--yes", "--claim", "delete"]).exits(0);
    cluster.has_voters(2);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn under_on_delete_nothing_else_is_touched() {
    let cluster = Manifest::new().replicas(3).strategy(json!({"type": "OnDelete"})).start("down-on-delete");
    let old = cluster.uids();
    cluster.run(&["down", "--to", "2", "--yes"]).exits(0);
    cluster.has_voters(2);
    assert!(cluster.uids().iter().all(|(pod, uid)| old[pod] == *uid));
    assert_eq!(cluster.strategy(), json!({"type": "OnDelete"}));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_and_run_again() {
    rounds("kill-down", |random, told| {
        let cluster = Manifest::new().replicas(4).start("kill-down");
        cluster.lead("etcd-3");
        let strategy = cluster.strategy();
        let arguments = ["down", "--to", "3", "--yes", "--claim", "delete"];
        let running = cluster.program(&[&arguments[..], &["-o", "ndjson"]].concat()).start();
        kill_after(running, random.usize(..EVENTS), told);

        cluster.run(&arguments).exits(0);

        cluster.has_voters(3);
        cluster.has_no_traces();
        assert_eq!(cluster.strategy(), strategy);
        assert_eq!(cluster.claims().len(), 3);
        cluster.run(&["verify"]).exits(0);
    });
}
