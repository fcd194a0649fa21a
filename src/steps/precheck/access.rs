//! The way to etcd: which it is, whether it serves what the run needs, and what etcd lets this run do.

use super::{Check, Context};
use crate::model::{Answer, Known, Privileges, Question, SnapshotChoice};
use crate::runbook::Finding;

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    let answered = context.observation.answer(&Question::Privileges).is_some();
    // Without a quorum it would be no answer, and the run is refused for that.
    let quorum = context.observation.members.is_known_and(|members| members.by_quorum);
    (quorum && !answered).then_some(Question::Privileges)
}

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let mut findings = via(context);
    if let Some(Answer::Privileges(privileges)) = context.observation.answer(&Question::Privileges) {
        findings.extend(check_privileges(privileges));
    }
    findings
}

fn via(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("via");
    let via = context.observation.via;
    let snapshot =
        (context.grows() || context.removes()) && !context.resumes() && context.goal.snapshot != SnapshotChoice::None;
    if snapshot && !via.streams() {
        check.refuse(
            format!("the members are asked by {via}, which cannot stream a snapshot"),
            "take none with --no-snapshot, or use --via port-forward",
        );
    }
    check.end(format!("the members are asked by {via}"))
}

fn check_privileges(privileges: &Known<Privileges>) -> Vec<Finding> {
    let mut check = Check::new("privileges");
    match privileges {
        Known::Known(Privileges::All) => {}
        Known::Known(Privileges::Denied(said)) => check.refuse(
            format!("etcd lets this run change no members: {said}"),
            "name a user with the role root: --user NAME, which asks for the password",
        ),
        Known::Unknown(why) => check.unknown("what etcd lets this run do", Some(why)),
    }
    check.end("etcd lets this run change members")
}
