//! A sandbox comes up, is reached, goes, and leaves nothing behind, however it ends.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::harness::{Program, eventually};

/// A program whose sandboxes live in a directory of the test's own.
fn program(arguments: &[&str], place: &Path) -> Program {
    Program::new(arguments).variable("TMPDIR", place).variable("XDG_RUNTIME_DIR", place).directory(place)
}

/// Process ids whose command line has all these words.
fn processes(words: &[&str]) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.iter().all(|word| line.contains(word))
    })
    .collect()
}

fn assert_empty(place: &Path) {
    eventually("the sandbox's directory to go", || {
        let left: Vec<_> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

/// Starts a sandbox with a command in it that would take long, in a process group of its own.
fn long_run(place: &Path) -> Child {
    let mut command = program(&["sandbox", "run", "-f", "rok", "--", "sleep", "600"], place).into_command();
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    let sleeps = || Command::new("pgrep").args(["-P", &child.id().to_string(), "sleep"]).output();
    eventually("the command to run", || {
        if sleeps().is_ok_and(|found| found.status.success()) { Ok(()) } else { Err("not yet".to_owned()) }
    });
    child
}

#[test]
#[ignore = "needs the sandbox"]
fn the_demo_ends_with_three_voters() {
    let place = tempfile::tempdir().unwrap();
    let ended = program(&["sandbox", "demo"], place.path()).run();
    ended.exits(0).says("Done: rok/rok-etcd has 3 members.").says("rok-etcd-2  2/2").says("cleared away");
    assert_empty(place.path());
}

#[test]
#[ignore = "needs the sandbox"]
fn one_that_stays_is_reached_and_ended() {
    let place = tempfile::tempdir().unwrap();
    let started = program(&["sandbox", "up", "-f", "puls8"], place.path()).run();
    let kubeconfig = started.exits(0).stdout.trim().strip_prefix("export KUBECONFIG=").unwrap().to_owned();

    let status = ["status", "--sts", "puls8-etcd", "-n", "puls8", "--kubeconfig", &kubeconfig];
    program(&status, place.path()).run().exits(0).says("puls8-etcd-2");
    program(&["sandbox", "up"], place.path()).run().exits(3).says("runs already").says(&kubeconfig);

    program(&["sandbox", "down"], place.path()).run().exits(0);
    assert_empty(place.path());
    program(&["sandbox", "down"], place.path()).run().exits(0).says("no sandbox runs");
}

#[test]
#[ignore = "needs the sandbox"]
fn the_exit_code_is_the_commands() {
    let place = tempfile::tempdir().unwrap();
    program(&["sandbox", "run", "--", "sh", "-c", "kubectl get nodes && exit 9"], place.path()).run().exits(9);
    program(&["sandbox", "run", "--", "none-such"], place.path()).run().exits(3).says("cannot run none-such");
    assert_empty(place.path());
}

#[test]
#[ignore = "needs the sandbox"]
fn what_cannot_be_started_is_said() {
    let place = tempfile::tempdir().unwrap();
    let no_etcd = program(&["sandbox", "run", "--etcd", "none-such", "--", "true"], place.path()).run();
    no_etcd.exits(3).says("none-such");
    let no_manifest = program(&["sandbox", "up", "-f", "none-such"], place.path()).run();
    no_manifest.exits(3).says("none-such").says("rok and puls8");
    assert_empty(place.path());
}

#[test]
#[ignore = "needs the sandbox"]
fn killed_with_all_that_started_it_it_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut run = long_run(place.path());
    let server = processes(&["serve", &place.path().display().to_string()]);
    assert_eq!(server.len(), 1, "{server:?}");

    kill_process_group(Pid::from_child(&run), Signal::KILL).unwrap();
    run.wait().unwrap();

    assert_empty(place.path());
    assert_eq!(processes(&["serve", &place.path().display().to_string()]), Vec::<i32>::new());
}

#[test]
#[ignore = "needs the sandbox"]
fn a_killed_server_leaves_no_process_and_its_run_no_file() {
    let place = tempfile::tempdir().unwrap();
    let mut run = long_run(place.path());
    let server = processes(&["serve", &place.path().display().to_string()]);
    let server = Pid::from_raw(server[0]).unwrap();
    kill_process(server, Signal::KILL).unwrap();
    let sleep = Command::new("pkill").args(["-P", &run.id().to_string(), "sleep"]).status().unwrap();
    assert!(sleep.success());
    run.wait().unwrap();
    assert_empty(place.path());
}
