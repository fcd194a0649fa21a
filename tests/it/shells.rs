//! The program among the operator's tools: completion in real shells, as kubectl's plugin, and the manual.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rexpect::session::PtySession;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_etcd-scale");

/// How long a shell may be silent, in milliseconds.
const SILENCE: u64 = 60_000;

/// What no line holds but the one that waits for a command.
const PROMPT: &str = "and now? ";

/// Contexts as clouds name them: bash takes such words apart.
const CONTEXTS: &str = r#"
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts:
- {name: "arn:aws:eks:1:cluster/blue", context: {cluster: c, user: u}}
- {name: "arn:aws:eks:1:cluster/green", context: {cluster: c, user: u}}
- {name: "admin@prod", context: {cluster: c, user: u}}
- {name: "rude\nname", context: {cluster: c, user: u}}
current-context: admin@prod
"#;

/// A directory with a kubeconfig, `config`.
fn desk(kubeconfig: &str) -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("config"), kubeconfig).unwrap();
    desk
}

fn run(program: impl AsRef<Path>, desk: &TempDir, words: &[&str], asked_by: Option<&str>) -> Output {
    let mut command = Command::new(program.as_ref());
    command.args(words).env("KUBECONFIG", desk.path().join("config")).stdin(Stdio::null());
    if let Some(shell) = asked_by {
        command.env("ETCD_SCALE_COMPLETE", shell);
    }
    command.output().unwrap()
}

/// What fish would be answered, each choice with its help.
fn answered(desk: &TempDir, words: &[&str]) -> String {
    let output = run(PROGRAM, desk, &[&["--", "etcd-scale"], words].concat(), Some("fish"));
    assert!(output.status.success(), "{words:?}");
    assert_eq!(text(&output.stderr), "", "{words:?}");
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A bash at a terminal that completes, and shows the words of a command instead of running it.
fn bash(desk: &TempDir) -> PtySession {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]).env("KUBECONFIG", desk.path().join("config")).env("HOME", desk.path());
    bash.env("TERM", "dumb").env("INPUTRC", "/dev/null").env("PS1", PROMPT);
    let mut session = rexpect::session::spawn_command(bash, Some(SILENCE)).unwrap();
    session.exp_string(PROMPT).unwrap();
    let shows = "etcd-scale() { printf '[%s]' \"$@\"; echo; }";
    session.send_line(&format!("source <({PROGRAM} completions bash); {shows}")).unwrap();
    session.exp_string(PROMPT).unwrap();
    session
}

#[test]
fn bash_completes_at_a_terminal() {
    let desk = desk(CONTEXTS);
    let mut session = bash(&desk);
    let config = desk.path().join("config").display().to_string();
    for (typed, words) in [
        ("sta", &["status"][..]),
        ("check --context adm", &["check", "--context", "admin@prod"]),
        ("check --context admin@p", &["check", "--context", "admin@prod"]),
        ("check --context=admin@p", &["check", "--context=admin@prod"]),
        ("check --context arn:aws:eks:1:cluster/b", &["check", "--context", "arn:aws:eks:1:cluster/blue"]),
        ("check --context \"arn:aws:eks:1:cluster/g", &["check", "--context", "arn:aws:eks:1:cluster/green"]),
        ("up --sts etcd --pause-before cl", &["up", "--sts", "etcd", "--pause-before", "clear-claims"]),
        ("check --via=por", &["check", "--via=port-forward"]),
        ("check --kubeconfig ~/con", &["check", "--kubeconfig", &config]),
    ] {
        session.send_line(&format!("etcd-scale {typed}\t")).unwrap();
        let said = session.exp_string(PROMPT).unwrap_or_else(|error| panic!("{typed}: {error}"));
        let shown = format!("[{}]", words.join("]["));
        assert!(said.contains(&shown), "{typed:?} became {said:?}");
    }
    // A shell at a terminal lets itself not be ended by a signal.
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn scripts_are_what_their_shells_understand() {
    let desk = desk(CONTEXTS);
    for shell in ["bash", "zsh", "fish"] {
        let output = run(PROGRAM, &desk, &["completions", shell], None);
        assert!(output.status.success(), "{shell}");
        let script = desk.path().join(shell);
        fs::write(&script, &output.stdout).unwrap();
        match Command::new(shell).arg("-n").arg(&script).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {}", text(&checked.stderr)),
            // Not every machine has all of them; bash is asked at a terminal above.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{shell}"),
        }
    }
}

#[test]
fn what_is_typed_decides_where_names_are_looked_for() {
    let desk = desk(CONTEXTS);
    let contexts = "admin@prod\narn:aws:eks:1:cluster/blue\narn:aws:eks:1:cluster/green\n";
    assert_eq!(answered(&desk, &["check", "--context", ""]), contexts);
    let other = desk.path().join("other");
    fs::write(&other, CONTEXTS.replace("admin@prod", "test")).unwrap();
    assert_eq!(answered(&desk, &["check", "--kubeconfig", other.to_str().unwrap(), "--context", "t"]), "test\n");
}

#[test]
fn trouble_is_not_told_to_whoever_is_typing() {
    let missing = "/nonexistent/config";
    let noisy = desk(&CONTEXTS.replace(
        "user: {}",
        "user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo trouble >&2; exit 1']}}",
    ));
    for (option, words) in [
        ("--sts", &["check", "--kubeconfig", missing, "--sts", ""][..]),
        ("--context", &["check", "--kubeconfig", missing, "--context", ""]),
        ("--namespace", &["check", "-n", ""]),
        ("--sts", &["check", "--sts", ""]),
        ("--sts", &["check", "--context", "unknown", "--sts", ""]),
    ] {
        assert_eq!(answered(&noisy, words), "", "{option}");
    }
    // What no script of ours asks is a command like any other, and is not passed over in silence.
    let output = run(PROGRAM, &noisy, &["--", "etcd-scale", ""], Some("tcsh"));
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_takes_too_long_is_left_out() {
    let desk = desk(CONTEXTS);
    let pipe = desk.path().join("pipe");
    // Nobody ever writes to it, so reading it has no end.
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(answered(&desk, &["check", "--kubeconfig", pipe.to_str().unwrap(), "--context", ""]), "");
}

#[test]
fn kubectl_runs_it_as_a_plugin() {
    let desk = desk(CONTEXTS);
    let link = |name: &str| {
        let link = desk.path().join(name);
        symlink(PROGRAM, &link).unwrap();
        link
    };
    let plugin = link("kubectl-etcd_scale");
    let help = text(&run(&plugin, &desk, &["up", "--help"], None).stdout);
    assert!(help.contains("Usage: kubectl etcd-scale up [OPTIONS] --sts <NAME>"), "{help}");
    let wrong = run(&plugin, &desk, &["up"], None);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("Usage: kubectl etcd-scale up"), "{}", text(&wrong.stderr));
    let script = run(&plugin, &desk, &["completions", "bash"], None);
    assert_eq!(script.status.code(), Some(2));
    assert!(text(&script.stderr).contains("DIR/kubectl_complete-etcd_scale"), "{}", text(&script.stderr));

    let completion = link("kubectl_complete-etcd_scale");
    let answer = |words: &[&str]| text(&run(&completion, &desk, words, None).stdout);
    assert_eq!(answer(&["check", "--context", "adm"]), "admin@prod\n:4\n");
    assert_eq!(answer(&["check", "--context", "nobody"]), ":4\n");
    let directory = format!("{}/", desk.path().display());
    let path = directory.trim_end_matches('/');
    assert_eq!(answer(&["check", "--kubeconfig", path]), format!("{directory}\n:6\n"), "a path goes on");
}

#[test]
fn the_manual_has_a_page_for_each_verb() {
    let desk = desk(CONTEXTS);
    let pages = desk.path().join("made/for/it");
    let mut command = Command::new(PROGRAM);
    // A variable's value may be a password.
    command.args(["man"]).arg(&pages).env("ETCDCTL_USER", "root:secret").env("ETCDCTL_KEY", "secret");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let help = text(&run(PROGRAM, &desk, &["--help"], None).stdout);
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert!(verbs.len() > 10, "{help}");
    for verb in verbs.iter().filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        let page = fs::read_to_string(pages.join(format!("etcd-scale-{verb}.1"))).unwrap();
        assert!(page.contains(&format!(".TH etcd-scale-{verb} 1")), "{page}");
        assert!(!page.contains("secret"), "{page}");
    }
    let main = fs::read(pages.join("etcd-scale.1")).unwrap();
    assert_eq!(text(&run(PROGRAM, &desk, &["man"], None).stdout), text(&main), "without a directory, the main page");
    let refused = run(PROGRAM, &desk, &["man", "/dev/null/x"], None);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("cannot write the manual to /dev/null/x"), "{}", text(&refused.stderr));
}
