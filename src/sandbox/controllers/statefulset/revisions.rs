//! Controller revisions: what a set's template was, and which of them pods are made of.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::kinds;
use super::super::object::{name, namespace, owned_by};
use super::super::plan::{Action, Step};

/// The label of a pod that names its revision.
pub(super) const HASH_OF_POD: &str = "controller-revision-hash";
const HASH: &str = "controller.kubernetes.io/hash";

/// The revisions of a set.
pub(super) struct History {
    /// In the order of their numbers.
    all: Vec<Arc<Value>>,
    /// What all pods were when the last rollout was through.
    pub(super) current: Arc<Value>,
    /// What the template says now.
    pub(super) update: Arc<Value>,
    pub(super) collisions: u64,
}

impl History {
    /// The history, or what has to be written before there is one.
    pub(super) fn of(set: &Value, mut own: Vec<Arc<Value>>, taken: &[Arc<Value>]) -> Result<Self, Box<Step>> {
        let number = |revision: &Value| revision["revision"].as_i64().unwrap_or_default();
        own.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| name(a).cmp(name(b))));
        let next = own.last().map_or(0, |last| number(last)) + 1;
        let mut template = set["spec"]["template"].clone();
        template["$patch"] = json!("replace");
        let data = json!({"spec": {"template": template}});
        let mut collisions = set["status"]["collisionCount"].as_u64().unwrap_or_default();
        let Some(equal) = own.iter().rfind(|revision| revision["data"] == data) else {
            let mut revision = of_data(set, &data, next, collisions);
            // Another's of the same name: the next count makes another name.
            while taken.iter().any(|other| name(other) == name(&revision) && namespace(other) == namespace(set)) {
                collisions += 1;
                revision = of_data(set, &data, next, collisions);
            }
            let namespace = namespace(set).to_owned();
            let create = Action::Create { resource: kinds::REVISIONS, namespace, object: revision };
            return Err(Box::new(create.into()));
        };
        if number(equal) + 1 != next {
            // Back to an earlier template: its revision becomes the newest.
            let mut renumbered = Value::clone(equal);
            renumbered["revision"] = json!(next);
            return Err(Box::new(Step::whole(kinds::REVISIONS, renumbered)));
        }
        let update = Arc::clone(equal);
        let current = own.iter().find(|revision| set["status"]["currentRevision"] == name(revision));
        let current = Arc::clone(current.unwrap_or(&update));
        Ok(Self { current, update, collisions, all: own })
    }

    /// What goes because it is neither used nor within the limit, the oldest first.
    pub(super) fn outdated(&self, set: &Value, pods: &[Arc<Value>]) -> Vec<Step> {
        let used = |revision: &Arc<Value>| {
            let called = name(revision);
            called == name(&self.current)
                || called == name(&self.update)
                || pods.iter().any(|pod| pod["metadata"]["labels"][HASH_OF_POD] == called)
        };
        let unused: Vec<_> = self.all.iter().filter(|revision| !used(revision)).collect();
        let limit = set["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
        let over = unused.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        unused.into_iter().take(over).map(|revision| Step::delete(kinds::REVISIONS, revision)).collect()
    }
}

fn of_data(set: &Value, data: &Value, number: i64, collisions: u64) -> Value {
    let hash = hash(&format!("{data}{}", if collisions == 0 { String::new() } else { collisions.to_string() }));
    let mut metadata = json!({
        "name": format!("{}-{hash}", name(set)), "namespace": namespace(set),
        "labels": set["spec"]["template"]["metadata"]["labels"], "ownerReferences": [owned_by(set)],
    });
    metadata["labels"][HASH] = json!(hash);
    if !set["metadata"]["annotations"].is_null() {
        metadata["annotations"] = set["metadata"]["annotations"].clone();
    }
    json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "data": data, "revision": number,
    })
}

/// A short name for a text (FNV-1, as a number whose digits are put in letters that make no words).
fn hash(text: &str) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let hash = text.bytes().fold(2_166_136_261_u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
    hash.to_string().bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}
