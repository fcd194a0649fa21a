//! The objects with the rules that all of them follow: names, versions, generations, finalizers, graceful deletion. The
//! API server and the controllers both change objects through here, as everybody in a real cluster goes through the
//! API server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::{Map, Value, json};

use super::admission;
use super::kinds::{self, Kind};
use super::status::Status;
use super::store::{Key, Store, Watch};

/// What part of an object a writer means: the rest of what it sends is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All but the status, where the kind has one of its own.
    Whole,
    Status,
}

/// What dependents of a deleted object become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without their owner.
    Orphan,
}

/// How an object is deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Deletion {
    /// Seconds that a pod gets; its own where none is said.
    pub(super) grace: Option<u64>,
    pub(super) propagation: Propagation,
    /// The uid that it must have.
    pub(super) uid: Option<String>,
    /// The version that it must have.
    pub(super) version: Option<String>,
    pub(super) dry_run: bool,
}

/// All objects, with their rules.
#[derive(Debug)]
pub(super) struct Registry {
    store: Arc<Store>,
    kinds: RwLock<Vec<Arc<Kind>>>,
    /// Held from the admission of a new object until it is there: quotas and addresses are counted on what stands.
    creating: Mutex<()>,
}

impl Registry {
    /// An empty cluster.
    pub(super) fn new() -> Self {
        Self { store: Arc::new(Store::new()), kinds: RwLock::new(kinds::built_in()), creating: Mutex::default() }
    }

    /// All kinds that are served.
    pub(super) fn kinds(&self) -> Vec<Arc<Kind>> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The kind of a resource, `PLURAL` or `PLURAL.GROUP`.
    pub(super) fn kind(&self, resource: &str) -> Option<Arc<Kind>> {
        self.kinds().into_iter().find(|kind| kind.resource() == resource)
    }

    /// # Errors
    /// `NotFound`.
    pub(super) fn get(&self, resource: &str, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        let key = Key::new(resource, namespace, name);
        self.store.get(&key).ok_or_else(|| Status::not_found(resource, name))
    }

    /// All objects of a resource, in the order of their names, and the version that the list stands for.
    pub(super) fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        self.store.list(resource, namespace)
    }

    /// All objects of several resources as they stand at one version, which is given with them.
    pub(super) fn snapshot(&self, resources: &[String]) -> (BTreeMap<String, Vec<Arc<Value>>>, u64) {
        self.store.snapshot(resources)
    }

    /// The newest version.
    pub(super) fn version(&self) -> u64 {
        self.store.version()
    }

    /// Changes that come after a version.
    pub(super) fn watch(&self, since: u64) -> Watch {
        self.store.watch(since)
    }

    /// Creates an object. Its `metadata` needs a name, or a `generateName`.
    ///
    /// # Errors
    /// When there is one already, when it is not valid, or when its namespace is not there or ends.
    pub(super) fn create(
        &self,
        resource: &str,
        namespace: &str,
        mut object: Value,
        dry_run: bool,
    ) -> Result<Arc<Value>, Status> {
        let kind = self.kind(resource).ok_or_else(|| Status::not_found(resource, ""))?;
        if !object.is_object() {
            return Err(Status::bad_request("the object provided is not an object"));
        }
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let meta = &mut object["metadata"];
        if let (None, Some(prefix)) = (meta["name"].as_str(), meta["generateName"].as_str()) {
            let random = uuid::Uuid::now_v7().simple().to_string();
            meta["name"] = json!(format!("{prefix}{}", &random[random.len() - 5..]));
        }
        if kind.namespaced {
            meta["namespace"] = json!(namespace);
            self.accepts(&kind, namespace, &meta["name"])?;
        }
        for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"] {
            meta.as_object_mut().expect("made one above").remove(field);
        }
        meta["uid"] = json!(uuid::Uuid::new_v4().to_string());
        meta["creationTimestamp"] = json!(now());
        meta.as_object_mut().expect("made one above").remove("generation");
        if kind.counts_generations() {
            meta["generation"] = json!(1);
        }
        if kind.has_status {
            object.as_object_mut().expect("seen above").remove("status");
        }
        let _creating = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        admission::creating(self, &kind, &mut object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = Key::new(resource, namespace, &name);
        let created = self.write(&key, dry_run, |standing| match standing {
            Some(_) => Err(Status::already_exists(resource, &name)),
            None => Ok(Some(object)),
        })?;
        if resource == kinds::CUSTOM_KINDS && !dry_run {
            self.declare(&created);
        }
        Ok(created)
    }

    /// Whether a namespace takes new objects.
    fn accepts(&self, kind: &Kind, namespace: &str, name: &Value) -> Result<(), Status> {
        let standing = self.get(kinds::NAMESPACES, "", namespace)?;
        if standing["metadata"]["deletionTimestamp"].is_null() {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut refused = Status::forbidden(&kind.resource(), name.as_str().unwrap_or_default(), &why);
        refused.details["causes"] = json!([{
            "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        Err(refused)
    }

    /// Changes a part of an object. `change` is given the object as it stands. A `metadata.resourceVersion` that it
    /// leaves in must be the standing one, so a writer that replaces the object may demand a version.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Invalid`, or what `change` says.
    pub(super) fn update(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        part: Part,
        dry_run: bool,
        change: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        let kind = self.kind(resource).ok_or_else(|| Status::not_found(resource, name))?;
        let key = Key::new(resource, namespace, name);
        let updated = self.write(&key, dry_run, |standing| {
            let before = standing.ok_or_else(|| Status::not_found(resource, name))?;
            let mut after = before.clone();
            change(&mut after)?;
            let version = &after["metadata"]["resourceVersion"];
            if !version.is_null() && *version != json!("") && *version != before["metadata"]["resourceVersion"] {
                let why = "the object has been modified; please apply your changes to the latest version and try again";
                return Err(Status::conflict(resource, name, why));
            }
            let mut after = merge(&kind, part, before, after);
            if part == Part::Status {
                admission::updating_status(&kind, &after)?;
            } else {
                admission::updating(&kind, before, &mut after)?;
                if kind.counts_generations() && changes_meaning(before, &after) {
                    let generation = before["metadata"]["generation"].as_u64().unwrap_or_default();
                    after["metadata"]["generation"] = json!(generation + 1);
                }
            }
            // The last finalizer of an object that is to go was the last thing that kept it.
            // A pod's node still has to end it, unless it has no time left.
            let meta = &after["metadata"];
            let goes = !meta["deletionTimestamp"].is_null()
                && meta["deletionGracePeriodSeconds"].as_u64().unwrap_or_default() == 0
                && !is_kept(&after)
                && is_kept(before);
            Ok(if goes { None } else { Some(after) })
        })?;
        if resource == kinds::CUSTOM_KINDS && !dry_run {
            self.declare(&updated);
        }
        Ok(updated)
    }

    /// Deletes an object, or marks it for whoever has to see to it first: a pod's node, the holder of a finalizer.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` where it is not the object that was meant.
    pub(super) fn delete(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        deletion: &Deletion,
    ) -> Result<Arc<Value>, Status> {
        let kind = self.kind(resource).ok_or_else(|| Status::not_found(resource, name))?;
        let key = Key::new(resource, namespace, name);
        let mut at_once = false;
        let marked = self.write(&key, deletion.dry_run, |standing| {
            let before = standing.ok_or_else(|| Status::not_found(resource, name))?;
            let meta = &before["metadata"];
            let demands = [
                ("uid", "UID", "deleted and then recreated", &deletion.uid),
                ("resourceVersion", "ResourceVersion", "modified", &deletion.version),
            ];
            for (field, word, guess, wanted) in demands {
                let own = meta[field].as_str().unwrap_or_default();
                if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != own) {
                    let why = format!(
                        "the {word} in the precondition ({wanted}) does not match the {word} in record ({own}). \
                         The object might have been {guess}"
                    );
                    // The kind instead of the resource, as kube-apiserver has it here.
                    return Err(Status::conflict(&kind.qualified(), name, &why));
                }
            }
            let mut after = before.clone();
            let finalizer = match deletion.propagation {
                Propagation::Background => None,
                Propagation::Foreground => Some("foregroundDeletion"),
                Propagation::Orphan => Some("orphan"),
            };
            if let Some(finalizer) = finalizer {
                let finalizers = &mut after["metadata"]["finalizers"];
                match finalizers.as_array_mut() {
                    Some(those) if those.iter().any(|other| other == finalizer) => {}
                    Some(those) => those.push(json!(finalizer)),
                    None => *finalizers = json!([finalizer]),
                }
            }
            let grace = if resource == kinds::PODS { admission::grace(before, deletion.grace) } else { 0 };
            if grace == 0 && !is_kept(&after) {
                // Of a pod a watch hears that it ends even where it is gone at once.
                at_once = resource == kinds::PODS;
                if !at_once {
                    return Ok(None);
                }
            }
            if meta["deletionTimestamp"].is_null() {
                after["metadata"]["deletionTimestamp"] = json!(later(grace));
                if kind.counts_generations() {
                    after["metadata"]["generation"] = json!(meta["generation"].as_u64().unwrap_or_default() + 1);
                }
            }
            after["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            if resource == kinds::NAMESPACES {
                after["status"]["phase"] = json!("Terminating");
            }
            Ok(Some(after))
        })?;
        if at_once && !deletion.dry_run {
            // Its node may be quicker.
            let gone = self.write(&key, false, |standing| {
                let same = standing.is_none_or(|pod| pod["metadata"]["uid"] == marked["metadata"]["uid"]);
                Ok(if same { None } else { standing.cloned() })
            });
            if let Err(status) = gone {
                tracing::debug!(status.message, "the pod went by itself");
            }
        }
        Ok(marked)
    }

    /// Writes, and gives back what stands afterwards, or what went.
    fn write(
        &self,
        key: &Key,
        dry_run: bool,
        change: impl FnOnce(Option<&Value>) -> Result<Option<Value>, Status>,
    ) -> Result<Arc<Value>, Status> {
        let (mut shown, mut gone) = (None, None);
        let written = self.store.change(key, |standing| {
            let after = change(standing)?;
            gone = standing.cloned();
            if dry_run {
                shown = after.or_else(|| standing.cloned());
                return Ok(standing.cloned());
            }
            Ok(after)
        })?;
        let object = shown.map(Arc::new).or(written).or_else(|| gone.map(Arc::new));
        object.ok_or_else(|| Status::not_found(&key.resource, &key.name))
    }

    /// Serves the kind that a definition declares.
    fn declare(&self, definition: &Value) {
        let Some(kind) = Kind::declared(definition) else { return };
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|known| known.resource() != kind.resource());
        kinds.push(Arc::new(kind));
    }
}

/// Whether something holds an object that is to go: a finalizer, or a namespace's content.
fn is_kept(object: &Value) -> bool {
    let some = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    some(&object["metadata"]["finalizers"]) || (object["kind"] == "Namespace" && some(&object["spec"]["finalizers"]))
}

/// The object after a write of one part: nobody changes what the API server itself keeps.
fn merge(kind: &Kind, part: Part, before: &Value, after: Value) -> Value {
    let mut merged = match part {
        Part::Whole => {
            let mut merged = after;
            if kind.has_status {
                put(&mut merged, "status", &before["status"]);
            }
            merged
        }
        Part::Status => {
            let mut merged = before.clone();
            put(&mut merged, "status", &after["status"]);
            merged
        }
    };
    put(&mut merged, "apiVersion", &before["apiVersion"]);
    put(&mut merged, "kind", &before["kind"]);
    let kept = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    for field in kept {
        put(&mut merged["metadata"], field, &before["metadata"][field]);
    }
    for field in ["annotations", "labels", "finalizers", "ownerReferences"] {
        let empty = match &merged["metadata"][field] {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if empty {
            put(&mut merged["metadata"], field, &Value::Null);
        }
    }
    merged
}

/// Sets a field, or removes it where there is nothing to set.
fn put(object: &mut Value, field: &str, value: &Value) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let fields = object.as_object_mut().expect("made one above");
    if value.is_null() {
        fields.remove(field)
    } else {
        fields.insert(field.to_owned(), value.clone())
    };
}

/// Whether a change is more than one of metadata or status, so that the object gets a new generation.
fn changes_meaning(before: &Value, after: &Value) -> bool {
    let parts = |object: &Value| {
        let mut parts = object.clone();
        put(&mut parts, "metadata", &Value::Null);
        put(&mut parts, "status", &Value::Null);
        parts
    };
    parts(before) != parts(after)
}

/// The present moment, as Kubernetes writes it.
pub(super) fn now() -> String {
    later(0)
}

fn later(seconds: u64) -> String {
    let at = jiff::Timestamp::now() + std::time::Duration::from_secs(seconds);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let registry = Registry::new();
        registry.create(kinds::NAMESPACES, "", json!({"metadata": {"name": "here"}}), false).unwrap();
        registry
    }

    fn map(name: &str) -> Value {
        json!({"metadata": {"name": name}, "data": {"a": "1"}})
    }

    #[test]
    fn an_object_has_versions_and_a_stale_one_is_not_taken() {
        let registry = registry();
        let first = registry.create(kinds::CONFIG_MAPS, "here", map("m"), false).unwrap();
        let put = |version: &Value, data: &str| {
            let mut object = map("m");
            object["metadata"]["resourceVersion"] = version.clone();
            object["data"]["a"] = json!(data);
            registry.update(kinds::CONFIG_MAPS, "here", "m", Part::Whole, false, |standing| {
                *standing = object;
                Ok(())
            })
        };
        let version = &first["metadata"]["resourceVersion"];
        let second = put(version, "2").unwrap();
        assert_ne!(second["metadata"]["resourceVersion"], *version);
        assert_eq!(second["metadata"]["uid"], first["metadata"]["uid"]);
        assert_eq!(put(version, "3").unwrap_err().reason, "Conflict");
        // The same again is no change.
        assert_eq!(put(&second["metadata"]["resourceVersion"], "2").unwrap(), second);
    }

    #[test]
    fn a_dry_run_shows_and_changes_nothing() {
        let registry = registry();
        registry.create(kinds::CONFIG_MAPS, "here", map("m"), true).unwrap();
        assert_eq!(registry.get(kinds::CONFIG_MAPS, "here", "m").unwrap_err().code, 404);
        let before = registry.create(kinds::CONFIG_MAPS, "here", map("m"), false).unwrap();
        let deletion = Deletion { dry_run: true, ..Deletion::default() };
        registry.delete(kinds::CONFIG_MAPS, "here", "m", &deletion).unwrap();
        assert_eq!(registry.get(kinds::CONFIG_MAPS, "here", "m").unwrap(), before);
    }

    #[test]
    fn a_finalizer_keeps_an_object_until_it_is_taken_off() {
        let registry = registry();
        let mut object = map("m");
        object["metadata"]["finalizers"] = json!(["hold/it"]);
        registry.create(kinds::CONFIG_MAPS, "here", object, false).unwrap();
        registry.delete(kinds::CONFIG_MAPS, "here", "m", &Deletion::default()).unwrap();
        let standing = registry.get(kinds::CONFIG_MAPS, "here", "m").unwrap();
        assert!(standing["metadata"]["deletionTimestamp"].is_string());
        registry
            .update(kinds::CONFIG_MAPS, "here", "m", Part::Whole, false, |object| {
                object["metadata"]["finalizers"] = json!([]);
                Ok(())
            })
            .unwrap();
        assert_eq!(registry.get(kinds::CONFIG_MAPS, "here", "m").unwrap_err().code, 404);
    }

    #[tokio::test]
    async fn a_watch_tells_each_change_once_and_in_order() {
        let registry = registry();
        let mut watch = registry.watch(registry.version());
        registry.create(kinds::CONFIG_MAPS, "here", map("a"), false).unwrap();
        registry.create(kinds::CONFIG_MAPS, "here", map("b"), false).unwrap();
        let names: Vec<_> = watch.next().await.unwrap().into_iter().map(|event| event.key.name).collect();
        assert_eq!(names, ["a", "b"]);
        registry.delete(kinds::CONFIG_MAPS, "here", "a", &Deletion::default()).unwrap();
        let events = watch.next().await.unwrap();
        assert_eq!(events.len(), 1);
        assert!(events[0].after.is_none());
    }
}
