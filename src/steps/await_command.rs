//! `await-command`: until the apply command has ended, which may wait for what the promotion brought; and before the
//! template goes to the old pods, because it may have changed that once more.

use super::guard::changed_besides;
use crate::model::{Goal, Observation};
use crate::runbook::{Done, Finding, Level, Step, Trail, Verdict, Wait, Wake};

/// Waits for the end of the apply command.
pub struct AwaitCommand;

impl Step for AwaitCommand {
    fn name(&self) -> &'static str {
        "await-command"
    }

    fn purpose(&self) -> &'static str {
        "wait for the apply command to end, where one was started"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        if let Some(refusal) = changed_besides(observation, trail) {
            return Verdict::Refuse(refusal);
        }
        let Some(command) = observation.delivering.as_ref().and_then(|delivering| delivering.command.as_ref()) else {
            return Verdict::done("this run has started none");
        };
        match &command.ended {
            None => Verdict::Wait(Wait {
                until: "the apply command to end".to_owned(),
                seen: command.lines.last().cloned().unwrap_or_else(|| "it has written nothing".to_owned()),
                progress: None,
                limit: goal.timeout,
                wake: Wake::Kubernetes,
                way_out: "the cluster has its new member; run the same command again without waiting for it".to_owned(),
            }),
            Some(end) if end.well => Verdict::done(format!("{} has ended well", command.text)),
            // The StatefulSet has what it should: what else the command was to do is not this run's affair.
            Some(end) => Verdict::Done(Done {
                proof: format!("{} has ended", command.text),
                findings: vec![Finding {
                    id: "apply-command".to_owned(),
                    level: Level::Advice,
                    found: format!("it ended with {}; its last lines:\n{}", end.how, command.last_lines()),
                    advice: Some("the StatefulSet has what the commit says; see what else it was to do".to_owned()),
                }],
            }),
        }
    }
}
