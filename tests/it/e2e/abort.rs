//! `abort`: a scale-up that is half-way is taken back, from wherever it stands before the vote.

use serde_json::Value;

use crate::harness::{Cluster, Launch, Manifest, Peers, eventually};

use super::cut_off::{kill_after, rounds};

/// A run from two to three tells about this many events before the vote.
const EVENTS: usize = 55;

/// What an abort has to leave as it was.
#[derive(Debug, PartialEq)]
struct Before {
    spec: Value,
    members: Vec<crate::harness::Member>,
    claims: std::collections::BTreeSet<String>,
}

impl Before {
    fn of(cluster: &Cluster) -> Self {
        Self { spec: cluster.set()["spec"].clone(), members: cluster.members(), claims: cluster.claims() }
    }
}

#[track_caller]
fn is_as_before(cluster: &Cluster, before: &Before) {
    assert_eq!(Before::of(cluster), *before);
    cluster.has_no_traces();
    cluster.has_voters(2);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn after_every_step_before_the_vote() {
    let cluster = Manifest::new().start("abort-steps");
    let before = Before::of(&cluster);
    let pods = cluster.uids();
    for step in ["patch-statefulset", "wait-join", "restore-command", "promote"] {
        cluster.run(&["up", "--yes", "--pause-before", step]).exits(0).says("Paused");
        cluster.run(&["status"]).exits(0).says("etcd-scale abort");
        cluster.run(&["abort", "--yes", "--claim", "delete"]).exits(0).says("Taken back");
        is_as_before(&cluster, &before);
    }
    assert_eq!(cluster.uids(), pods, "no old pod was restarted");
    cluster.run(&["abort", "--yes"]).exits(0).says("Nothing to do");

    cluster.run(&["up", "--yes", "--pause-before", "settle-rollout"]).exits(0);
    cluster.run(&["abort", "--yes"]).exits(3).says("votes already").says("etcd-scale down");
    cluster.run(&["up", "--yes"]).exits(0);
    cluster.has_voters(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn with_the_volume_that_the_run_has_made() {
    let cluster = Manifest::new().replicas(2).peers(Peers::Variable).by_hand().start("abort-by-hand");
    let before = Before::of(&cluster);
    for step in ["add-learner", "promote"] {
        cluster.run(&["up", "--yes", "--pause-before", step]).exits(0).says("Make volume");
        cluster.run(&["abort", "--yes", "--claim", "delete"]).exits(0).says("DELETE volume");
        is_as_before(&cluster, &before);
    }
    cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0);
    cluster.has_voters(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_run_that_fails_is_rolled_back_at_once() {
    let cluster = Manifest::new().launch(Launch::EndsWhenJoining).start("rollback");
    let before = Before::of(&cluster);

    let ended = cluster.run(&["up", "--yes", "--timeout", "20s", "--on-failure", "rollback", "--claim", "delete"]);

    ended.exits(5).says("20 s").says("It is taken back now").says("Taken back").never_says("Go on with");
    is_as_before(&cluster, &before);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_overtaken_goal_is_cleared_where_all_fits_again() {
    let cluster = Manifest::new().start("abort-overtaken");
    let spec = cluster.set()["spec"].clone();
    cluster.run(&["up", "--yes", "--pause-before", "promote"]).exits(0);
    let learner = cluster.members().into_iter().find(|member| member.learner).expect("a learner");
    cluster.exec("etcd-0", &["etcdctl", "member", "remove", &format!("{:x}", learner.id)]);
    eventually("the status to say so", || {
        let status = cluster.run(&["status"]);
        if status.stdout.contains("overtaken") { Ok(()) } else { Err(status.stdout) }
    });
    cluster.run(&["up", "--yes"]).exits(6);
    cluster.run(&["abort", "--yes"]).exits(6).says("same number");
    cluster.kubectl(&["scale", "statefulset", "etcd", "--replicas=2"]);
    cluster.kubectl(&["wait", "--for=delete", "pod/etcd-2", "--timeout=60s"]);
    cluster.run(&["abort", "--yes"]).exits(0);
    cluster.has_voters(2);
    cluster.has_no_traces();
    assert_eq!(cluster.set()["spec"], spec, "what the run has patched is taken back all the same");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn after_a_kill_at_random_and_killed_itself() {
    rounds("kill-abort", |random, told| {
        let cluster = Manifest::new().start("kill-abort");
        let before = Before::of(&cluster);
        let running = cluster.program(&["up", "--to", "3", "--yes", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS), told);
        let running = cluster.program(&["abort", "--yes", "--claim", "delete", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS / 2), told);

        let ended = cluster.run(&["abort", "--yes", "--claim", "delete"]);

        if ended.stderr.contains("Nothing to do") && cluster.members().len() == 2 {
            // Killed before anything was written down. The lock that it may have taken goes with the next run.
            assert_eq!(cluster.record(), None);
            assert_eq!(Before::of(&cluster), before);
            return;
        }
        if ended.code == Some(3) {
            ended.says("votes already");
            cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
            cluster.has_voters(3);
        } else {
            ended.exits(0);
            if cluster.members().len() == 2 {
                is_as_before(&cluster, &before);
            } else {
                // The scale-up was over before it was killed.
                cluster.has_voters(3);
            }
        }
        cluster.has_no_traces();
    });
}
