//! Whether the deployment repository can say what the scale-up needs, and whether nothing else comes along with it.

use super::{Check, Context};
use crate::model::{Delivery, FileEdit, Question};
use crate::runbook::Finding;
use crate::steps::deployment::{deployment, objections, question as of, raise};
use crate::steps::edits::Obstacle;

/// The question to ask, where it has not been answered; the plan rests on it as well.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    let asked = context.goal.gitops.is_some();
    Some(of(context.goal)).filter(|question| asked && context.observation.answer(question).is_none())
}

/// A run that is taken up is judged by the step that commits: much of what would forbid a commit matters no more once it
/// is made.
pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let Context { observation, goal } = context;
    let Some(gitops) = goal.gitops.as_ref().filter(|_| !context.resumes()) else { return Vec::new() };
    let mut check = Check::new("deployment");
    let both = raise(observation, goal).and_then(|raise| Ok((raise, deployment(observation, goal)?)));
    let (raise, deployment) = match both {
        Ok(both) => both,
        Err(Obstacle::Fact(fact)) => {
            check.refuse(fact.fact, fact.advice);
            return check.end("");
        }
        Err(Obstacle::Ask(_) | Obstacle::Members) => {
            check.unknown("what has to be committed", Some("the members did not answer"));
            return check.end("");
        }
    };
    for fact in objections(observation, goal, deployment, &raise) {
        check.refuse(fact.fact, fact.advice);
    }
    if gitops.delivery == Delivery::Sync && !gitops.push {
        check.advise(
            "the GitOps controller sees the commit only once it is pushed",
            "push it yourself when the run waits for it, or say --push",
        );
    }
    let files: Vec<_> = deployment.files.iter().map(FileEdit::name).collect();
    let branch = &deployment.branch;
    if files.is_empty() {
        let commit = deployment.commit.as_deref().unwrap_or("its last commit");
        check.ok(format!("branch {branch} asks for {} pods already, by {commit}", goal.to));
    } else if check.findings.iter().all(|finding| finding.level != crate::runbook::Level::Refused) {
        check.ok(format!("{} of {} can be committed to branch {branch}", files.join(", "), gitops.overlay));
    }
    check.findings
}
