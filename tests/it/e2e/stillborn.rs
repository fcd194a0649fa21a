//! New pods that never become members: the run tells why, and the old members stay as they were.

use serde_json::json;

use crate::harness::{Cluster, Launch, Manifest, eventually, kubectl_create};

/// The old members are as they were: same pods, no restarts, still the voters.
#[track_caller]
fn assert_old_members_untouched(cluster: &Cluster, old: &std::collections::BTreeMap<String, String>) {
    let now = cluster.uids();
    for (pod, uid) in old {
        assert_eq!(now.get(pod), Some(uid), "{pod} was replaced");
    }
    for pod in cluster.pods().iter().filter(|pod| pod["metadata"]["name"] != "etcd-2") {
        for container in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
            assert_eq!(container["restartCount"], 0, "{pod:#}");
        }
    }
    let voters: Vec<_> = cluster.members().into_iter().filter(|member| !member.learner).collect();
    assert_eq!(voters.len(), 2, "{voters:#?}");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_crash_loop_shows_the_last_lines() {
    let cluster = Manifest::new().launch(Launch::EndsWhenJoining).start("crash-loop");
    let old = cluster.uids();

    let ended = cluster.run(&["up", "--yes"]);

    ended.exits(1).says("etcd-2").says("this script founds clusters, it does not join them").says("half-way");
    assert_old_members_untouched(&cluster, &old);
    assert!(cluster.record().is_some(), "the record stays for whoever goes on");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_cluster_of_its_own_is_named() {
    let cluster = Manifest::new().launch(Launch::IgnoresCluster).start("own-cluster");
    let old = cluster.uids();

    cluster.run(&["up", "--yes"]).exits(1).says("etcd-2 has formed a cluster of its own").says("member remove");

    assert_old_members_untouched(&cluster, &old);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_pod_that_does_not_join_is_waited_for_as_long_as_said() {
    let cluster = Manifest::new().launch(Launch::HangsWhenJoining).start("never-joins");
    let old = cluster.uids();

    cluster.run(&["up", "--yes", "--pause-before", "wait-join"]).exits(0);
    eventually("its container to run", || cluster.try_exec("etcd-2", &["true"]));
    let ended = cluster.run(&["up", "--yes", "--timeout", "5s"]);

    ended.exits(5).says("Timed out").says("etcd-2").says("Go on with").says("this script waits for ever");
    assert_old_members_untouched(&cluster, &old);
    cluster.run(&["status"]).exits(0).says("not started").says("next: etcd-scale up");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_pod_that_is_not_let_in_is_waited_for_and_then_comes() {
    let cluster = Manifest::new().start("no-room");
    let (strategy, old) = (cluster.strategy(), cluster.uids());
    kubectl_create(&json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "two-pods", "namespace": cluster.name()},
        "spec": {"hard": {"pods": "2"}},
    }));

    cluster.run(&["up", "--yes", "--timeout", "5s"]).exits(5).says("etcd-2 is not created yet");
    assert_old_members_untouched(&cluster, &old);

    cluster.kubectl(&["delete", "resourcequota", "two-pods"]);
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
    cluster.has_grown(3, &strategy);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_learner_that_hangs_is_not_promoted_before_it_keeps_pace() {
    let cluster = Manifest::new().launch(Launch::Child).start("no-pace");
    let (strategy, old) = (cluster.strategy(), cluster.uids());
    cluster.run(&["up", "--yes", "--pause-before", "promote"]).exits(0);
    cluster.hang("etcd-2");

    cluster
        .run(&["up", "--yes", "--timeout", "5s"])
        .exits(5)
        .says("to keep pace with the leader")
        .says("its last lines");
    assert_old_members_untouched(&cluster, &old);

    cluster.unhang("etcd-2");
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
    cluster.has_grown(3, &strategy);
}
