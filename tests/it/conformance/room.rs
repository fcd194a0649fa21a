//! A scenario's namespace, its way into the API server, and the transcript that it writes.

use std::cell::RefCell;

use http::Request;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::transcript::{Server, Transcript};
use crate::harness::{Namespace, RUNTIME, eventually, try_kubectl};

/// What a patch's body is.
pub(super) const JSON: &str = "application/json-patch+json";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// Resources that are not in the core group.
const GROUPS: &[(&str, &str)] = &[
    ("statefulsets", "apps"),
    ("controllerrevisions", "apps"),
    ("leases", "coordination.k8s.io"),
    ("roles", "rbac.authorization.k8s.io"),
    ("rolebindings", "rbac.authorization.k8s.io"),
    ("storageclasses", "storage.k8s.io"),
    ("selfsubjectaccessreviews", "authorization.k8s.io"),
    ("nosuchthings", "apps"),
];

/// Resources that belong to no namespace.
const CLUSTER_WIDE: &[&str] =
    &["namespaces", "nodes", "persistentvolumes", "storageclasses", "selfsubjectaccessreviews"];

/// Where a scenario takes place.
pub(super) struct Room {
    namespace: Namespace,
    pub(super) client: Client,
    transcript: RefCell<Transcript>,
}

/// What the API server said.
pub(super) struct Answer<'a> {
    room: &'a Room,
    pub(super) code: u16,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Room {
    pub(super) fn enter(scenario: &str) -> Self {
        let namespace = Namespace::of("conf", &scenario.replace('_', "-"));
        let client = RUNTIME.block_on(Client::try_default()).expect("KUBECONFIG names a cluster");
        let room = Self { client, transcript: RefCell::default(), namespace };
        let version = room.send("GET", "/version", &[], Vec::new());
        room.transcript.borrow_mut().begin(scenario, Server::of(&version.body));
        room.learn(&room.namespace.name, "NAMESPACE");
        room
    }

    /// The end of the scenario: what it wrote must be what stands in the repository.
    pub(super) fn leave(self) {
        self.transcript.into_inner().compare();
    }

    pub(super) fn name(&self) -> &str {
        &self.namespace.name
    }

    /// From now on a word of this run is written as another, which every run has.
    pub(super) fn learn(&self, word: &str, stable: &str) {
        self.transcript.borrow_mut().learn(word, stable);
    }

    /// A headline in the transcript.
    pub(super) fn title(&self, title: &str) {
        self.transcript.borrow_mut().title(title);
    }

    /// A line in the transcript.
    pub(super) fn note(&self, line: impl AsRef<str>) {
        self.transcript.borrow_mut().note(line.as_ref());
    }

    /// The full address of `RESOURCE[/NAME...]`. One that begins with a slash is full already.
    pub(super) fn address(&self, what: &str) -> String {
        if what.starts_with('/') {
            return what.to_owned();
        }
        let resource = what.split(['/', '?']).next().unwrap_or_default();
        let root = match GROUPS.iter().find(|(known, _)| *known == resource) {
            Some((_, group)) => format!("/apis/{group}/v1"),
            None => "/api/v1".to_owned(),
        };
        if CLUSTER_WIDE.contains(&resource) {
            format!("{root}/{what}")
        } else {
            format!("{root}/namespaces/{}/{what}", self.name())
        }
    }

    /// Calls without a line in the transcript.
    pub(super) fn send(&self, method: &str, what: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer<'_> {
        let mut request = Request::builder().method(method).uri(self.address(what));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let (code, bytes) = RUNTIME.block_on(async {
            let response = self.client.send(request).await.expect("an answer");
            (response.status().as_u16(), response.into_body().collect_bytes().await.expect("a whole answer"))
        });
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { room: self, code, body, text }
    }

    /// Calls, and writes down what was asked and whether it was done.
    pub(super) fn call(&self, method: &str, what: &str, headers: &[(&str, &str)], body: &Value) -> Answer<'_> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let typed = headers.iter().any(|(name, _)| *name == "content-type");
        let plain: &[(&str, &str)] =
            if typed || bytes.is_empty() { &[] } else { &[("content-type", "application/json")] };
        let answer = self.send(method, what, &[headers, plain].concat(), bytes);
        self.note(format!("{method} {what}"));
        answer.outcome();
        answer
    }

    pub(super) fn get(&self, what: &str) -> Answer<'_> {
        self.call("GET", what, &[], &Value::Null)
    }

    /// Reads without a line in the transcript.
    #[track_caller]
    pub(super) fn look(&self, what: &str) -> Value {
        let answer = self.send("GET", what, &[], Vec::new());
        assert_eq!(answer.code, 200, "{what}: {}", answer.text);
        answer.body
    }

    pub(super) fn get_as(&self, form: &str, what: &str) -> Answer<'_> {
        let accept = format!("application/json;as={form};v=v1;g=meta.k8s.io");
        self.call("GET", what, &[("accept", &accept)], &Value::Null)
    }

    /// Calls, and writes down the code and the reason alone, for messages that are too long or too odd.
    pub(super) fn brief(&self, method: &str, what: &str, form: &str, body: &Value) -> Answer<'_> {
        let answer = self.send(method, what, &[("content-type", form)], body.to_string().into_bytes());
        self.note(format!("{method} {what}"));
        self.note(format!("  {} {}", answer.code, answer.body["reason"].as_str().unwrap_or_default()).trim_end());
        answer
    }

    pub(super) fn post(&self, what: &str, object: &Value) -> Answer<'_> {
        self.call("POST", what, &[], object)
    }

    pub(super) fn put(&self, what: &str, object: &Value) -> Answer<'_> {
        self.call("PUT", what, &[], object)
    }

    pub(super) fn patch(&self, what: &str, form: &str, patch: &Value) -> Answer<'_> {
        self.call("PATCH", what, &[("content-type", form)], patch)
    }

    pub(super) fn delete(&self, what: &str, options: &Value) -> Answer<'_> {
        self.call("DELETE", what, &[], options)
    }

    /// Creates what a scenario stands on, without a line in the transcript.
    #[track_caller]
    pub(super) fn make(&self, what: &str, object: &Value) -> Value {
        let headers = [("content-type", "application/json")];
        let answer = self.send("POST", what, &headers, object.to_string().into_bytes());
        assert_eq!(answer.code, 201, "{what}: {}", answer.text);
        answer.body
    }

    /// Changes something without a line in the transcript.
    #[track_caller]
    pub(super) fn change(&self, what: &str, merge: &Value) -> Value {
        let answer = self.send("PATCH", what, &[("content-type", MERGE)], merge.to_string().into_bytes());
        assert_eq!(answer.code, 200, "{what}: {}", answer.text);
        answer.body
    }

    /// Waits until something that is there is so.
    #[track_caller]
    pub(super) fn until(&self, what: &str, goal: &str, so: impl Fn(&Value) -> bool) -> Value {
        eventually(goal, || {
            let answer = self.send("GET", what, &[], Vec::new());
            if answer.code == 200 && so(&answer.body) { Ok(answer.body) } else { Err(answer.text) }
        })
    }

    /// Waits until something is gone.
    #[track_caller]
    pub(super) fn until_gone(&self, what: &str) {
        eventually(&format!("{what} to be gone"), || {
            let answer = self.send("GET", what, &[], Vec::new());
            if answer.code == 404 { Ok(()) } else { Err(answer.text) }
        });
    }

    /// kubectl in this namespace, with a line in the transcript: what it printed, or said instead.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let said = self.try_kubectl(arguments);
        self.note(format!("kubectl {}", arguments.join(" ")));
        match &said {
            Ok(said) => said.lines().for_each(|line| self.note(format!("  {line}"))),
            Err(said) => said.lines().for_each(|line| self.note(format!("  ! {line}"))),
        }
        said
    }

    /// kubectl in this namespace.
    pub(super) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        // What it thinks of the versions is not about the scenario.
        let said = try_kubectl(&[&["-n", self.name()], arguments].concat(), None);
        let clean = |text: String| {
            text.lines().filter(|line| !line.starts_with("WARNING: version")).collect::<Vec<_>>().join("\n")
        };
        said.map(clean).map_err(clean)
    }
}

impl Answer<'_> {
    fn outcome(&self) {
        let Self { room, code, body, .. } = self;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if body["kind"] == "Status" && body["status"] != "Success" {
            // Some messages go on with what the server's own language makes of the object.
            let first = |message: &str| message.lines().next().unwrap_or_default().to_owned();
            room.note(format!("  {code} {}: {}", text(&body["reason"]), first(&text(&body["message"]))));
            let mut details = body["details"].clone();
            if let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut) {
                for cause in causes.iter_mut() {
                    cause["message"] = json!(first(cause["message"].as_str().unwrap_or_default()));
                }
                // A real one looks at some fields twice.
                causes.dedup();
            }
            if !details.is_null() {
                room.note(format!("  details: {}", sorted(&details)));
            }
        } else {
            let kind = text(&body["kind"]);
            let name = text(&body["metadata"]["name"]);
            if let Some(random) = body["metadata"]["generateName"].as_str()
                && kind != "Pod"
            {
                room.learn(&name, &format!("{random}RANDOM"));
            }
            room.note(format!("  {code} {kind} {name}").trim_end());
        }
    }

    /// Writes down parts of the answer.
    pub(super) fn shows(self, pointers: &[&str]) -> Self {
        for pointer in pointers {
            let value = self.body.pointer(pointer).cloned().unwrap_or_default();
            self.room.note(format!("  {pointer}: {}", sorted(&value)));
        }
        self
    }

    /// Writes down the whole object, less what every object has of its own: a line a field.
    pub(super) fn shows_all(self) -> Self {
        let mut object = self.body.clone();
        if let Some(meta) = object["metadata"].as_object_mut() {
            for own in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink"] {
                meta.remove(own);
            }
        }
        if let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
            conditions.sort_by_key(|condition| condition["type"].to_string());
        }
        let mut lines = Vec::new();
        flatten("", &object, &mut lines);
        for line in lines {
            self.room.note(format!("  {line}"));
        }
        self
    }

    pub(super) fn version(&self) -> String {
        self.body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
    }
}

/// The leaves of a value, with where they are.
fn flatten(at: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            for (name, value) in fields {
                flatten(&format!("{at}/{name}"), value, lines);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{at}/{index}"), value, lines);
            }
        }
        value => lines.push(format!("{at}: {value}")),
    }
}

/// A value with the fields of all objects in the order of their names.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            Value::Object(fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(list) => json!(list.iter().map(sorted).collect::<Vec<_>>()),
        other => other.clone(),
    }
}
