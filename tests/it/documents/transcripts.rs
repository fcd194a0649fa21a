//! Every transcript of the documents, from runs in sandboxes: `make docs` writes them, and here they are compared.

use super::story::{Sandbox, Story, hold, lead};
use super::text::read;
use crate::harness::{Manifest, SET};

/// Names of all transcripts that the stories below tell.
pub(super) const TRANSCRIPTS: &[&str] = &[
    "status",
    "check",
    "dry-run",
    "nobody-to-ask",
    "question",
    "timed-out",
    "half-way",
    "contradiction",
    "abort",
    "up",
    "nothing-to-do",
    "verify",
    "snapshot",
    "corrupt",
    "replace",
    "down",
    "refused",
    "up-puls8",
    "status-all",
    "settle",
    "verify-deep",
];

/// Every fault that the handbook shows, the commented ones too, is one that the API server takes.
fn faults_are_taken(story: &Story) {
    let handbook = read("HANDBOOK.md");
    let example = handbook.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let (head, faults) = example.split_once("  # one of\n").expect("its faults");
    // What is indented further explains.
    let faults: Vec<_> = faults.lines().filter(|line| !line.starts_with("  #  ")).collect();
    assert_eq!(faults.len(), 6, "{example}");
    for fault in faults {
        let fault = fault.strip_prefix("  # ").unwrap_or(fault).trim_start();
        story.quietly(&format!("kubectl create --dry-run=server -f - <<'END'\n{head}\n  {fault}\nEND"));
    }
}

/// The life of a cluster, from two members to three and back.
#[test]
#[ignore = "needs the sandbox"]
fn rok() {
    let sandbox = Sandbox::with(&["rok"]);
    let story = Story::of(sandbox.kubeconfig.clone());
    lead(&story, "rok", "rok-etcd-0");

    story.tells("status", 0, "etcd-scale status --sts rok-etcd -n rok");
    story.tells("check", 0, "etcd-scale check --sts rok-etcd -n rok");
    story.tells("dry-run", 0, "etcd-scale up --sts rok-etcd -n rok --dry-run");
    story.tells("nobody-to-ask", 4, "etcd-scale up --sts rok-etcd -n rok --quiet");
    story.asks("question", 4, "etcd-scale up --sts rok-etcd -n rok --snapshot early.db --quiet", &["y", "d", "n"]);

    hold(&story);
    story.tells("timed-out", 5, "etcd-scale up --sts rok-etcd -n rok --yes --no-snapshot --timeout 5s --quiet");
    story.tells("half-way", 0, "etcd-scale status --sts rok-etcd -n rok");
    story.tells("contradiction", 6, "etcd-scale up --sts rok-etcd -n rok --to 5 --yes");
    story.tells("abort", 0, "etcd-scale abort --sts rok-etcd -n rok --yes --claim delete");
    story.quietly("kubectl delete fault hold -n rok");

    lead(&story, "rok", "rok-etcd-0");
    story.tells("up", 0, "etcd-scale up --sts rok-etcd -n rok --yes --snapshot before.db");
    story.tells("nothing-to-do", 0, "etcd-scale up --sts rok-etcd -n rok --to 3 --yes");
    lead(&story, "rok", "rok-etcd-2");
    story.tells("verify", 0, "etcd-scale verify --sts rok-etcd -n rok");
    story.tells("snapshot", 0, "etcd-scale snapshot --sts rok-etcd -n rok today.db");

    // The answer may be lost with the container.
    let spoil =
        "for f in /var/lib/etcd/data/member/snap/db /var/lib/etcd/data/member/wal/*.wal; do echo x >$f; done; kill 1";
    story.quietly(&format!("kubectl exec -n rok rok-etcd-1 -c etcd -- sh -c '{spoil}' || true"));
    story.comes_to_tell("corrupt", "etcd-scale status --sts rok-etcd -n rok", "CrashLoopBackOff");
    story.tells("replace", 0, "etcd-scale replace --sts rok-etcd -n rok rok-etcd-1 --yes --snapshot replace.db");

    story.tells("refused", 3, "etcd-scale down --sts rok-etcd -n rok --yes");
    let down = "etcd-scale down --sts rok-etcd -n rok --to 2 --yes --claim delete --rollout defer --snapshot down.db";
    story.tells("down", 0, down);
}

/// Volumes made by hand, a list of peers in the template, and a rollout that is left for later.
#[test]
#[ignore = "needs the sandbox"]
fn puls8() {
    let sandbox = Sandbox::with(&["puls8", "rok"]);
    let story = Story::of(sandbox.kubeconfig.clone());
    faults_are_taken(&story);
    lead(&story, "puls8", "puls8-etcd-0");

    story.tells("up-puls8", 0, "etcd-scale up --sts puls8-etcd -n puls8 --yes --rollout defer --snapshot before.db");
    story.tells("status-all", 0, "etcd-scale status -A");
    story.tells("settle", 0, "etcd-scale settle --sts puls8-etcd -n puls8 --yes");
}

/// Members that hold different data.
#[test]
#[ignore = "needs the sandbox"]
fn a_key_that_differs() {
    let cluster = Manifest::new().replicas(3).with_odd_key(5000).start("documents");
    cluster.lead("etcd-0");
    let kubeconfig = std::env::var("KUBECONFIG").expect("a kubeconfig").into();
    let mut story = Story::of(kubeconfig);
    story.names.push((cluster.name().to_owned(), "big".to_owned()));
    let line = format!("etcd-scale verify --deep --hash all --sts {SET} -n {}", cluster.name());
    story.tells("verify-deep", 1, &line);
}
