//! All objects, their versions, and what has changed since: the part that etcd plays in a real cluster.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::status::Status;

/// How many changes are remembered for watches that begin in the past.
const REMEMBERED: usize = 10_000;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `PLURAL` or `PLURAL.GROUP`, as [`super::kinds::Kind::resource`] has it.
    pub(super) resource: String,
    /// Empty for what belongs to no namespace.
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// One change of one object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The version that the change made.
    pub(super) version: u64,
    pub(super) key: Key,
    /// None where the object was created.
    pub(super) before: Option<Arc<Value>>,
    /// None where it was removed.
    pub(super) after: Option<Arc<Value>>,
}

/// The objects. Knows nothing of what they mean.
#[derive(Debug)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    events: VecDeque<Event>,
    /// The version of the newest event that is forgotten.
    forgotten: u64,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { inner: Mutex::default(), version: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.inner().objects.get(key).cloned()
    }

    /// All objects of a resource, of one namespace or of all, and the version that the list stands for.
    pub(super) fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.inner();
        let from = Key::new(resource, namespace.unwrap_or_default(), "");
        let of_it = inner.objects.range(from..).take_while(|(key, _)| {
            key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace)
        });
        (of_it.map(|(_, object)| Arc::clone(object)).collect(), inner.version)
    }

    /// All objects of several resources as they stand at one version, which is given with them.
    pub(super) fn snapshot(&self, resources: &[String]) -> (BTreeMap<String, Vec<Arc<Value>>>, u64) {
        let inner = self.inner();
        let of_it = |resource: &String| {
            let from = Key::new(resource, "", "");
            let range = inner.objects.range(from..).take_while(|(key, _)| key.resource == *resource);
            (resource.clone(), range.map(|(_, object)| Arc::clone(object)).collect())
        };
        (resources.iter().map(of_it).collect(), inner.version)
    }

    /// Puts in the place of what stands under a key what `change` makes of it: none stands for no object. Nothing else
    /// happens meanwhile. The new object gets the next version; one that is as before is left alone, as a real API
    /// server leaves it.
    ///
    /// # Errors
    /// Those of `change`, with nothing changed.
    pub(super) fn change<E>(
        &self,
        key: &Key,
        change: impl FnOnce(Option<&Value>) -> Result<Option<Value>, E>,
    ) -> Result<Option<Arc<Value>>, E> {
        let mut inner = self.inner();
        let before = inner.objects.get(key).cloned();
        let mut after = change(before.as_deref())?;
        if after.as_ref() == before.as_deref() {
            return Ok(before);
        }
        inner.version += 1;
        let version = inner.version;
        if let Some(after) = &mut after {
            after["metadata"]["resourceVersion"] = json!(version.to_string());
        }
        let after = after.map(Arc::new);
        match &after {
            Some(after) => inner.objects.insert(key.clone(), Arc::clone(after)),
            None => inner.objects.remove(key),
        };
        inner.events.push_back(Event { version, key: key.clone(), before: before.clone(), after: after.clone() });
        if inner.events.len() > REMEMBERED {
            inner.forgotten = inner.events.pop_front().map_or(0, |event| event.version);
        }
        // Told while the lock is held, so that nobody is told of an older version after a newer one.
        self.version.send_replace(version);
        Ok(after)
    }

    /// The newest version.
    pub(super) fn version(&self) -> u64 {
        self.inner().version
    }

    /// Changes that come after a version, from now on.
    pub(super) fn watch(self: &Arc<Self>, since: u64) -> Watch {
        Watch { store: Arc::clone(self), since, version: self.version.subscribe() }
    }

    fn after(&self, since: u64) -> Result<Vec<Event>, Status> {
        let inner = self.inner();
        if since < inner.forgotten {
            return Err(Status::gone(since, inner.forgotten));
        }
        let begin = inner.events.partition_point(|event| event.version <= since);
        Ok(inner.events.range(begin..).cloned().collect())
    }
}

/// A reader of changes.
#[derive(Debug)]
pub(super) struct Watch {
    store: Arc<Store>,
    since: u64,
    version: watch::Receiver<u64>,
}

impl Watch {
    /// The next changes of all resources, at least one; waits until there is one.
    ///
    /// # Errors
    /// When they are forgotten: list again.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>, Status> {
        loop {
            let since = self.since;
            // The sender lives as long as the store, which this reader keeps.
            let _ = self.version.wait_for(|version| *version > since).await;
            let events = self.store.after(since)?;
            if let Some(last) = events.last() {
                self.since = last.version;
                return Ok(events);
            }
        }
    }

    /// The version up to which this reader has read.
    pub(super) fn version(&self) -> u64 {
        self.since
    }
}
