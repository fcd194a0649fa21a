//! Commands on a cluster, one after another, as an operator would type them, and a sandbox for them.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::text::compare;
use super::transcripts::TRANSCRIPTS;
use crate::harness::{assert_plain, eventually};

/// Where the documents say that the commands were typed.
const DESK: &str = "/srv/backup";

pub(super) const QUESTION: &str = "[y]es, [N]o, [d]etails, [a]ll: ";

/// How long a run may be silent, in milliseconds.
pub(super) const SILENCE: u64 = 240_000;

/// Commands on one cluster, one after another, as an operator would type them.
pub(super) struct Story {
    desk: TempDir,
    kubeconfig: PathBuf,
    /// What the documents call otherwise.
    pub(super) names: Vec<(String, String)>,
}

impl Story {
    pub(super) fn of(kubeconfig: PathBuf) -> Self {
        let desk = tempfile::tempdir().expect("a temporary directory");
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let directory = desk.path().canonicalize().expect("it is there").display().to_string();
        let names = vec![(directory, DESK.to_owned()), (format!("@{node}"), "@laptop".to_owned())];
        Self { desk, kubeconfig, names }
    }

    pub(super) fn command(&self, line: &str) -> Command {
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
    pub(super) fn quietly(&self, line: &str) -> String {
        let output = self.command(line).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
        said
    }

    /// Runs a command and compares what it says with the documents.
    #[track_caller]
    pub(super) fn tells(&self, name: &str, code: i32, line: &str) {
        let output = self.command(line).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}\n{said}");
        self.shown(name, line, &said);
    }

    /// Runs a command until it says something, and compares what it says then.
    #[track_caller]
    pub(super) fn comes_to_tell(&self, name: &str, line: &str, what: &str) {
        let said = eventually(what, || {
            let said = self.quietly(line);
            if said.contains(what) { Ok(said) } else { Err(said) }
        });
        self.shown(name, line, &said);
    }

    /// Runs a command at a terminal, answers its questions, and compares.
    #[track_caller]
    pub(super) fn asks(&self, name: &str, code: i32, line: &str, answers: &[&str]) {
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
        compare(name, &self.in_the_documents_words(&format!("$ {line}\n{}", said.trim_end())));
    }

    /// A text with the names that the documents have for this run's.
    pub(super) fn in_the_documents_words(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (ours, shown)| text.replace(ours, shown))
    }
}

/// A sandbox of a story's own. It ends when dropped, and when this process is killed, as it lasts as long as the input of
/// the command that runs in it.
pub(super) struct Sandbox {
    child: Child,
    pub(super) kubeconfig: PathBuf,
}

impl Sandbox {
    pub(super) fn with(manifests: &[&str]) -> Self {
        let options = manifests.iter().flat_map(|manifest| ["-f", manifest]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_etcd-scale"));
        command.args(["sandbox", "run"]).args(options).args(["--", "sh", "-c", "echo \"$KUBECONFIG\"; exec cat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it tells its place");
        assert!(!line.is_empty(), "the sandbox did not start");
        Self { child, kubeconfig: line.trim().into() }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Makes a pod's member the leader, so that every run has the same one.
pub(super) fn lead(story: &Story, namespace: &str, pod: &str) {
    let etcdctl = |pod: &str, words: &str| format!("kubectl exec -n {namespace} {pod} -c etcd -- etcdctl {words}");
    let listed: Value =
        serde_json::from_str(&story.quietly(&etcdctl(pod, "endpoint status --cluster -w json"))).expect("JSON");
    let statuses = listed.as_array().expect("a list");
    let endpoint_of = |status: &Value| status["Endpoint"].as_str().unwrap_or_default().to_owned();
    let wanted = statuses.iter().find(|status| endpoint_of(status).contains(&format!("//{pod}."))).expect("its status");
    let id = &wanted["Status"]["header"]["member_id"];
    let leader = statuses.iter().find(|status| status["Status"]["header"]["member_id"] == wanted["Status"]["leader"]);
    let leader = endpoint_of(leader.expect("a leader"));
    if leader != endpoint_of(wanted) {
        let id = id.as_u64().expect("an id");
        story.quietly(&etcdctl(pod, &format!("--endpoints {leader} move-leader {id:x}")));
    }
}

/// Holds the volume of Rok's third pod back, so that the pod waits for it.
pub(super) fn hold(story: &Story) {
    let hold = json!({
        "apiVersion": "sandbox.etcd-scale.io/v1",
        "kind": "Fault",
        "metadata": {"name": "hold", "namespace": "rok"},
        "spec": {"hold": {"claim": "data-rok-etcd-2"}},
    });
    story.quietly(&format!("kubectl create -f - <<'END'\n{hold}\nEND"));
}
