//! Changes to the StatefulSet as JSON patches (RFC 6902), with `test` operations for everything they rest on.

use serde_json::{Value, json};

use super::{
    Change, CommandEdit, CommandPart, EnvEdit, Observation, Patched, Record, USED_PATHS_ANNOTATION, used_paths_with,
};

/// The annotation that carries a run's record.
pub const RUN_ANNOTATION: &str = "etcd-scale.io/run";

/// The same, as a JSON pointer (RFC 6901 writes `/` as `~1`).
pub const RUN_ANNOTATION_POINTER: &str = "/metadata/annotations/etcd-scale.io~1run";

/// The operations of a change to the StatefulSet or a ConfigMap, against the object as observed. None for changes
/// elsewhere.
///
/// Every patch of the StatefulSet but the first tests the run's record as it stands, so that a run which was overtaken changes nothing.
/// The first tests the resource version where there is no record yet, because JSON patches cannot test for absence.
pub fn patch_operations(change: &Change, observation: &Observation) -> Option<Vec<Value>> {
    if let Change::PatchConfigMap { data, version, .. } = change {
        // JSON patches cannot test for a key's absence.
        let mut operations: Vec<_> =
            version.iter().map(|version| test("/metadata/resourceVersion", &json!(version))).collect();
        for edit in data {
            let path = format!("/data/{}", edit.key.replace('~', "~0").replace('/', "~1"));
            if let Some(from) = &edit.from {
                operations.push(test(&path, &json!(from)));
                operations.push(json!({"op": "replace", "path": path, "value": edit.to}));
            } else {
                operations.push(json!({"op": "add", "path": path, "value": edit.to}));
            }
        }
        return Some(operations);
    }
    let set = &observation.statefulset;
    let mut operations = Vec::new();
    match set.run_annotation() {
        Some(record) => operations.push(test(RUN_ANNOTATION_POINTER, &json!(record))),
        None => operations.push(test("/metadata/resourceVersion", &json!(set.resource_version))),
    }
    match change {
        Change::OpenRun { record } | Change::DeferRollout { record } => {
            if set.annotations.is_empty() {
                operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
            }
            operations.push(json!({"op": "add", "path": RUN_ANNOTATION_POINTER, "value": record.to_annotation()}));
        }
        Change::CloseRun => operations.push(json!({"op": "remove", "path": RUN_ANNOTATION_POINTER})),
        Change::PatchStatefulSet { from, to, env, words, command, strategy } => {
            operations.push(test("/spec/replicas", &json!(from)));
            for edit in env {
                let list = format!("/spec/template/spec/containers/{}/env", edit.container);
                match (edit.index, edit.first) {
                    (Some(index), _) => {
                        operations.push(test(&format!("{list}/{index}/name"), &json!(edit.name)));
                        let value = format!("{list}/{index}/value");
                        // An empty value may be an absent one, which cannot be tested for.
                        if let Some(from) = edit.from.as_ref().filter(|from| !from.is_empty()) {
                            operations.push(test(&value, &json!(from)));
                        }
                        operations.push(json!({"op": "add", "path": value, "value": edit.to}));
                    }
                    (None, true) => operations
                        .push(json!({"op": "add", "path": list, "value": [{"name": edit.name, "value": edit.to}]})),
                    (None, false) => operations.push(
                        json!({"op": "add", "path": format!("{list}/-"), "value": {"name": edit.name, "value": edit.to}}),
                    ),
                }
            }
            for edit in words {
                let word =
                    format!("/spec/template/spec/containers/{}/{}/{}", edit.container, edit.part.field(), edit.index);
                operations.push(test(&word, &json!(edit.from)));
                operations.push(json!({"op": "replace", "path": word, "value": edit.to}));
            }
            if let Some(edit) = command {
                set_command(&mut operations, edit);
            }
            if let Some((from, to)) = strategy {
                set_strategy(&mut operations, from, to);
            }
            if from != to {
                operations.push(json!({"op": "replace", "path": "/spec/replicas", "value": to}));
            }
            note(&mut operations, record_after(change, observation));
        }
        Change::TakeBack { patched } => {
            take_back(&mut operations, patched, observation);
            note(&mut operations, record_after(change, observation));
        }
        Change::NoteUsedPath { path, nodes } => {
            let pointer = format!("/metadata/annotations/{}", USED_PATHS_ANNOTATION.replace('/', "~1"));
            if let Some(standing) = set.annotations.get(USED_PATHS_ANNOTATION) {
                operations.push(test(&pointer, &json!(standing)));
            }
            operations.push(json!({"op": "add", "path": pointer, "value": used_paths_with(observation, path, nodes)}));
        }
        Change::RestoreCommand { edit, record, .. } => {
            set_command(&mut operations, edit);
            operations.push(json!({"op": "add", "path": RUN_ANNOTATION_POINTER, "value": record.to_annotation()}));
        }
        Change::LowerPartition { from, to, .. } => set_strategy(&mut operations, from, to),
        Change::SaveSnapshot { .. }
        | Change::RemoveMember { .. }
        | Change::DeleteClaim { .. }
        | Change::DeleteVolume { .. }
        | Change::CreateVolume { .. }
        | Change::PatchConfigMap { .. }
        | Change::AddLearner { .. }
        | Change::CommitPatches { .. }
        | Change::PushCommit { .. }
        | Change::ApplyOverlay { .. }
        | Change::Promote { .. }
        | Change::MoveLeader { .. }
        | Change::DeletePod { .. } => return None,
    }
    Some(operations)
}

/// The record as a change of the StatefulSet leaves it: what was patched is noted, so that it can be taken back, and
/// struck out when it was. None where there is no record, or nothing to note.
pub(super) fn record_after(change: &Change, observation: &Observation) -> Option<Record> {
    let mut record = observation.statefulset.readable_record().filter(|record| !record.deferred)?;
    record.patched = match change {
        Change::PatchStatefulSet { from, to, env, words, command, strategy } => {
            // A guard that went before belongs to the same round.
            let guard = record.patched.take().filter(|earlier| earlier.from == earlier.to && earlier.to == *from);
            let before = guard.as_ref().and_then(|guard| guard.revision.clone());
            let revision = before.or_else(|| Some(observation.statefulset.update_revision.clone()));
            let first = guard.and_then(|guard| guard.strategy).map(|(before, _)| before);
            let strategy = match (first, strategy) {
                (Some(before), Some((_, after))) => Some((before, after.clone())),
                (Some(before), None) => Some((before, observation.statefulset.strategy.clone())),
                (None, strategy) => strategy.clone(),
            };
            let (env, words, command) = (env.clone(), words.clone(), command.clone());
            Some(Patched { from: *from, to: *to, env, words, command, strategy, revision })
        }
        Change::TakeBack { .. } => None,
        _ => return None,
    };
    Some(record)
}

fn note(operations: &mut Vec<Value>, record: Option<Record>) {
    if let Some(record) = record {
        operations.push(json!({"op": "add", "path": RUN_ANNOTATION_POINTER, "value": record.to_annotation()}));
    }
}

/// The patch backwards, with tests on everything that it left.
fn take_back(operations: &mut Vec<Value>, patched: &Patched, observation: &Observation) {
    operations.push(test("/spec/replicas", &json!(patched.to)));
    // Backwards, so that of several that were added none moves another.
    for edit in patched.env.iter().rev() {
        let container = observation.statefulset.template.containers.get(edit.container);
        let place = container.and_then(|container| container.env.iter().rposition(|var| var.name == edit.name));
        take_back_variable(operations, edit, place);
    }
    for edit in &patched.words {
        let word = format!("/spec/template/spec/containers/{}/{}/{}", edit.container, edit.part.field(), edit.index);
        operations.push(test(&word, &json!(edit.to)));
        operations.push(json!({"op": "replace", "path": word, "value": edit.from}));
    }
    if let Some(edit) = &patched.command {
        set_command(operations, &edit.reversed());
    }
    if let Some((from, to)) = &patched.strategy {
        set_strategy(operations, to, from);
    }
    if patched.from != patched.to {
        operations.push(json!({"op": "replace", "path": "/spec/replicas", "value": patched.from}));
    }
}

fn take_back_variable(operations: &mut Vec<Value>, edit: &EnvEdit, place: Option<usize>) {
    let list = format!("/spec/template/spec/containers/{}/env", edit.container);
    match (edit.index, edit.first) {
        (Some(index), _) => {
            let value = format!("{list}/{index}/value");
            operations.push(test(&format!("{list}/{index}/name"), &json!(edit.name)));
            operations.push(test(&value, &json!(edit.to)));
            operations.push(match &edit.from {
                Some(from) => json!({"op": "add", "path": value, "value": from}),
                None => json!({"op": "remove", "path": value}),
            });
        }
        (None, true) => {
            operations.push(test(&list, &json!([{"name": edit.name, "value": edit.to}])));
            operations.push(json!({"op": "remove", "path": list}));
        }
        (None, false) => {
            // Where it is gone already, the test says so.
            let variable = format!("{list}/{}", place.unwrap_or_default());
            operations.push(test(&format!("{variable}/name"), &json!(edit.name)));
            operations.push(test(&format!("{variable}/value"), &json!(edit.to)));
            operations.push(json!({"op": "remove", "path": variable}));
        }
    }
}

fn test(path: &str, value: &Value) -> Value {
    json!({"op": "test", "path": path, "value": value})
}

/// Each of the two lists may be absent, before or after.
fn set_command(operations: &mut Vec<Value>, edit: &CommandEdit) {
    let lists = [
        (CommandPart::Command, &edit.from.command, &edit.to.command),
        (CommandPart::Args, &edit.from.args, &edit.to.args),
    ];
    for (part, from, to) in lists.into_iter().filter(|(_, from, to)| from != to) {
        let path = format!("/spec/template/spec/containers/{}/{}", edit.container, part.field());
        if !from.is_empty() {
            operations.push(test(&path, &json!(from)));
        }
        if to.is_empty() {
            operations.push(json!({"op": "remove", "path": path}));
        } else {
            operations.push(json!({"op": "add", "path": path, "value": to}));
        }
    }
}

/// The whole strategy is tested and set: its parts may be absent, and what is put back must be exactly what was.
fn set_strategy(operations: &mut Vec<Value>, from: &Value, to: &Value) {
    if !from.is_null() {
        operations.push(test("/spec/updateStrategy", from));
    }
    if to.is_null() {
        operations.push(json!({"op": "remove", "path": "/spec/updateStrategy"}));
    } else {
        operations.push(json!({"op": "add", "path": "/spec/updateStrategy", "value": to}));
    }
}
