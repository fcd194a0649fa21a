//! `up` from two members to three, and all the ways in which it changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::report::Reports;
use crate::harness::{Cluster, Ended, Image, Launch, Manifest, PodWatch, setting};

/// Whether what a run did is in the order that keeps the members safe: leadership moves at most once, before the first
/// restart, and no pod is freed that leads at that moment.
#[track_caller]
fn assert_leaders_stay(ended: &Ended, before: &(String, u64), after: &(String, u64)) {
    let mut leader = before.0.clone();
    let mut moves = 0;
    let mut restarts = 0;
    for change in ended.changes() {
        match change["kind"].as_str().unwrap_or_default() {
            "move-leader" => {
                assert_eq!(restarts, 0, "leadership moves before the first restart\n{ended}");
                assert_eq!(change["from"][1], json!(leader), "{ended}");
                change["to"][1].as_str().unwrap_or_default().clone_into(&mut leader);
                moves += 1;
            }
            "lower-partition" if !change["frees"].is_null() => {
                assert_ne!(change["frees"], json!(leader), "the leader's pod is freed\n{ended}");
                restarts += 1;
            }
            "delete-pod" => {
                assert_ne!(change["pod"], json!(leader), "the leader's pod is deleted\n{ended}");
                restarts += 1;
            }
            _ => {}
        }
    }
    assert!(moves <= 1, "leadership moves once at most\n{ended}");
    assert_eq!(after.0, leader, "nobody else was elected\n{ended}");
    // A term has one leader: as many new terms as moves means that nothing was elected in between.
    assert_eq!(after.1, before.1 + moves, "no election but the one of the move\n{ended}");
}

/// The snapshot that a run left on the operator's desk, and nothing beside it.
#[track_caller]
fn assert_one_snapshot(cluster: &Cluster) {
    let files: Vec<_> = fs::read_dir(cluster.desk()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let metadata = files[0].metadata().unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert!(metadata.len() > 10_000);
}

/// The whole of the main job, seen from outside by a watch on the pods, and from inside by the run's own events.
fn grows_from_two_to_three(test: &str, image: Image, first_leader: &str) {
    let cluster = Manifest::new().of_the_guides().image(image).patient().start(test);
    cluster.lead(first_leader);
    let strategy = cluster.strategy();
    let old = cluster.uids();
    let before = cluster.leader();
    let watch = PodWatch::of(&cluster);

    let reports = Reports::new();
    let (page, data) = (reports.file("run.html"), reports.file("run.json"));
    let ended = cluster.run(&["up", "--yes", "-o", "ndjson", "--report", &page, "--report", &data]);

    ended.exits(0).says("Done: ");
    reports.agree_with(&ended);
    cluster.has_grown(3, &strategy);
    watch.had_one_down_at_most(&cluster, 3);
    assert_leaders_stay(&ended, &before, &cluster.leader());
    assert_eq!(cluster.on_present_template().len(), 3);
    let new = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| new[pod] != *uid), "guarded brings the template to the old pods");
    if setting("E2E_VIA", "") != "exec" {
        assert_one_snapshot(&cluster);
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_to_three_led_by_the_last() {
    grows_from_two_to_three("up-last-leads", Image::usual(), "etcd-1");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_to_three_led_by_the_first() {
    grows_from_two_to_three("up-first-leads", Image::usual(), "etcd-0");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_to_three_on_etcd_3_5() {
    if let Some(image) = Image::newer() {
        grows_from_two_to_three("up-newer", image, "etcd-0");
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_dry_run_changes_nothing() {
    let cluster = Manifest::new().start("dry-run");
    let (before, versions) = (cluster.standing(), cluster.versions());

    for how in ["--dry-run", "--dry-run=client", "--dry-run=server"] {
        let ended = cluster.run(&["up", how]);
        ended
            .exits(0)
            .says("+ spec.replicas: 3")
            .says("- spec.replicas: 2")
            .says(r#"+ spec.template.spec.containers[0].env[ETCD_CLUSTER_SIZE]: "3""#)
            .says(r#"+ spec.template.spec.containers[0].env[ETCD_INITIAL_CLUSTER_STATE]: "existing""#)
            .says("member add --learner")
            .says("member promote")
            .says("Nothing was changed");
        if how == "--dry-run=server" {
            ended.says("the API server would take patch-statefulset");
        }
        assert_eq!(cluster.versions(), versions, "{ended}");
        assert_eq!(cluster.standing(), before, "{ended}");
    }
    let document = cluster.run(&["up", "--dry-run=server", "-o", "json"]).exits(0).document();
    assert_eq!(document["dryRun"], true);
    assert_eq!(document["exitCode"], 0);
    assert_eq!(cluster.versions(), versions);
    assert_eq!(fs::read_dir(cluster.desk()).unwrap().count(), 0, "a dry run leaves no file");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn three_of_three_is_nothing_to_do() {
    let cluster = Manifest::new().replicas(3).start("nothing-to-do");
    let (before, versions) = (cluster.standing(), cluster.versions());

    let ended = cluster.run(&["up", "--to", "3", "--yes"]);
    ended.exits(0).says("Nothing to do");
    assert_eq!(ended.stdout, "", "text for people goes to standard error");

    let document = cluster.run(&["up", "--to", "3", "--yes", "-o", "json"]).exits(0).document();
    assert_eq!(document["outcome"], "nothing-to-do");
    assert_eq!(document["exitCode"], 0);

    cluster.run(&["settle", "--yes"]).exits(0).says("Nothing to do");
    cluster.run(&["up", "--to", "2", "--yes"]).exits(3).says("2 is fewer");
    assert_eq!(cluster.standing(), before);
    assert_eq!(cluster.versions(), versions);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn nobody_to_ask_is_a_no() {
    let cluster = Manifest::new().start("nobody");
    let (before, versions) = (cluster.standing(), cluster.versions());

    cluster.run(&["up"]).exits(4).says("--yes").says("Nothing was changed");
    assert_eq!(cluster.standing(), before);

    let reports = Reports::new();
    let data = reports.file("run.json");
    let document = cluster.run(&["up", "-o", "json", "--report", &data]).exits(4).document();
    assert_eq!(document["outcome"], "nobody-to-ask");
    assert_eq!(reports.document("run.json")["runs"][0]["after"], document["after"]);
    assert_eq!(document["exitCode"], 4);
    assert_eq!(cluster.standing(), before);
    assert_eq!(cluster.versions(), versions);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_second_run_finds_the_lock() {
    // The first run must still be at work when the second has found that out, however quick the cluster is.
    let cluster = Manifest::new().launch(Launch::HangsWhenJoining).start("lock");
    let mut first = cluster.program(&["up", "--yes", "-o", "ndjson"]).start();
    first.until("it waits for the new member", |event| event.waits_in("wait-join"));

    let second = cluster.run(&["up", "--yes"]);

    second.exits(7).says("holds the lock").never_says("Done");
    first.interrupt();
    first.end().exits(130);
}
