//! The command that goes on with a run: what was typed, as far as it still holds.

use super::commands::Commands;
use super::quoted::command_line;
use crate::model::{Change, Goal, Verb};
use crate::runbook::Summary;

/// Options that do not hold for a run that goes on, each with a value: where to pause; how far, which is told anew; and
/// where the report is, which would be lost to the next one.
const PASSING: [&str; 4] = ["--pause-before", "--to", "--by", "--report"];

/// The command that goes on with a run on `statefulset`, `namespace/name`. It says how far, so that it does no more when
/// it is given twice. `typed` is what began the run, without the program's name, and empty where something else did.
pub(super) fn again(
    typed: &[String],
    summary: &Summary,
    statefulset: &str,
    goal: &Goal,
    commands: &Commands,
) -> String {
    let to = match goal.verb {
        Verb::Up | Verb::Down => format!(" --to {}", goal.to),
        _ => String::new(),
    };
    if typed.is_empty() {
        let (namespace, name) = statefulset.split_once('/').unwrap_or_default();
        let pod = goal.replaces.map(|ordinal| format!(" {name}-{ordinal}")).unwrap_or_default();
        return commands.typed(&format!("etcd-scale {} --sts {name} -n {namespace}{pod}{to}", goal.verb.word()));
    }
    // The record tells the next run of the snapshot, and is not there before the first change in the cluster.
    let only_saved = summary.snapshot.is_some() && !summary.changes.iter().any(Change::touches_cluster);
    command_line(commands.program, holding(typed, only_saved)) + &to
}

/// The words that still hold, where the file for the snapshot may be the only thing that was made.
fn holding(typed: &[String], only_saved: bool) -> Vec<&str> {
    let mut holding = Vec::new();
    let mut words = typed.iter();
    while let Some(word) = words.next() {
        let (option, value) =
            word.split_once('=').map_or((word.as_str(), None), |(option, value)| (option, Some(value)));
        let saved = only_saved && option == "--snapshot";
        if PASSING.contains(&option) || saved {
            if value.is_none() {
                words.next();
            }
        } else {
            holding.push(word.as_str());
        }
        if saved {
            // The file is not overwritten. Where it is too old by then, the operator sees that none is taken.
            holding.push("--no-snapshot");
        }
    }
    holding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_holds_but_for_how_far() {
        for (typed, only_saved, holds) in [
            (
                "up --sts a --rollout defer --no-snapshot --pause-before promote",
                false,
                "up --sts a --rollout defer --no-snapshot",
            ),
            ("up --by 2 --sts a --yes", false, "up --sts a --yes"),
            ("--context=b down --to=2 --pause-before=verify --report a.md", false, "--context=b down"),
            ("up --snapshot a.db --to 3 -n b", false, "up --snapshot a.db -n b"),
            ("up --snapshot a.db --to 3 -n b", true, "up --no-snapshot -n b"),
            ("up --snapshot=a.db -y", true, "up --no-snapshot -y"),
            ("replace a-0 --force", true, "replace a-0 --force"),
        ] {
            let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(holding(&typed, only_saved).join(" "), holds);
        }
    }
}
