//! The rollout to the older members: left for later, and brought to them.

use crate::harness::{Manifest, PodWatch};

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_deferred_rollout_is_settled() {
    let cluster = Manifest::new().start("settle");
    let strategy = cluster.strategy();
    let old = cluster.uids();

    let ended = cluster.run(&["up", "--yes", "--rollout", "defer"]);
    ended.exits(0).says("remains").says("etcd-scale settle --sts etcd");
    cluster.has_voters(3);
    let grown = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| grown[pod] == *uid), "the old pods were not touched: {old:?} {grown:?}");
    let record = cluster.record().expect("the record stays");
    assert_eq!(record["deferred"], true);
    assert_eq!(record["strategy"], strategy, "with the strategy to restore");
    assert_eq!(cluster.strategy()["rollingUpdate"]["partition"], 2, "the guard stays");

    let standing = cluster.standing();
    assert!(standing == cluster.standing());
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0).says("Nothing to do").says("settle");
    assert_eq!(cluster.standing(), standing);
    cluster.run(&["settle"]).exits(4);
    assert_eq!(cluster.standing(), standing);
    cluster.run(&["settle", "--dry-run"]).exits(0).says("Let pod etcd-0 restart").says("Let pod etcd-1 restart");
    assert_eq!(cluster.standing(), standing);
    cluster.run(&["status"]).exits(0).says("deferred").says("next: etcd-scale settle");

    let watch = PodWatch::of(&cluster);
    cluster.run(&["settle", "--yes"]).exits(0).says("Done: ");
    cluster.has_grown(3, &strategy);
    watch.had_one_down_at_most(&cluster, 3);
    assert_eq!(cluster.on_present_template().len(), 3);
    assert_eq!(cluster.uids()["etcd-2"], grown["etcd-2"], "the newest pod runs the template already");
    cluster.run(&["settle", "--yes"]).exits(0).says("Nothing to do");
}
