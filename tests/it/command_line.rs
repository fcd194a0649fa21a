//! The command line itself: usage, help, and what the documents say of it.

use std::process::{Command, Output};

fn etcd_scale(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_etcd-scale"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn wrong_usage_is_two() {
    for arguments in [
        &["up"][..],
        &["up", "--sts", "x", "--to", "0"],
        &["up", "--sts", "x", "--to", "3", "--by", "1"],
        &["up", "--sts", "x", "--snapshot", "f", "--no-snapshot"],
        &["up", "--sts", "x", "--rollout", "sideways"],
        &["up", "--sts", "x", "--timeout", "soon"],
        &["settle", "--sts", "x", "--rollout", "defer"],
        &["settle", "--sts", "x", "--report", "run.pdf"],
        &["check", "--sts", "x", "--report", "run.html"],
        &["snapshot", "--sts", "x"],
        &["status", "-A", "--sts", "x"],
        &["status", "-A", "-n", "y"],
        &["status", "-A", "--endpoints", "http://x-0:2379"],
        &["check", "-A"],
        &["verify"],
        &["grow", "--sts", "x"],
    ] {
        let output = etcd_scale(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_step_that_does_not_exist_is_named_with_those_that_do() {
    let output = etcd_scale(&["up", "--sts", "x", "--pause-before", "coffee"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("coffee") && said.contains("wait-join"), "{said}");
}

#[test]
fn a_report_tells_of_a_run_that_never_began() {
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("run.json");
    let name = file.display().to_string();
    for verb in ["up", "down", "settle", "abort"] {
        let output = etcd_scale(&[verb, "--sts", "x", "-n", "y", "--report", &name]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!((report["verb"].as_str(), report["statefulset"].as_str()), (Some(verb), Some("y/x")));
        assert_eq!((&report["exitCode"], &report["notBegun"]["outcome"]), (&3.into(), &"refused".into()));
        assert_eq!(report["runs"], serde_json::json!([]));
    }
    let output = etcd_scale(&["up", "--sts", "x", "-n", "y", "--report", "/nonexistent/run.html"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot write the report /nonexistent/run.html"), "{said}");
}

#[test]
fn no_kubeconfig_is_said_in_one_sentence() {
    for verb in ["up", "settle", "check", "status", "verify"] {
        let output = etcd_scale(&[verb, "--sts", "x", "-n", "y"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.starts_with("error: found no cluster to talk to"), "{said}");
        assert!(said.contains("-> name a cluster with --kubeconfig"), "{said}");
    }
}

#[test]
fn status_needs_no_name() {
    for arguments in [&["status", "-A"][..], &["status", "--all-namespaces", "-o", "json"], &["status", "-n", "y"]] {
        let output = etcd_scale(arguments);
        let said = text(&output.stderr);
        // As far as it gets without a cluster.
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.starts_with("error: found no cluster to talk to"), "{said}");
    }
}

#[test]
fn every_option_that_the_documents_name_exists() {
    let documents = [include_str!("../../README.md"), include_str!("../../HANDBOOK.md")].join("\n");
    let help: String =
        ["up", "down", "replace", "abort", "settle", "check", "status", "verify", "snapshot", "sandbox run"]
            .iter()
            .map(|verb| text(&etcd_scale(&verb.split(' ').chain(["--help"]).collect::<Vec<_>>()).stdout))
            .collect();
    // Other programs' commands are shown too.
    let others = ["etcdctl", "kubectl", "cargo install", "gh attestation"];
    let own: Vec<&str> = documents.lines().filter(|line| !others.iter().any(|other| line.contains(other))).collect();
    let own = own.join("\n");
    let options = own
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic())));
    let mut seen = 0;
    for option in options {
        // etcd's own.
        if ["--help", "--config-file"].contains(&option) {
            continue;
        }
        seen += 1;
        assert!(help.contains(option), "the documents name {option}, which no verb has");
    }
    assert!(seen > 10, "the documents name hardly any option");
}

#[test]
fn help_names_every_exit_code_of_the_handbook() {
    let help = text(&etcd_scale(&["--help"]).stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    for code in
        ["0 done", "1 failed", "2 usage", "3 refused", "4 declined", "5 timed out", "6 contradicts", "7 another"]
    {
        assert!(help.contains(code), "{code} is not in: {help}");
    }
}
