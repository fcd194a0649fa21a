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
            Ok(format!("; its last lines:\n{}", telling(lines, LINES).join("\n")))
        }
        Some(Answer::LastLines(Known::Unknown(why))) => Ok(format!("; its log could not be read: {why}")),
        Some(_) => Ok("; it has written nothing".to_owned()),
    }
}

/// The last `most` of the lines, without the stacks that a Go program leaves at the end where it breaks off: they tell
/// nobody why.
pub(super) fn telling(lines: &[String], most: usize) -> &[String] {
    let stacks = lines.iter().rev().take_while(|line| is_of_a_stack(line)).count();
    let (before, stacks) = lines.split_at(lines.len() - stacks);
    let broke_off = !before.is_empty() && stacks.iter().any(|line| line.starts_with("goroutine "));
    let lines = if broke_off { before } else { lines };
    &lines[lines.len().saturating_sub(most)..]
}

/// Whether a line is one of those that Go's runtime writes for a stack: its head, a call, a place, who began it, or none.
fn is_of_a_stack(line: &str) -> bool {
    let call = line.split_once('(').is_some_and(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
    let other = ["goroutine ", "created by ", "\t"].iter().any(|start| line.starts_with(start));
    line.is_empty() || call || other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        telling(&lines, LINES).join("|")
    }

    #[test]
    fn the_last_of_what_was_written() {
        assert_eq!(told("1\n2\n3\n4\n5"), "3|4|5");
        assert_eq!(told("1"), "1");
        assert_eq!(told(""), "");
    }

    #[test]
    fn a_panic_tells_its_reason_and_not_its_stacks() {
        let stacks = "goroutine 170 [running]:\nmain.main()\n\t/go/src/main.go:40 +0x38\n";
        assert_eq!(told(&format!("starting\npanic: no space\n\n{stacks}\n{stacks}")), "starting|panic: no space");
        // One that the program has survived is no last word.
        assert_eq!(told(&format!("{stacks}\n1\n2\n3 (last)")), "1|2|3 (last)");
        // Where nothing else was read, they are better than nothing.
        assert_eq!(told(stacks), stacks.trim_end().replace('\n', "|"));
    }
}
