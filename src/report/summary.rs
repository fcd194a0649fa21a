//! The end of a run, for people: what came of it, what stands, and how to go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::commands::Commands;
use super::escape::escape;
use super::text::{BAD, BOLD, DIM, GOOD, NOTE, line_of, styled};
use crate::model::{Change, Goal, Verb, quorum_after_losing_one};
use crate::runbook::{Level, Outcome, Summary, TroubleKind};

/// The closing lines. `statefulset` is `namespace/name`; `again` goes on with the run, which is taken back by itself where
/// `rollback` is asked for.
pub(super) fn closing(
    summary: &Summary,
    statefulset: &str,
    goal: &Goal,
    again: &str,
    rollback: bool,
    commands: &Commands,
) -> String {
    let fails = match &summary.outcome {
        Outcome::Failed { trouble, .. } => trouble.kind != TroubleKind::Internal,
        outcome => matches!(outcome, Outcome::Refused { .. } | Outcome::TimedOut { .. }),
    };
    let onward = if rollback && fails {
        "It is taken back now, as --on-failure rollback asks.".to_owned()
    } else {
        format!("Go on with: {}", escape(again))
    };
    let mut text = match &summary.outcome {
        Outcome::Done => done(summary, statefulset, goal, commands),
        Outcome::Foreseen => {
            let persist = to_persist(summary, goal).map(|line| format!("\n  persist   {}", escape(&line)));
            styled(BOLD, "Nothing was changed.") + &persist.unwrap_or_default()
        }
        Outcome::Paused { before } => {
            let mut text = format!("{} before {before}.", styled(NOTE, "Paused"));
            if goal.leaves_to_operator(before)
                && let Some(gitops) = &goal.gitops
            {
                let _ = write!(text, " The commit is made; apply {} to the cluster.", escape(&gitops.overlay));
            }
            format!("{text} {onward}")
        }
        Outcome::Refused { step, facts, findings, half_way } => {
            let mut text = String::new();
            for finding in findings.iter().filter(|finding| finding.level != Level::Ok) {
                let _ = writeln!(text, "{}", line_of(finding));
            }
            let _ = write!(text, "{} {step}", styled(BAD, "Refused by"));
            if findings.is_empty() {
                for fact in facts {
                    let advice = styled(DIM, &format!("-> {}", fact.advice));
                    let _ = write!(text, "\n  {}\n    {advice}", escape(&fact.fact));
                }
            } else {
                let _ = write!(text, ": {} of {} findings stand in the way.", facts.len(), findings.len());
            }
            let stands = if *half_way { format!("The run is half-way. {onward}") } else { nothing() };
            let _ = write!(text, "\n{stands}");
            text
        }
        Outcome::Failed { step, trouble } => {
            let mut text = format!("{} {step}: {}", styled(BAD, "Failed in"), escape(&trouble.message));
            if let Some(advice) = &trouble.advice {
                let _ = write!(text, "\n  {}", styled(DIM, &format!("-> {advice}")));
            }
            text
        }
        Outcome::Declined { change } => format!("{} {}", styled(NOTE, "Declined:"), escape(&change.sentence())),
        Outcome::NobodyToAsk { change } => format!(
            "{} {}\n  {}",
            styled(BAD, "Nobody to ask:"),
            escape(&change.sentence()),
            styled(
                DIM,
                "-> this is no terminal; say --yes to agree to every change beforehand, or --dry-run to see them"
            )
        ),
        Outcome::TimedOut { step, until, seen, way_out } => format!(
            "{} {step}, waiting for {}\n  last seen: {}\n  {}",
            styled(BAD, "Timed out in"),
            escape(until),
            escape(seen),
            styled(DIM, &format!("-> {way_out}"))
        ),
        Outcome::Contradiction { fact, advice } => {
            format!("{} {}\n  {}", styled(BAD, "Stopped:"), escape(fact), styled(DIM, &format!("-> {advice}")))
        }
        Outcome::Locked { holder } => {
            let what = escape(&format!("{holder} is at work on {statefulset}")).into_owned();
            format!("{} {what}. Nothing was changed.", styled(BAD, "Locked:"))
        }
        Outcome::Interrupted { .. } => styled(NOTE, "Interrupted."),
    };
    let open_ended = !matches!(
        summary.outcome,
        Outcome::Done | Outcome::Foreseen | Outcome::Paused { .. } | Outcome::Refused { .. } | Outcome::Locked { .. }
    );
    if open_ended {
        let changed = summary.changes.iter().any(Change::touches_cluster) || goal.resumed.is_some();
        let _ = write!(text, "\n{}", if changed { onward } else { nothing() });
    }
    if !matches!(summary.outcome, Outcome::Done)
        && let Some(snapshot) = &summary.snapshot
    {
        let _ = write!(text, "\nThe snapshot is in {}", escape(&snapshot.file.display().to_string()));
    }
    text
}

fn nothing() -> String {
    "Nothing was changed in the cluster.".to_owned()
}

fn done(summary: &Summary, statefulset: &str, goal: &Goal, commands: &Commands) -> String {
    match goal.verb {
        Verb::Check => {
            return format!(
                "{} nothing stands in the way of growing from {} to {} members.",
                styled(GOOD, "Ready:"),
                goal.from,
                goal.to
            );
        }
        Verb::Verify => return format!("{} {} is as it should be.", styled(GOOD, "Proved:"), escape(statefulset)),
        Verb::Up | Verb::Down | Verb::Replace | Verb::Abort | Verb::Settle => {}
    }
    let mut text = format!(
        "{} {} has {}. {}",
        styled(GOOD, if goal.verb == Verb::Abort { "Taken back:" } else { "Done:" }),
        escape(statefulset),
        if goal.to == 1 { "1 member".to_owned() } else { format!("{} members", goal.to) },
        styled(DIM, &format!("({:.1} s)", summary.seconds))
    );
    if let Some(by) = summary.resumed.as_ref().filter(|_| goal.verb != Verb::Abort) {
        let _ = write!(text, " This finished the run that {} began.", escape(by));
    }
    let steps: Vec<_> =
        summary.steps.iter().map(|reached| format!("{} {:.1} s", reached.step, reached.seconds)).collect();
    let _ = write!(text, "\n  steps     {}", styled(DIM, &steps.join(", ")));
    if let Some(snapshot) = &summary.snapshot {
        let file = escape(&snapshot.file.display().to_string()).into_owned();
        let _ = write!(
            text,
            "\n  snapshot  {file}, {} bytes, from {}, sha256 {}\n            {}",
            snapshot.bytes,
            escape(&snapshot.pod),
            snapshot.sha256,
            styled(DIM, &format!("restore with: etcdutl snapshot restore {file} --data-dir DIR (etcdctl before 3.5)"))
        );
    }
    if let Some(line) = to_persist(summary, goal) {
        let _ = write!(text, "\n  persist   {}", escape(&line));
    }
    if summary.deferred {
        let (namespace, name) = statefulset.split_once('/').unwrap_or_default();
        let _ = write!(text, "\n  remains   the older members run the old template, guarded by the partition");
        let too_few = !quorum_after_losing_one(usize::try_from(goal.to).unwrap_or_default());
        let next = if too_few {
            format!("grow on, which brings it along: etcd-scale up --sts {name} -n {namespace} --to 3")
        } else {
            format!("bring it to them: etcd-scale settle --sts {name} -n {namespace}")
        };
        let _ = write!(text, "\n            {}", styled(DIM, &format!("-> {}", commands.typed(&next))));
        if too_few {
            let now =
                format!("or accept a gap without quorum: etcd-scale settle --rollout now --sts {name} -n {namespace}");
            let _ = write!(text, "\n            {}", styled(DIM, &format!("   {}", commands.typed(&now))));
        }
    }
    if !summary.after.leftover_claims.is_empty() {
        let namespace = statefulset.split_once('/').unwrap_or_default().0;
        let claims = &summary.after.leftover_claims;
        let label = if summary.deferred { "" } else { "remains" };
        let _ = write!(text, "\n  {label:<9} {}, in the way of a scale-up to that size", escape(&claims.join(", ")));
        let delete = format!("when the data is not needed: kubectl delete pvc -n {namespace} {}", claims.join(" "));
        let _ = write!(text, "\n            {}", styled(DIM, &format!("-> {}", commands.typed(&delete))));
    }
    text
}

/// What has to be changed at the source that the StatefulSet is made from, so that its next sync does not undo what the run
/// has changed, or would change.
fn to_persist(summary: &Summary, goal: &Goal) -> Option<String> {
    if goal.to == goal.from || goal.gitops.is_some() || summary.sources.is_empty() {
        return None;
    }
    let mut values = vec![format!("replicas {} (in many charts replicaCount)", goal.to)];
    let foreseen = summary.plan.iter().flat_map(|plan| &plan.changes).map(|planned| &planned.change);
    let changed: Vec<_> =
        if summary.changes.is_empty() { foreseen.collect() } else { summary.changes.iter().collect() };
    let set = changed.into_iter().flat_map(|change| match change {
        Change::PatchStatefulSet { env, .. } => env.as_slice(),
        _ => &[],
    });
    // Each round sets the variables anew; the last one's values stay.
    let last: BTreeMap<_, _> = set.map(|edit| (&edit.name, &edit.to)).collect();
    values.extend(last.iter().map(|(name, to)| format!("{name} {to}")));
    Some(format!(
        "{} would undo this: change its source before its next sync: {}",
        summary.sources.join(" and "),
        values.join(", ")
    ))
}
