//! The API server without a process in between: tests look often, and each kubectl costs a tenth of a second of work.

use std::sync::LazyLock;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// One runtime for all tests. A client belongs to the runtime that it was made on.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| RUNTIME.block_on(Client::try_default()).expect("KUBECONFIG names a cluster"));

/// What kubectl calls a kind, its kind, the path of its group and version, its plural, and whether it is in a namespace.
const KINDS: &[(&str, &str, &str, &str, bool)] = &[
    ("namespace", "Namespace", "/api/v1", "namespaces", false),
    ("node", "Node", "/api/v1", "nodes", false),
    ("persistentvolume", "PersistentVolume", "/api/v1", "persistentvolumes", false),
    ("persistentvolumeclaim", "PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims", true),
    ("pod", "Pod", "/api/v1", "pods", true),
    ("service", "Service", "/api/v1", "services", true),
    ("serviceaccount", "ServiceAccount", "/api/v1", "serviceaccounts", true),
    ("configmap", "ConfigMap", "/api/v1", "configmaps", true),
    ("secret", "Secret", "/api/v1", "secrets", true),
    ("statefulset", "StatefulSet", "/apis/apps/v1", "statefulsets", true),
    ("lease", "Lease", "/apis/coordination.k8s.io/v1", "leases", true),
    ("role", "Role", "/apis/rbac.authorization.k8s.io/v1", "roles", true),
    ("clusterrole", "ClusterRole", "/apis/rbac.authorization.k8s.io/v1", "clusterroles", false),
    ("clusterrolebinding", "ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", false),
    ("fault", "Fault", "/apis/sandbox.etcd-scale.io/v1", "faults", true),
    ("rolebinding", "RoleBinding", "/apis/rbac.authorization.k8s.io/v1", "rolebindings", true),
];

fn send(method: Method, path: &str, body: &Value) -> Result<Value, String> {
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json").body(bytes);
    let request = request.map_err(|error| error.to_string())?;
    RUNTIME.block_on(CLIENT.request(request)).map_err(|error: kube::Error| error.to_string())
}

fn path_of(kind: &str, namespace: &str) -> (String, &'static str) {
    let (_, kind, prefix, plural, namespaced) =
        KINDS.iter().find(|known| known.0 == kind).unwrap_or_else(|| panic!("{kind} is not among the kinds here"));
    let within = if *namespaced { format!("/namespaces/{namespace}") } else { String::new() };
    (format!("{prefix}{within}/{plural}"), kind)
}

/// One object. `namespace` does not matter where its kind is in none.
pub(crate) fn try_get(kind: &str, name: &str, namespace: &str) -> Result<Value, String> {
    send(Method::GET, &format!("{}/{name}", path_of(kind, namespace).0), &Value::Null)
}

/// One object, which must be there.
#[track_caller]
pub(crate) fn get(kind: &str, name: &str, namespace: &str) -> Value {
    try_get(kind, name, namespace).unwrap_or_else(|said| panic!("cannot read {kind} {name}: {said}"))
}

/// All objects of a kind, in order of their names, of which `labels` selects.
pub(crate) fn try_list(kind: &str, namespace: &str, labels: &str) -> Result<Vec<Value>, String> {
    let (path, kind) = path_of(kind, namespace);
    let path = format!("{path}?labelSelector={}", labels.replace('=', "%3D"));
    let mut list = send(Method::GET, &path, &Value::Null)?;
    let mut items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    for item in &mut items {
        item["kind"] = json!(kind);
    }
    Ok(items)
}

/// All objects of some kinds.
#[track_caller]
pub(crate) fn list(kinds: &[&str], namespace: &str, labels: &str) -> Vec<Value> {
    let all =
        |kind: &&str| try_list(kind, namespace, labels).unwrap_or_else(|said| panic!("cannot list {kind}: {said}"));
    kinds.iter().flat_map(all).collect()
}

/// Creates an object, or all of a list.
#[track_caller]
pub(crate) fn create(object: &Value) {
    if let Some(items) = object["items"].as_array() {
        return items.iter().for_each(create);
    }
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    send(Method::POST, &path_of(&kind, namespace).0, object)
        .unwrap_or_else(|said| panic!("cannot create {kind}: {said}\n{object:#}"));
}

/// Creates an object, or writes it over the one that stands.
#[track_caller]
pub(crate) fn put(object: &Value) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let (name, namespace) = (text("name"), text("namespace"));
    if try_get(&kind, name, namespace).is_err() {
        return create(object);
    }
    let path = format!("{}/{name}", path_of(&kind, namespace).0);
    send(Method::PUT, &path, object).unwrap_or_else(|said| panic!("cannot write {kind} {name}: {said}"));
}

/// Deletes an object at once, without a word where it cannot be.
pub(crate) fn delete(kind: &str, name: &str, namespace: &str) {
    let options = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
    drop(send(Method::DELETE, &format!("{}/{name}", path_of(kind, namespace).0), &options));
}
