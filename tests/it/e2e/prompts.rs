//! Questions at a terminal.

use std::process::Command;

use rexpect::session::PtySession;

use crate::harness::{Cluster, Manifest, assert_plain, setting};

/// How long the run may be silent, in milliseconds.
const SILENCE: u64 = 240_000;

const QUESTION: &str = "[y]es, [N]o, [d]etails, [a]ll: ";

/// So many columns has a narrow window.
const COLUMNS: usize = 52;

/// Starts `up` at a terminal in a narrow window, under a shell that tells how it ended.
fn at_a_terminal(cluster: &Cluster) -> PtySession {
    let up = cluster.program(&["up"]).into_command();
    let mut shell = Command::new("sh");
    let script = format!("stty cols {COLUMNS} rows 30; trap : INT; \"$@\"; echo \"exit code $?\"");
    shell.args(["-c", &script, "sh"]);
    shell.arg(up.get_program()).args(up.get_args()).current_dir(cluster.desk()).env("TERM", "xterm");
    rexpect::session::spawn_command(shell, Some(SILENCE)).expect("it starts")
}

/// Waits for its end. The exit code and what it said last.
fn end(mut session: PtySession) -> (i32, String) {
    let text = session.exp_eof().expect("it ends");
    let code = text.rsplit("exit code ").next().and_then(|code| code.trim().parse().ok());
    (code.unwrap_or_else(|| panic!("it did not end by itself\n{text}")), text)
}

fn answer(session: &mut PtySession, answer: &str) -> String {
    let before = session.exp_string(QUESTION).expect("a question");
    session.send_line(answer).expect("it listens");
    before
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn details_and_then_no() {
    let cluster = Manifest::new().start("prompt-no");
    let (before, versions) = (cluster.standing(), cluster.versions());
    let mut session = at_a_terminal(&cluster);

    let plan = answer(&mut session, "d");
    assert!(plan.contains("Plan") && plan.contains("Raise the StatefulSet from 2 to 3 pods"), "{plan}");
    assert_plain(&plan);
    let details = answer(&mut session, "what?");
    assert!(details.contains("same as") && details.contains("undo"), "{details}");
    let hint = answer(&mut session, "n");
    assert!(hint.contains("Please answer"), "{hint}");

    let (code, last) = end(session);
    assert_eq!(code, 4, "{last}");
    assert!(last.contains("Declined") && last.contains("Nothing was changed"), "{last}");
    assert_plain(&last);
    assert_eq!(cluster.standing(), before);
    assert_eq!(cluster.versions(), versions);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn one_yes_and_then_no_stops_half_way() {
    let cluster = Manifest::new().start("prompt-yes");
    let mut session = at_a_terminal(&cluster);

    if setting("E2E_VIA", "") != "exec" {
        // The snapshot is the first; the learner is asked for by itself, whatever was typed before it was asked for.
        answer(&mut session, "y\ny\ny\ny");
    }
    let asked = answer(&mut session, "yes");
    assert!(asked.contains("as a learner"), "{asked}");
    let asked = answer(&mut session, "");
    assert!(asked.contains("spec.replicas: 3"), "{asked}");

    let (code, last) = end(session);
    assert_eq!(code, 4, "{last}");
    assert!(last.contains("Declined") && last.contains("Go on with: etcd-scale up"), "{last}");
    assert_eq!(cluster.members().iter().filter(|member| member.learner).count(), 1);
    assert_eq!(cluster.set()["spec"]["replicas"], 2);
    assert!(cluster.record().is_some(), "the record stays for the next run");
}

/// Asserts that waits were shown with the time that is left and the pods, and cut to the window.
#[track_caller]
fn assert_live_view(text: &str) {
    // The session has made a character of every byte.
    let bytes: Vec<u8> = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
    let plain = anstream::adapter::strip_str(&String::from_utf8_lossy(&bytes)).to_string();
    // The view is drawn in whole rows, one behind the other, so that a row too long would shift all after it.
    let drawn = plain.split(['\r', '\n']).filter(|drawing| drawing.starts_with("      ") && drawing.contains(" left"));
    let cells = drawn.map(|drawing| drawing.chars().collect::<Vec<_>>());
    let rows: Vec<String> =
        cells.flat_map(|cells| cells.chunks(COLUMNS).map(String::from_iter).collect::<Vec<_>>()).collect();
    assert!(rows.iter().any(|row| row.ends_with(" left")), "no time that is left\n{text}");
    for row in &rows {
        assert!(row.ends_with(" left") || row.starts_with("        etcd-"), "{row:?} of {rows:#?}");
    }
    for pod in ["etcd-0  ready", "etcd-1  ready", "etcd-2  "] {
        assert!(rows.iter().any(|row| row.trim_start().starts_with(pod)), "no {pod} in {rows:#?}");
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn all_goes_through() {
    let cluster = Manifest::new().start("prompt-all");
    let strategy = cluster.strategy();
    let mut session = at_a_terminal(&cluster);

    answer(&mut session, "a");

    let (code, last) = end(session);
    assert_eq!(code, 0, "{last}");
    assert!(last.contains("Done:"), "{last}");
    assert_plain(&last);
    cluster.has_grown(3, &strategy);
    assert_live_view(&last);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_interrupt_at_a_question_changes_nothing() {
    let cluster = Manifest::new().start("prompt-int");
    let before = cluster.standing();
    let mut session = at_a_terminal(&cluster);

    session.exp_string(QUESTION).expect("a question");
    session.send_control('c').expect("it listens");

    let (code, last) = end(session);
    assert_eq!(code, 130, "{last}");
    assert!(last.contains("Interrupted"), "{last}");
    assert_eq!(cluster.standing(), before);
}
