//! Every transcript of the documents, from runs in sandboxes: `make docs` writes them, and here they are compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::text::{compare, read};
use crate::harness::{Manifest, Program, SET, assert_plain, eventually};

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

/// Where the documents say that the commands were typed.
const DESK: &str = "/srv/backup";

const QUESTION: &str = "[y]es, [N]o, [d]etails, [a]ll: ";

/// How long a run may be silent, in milliseconds.
const SILENCE: u64 = 240_000;

/// Commands on one cluster, one after another, as an operator would type them.
struct Story {
    desk: TempDir,
    kubeconfig: PathBuf,
    /// What the documents call otherwise.
    names: Vec<(String, String)>,
}

impl Story {
    fn of(kubeconfig: PathBuf) -> Self {
        let desk = tempfile::tempdir().expect("a temporary directory");
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let directory = desk.path().canonicalize().expect("it is there").display().to_string();
        let names = vec![(directory, DESK.to_owned()), (format!("@{node}"), "@laptop".to_owned())];
        Self { desk, kubeconfig, names }
    }

    fn command(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_etcd-scale"));
        let mut path = OsString::from(program.parent().expect("a directory"));
        if let Some(others) = std::env::var_os("PATH") {
            path.push(":");
            path.push(others);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 2>&1\n{line}")]).current_dir(self.desk.path()).env("PATH", path);
        command.env("KUBECONFIG", &self.kubeconfig).env("USER", "ops").env("NO_COLOR", "1");
        command
    }

    /// Runs what no document shows.
    #[track_caller]
    fn quietly(&self, line: &str) -> String {
        let output = self.command(line).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
        said
    }

    /// Runs a command and compares what it says with the documents.
    #[track_caller]
    fn tells(&self, name: &str, code: i32, line: &str) {
        let output = self.command(line).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}\n{said}");
        self.shown(name, line, &said);
    }

    /// Runs a command until it says something, and compares what it says then.
    #[track_caller]
    fn comes_to_tell(&self, name: &str, line: &str, what: &str) {
        let said = eventually(what, || {
            let said = self.quietly(line);
            if said.contains(what) { Ok(said) } else { Err(said) }
        });
        self.shown(name, line, &said);
    }

    /// Runs a command at a terminal, answers its questions, and compares.
    #[track_caller]
    fn asks(&self, name: &str, code: i32, line: &str, answers: &[&str]) {
        let shell = self.command(&format!("{line}\necho \"exit code $?\""));
        let mut session = rexpect::session::spawn_command(shell, Some(SILENCE)).expect("it starts");
        let mut said = String::new();
        for answer in answers {
            said.push_str(&session.exp_string(QUESTION).expect("a question"));
            said.push_str(QUESTION);
            session.send_line(answer).expect("it listens");
            // The terminal does not echo.
            said.push_str(answer);
            said.push('\n');
        }
        said.push_str(&session.exp_eof().expect("it ends"));
        let said = said.replace('\r', "");
        let said = said.strip_suffix(&format!("exit code {code}\n")).unwrap_or_else(|| panic!("{said}"));
        self.shown(name, line, said);
    }

    #[track_caller]
    fn shown(&self, name: &str, line: &str, said: &str) {
        assert!(TRANSCRIPTS.contains(&name), "{name} is in no list");
        assert_plain(said);
        let mut run = format!("$ {line}\n{}", said.trim_end());
        for (ours, shown) in &self.names {
            run = run.replace(ours, shown);
        }
        compare(name, &run);
    }
}

/// A sandbox of a story's own. It ends when dropped.
struct Sandbox {
    place: TempDir,
    kubeconfig: PathBuf,
}

impl Sandbox {
    fn with(manifests: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let options: Vec<_> = manifests.iter().flat_map(|manifest| ["-f", manifest]).collect();
        let started = Self::program(&[&["sandbox", "up"], &options[..]].concat(), place.path()).run();
        let kubeconfig = started.exits(0).stdout.trim().strip_prefix("export KUBECONFIG=").expect("its place").into();
        Self { place, kubeconfig }
    }

    fn program(arguments: &[&str], place: &Path) -> Program {
        Program::new(arguments).variable("XDG_RUNTIME_DIR", place).variable("TMPDIR", place).directory(place)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(Self::program(&["sandbox", "down"], self.place.path()).run());
    }
}

/// Makes a pod's member the leader, so that every run has the same one.
fn lead(story: &Story, namespace: &str, pod: &str) {
    let etcdctl = |pod: &str, words: &str| format!("kubectl exec -n {namespace} {pod} -c etcd -- etcdctl {words}");
    let listed: serde_json::Value =
        serde_json::from_str(&story.quietly(&etcdctl(pod, "endpoint status --cluster -w json"))).expect("JSON");
    let statuses = listed.as_array().expect("a list");
    let endpoint_of = |status: &serde_json::Value| status["Endpoint"].as_str().unwrap_or_default().to_owned();
    let wanted = statuses.iter().find(|status| endpoint_of(status).contains(&format!("//{pod}."))).expect("its status");
    let id = &wanted["Status"]["header"]["member_id"];
    let leader = statuses.iter().find(|status| status["Status"]["header"]["member_id"] == wanted["Status"]["leader"]);
    let leader = endpoint_of(leader.expect("a leader"));
    if leader != endpoint_of(wanted) {
        let id = id.as_u64().expect("an id");
        story.quietly(&etcdctl(pod, &format!("--endpoints {leader} move-leader {id:x}")));
    }
}

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

    let hold = json!({
        "apiVersion": "sandbox.etcd-scale.io/v1",
        "kind": "Fault",
        "metadata": {"name": "hold", "namespace": "rok"},
        "spec": {"hold": {"claim": "data-rok-etcd-2"}},
    });
    story.quietly(&format!("kubectl create -f - <<'END'\n{hold}\nEND"));
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
