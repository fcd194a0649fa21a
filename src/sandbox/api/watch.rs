//! Watches: the changes of a list as they happen, a line each.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::answer::{Form, respond};
use super::selector::Selector;
use super::table;
use crate::sandbox::kinds::Kind;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;
use crate::sandbox::store;

/// How long a watch lives that does not say how long it wants to. kube-apiserver: between 30 and 60 minutes.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How often a quiet watch hears which version it is at.
const BOOKMARK: Duration = Duration::from_secs(60);

/// What a client wants to watch.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) form: Form,
    /// After which version; none to begin with what there is.
    pub(super) since: Option<u64>,
    /// Whether to tell what there is first, and then that this was all.
    pub(super) initial: bool,
    pub(super) bookmarks: bool,
    pub(super) seconds: Option<u64>,
}

/// A watch under way.
struct Follower {
    request: Request,
    watch: store::Watch,
    ends: Instant,
    /// Lines that are ready, newest last.
    ready: Vec<Value>,
    headed: bool,
    over: bool,
}

/// Begins a watch.
pub(super) fn follow(registry: &Registry, request: Request) -> Response<Body> {
    let begin = |objects: Vec<Arc<Value>>, version| (objects, registry.watch(version));
    let (objects, watch) = match request.since {
        Some(since) if !request.initial => begin(Vec::new(), since),
        _ => {
            let (objects, version) = registry.list(&request.kind.resource(), request.namespace.as_deref());
            begin(objects, version)
        }
    };
    let lifetime = request.seconds.map_or(LIFETIME, Duration::from_secs);
    let mut follower =
        Follower { request, watch, ends: Instant::now() + lifetime, ready: Vec::new(), headed: false, over: false };
    for object in objects {
        if follower.request.selector.selects(&object) {
            follower.tell("ADDED", &object);
        }
    }
    if follower.request.initial {
        let marks = json!({"k8s.io/initial-events-end": "true"});
        follower.bookmark(Some(marks));
    }
    let lines = stream::unfold(follower, |mut follower| async move {
        let lines = follower.next().await?;
        Some((Ok::<_, std::convert::Infallible>(lines), follower))
    });
    respond(200, "application/json", Body::from_stream(lines))
}

impl Follower {
    /// The next lines, as text; none where the watch is over.
    async fn next(&mut self) -> Option<String> {
        while self.ready.is_empty() {
            if self.over {
                return None;
            }
            let bookmark = (Instant::now() + BOOKMARK).min(self.ends);
            tokio::select! {
                events = self.watch.next() => match events {
                    Ok(events) => events.into_iter().for_each(|event| self.take(event)),
                    Err(gone) => self.fail(&gone),
                },
                () = sleep_until(bookmark) => {
                    self.over = bookmark == self.ends;
                    if self.request.bookmarks && !self.over {
                        self.bookmark(None);
                    }
                }
            }
        }
        let lines = self.ready.drain(..).map(|line| line.to_string() + "\n");
        Some(lines.collect())
    }

    fn take(&mut self, event: store::Event) {
        let store::Event { version, key, before, after } = event;
        let Request { kind, namespace, selector, .. } = &self.request;
        if key.resource != kind.resource() || namespace.as_deref().is_some_and(|wanted| wanted != key.namespace) {
            return;
        }
        let was = before.as_ref().is_some_and(|object| selector.selects(object));
        let is = after.as_ref().is_some_and(|object| selector.selects(object));
        match (was, is, before, after) {
            (false, true, _, Some(object)) => self.tell("ADDED", &object),
            (true, true, _, Some(object)) => self.tell("MODIFIED", &object),
            (true, false, Some(object), _) => {
                // What went is told as it was, with the version of its going.
                let mut last = object.as_ref().clone();
                last["metadata"]["resourceVersion"] = json!(version.to_string());
                self.tell("DELETED", &last);
            }
            _ => {}
        }
    }

    fn tell(&mut self, what: &str, object: &Value) {
        let object = match self.request.form {
            Form::Table => {
                let version = object["metadata"]["resourceVersion"].clone();
                let head = !std::mem::replace(&mut self.headed, true);
                table::of(&self.request.kind, &[object], &version, head)
            }
            form => form.object(&self.request.kind, object),
        };
        self.ready.push(json!({"type": what, "object": object}));
    }

    fn bookmark(&mut self, annotations: Option<Value>) {
        let mut metadata = json!({"resourceVersion": self.watch.version().to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let Kind { kind, .. } = &*self.request.kind;
        let object = json!({"kind": kind, "apiVersion": self.request.kind.api_version(), "metadata": metadata});
        self.ready.push(json!({"type": "BOOKMARK", "object": object}));
    }

    fn fail(&mut self, status: &Status) {
        self.ready.push(json!({"type": "ERROR", "object": status.object()}));
        self.over = true;
    }
}
