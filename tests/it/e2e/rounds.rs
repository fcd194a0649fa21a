//! Growing and shrinking by several, one after another, with a client that writes all the time.

use crate::harness::{Manifest, Peers, PodWatch, Writer, kubectl};

use super::cut_off::{kill_after, rounds};

/// A run from one to three, or back, tells about this many events.
const EVENTS: usize = 120;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn one_to_three_to_five_and_back_under_writes() {
    let cluster = Manifest::new().of_the_guides().replicas(1).start("rounds");
    let strategy = cluster.strategy();
    let writer = Writer::on(&cluster, 5);

    let ended = cluster.run(&["up", "--to", "3", "--yes", "-o", "ndjson"]);
    ended.exits(0);
    cluster.has_grown(3, &strategy);
    let kinds = ended.kinds();
    let count = |kind: &str| kinds.iter().filter(|done| *done == kind).count();
    assert_eq!((count("add-learner"), count("patch-statefulset"), count("promote")), (2, 2, 2), "{kinds:?}");
    assert!(
        kinds.iter().position(|kind| kind == "lower-partition") > kinds.iter().rposition(|kind| kind == "promote"),
        "the rollout is settled once, at the end: {kinds:?}"
    );
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0).says("Nothing to do");

    let watch = PodWatch::of(&cluster);
    cluster.run(&["up", "--by", "2", "--yes"]).exits(0).says("has 5 members");
    cluster.has_grown(5, &strategy);
    watch.had_one_of_those_down_at_most(&cluster, 3);

    cluster.run(&["down", "--to", "3", "--yes", "--claim", "delete"]).exits(0).says("has 3 members");
    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.claims().len(), 3, "{:?}", cluster.claims());
    writer.lost_nothing(&cluster, "1 -> 3 -> 5 -> 3");
    cluster.run(&["verify"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_pod_of_an_earlier_round_that_is_deleted_comes_back() {
    let cluster = Manifest::new().replicas(3).start("rounds-deleted");
    let strategy = cluster.strategy();
    let mut running = cluster.program(&["up", "--to", "5", "--yes", "-o", "ndjson"]).start();
    for round in ["first", "second"] {
        running.until(&format!("the {round} patch"), |event| event.applied("patch-statefulset"));
    }

    kubectl(&["delete", "pod", "-n", cluster.name(), "etcd-3", "--wait=false"]);

    running.end().exits(0);
    cluster.has_grown(5, &strategy);
    cluster.run(&["verify"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_between_and_in_rounds_and_run_again() {
    rounds("kill-rounds", |random, told| {
        let cluster = Manifest::new().replicas(1).start("kill-rounds");
        let strategy = cluster.strategy();
        let running = cluster.program(&["up", "--to", "3", "--yes", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS), told);

        cluster.run(&["up", "--to", "3", "--yes"]).exits(0);

        cluster.has_grown(3, &strategy);
        cluster.run(&["verify"]).exits(0);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn lists_of_peers_follow_each_round() {
    let cluster = Manifest::new().replicas(2).peers(Peers::Variable).start("rounds-list");
    cluster.run(&["up", "--to", "4", "--yes", "--rollout", "defer"]).exits(0).says("has 4 members");
    cluster.has_voters(4);
    let list = cluster.variable("ETCD_INITIAL_CLUSTER").unwrap_or_default();
    assert_eq!(list.split(',').count(), 4, "{list}");
    cluster.run(&["down", "--to", "3", "--yes"]).exits(0);
    let list = cluster.variable("ETCD_INITIAL_CLUSTER").unwrap_or_default();
    assert_eq!(list.split(',').count(), 3, "{list}");
}
