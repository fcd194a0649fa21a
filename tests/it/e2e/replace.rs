//! `replace`: a member that is dead, corrupt or has lost its data comes back with the data of the others.

use serde_json::json;

use crate::harness::{Cluster, Manifest, Member, Peers, PodWatch, eventually};

use super::cut_off::{kill_after, rounds};

/// A replacement tells about this many events.
const EVENTS: usize = 60;

/// Every ordinal in turn, each broken in the same way.
fn each_ordinal(test: &str, spoil: fn(&Cluster, &str)) {
    let cluster = Manifest::new().replicas(3).patient().start(test);
    let strategy = cluster.strategy();
    cluster.exec("etcd-0", &["etcdctl", "put", "kept", "value"]);
    // The middle one first: its template still says `new`, and its neighbours must not follow it.
    for pod in ["etcd-1", "etcd-0", "etcd-2"] {
        let other = if pod == "etcd-0" { "etcd-1" } else { "etcd-0" };
        let old = id_of(&cluster, pod, other);
        // A new leader knows nothing of what a member held, which may come back whole then: so it is none that ends here.
        // One that was elected meanwhile, on a machine that is hard at work, is answered by spoiling it once more.
        let spoiled_and_replaced = || {
            cluster.lead(other);
            spoil(&cluster, pod);
            let watch = PodWatch::of(&cluster);
            (watch, cluster.run(&["replace", pod, "--yes", "-o", "ndjson"]))
        };
        let (mut watch, mut ended) = spoiled_and_replaced();
        for _ in 0..2 {
            if ended.stderr.contains("is healthy") {
                (watch, ended) = spoiled_and_replaced();
            }
        }

        ended.exits(0);
        assert_eq!(ended.kinds()[..2], ["open-run", "remove-member"], "it goes before anything else\n{ended}");
        cluster.has_voters(3);
        cluster.has_no_traces();
        assert_eq!(cluster.strategy(), strategy);
        assert_ne!(id_of(&cluster, pod, other), old, "a removed id never comes back");
        assert_eq!(cluster.exec(pod, &["etcdctl", "get", "kept", "--print-value-only"]).trim(), "value");
        watch.had_one_of_those_down_at_most(&cluster, 3);
    }
    assert_eq!(cluster.variable("ETCD_INITIAL_CLUSTER_STATE").as_deref(), Some("existing"));
    cluster.run(&["verify"]).exits(0);
}

/// The id of a pod's member, as another pod tells it.
fn id_of(cluster: &Cluster, pod: &str, ask: &str) -> u64 {
    let list = cluster.exec(ask, &["etcdctl", "member", "list", "-w", "json"]);
    let members = Member::all(&serde_json::from_str(&list).expect("JSON"));
    members.iter().find(|member| member.name.starts_with(pod)).expect("a member of that pod").id
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn each_ordinal_with_its_data_emptied() {
    each_ordinal("replace-empty", Cluster::empty);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn each_ordinal_with_its_data_corrupt() {
    each_ordinal("replace-corrupt", Cluster::corrupt);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn on_a_volume_made_by_hand_it_gets_another_path() {
    let cluster = Manifest::new().replicas(3).peers(Peers::Variable).by_hand().start("replace-by-hand");
    cluster.empty("etcd-1");
    cluster.run(&["replace", "etcd-1", "--yes", "--rollout", "defer"]).exits(0).says("DELETE volume");
    cluster.has_voters(3);
    let used = cluster.set()["metadata"]["annotations"]["etcd-scale.io/used-paths"].clone();
    assert!(used.as_str().is_some_and(|used| used.contains("pod-1") || used.contains("etcd-1")), "{used}");
    cluster.run(&["verify"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_healthy_member_and_a_lost_quorum_are_left_alone() {
    let cluster = Manifest::new().replicas(3).start("replace-refused");
    let before = cluster.standing();
    cluster.run(&["replace", "etcd-1", "--yes"]).exits(3).says("is healthy").says("--force");
    cluster.run(&["replace", "etcd-7", "--yes"]).exits(3).says("is no pod of").says("etcd-2");
    assert_eq!(cluster.standing(), before);

    let ended = cluster.run(&["replace", "etcd-2", "--force", "--yes", "--rollout", "defer"]);
    ended.exits(0).says("has 3 members");
    cluster.has_voters(3);
    cluster.run(&["settle", "--yes"]).exits(0);
    cluster.has_no_traces();

    cluster.empty("etcd-1");
    cluster.empty("etcd-2");
    cluster.run(&["replace", "etcd-1", "--yes"]).exits(3).says("Nothing was changed");
    let set = cluster.set();
    assert_eq!(set["spec"]["replicas"], json!(3));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_dead_member_is_named_by_status_with_the_command_that_helps() {
    let cluster = Manifest::new().replicas(3).start("replace-status");
    cluster.empty("etcd-2");
    eventually("status to name it", || {
        let status = cluster.run(&["status"]);
        if status.stdout.contains("next: etcd-scale replace") && status.stdout.contains("etcd-2") {
            Ok(())
        } else {
            Err(status.stdout)
        }
    });
}

/// A member whose data is gone shows it only once it restarts, which the end of a scale-up has it do.
#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_member_that_the_rollout_of_another_run_finds_lost() {
    let cluster = Manifest::new().replicas(3).start("replace-midway");
    let strategy = cluster.strategy();
    cluster.lead("etcd-0");
    cluster.exec("etcd-1", &["sh", "-c", "rm -rf /store/*"]);
    cluster.run(&["up", "--to", "4", "--yes", "--no-snapshot", "--timeout", "20s"]).exits(5);
    eventually("the member to be seen as lost", || {
        let status = cluster.run(&["status"]);
        let named = status.stdout.contains("! voter etcd-1") && status.stdout.contains("next: etcd-scale replace");
        if named { Ok(()) } else { Err(status.stdout) }
    });
    cluster.run(&["up", "--to", "4", "--yes", "--timeout", "1s"]).exits(5).says("etcd-scale replace");
    cluster.run(&["down", "--yes"]).exits(6).says("finish it first").never_says("take it back");

    cluster.run(&["replace", "etcd-1", "--yes"]).exits(0).says("takes the place of the `up` to 4 members");

    cluster.has_voters(4);
    cluster.has_no_traces();
    assert_eq!(cluster.strategy(), strategy);
    cluster.run(&["verify"]).exits(0);
    cluster.run(&["up", "--to", "4", "--yes"]).exits(0).says("Nothing to do");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_and_run_again() {
    rounds("kill-replace", |random, told| {
        let cluster = Manifest::new().replicas(3).start("kill-replace");
        let strategy = cluster.strategy();
        cluster.empty("etcd-1");
        let running = cluster.program(&["replace", "etcd-1", "--yes", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS), told);

        if cluster.record().is_some() || !cluster.unready().is_empty() {
            cluster.run(&["replace", "etcd-1", "--yes"]).exits(0);
        }

        cluster.has_voters(3);
        cluster.has_no_traces();
        assert_eq!(cluster.strategy(), strategy);
        cluster.run(&["verify"]).exits(0);
    });
}
