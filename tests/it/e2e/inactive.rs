//! Members that etcd holds inactive although they are there: the guide's "unhealthy cluster".

use crate::harness::{Cluster, Launch, Manifest, PodWatch, SERVICE, eventually, list};

/// Three members of which each holds the next inactive: it cannot find it by name, and what connected them is gone.
fn mistaken() -> Cluster {
    let cluster = Manifest::new().replicas(3).launch(Launch::Child).start("inactive");
    let pod = |at: usize| format!("etcd-{}", at % 3);
    for at in 0..3 {
        let host = format!("{}.{SERVICE}.{}.svc", pod(at + 1), cluster.name());
        cluster.exec(&pod(at), &["sh", "-c", &format!("echo 127.0.0.9 {host} >> /etc/hosts")]);
    }
    let inactive = |pod: &str| -> Result<(), String> {
        let look = "wget -qO- http://127.0.0.1:2379/metrics | grep '^etcd_network_active_peers'";
        let peers = cluster.try_exec(pod, &["sh", "-c", look])?;
        if peers.lines().any(|peer| peer.ends_with(" 0")) { Ok(()) } else { Err(format!("{pod}: {peers}")) }
    };
    // While it hangs the others give its connections up, and one of them cannot make new ones.
    let lose = |at: usize| {
        cluster.hang(&pod(at));
        eventually("its connections to be given up", || inactive(&pod(at + 2)));
        cluster.unhang(&pod(at));
        eventually("all to be healthy", || cluster.try_exec("etcd-0", &["etcdctl", "endpoint", "health", "--cluster"]));
    };
    (0..3).for_each(lose);
    // Sometimes one has come back all the same.
    eventually("each to hold one inactive", || {
        (0..3).try_for_each(|at| inactive(&pod(at)).inspect_err(|_| lose(at + 1)))
    });
    cluster
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn one_restarted_member_is_enough() {
    // The sandbox makes its pods' names anew whenever one changes, so that nothing stays mistaken there.
    if list(&["node"], "", "").iter().any(|node| node["metadata"]["name"] == "sandbox") {
        return;
    }
    let cluster = mistaken();
    let before = cluster.uids();
    let watch = PodWatch::of(&cluster);

    let ended = cluster.run(&["up", "--to", "4", "--yes", "--rollout", "defer"]);

    ended.exits(0).says("inactive").says("starts anew");
    watch.had_one_old_down_at_most(&cluster, 3);
    cluster.has_voters(4);
    let after = cluster.uids();
    let restarted = before.iter().filter(|(pod, uid)| after.get(*pod) != Some(uid)).count();
    assert_eq!(restarted, 1, "{ended}");
}
