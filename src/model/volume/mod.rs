//! Volumes that are made by hand: what one is, and in a file each: which are needed, what they look like, on which node
//! they are, and what already stands where they would.

mod models;
mod needs;
mod nodes;
mod places;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fact;

pub use needs::{VolumeNeed, may_be_by_hand, volume_needs, volumes_to_make};
pub use places::{USED_PATHS_ANNOTATION, VolumePlace, is_used, place_of, used_paths_with};

/// The label of a node's own name.
const HOST_NAME: &str = "kubernetes.io/hostname";

/// The way out where nothing can be made of the neighbours.
const OWN: &str = "say what it should look like with --volume-template FILE";

/// A PersistentVolume.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its uid.
    #[serde(default)]
    pub uid: String,
    /// `Bound`, `Available`, `Released` or `Failed`.
    pub phase: String,
    /// Such as `1Gi`.
    pub capacity: String,
    /// Namespace and name of the claim it is kept for.
    pub claim: Option<(String, String)>,
    /// What made it, where that was no person.
    pub provisioner: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its whole `spec`.
    pub spec: Value,
}

impl Volume {
    /// The path on a node, where its data lies on one.
    pub fn path(&self) -> Option<&str> {
        path_in(&self.spec)
    }

    /// The uid of the claim that it is bound to, or was; none where it never was.
    pub fn claim_uid(&self) -> Option<&str> {
        self.spec.pointer("/claimRef/uid").and_then(Value::as_str).filter(|uid| !uid.is_empty())
    }

    /// Whether something other than a person made it: it has left its mark, or named the volume after the uid that a
    /// claim has only once it is there, as provisioners do.
    pub fn provisioned(&self) -> bool {
        self.provisioner.is_some() || self.claim_uid().is_some_and(|uid| self.name.contains(uid))
    }

    /// Whether a person made it: it is a path, and no provisioner made it.
    pub fn by_hand(&self) -> bool {
        !self.provisioned() && self.path().is_some()
    }

    /// The nodes that it names; empty where it names none.
    pub fn nodes(&self) -> Vec<String> {
        nodes_in(&self.spec)
    }
}

fn path_in(spec: &Value) -> Option<&str> {
    ["/hostPath/path", "/local/path"].iter().find_map(|pointer| spec.pointer(pointer)).and_then(Value::as_str)
}

fn nodes_in(spec: &Value) -> Vec<String> {
    let terms = spec.pointer("/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array);
    let expressions = terms.into_iter().flatten().filter_map(|term| term["matchExpressions"].as_array()).flatten();
    expressions
        .filter(|expression| expression["key"] == HOST_NAME && expression["operator"] == "In")
        .filter_map(|expression| expression["values"].as_array())
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// A volume that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// The claim it is for.
    pub claim: String,
    /// The volume that it is made after; none where the operator has said what it should look like.
    pub model: Option<String>,
    /// The whole object.
    pub manifest: Value,
    /// What is worth knowing of it, each with what can be done.
    pub notes: Vec<Fact>,
}

impl NewVolume {
    /// The path on a node, where its data will lie on one.
    pub fn path(&self) -> Option<&str> {
        path_in(&self.manifest["spec"])
    }

    /// Whether it names nodes.
    fn is_on_nodes(&self) -> bool {
        !nodes_in(&self.manifest["spec"]).is_empty()
    }

    /// Puts it on the node of another volume of the same pod, by that one's name and spec: the pod has to be where both
    /// are.
    pub fn put_beside(&mut self, name: &str, spec: &Value) {
        let (there, own) = (nodes_in(spec), nodes_in(&self.manifest["spec"]));
        if there.is_empty() || there == own {
            return;
        }
        let fact = format!("the volume goes to node {}, beside {name} of the same pod", there.join(", "));
        self.notes.push(Fact::new(fact, "put both elsewhere with --volume-template, or the other volume by hand"));
        self.manifest["spec"]["nodeAffinity"] = spec["nodeAffinity"].clone();
    }
}
