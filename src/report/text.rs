//! Events as lines for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::change::diff;
use super::escape::escape;
use crate::model::{Change, Goal, Record, Verb};
use crate::runbook::{Event, Finding, Level, Plan, PlanEnd, Proposal};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// A word in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{}{style:#}", escape(text))
}

/// Indents every line of a text.
fn indented(by: usize, text: &str) -> String {
    let pad = " ".repeat(by);
    escape(text).lines().map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n")
}

/// Lines for an event that is told once. None for those that only matter while they last, or to programs.
pub(super) fn lines(event: &Event, verbose: bool) -> Option<String> {
    match event {
        Event::RunStarted { statefulset, goal, dry_run, .. } => Some(started(statefulset, goal, *dry_run)),
        Event::StepStarted { step, index, total, purpose } => {
            Some(format!("\n{} {}", styled(BOLD, &format!("{index}/{total} {step}")), styled(DIM, purpose)))
        }
        Event::Planned { plan } => Some(format!("\n{}", planned(plan, verbose))),
        Event::ChangeStarted { change, sentence, command, tries } => {
            // A change that is tried again has been told of.
            if *tries > 0 || change.is_bookkeeping() && !verbose {
                return None;
            }
            let mut text = format!("    {} {}", styled(BOLD, "->"), escape(sentence));
            if verbose {
                let _ = write!(text, "\n       {}", styled(DIM, &format!("same as: {command}")));
            }
            Some(text)
        }
        Event::ChangeFailed { trouble, tries, for_good, .. } => {
            // A change that is tried five times a second is told about once, then now and then. That it failed for good is
            // told by the end of the run.
            (!for_good && (*tries == 1 || tries % 25 == 0))
                .then(|| format!("       {} {}; looking again", styled(NOTE, "not yet:"), escape(&trouble.message)))
        }
        Event::ObserveFailed { trouble } => {
            Some(format!("       {} {}; looking again", styled(NOTE, "not yet:"), escape(&trouble.message)))
        }
        Event::Moved { moved, .. } => (verbose && !moved.is_progress())
            .then(|| format!("       {}", styled(DIM, &format!("seen: {}", moved.sentence())))),
        Event::CommandOutput { lines } => Some(indented(9, &lines.join("\n"))),
        Event::StepDone { proof, findings, seconds, .. } => {
            let mut text = String::new();
            for finding in findings {
                let _ = writeln!(text, "{}", line_of(finding));
            }
            let _ = write!(
                text,
                "    {} {} {}",
                styled(GOOD, "done"),
                escape(proof),
                styled(DIM, &format!("({seconds:.1} s)"))
            );
            Some(text)
        }
        Event::Rehearsed { change, trouble } => Some(match trouble {
            None => format!("{} the API server would take {change}", styled(GOOD, "ok")),
            Some(trouble) => format!("{} {change}: {}", styled(BAD, "refused"), escape(&trouble.message)),
        }),
        Event::ConfirmRequested { .. }
        | Event::ConfirmAnswered { .. }
        | Event::ChangeProgress { .. }
        | Event::ChangeApplied { .. }
        | Event::Waiting { .. }
        | Event::LookProgress { .. }
        | Event::KeysCompared { .. }
        | Event::Locking { .. }
        | Event::RunEnded { .. } => None,
    }
}

/// Which StatefulSet, and what is to become of it.
pub(super) fn what_is_done(statefulset: &str, goal: &Goal) -> String {
    if let Some(ordinal) = goal.replaces {
        format!("{statefulset}, {} members, the one of ordinal {ordinal} anew", goal.to)
    } else if goal.from == goal.to {
        format!("{statefulset}, {} members", goal.to)
    } else {
        format!("{statefulset}, {} -> {} members", goal.from, goal.to)
    }
}

fn started(statefulset: &str, goal: &Goal, dry_run: bool) -> String {
    let dry = if dry_run { " (dry run: nothing is changed)" } else { "" };
    let what = what_is_done(statefulset, goal);
    let mut text = format!("{} {}{dry}", styled(BOLD, "etcd-scale:"), escape(&what));
    let mut earlier = |what: &str, record: &Record| {
        let (by, at) = (escape(&record.by), escape(&record.started));
        let _ = write!(text, "\n{what} that {by} began at {at}");
    };
    if let Some(record) = &goal.resumed {
        let takes_back = goal.verb == Verb::Abort && record.verb != Verb::Abort;
        earlier(if takes_back { "takes back the run" } else { "finishes the run" }, record);
    }
    if let Some(record) = &goal.supersedes {
        earlier(&format!("takes the place of the `{}` to {} members", record.verb.word(), record.to), record);
    }
    text
}

/// One check as a line, its advice below it.
pub(super) fn line_of(finding: &Finding) -> String {
    let (style, word) = match finding.level {
        Level::Ok => (GOOD, "ok     "),
        Level::Unknown => (NOTE, "unknown"),
        Level::Advice => (NOTE, "advice "),
        Level::Refused => (BAD, "refused"),
    };
    let mut text = format!("    {} {:<18} {}", styled(style, word), finding.id, escape(&finding.found));
    if let Some(advice) = &finding.advice {
        let _ = write!(text, "\n{:31}{}", "", styled(DIM, &format!("-> {advice}")));
    }
    text
}

/// What lies ahead. In full it has the commands, the patches and how to take each change back.
pub(super) fn planned(plan: &Plan, full: bool) -> String {
    let mut text = styled(BOLD, "Plan");
    for planned in plan.changes.iter().filter(|planned| full || !planned.change.is_bookkeeping()) {
        let _ = write!(text, "\n  {:<18} {}", planned.step, escape(&planned.sentence));
        if full {
            let _ =
                write!(text, "\n{}", details(&planned.change, &planned.reason, &planned.command, &planned.undo, 21));
        }
    }
    let end = match &plan.end {
        PlanEnd::Reached { deferred: false } => "then everything is done".to_owned(),
        PlanEnd::Reached { deferred: true } => "then the rollout to the older members remains, for `settle`".to_owned(),
        PlanEnd::Refused { step, facts } => {
            let facts: Vec<_> = facts.iter().map(|fact| fact.fact.as_str()).collect();
            format!("then {step} refuses: {}", facts.join("; "))
        }
        PlanEnd::Unforeseen { step, until } => format!("then {step} waits for {until}; what follows depends on that"),
    };
    let _ = write!(text, "\n  {}", styled(DIM, &end));
    text
}

fn details(change: &Change, reason: &str, command: &str, undo: &str, by: usize) -> String {
    let mut lines = Vec::new();
    if !reason.is_empty() {
        lines.push(format!("because  {reason}"));
    }
    lines.push(format!("same as  {command}"));
    lines.push(format!("undo     {undo}"));
    lines.extend(diff(change));
    let text = indented(by, &lines.join("\n"));
    text.lines().map(colored).collect::<Vec<_>>().join("\n")
}

/// A line of a diff, or of what is said beside it.
fn colored(line: &str) -> String {
    let style = match line.trim_start().as_bytes() {
        [b'+', b' ', ..] => GOOD,
        [b'-', b' ', ..] => BAD,
        _ => DIM,
    };
    format!("{style}{line}{style:#}")
}

/// The question before a change.
pub(super) fn question(proposal: &Proposal) -> String {
    let mut text = format!("    {} {}", styled(BOLD, "?"), styled(BOLD, &proposal.change.sentence()));
    let _ = write!(text, "\n      {}", styled(DIM, &format!("because {}", proposal.reason)));
    for line in diff(&proposal.change) {
        let _ = write!(text, "\n      {}", colored(&escape(&line)));
    }
    text
}

/// Everything about a change, for somebody who asks before answering.
pub(super) fn question_details(proposal: &Proposal, command: &str, undo: &str) -> String {
    details(&proposal.change, &proposal.reason, command, undo, 6)
}
