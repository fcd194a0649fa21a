//! A change as lines: what it does, why, the command that would do the same, and a patch as a diff.

use serde_json::Value;

use similar::{ChangeTag, TextDiff};

use crate::model::{Change, CommandEdit, EnvEdit, Patched, WordEdit};

/// What a patch changes, as lines of a diff. Empty for changes elsewhere.
pub(super) fn diff(change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    let mut replace = |path: &str, from: Option<String>, to: Option<String>| {
        lines.extend(from.map(|from| format!("- {path}: {from}")));
        lines.extend(to.map(|to| format!("+ {path}: {to}")));
    };
    match change {
        Change::PatchStatefulSet { from, to, env, words, command, strategy } => {
            for (path, from, to) in patched_lines(*from, *to, env, words, command.as_deref(), strategy.as_ref()) {
                replace(&path, from, to);
            }
        }
        Change::TakeBack { patched } => {
            let Patched { from, to, env, words, command, strategy, .. } = patched.as_ref();
            for (path, from, to) in patched_lines(*from, *to, env, words, command.as_deref(), strategy.as_ref()) {
                replace(&path, to, from);
            }
        }
        Change::RestoreCommand { edit, .. } => {
            for (path, from, to) in command_lines(edit) {
                replace(&path, from, to);
            }
        }
        Change::LowerPartition { from, to, .. } => replace("spec.updateStrategy", present(from), present(to)),
        Change::PatchConfigMap { data, .. } => {
            for edit in data {
                let path = format!("data[{}]", edit.key);
                let (from, to) = differing_lines(edit.from.as_deref().unwrap_or_default(), &edit.to);
                for line in from {
                    replace(&path, Some(line.to_owned()), None);
                }
                for line in to {
                    replace(&path, None, Some(line.to_owned()));
                }
            }
        }
        Change::CreateVolume { manifest, .. } => {
            for field in ["metadata", "spec"] {
                let parts = manifest.get(field).and_then(Value::as_object).into_iter().flatten();
                for (key, value) in parts {
                    replace(&format!("{field}.{key}"), None, Some(value.to_string()));
                }
            }
        }
        Change::CommitPatches { files, .. } => {
            for file in files {
                lines.push(format!("{}:", file.path));
                lines.extend(line_diff(file.from.as_deref().unwrap_or_default(), &file.to));
            }
        }
        // The record's text is in the command already, and is for programs.
        Change::OpenRun { .. }
        | Change::DeferRollout { .. }
        | Change::SaveSnapshot { .. }
        | Change::AddLearner { .. }
        | Change::RemoveMember { .. }
        | Change::DeleteClaim { .. }
        | Change::NoteUsedPath { .. }
        | Change::DeleteVolume { .. }
        | Change::PushCommit { .. }
        | Change::ApplyOverlay { .. }
        | Change::Promote { .. }
        | Change::MoveLeader { .. }
        | Change::DeletePod { .. }
        | Change::CloseRun => {}
    }
    lines
}

/// A path in an object, and what stands there before and after.
type Line = (String, Option<String>, Option<String>);

/// What a patch of the StatefulSet changes.
fn patched_lines(
    from: i32,
    to: i32,
    env: &[EnvEdit],
    words: &[WordEdit],
    command: Option<&CommandEdit>,
    strategy: Option<&(Value, Value)>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    if from != to {
        lines.push(("spec.replicas".to_owned(), Some(from.to_string()), Some(to.to_string())));
    }
    for edit in env {
        let path = format!("spec.template.spec.containers[{}].env[{}]", edit.container, edit.name);
        let quoted = |text: &String| Value::from(text.as_str()).to_string();
        lines.push((path, edit.from.as_ref().map(quoted), Some(quoted(&edit.to))));
    }
    for edit in words {
        let path = format!("spec.template.spec.containers[{}].{}[{}]", edit.container, edit.part.field(), edit.index);
        // Of a long script only the lines that differ.
        let differing = edit.from.lines().zip(edit.to.lines()).filter(|(from, to)| from != to);
        lines.extend(
            differing.map(|(from, to)| (path.clone(), Some(from.trim().to_owned()), Some(to.trim().to_owned()))),
        );
    }
    lines.extend(command.into_iter().flat_map(command_lines));
    // A guard that stood already is noted, and is no change.
    if let Some((from, to)) = strategy.filter(|(from, to)| from != to) {
        lines.push(("spec.updateStrategy".to_owned(), present(from), present(to)));
    }
    lines
}

/// Path, old and new value of each list of a command line that changes.
fn command_lines(edit: &CommandEdit) -> Vec<Line> {
    let shown = |list: &[String]| (!list.is_empty()).then(|| Value::from(list).to_string());
    let lists = [("command", &edit.from.command, &edit.to.command), ("args", &edit.from.args, &edit.to.args)];
    lists
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(field, from, to)| {
            (format!("spec.template.spec.containers[{}].{field}", edit.container), shown(from), shown(to))
        })
        .collect()
}

/// The lines of two texts without those that both begin and both end with.
fn differing_lines<'a>(from: &'a str, to: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut from, mut to): (Vec<_>, Vec<_>) = (from.lines().collect(), to.lines().collect());
    while from.last().is_some_and(|last| to.last() == Some(last)) {
        from.pop();
        to.pop();
    }
    let same = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    (from.split_off(same), to.split_off(same))
}

/// The lines that differ, in their order.
fn line_diff(from: &str, to: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(from, to);
    let sign = |tag| match tag {
        ChangeTag::Equal => None,
        ChangeTag::Delete => Some('-'),
        ChangeTag::Insert => Some('+'),
    };
    diff.iter_all_changes()
        .filter_map(|change| Some(format!("{} {}", sign(change.tag())?, change.value().trim_end_matches(['\r', '\n']))))
        .collect()
}

fn present(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_differ_are_shown() {
        let from = "a\nsize: 2\nb\nsize: \"2\"\nc\n";
        assert_eq!(
            line_diff(from, &from.replace('2', "3")),
            ["- size: 2", "+ size: 3", "- size: \"2\"", "+ size: \"3\""]
        );
        assert_eq!(line_diff("", "a\nb"), ["+ a", "+ b"]);
        assert_eq!(line_diff(from, from), Vec::<String>::new());
    }
}
