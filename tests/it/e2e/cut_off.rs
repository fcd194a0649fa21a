//! Runs that are cut off: killed at any moment, interrupted, paused; and finished by the next.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use crate::harness::{Cluster, GO, Launch, Manifest, Program, Running, eventually};

/// A whole run from two to three tells about this many events, fewer on a quick machine. A run that has told fewer and
/// has ended by itself is one of the moments too.
const EVENTS: usize = 75;

/// Rounds, each with a cluster of its own: `E2E_KILLS`. The seed is shown, and `E2E_SEED` repeats it.
pub(super) fn rounds(test: &str, mut round: impl FnMut(&mut fastrand::Rng, &str)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("E2E_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 1..=number("E2E_KILLS").unwrap_or(3) {
        let told = format!("{test}: round {number} of seed {seed}");
        drop(writeln!(std::io::stderr(), "{told}"));
        round(&mut random, &told);
    }
}

/// Reads on until `events` different events have come, then kills the run. How often a call is repeated depends on the
/// machine's speed, so repetitions do not count.
pub(super) fn kill_after(mut running: Running, events: usize, told: &str) {
    let mut heard = BTreeSet::new();
    while heard.len() < events {
        let Some(event) = running.event() else { break };
        heard.insert(event.moment());
    }
    let heard = heard.len();
    let killed = running.kill();
    let last = killed.stdout.lines().last().unwrap_or_default().chars().take(160).collect::<String>();
    drop(writeln!(std::io::stderr(), "{told}: killed after {heard} of {events} events, the last: {last}"));
}

/// The end that every second run must reach.
#[track_caller]
fn assert_finished(cluster: &Cluster, strategy: &serde_json::Value) {
    cluster.has_grown(3, strategy);
    assert_eq!(cluster.on_present_template().len(), 3);
    cluster.run(&["verify"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_and_run_again_with_a_size() {
    rounds("kill-to", |random, told| {
        let cluster = Manifest::new().start("kill-to");
        let strategy = cluster.strategy();
        let running = cluster.program(&["up", "--to", "3", "--yes", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS), told);

        cluster.run(&["up", "--to", "3", "--yes"]).exits(0);

        assert_finished(&cluster, &strategy);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_half_way_and_run_again_without_a_size() {
    rounds("kill-bare", |random, told| {
        let cluster = Manifest::new().start("kill-bare");
        let strategy = cluster.strategy();
        let mut running = cluster.program(&["up", "--yes", "-o", "ndjson"]).start();
        running.until("the record is written", |event| event.applied("open-run"));
        kill_after(running, random.usize(..EVENTS * 2 / 3), told);

        if cluster.record().is_some() {
            let again = cluster.run(&["up", "--yes"]);
            again.exits(0).says("finishes the run that").says("This finished the run that");
        }

        assert_finished(&cluster, &strategy);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_at_random_while_settling_and_settled_again() {
    rounds("kill-settle", |random, told| {
        let cluster = Manifest::new().start("kill-settle");
        let strategy = cluster.strategy();
        cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0);
        let running = cluster.program(&["settle", "--yes", "-o", "ndjson"]).start();
        kill_after(running, random.usize(..EVENTS / 2), told);

        cluster.run(&["settle", "--yes"]).exits(0);

        assert_finished(&cluster, &strategy);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn interrupted_while_it_waits() {
    let cluster = Manifest::new().launch(Launch::WaitsWhenJoining).start("interrupt");
    let strategy = cluster.strategy();
    let mut running = cluster.program(&["up", "--yes", "-o", "ndjson"]).start();
    running.until("it waits for the new member", |event| event.waits_in("wait-join"));
    running.interrupt();

    let ended = running.end();
    ended.exits(130).says("Interrupted");
    assert!(ended.goes_on_with().ends_with(&["--to".to_owned(), "3".to_owned()]), "{ended}");

    assert!(cluster.record().is_some(), "the record stays for the next run");
    cluster.run(&["status"]).exits(0).says("next: etcd-scale up");
    eventually("the new member to go on", || cluster.try_exec("etcd-2", &["touch", GO]));
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0).says("This finished the run that");
    assert_finished(&cluster, &strategy);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn paused_and_then_contradicted() {
    let cluster = Manifest::new().start("pause");
    let strategy = cluster.strategy();

    cluster.run(&["up", "--yes", "--pause-before", "promote"]).exits(0).says("Paused").says("Go on with");
    let paused = cluster.standing();
    assert_eq!(cluster.members().iter().filter(|member| member.learner).count(), 1);

    cluster.run(&["status"]).exits(0).says("learner").says("next: etcd-scale up");
    cluster.run(&["up", "--to", "4", "--yes"]).exits(6).says("--to 3");
    cluster.run(&["settle", "--yes"]).exits(6).says("finish it first");
    assert!(cluster.standing() == paused, "{:#?}", cluster.standing());

    cluster.run(&["up", "--yes"]).exits(0).says("This finished the run that");
    assert_finished(&cluster, &strategy);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn paused_before_the_first_change_it_goes_on_as_it_was_begun() {
    let cluster = Manifest::new().start("paused-early");
    let whole = ["up", "--yes", "--rollout", "defer", "--snapshot", "before.db"];
    let paused = cluster.run(&[whole.as_slice(), &["--pause-before", "add-learner"]].concat());
    paused.exits(0).says("Paused").says("before.db");
    assert_eq!(cluster.record(), None, "nothing remembers yet how the run was to go");
    cluster.run(&whole).exits(3).says("before.db exists already").says("--no-snapshot");

    let goes_on = paused.goes_on_with();
    let goes_on: Vec<&str> = goes_on.iter().map(String::as_str).collect();
    Program::new(&goes_on).directory(cluster.desk()).run().exits(0).says("left for later").says("none taken, as asked");
    cluster.run(&["status"]).exits(0).says("stage deferred");
    assert_eq!(fs::read_dir(cluster.desk()).unwrap().count(), 1, "one snapshot is enough");

    // Once is enough, also where it is pasted twice.
    Program::new(&goes_on).directory(cluster.desk()).run().exits(0).says("Nothing to do");
}
