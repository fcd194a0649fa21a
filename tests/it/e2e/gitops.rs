//! `up` through a deployment repository: one commit, whatever the apply command does, and all that forbids it.

use std::collections::BTreeMap;

use serde_json::json;

use super::cut_off::{kill_after, rounds};
use crate::harness::{APPLY, Cluster, Deployments, Ended, Manifest, OVERLAY, PodWatch, SET, patch};

/// A run of about this many events is a whole one.
const EVENTS: usize = 60;

/// A cluster of two, made from its repository.
fn start(test: &str) -> (Cluster, Deployments) {
    // A learner that is not ready holds any rollout up, so that a guard that is lost can be set again in time.
    let manifest = Manifest::new().of_the_guides();
    let cluster = manifest.start(test);
    let deployments = Deployments::of(&cluster, &manifest);
    cluster.rests(2);
    (cluster, deployments)
}

/// A command that applies the overlay and then does something else, `also`.
fn apply_and(also: &str) -> String {
    format!("sh -ec 'kubectl apply -k {{overlay}}; {also}'")
}

/// Uids of the two pods that were there before.
#[track_caller]
fn old(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut uids = cluster.uids();
    uids.remove(&format!("{SET}-2"));
    uids
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_to_three_by_a_command_that_waits_for_the_pods() {
    let (cluster, deployments) = start("commit");
    let (strategy, before) = (cluster.strategy(), old(&cluster));
    let watch = PodWatch::of(&cluster);
    // The new pod is ready only once its member votes: a run that waited for the command would wait for ever.
    let wait = format!(
        "kubectl wait -n {} --timeout=200s --for=jsonpath={{.status.readyReplicas}}=3 statefulset/{SET}",
        cluster.name()
    );
    let command = apply_and(&wait);

    let mut running = deployments.up(&cluster, &["--apply-command", &command, "--yes", "-o", "ndjson"]).start();
    running.until("it promotes", |event| event.change_started().is_some_and(|change| change["kind"] == "promote"));
    assert_eq!(old(&cluster), before, "no old pod is restarted before the promotion");
    let ended = running.end();

    ended.exits(0).says("statefulset.apps/etcd configured").says("has ended well");
    cluster.has_grown(3, &strategy);
    watch.had_one_down_at_most(&cluster, 3);
    assert_eq!(cluster.on_present_template().len(), 3);
    deployments.has_one_commit(3);
    deployments.apply(&cluster);
    cluster.rests(3);
    cluster.run(&["verify"]).exits(0);
    deployments.up(&cluster, &["--to", "3", "--yes"]).run().exits(0).says("Nothing to do");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_and_run_again_it_is_one_commit() {
    rounds("kill-commit", |random, told| {
        let (cluster, deployments) = start("kill-commit");
        let strategy = cluster.strategy();
        let options = ["--to", "3", "--apply-command", APPLY, "--yes"];
        let running = deployments.up(&cluster, &[&options[..], &["-o", "ndjson"]].concat()).start();
        kill_after(running, random.usize(..EVENTS), told);

        deployments.up(&cluster, &options).run().exits(0);

        cluster.has_grown(3, &strategy);
        deployments.has_one_commit(3);
        cluster.run(&["verify"]).exits(0);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_around_the_commit_it_is_one_commit() {
    for kind in ["commit-patches", "apply-overlay"] {
        let (cluster, deployments) = start("kill-at-commit");
        let mut running = deployments.up(&cluster, &["--apply-command", APPLY, "--yes", "-o", "ndjson"]).start();
        running.until(kind, |event| event.change_started().is_some_and(|change| change["kind"] == kind));
        running.kill();

        let again = deployments.up(&cluster, &["--apply-command", APPLY, "--yes", "--rollout", "defer"]).run();

        again.exits(0).says("This finished the run that");
        cluster.has_voters(3);
        deployments.has_one_commit(3);
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_dry_run_shows_the_diff_of_the_files() {
    let (cluster, deployments) = start("dry-commit");
    let (standing, versions) = (deployments.standing(), cluster.versions());

    let ended = deployments.up(&cluster, &["--apply-command", APPLY, "--dry-run"]).run();

    ended
        .exits(0)
        .says(&format!("{OVERLAY}/patches/cluster-size.yaml:\n"))
        .says("-   value: 2\n")
        .says("+   value: 3\n")
        .says("+ kind: StatefulSet\n")
        .says("+   - path: patches/cluster-state.yaml\n")
        .says(&format!("git commit -m 'Scale {SET} to 3 members' -- "))
        .says(&format!("same as  kubectl apply -k {OVERLAY}"))
        .says("then everything is done");
    assert_eq!(deployments.standing(), standing);
    assert_eq!(cluster.versions(), versions);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn without_a_command_it_stops_for_the_operator() {
    let (cluster, deployments) = start("by-hand");
    let strategy = cluster.strategy();

    let paused = deployments.up(&cluster, &["--yes"]).run();
    paused
        .exits(0)
        .says("Paused before apply-overlay")
        .says(&format!("apply {OVERLAY} to the cluster"))
        .says("--gitops ");
    deployments.has_one_commit(3);
    cluster.run(&["up", "--yes"]).exits(6).says("--gitops DIR");

    deployments.apply(&cluster);
    deployments.up(&cluster, &["--yes"]).run().exits(0).says("This finished the run that");

    cluster.has_grown(3, &strategy);
    deployments.has_one_commit(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_commit_that_somebody_else_brings_is_waited_for() {
    let (cluster, deployments) = start("sync");
    let mut running =
        deployments.up(&cluster, &["--wait-for-sync", "--yes", "--rollout", "defer", "-o", "ndjson"]).start();
    running.until("it waits for the commit", |event| event.waits_in("apply-overlay"));

    deployments.apply(&cluster);

    running.end().exits(0);
    cluster.has_voters(3);
    deployments.has_one_commit(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_command_that_fails_is_named_and_can_be_mended() {
    let (cluster, deployments) = start("failing");
    let before = old(&cluster);

    let ended = deployments.up(&cluster, &["--apply-command", "sh -c 'echo cannot log in >&2; exit 3'", "--yes"]).run();
    ended.exits(1).says("ended with exit code 3").says("cannot log in").says("Go on with: ");
    assert_eq!(cluster.set()["spec"]["replicas"], 2);
    assert_eq!(cluster.uids(), before);
    deployments.has_one_commit(3);
    let ended = deployments.up(&cluster, &["--apply-command", "true", "--yes"]).run();
    ended.exits(1).says("ended well, and yet it asks for 2 pods");

    deployments.up(&cluster, &["--apply-command", APPLY, "--yes", "--rollout", "defer"]).run().exits(0);
    cluster.has_voters(3);
    deployments.has_one_commit(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_apply_that_changes_something_else_is_stopped() {
    let (cluster, deployments) = start("something-else");
    let before = old(&cluster);
    let command = apply_and(&format!("kubectl set env -n {} statefulset/{SET} -c etcd OTHER=1", cluster.name()));

    let ended = deployments.up(&cluster, &["--apply-command", &command, "--yes"]).run();

    ended.exits(1).says("has also changed").says("OTHER");
    assert_eq!(old(&cluster), before);
    assert!(cluster.members().iter().filter(|member| !member.learner).count() == 2);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_guard_that_the_apply_takes_away_is_set_again() {
    let (cluster, deployments) = start("guard-lost");
    let (strategy, before) = (cluster.strategy(), old(&cluster));
    let patch =
        json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}).to_string().replace('"', "\\\"");
    let command = apply_and(&format!("kubectl patch -n {} statefulset {SET} -p \"{patch}\"", cluster.name()));

    let mut running = deployments.up(&cluster, &["--apply-command", &command, "--yes", "-o", "ndjson"]).start();
    running.until("it promotes", |event| event.change_started().is_some_and(|change| change["kind"] == "promote"));
    assert_eq!(old(&cluster), before, "no old pod is restarted before the promotion");
    let ended = running.end();

    ended.exits(0);
    let guards = ended.changes().iter().filter(|change| change["kind"] == "patch-statefulset").count();
    assert_eq!(guards, 2, "{ended}");
    cluster.has_grown(3, &strategy);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_apply_that_replaces_the_object_stops_the_run() {
    let (cluster, deployments) = start("replaced");

    let ended = deployments.up(&cluster, &["--apply-command", "kubectl replace -k {overlay}", "--yes"]).run();

    assert!(matches!(ended.code, Some(1 | 6)), "{ended}");
    ended.says("annotation has vanished");
    assert_eq!(cluster.members().iter().filter(|member| !member.learner).count(), 2, "it is not promoted");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn what_stands_in_the_way_is_named_before_anything_is_changed() {
    let (cluster, deployments) = start("no-commit");
    let versions = cluster.versions();
    let refused = |options: &[&str], code: i32, fact: &str| -> Ended {
        let before = deployments.standing();
        let options = [&["--apply-command", APPLY, "--yes", "--no-snapshot"], options].concat();
        let ended = deployments.up(&cluster, &options).run();
        ended.exits(code).says(fact);
        assert_eq!(deployments.standing(), before, "{ended}");
        assert_eq!(cluster.versions(), versions, "{ended}");
        ended
    };
    let size = patch("cluster-size.yaml");
    let restore = || drop(deployments.git(&["checkout", "--quiet", "--force", "main"]));

    deployments.write(&size, "[]\n");
    refused(&[], 3, "patches/cluster-size.yaml has uncommitted changes");
    restore();
    let template = patch("cluster-size.yaml.j2");
    let text = deployments.read(&template);
    deployments.write(&template, &text.replace("ETCD_CLUSTER_SIZE }}\"", "ETCD_SIZE }}\""));
    refused(&[], 3, "patches/cluster-size.yaml.j2, line 7 uses ETCD_SIZE, which is not set");
    restore();
    // What is applied is the work tree, so that a change elsewhere counts as well.
    let base = "rok/rok-external-services/etcd/base/etcd.yaml";
    deployments.write(base, &deployments.read(base).replace("store", "shop"));
    refused(&[], 3, "change what").says(base);
    restore();

    let unknown = deployments.up(&cluster, &["--apply-command", "no-such-deploy {overlay}", "--yes"]).run();
    unknown.exits(3).says("program no-such-deploy was not found");
    assert_eq!(cluster.versions(), versions);
    refused(&["--overlay", "rok"], 2, "has no kustomization");
    deployments.git(&["checkout", "--quiet", "--detach"]);
    refused(&[], 3, "no branch is checked out");
    restore();
    refused(&["--push"], 3, "has no upstream to push to");
    deployments.git(&["config", "user.useConfigOnly", "true"]);
    deployments.git(&["config", "--unset", "user.email"]);
    refused(&[], 3, "git does not know whose the commit is");
    deployments.git(&["config", "user.email", "op@example.org"]);

    deployments.patch_overlay(&json!({"updateStrategy": {"rollingUpdate": {"partition": 0}}}));
    deployments.commit_all("Name the partition");
    refused(&[], 3, "names the partition 0");
    deployments.git(&["reset", "--quiet", "--hard", "HEAD~"]);
    deployments.patch_overlay(&json!({"minReadySeconds": 3}));
    deployments.commit_all("Wait longer");
    refused(&[], 3, "would also change minReadySeconds from nothing to 3");
    deployments.git(&["reset", "--quiet", "--hard", "HEAD~"]);

    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let program = cluster.program(&["up", "--yes", "--gitops", &elsewhere.path().to_string_lossy()]);
    program.run().exits(2).says("no directory below");
    deployments.up(&cluster, &["--apply-command", APPLY, "--yes", "--rollout", "defer"]).run().exits(0);
    deployments.has_one_commit(3);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn the_commit_is_pushed_to_a_branch_that_is_not_behind() {
    let (cluster, deployments) = start("push");
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let remote = elsewhere.path().to_string_lossy().into_owned();
    deployments.git(&["init", "--quiet", "--bare", &remote]);
    deployments.git(&["remote", "add", "origin", &remote]);
    deployments.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
    // Somebody else's commit, which was fetched and not merged.
    deployments.git(&["commit", "--quiet", "--allow-empty", "-m", "Of somebody else"]);
    deployments.git(&["push", "--quiet"]);
    deployments.git(&["reset", "--quiet", "--hard", "HEAD~"]);
    let options = ["--apply-command", APPLY, "--push", "--yes", "--rollout", "defer"];
    deployments.up(&cluster, &options).run().exits(3).says("is behind origin/main");
    deployments.git(&["push", "--quiet", "--force"]);

    deployments.up(&cluster, &options).run().exits(0).says("Push the commit to origin/main");

    cluster.has_voters(3);
    deployments.has_one_commit(3);
    assert_eq!(deployments.git(&["rev-parse", "HEAD"]), deployments.git(&["--git-dir", &remote, "rev-parse", "main"]));
}
