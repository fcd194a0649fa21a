//! A watch in the background, and the story that its events tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{AsyncBufReadExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::room::Room;
use crate::harness::RUNTIME;
use crate::harness::eventually;

/// A watch. Dropped, it ends.
pub(super) struct Watch<'a> {
    room: &'a Room,
    seen: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl<'a> Watch<'a> {
    /// Watches what comes after now.
    pub(super) fn begin(room: &'a Room, resource: &str) -> Self {
        let list = room.look(resource);
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        Self::of(room, &format!("{resource}?watch=true&resourceVersion={version}"))
    }

    /// Watches with a query of its own.
    pub(super) fn of(room: &'a Room, what: &str) -> Self {
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let request = Request::get(room.address(what)).body(Vec::new()).expect("a request");
        let (client, told) = (room.client.clone(), seen.clone());
        let task = RUNTIME.spawn(async move {
            let stream = client.request_stream(request).await.expect("a watch");
            let mut lines = Box::pin(stream).lines();
            while let Some(Ok(line)) = lines.next().await {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({"type": line}));
                told.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            }
        });
        Self { room, seen, task }
    }

    pub(super) fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for an event, and gives all until then.
    #[track_caller]
    pub(super) fn until(&self, goal: &str, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        eventually(goal, || {
            let seen = self.seen();
            match seen.iter().position(&last) {
                Some(at) => Ok(seen[..=at].to_vec()),
                None => Err(seen.iter().map(told).collect::<Vec<_>>().join(", ")),
            }
        })
    }

    /// The events of pods until now, of which the last is that of a pod made for the purpose.
    pub(super) fn pods(&self) -> Vec<Value> {
        let end = json!({
            "metadata": {"name": "end"},
            "spec": {
                "nodeSelector": {"conf.test/none": ""}, "automountServiceAccountToken": false,
                "containers": [{"name": "one", "image": "nowhere.invalid/none:0"}],
            },
        });
        self.room.make("pods", &end);
        let mut seen = self.until("the last pod", |event| event["object"]["metadata"]["name"] == "end");
        seen.pop();
        let gone = self.room.send("DELETE", "pods/end?gracePeriodSeconds=0", &[], Vec::new());
        assert_eq!(gone.code, 200, "{}", gone.text);
        self.room.until_gone("pods/end");
        seen
    }

    /// Writes down what happened to pods, in its order.
    pub(super) fn tell_in_order(self) {
        for (pod, what) in story(&self.pods()) {
            self.room.note(format!("  {pod} {what}"));
        }
    }

    /// Writes down what happened to each pod, where the order among them is free.
    pub(super) fn tell_by_pod(self) {
        let mut pods: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (pod, what) in story(&self.pods()) {
            pods.entry(pod).or_default().push(what);
        }
        for (pod, what) in pods {
            self.room.note(format!("  {pod}: {}", what.join(", ")));
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An event in short.
pub(super) fn told(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&event["type"]), text(&event["object"]["metadata"]["name"]))
}

/// What happened to pods: how they came, were ready, ended and went.
fn story(events: &[Value]) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let mut once = BTreeSet::new();
    for event in events {
        let pod = &event["object"];
        let (name, uid) = (&pod["metadata"]["name"], pod["metadata"]["uid"].to_string());
        let name = name.as_str().unwrap_or_default();
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.clone().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let revision = pod["metadata"]["labels"]["controller-revision-hash"].as_str().unwrap_or("no revision");
        let mut tell = |what: &'static str, more: String| {
            if once.insert((uid.clone(), what)) {
                told.push((name.to_owned(), format!("{what}{more}")));
            }
        };
        if event["type"] == "ADDED" {
            tell("comes", format!(" with {revision}"));
        }
        if ready && pod["metadata"]["deletionTimestamp"].is_null() && event["type"] != "DELETED" {
            tell("is ready", String::new());
        }
        if !pod["metadata"]["deletionTimestamp"].is_null() && event["type"] != "DELETED" {
            tell("ends", String::new());
        }
        if event["type"] == "DELETED" {
            tell("is gone", String::new());
        }
    }
    told
}
