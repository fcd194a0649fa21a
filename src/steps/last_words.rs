//! What a container wrote last: asked for when a wait for it is about to end, because it says what holds it back.

use std::time::Duration;

use crate::model::{Answer, Goal, Known, Observation, Question};
use crate::runbook::Trail;

/// How long before the end of a wait it is asked.
const BEFORE_THE_END: Duration = Duration::from_millis(500);

/// How many lines are told.
const LINES: usize = 3;

/// The last lines of etcd in a pod, where the wait `until` is about to end; nothing before that.
///
/// # Errors
/// The question to ask first.
pub(super) fn last_words(
    observation: &Observation,
    goal: &Goal,
    trail: &Trail,
    until: &str,
    pod: &str,
) -> Result<String, Question> {
    let ends = trail.waiting_for(until).is_some_and(|waited| waited + BEFORE_THE_END >= goal.timeout);
    if !ends {
        return Ok(String::new());
    }
    let container = observation.statefulset.template.etcd().map_or("etcd", |(_, container)| container.name.as_str());
    let question = Question::LastLines { pod: pod.to_owned(), container: container.to_owned() };
    match observation.answer(&question) {
        None => Err(question),
        Some(Answer::LastLines(Known::Known(lines))) if !lines.is_empty() => {
            let last = &lines[lines.len().saturating_sub(LINES)..];
            Ok(format!("; its last lines:\n{}", last.join("\n")))
        }
        Some(Answer::LastLines(Known::Unknown(why))) => Ok(format!("; its log could not be read: {why}")),
        Some(_) => Ok("; it has written nothing".to_owned()),
    }
}
