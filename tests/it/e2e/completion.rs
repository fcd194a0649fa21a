//! Completion of names that live in the cluster.

use super::fleet::add_another;
use crate::harness::{Manifest, Program, SET, eventually};

/// What a shell would be answered, without options.
fn answered(words: &[&str]) -> Vec<String> {
    let program = Program::new(&[&["--", "etcd-scale"], words].concat()).variable("ETCD_SCALE_COMPLETE", "fish");
    let ended = program.run();
    ended.exits(0);
    assert_eq!(ended.stderr, "", "{ended}");
    let choices = ended.stdout.lines().filter(|line| !line.starts_with('-'));
    choices.map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

/// An answer that is late is empty, so it is asked for again, as by somebody who presses Tab once more.
fn completes(words: &[&str], choices: &[&str]) {
    eventually("a completion", || {
        let answered = answered(words);
        if answered == choices { Ok(()) } else { Err(format!("{words:?}: {answered:?}")) }
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn names_are_those_of_the_cluster() {
    let cluster = Manifest::new().replicas(1).start("completion");
    add_another(&cluster);
    let name = cluster.name();
    completes(&["status", "-n", name], &[name]);
    completes(&["check", "-n", name, "--sts", ""], &[SET]);
    completes(&["replace", "--sts", SET, "-n", name, ""], &[&format!("{SET}-0")]);
    completes(&["replace", "--sts", "none", "-n", name, ""], &[]);
}
