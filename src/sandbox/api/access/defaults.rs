//! The roles and bindings that every cluster begins with, as far as they speak of what is served here.

use serde_json::{Value, json};

use super::user::MASTERS;
use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

const API_GROUP: &str = "rbac.authorization.k8s.io";
const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// Creates the roles and bindings.
///
/// # Errors
/// When one cannot be created.
pub(in crate::sandbox) fn create(registry: &Registry) -> Result<(), Status> {
    let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    for (name, rules) in roles() {
        let role = json!({"metadata": {"name": name, "labels": labels}, "rules": rules});
        registry.create(kinds::CLUSTER_ROLES, "", role, false)?;
    }
    let bindings: [(&str, &[&str]); 4] = [
        ("cluster-admin", &[MASTERS]),
        ("system:basic-user", &["system:authenticated"]),
        ("system:discovery", &["system:authenticated"]),
        ("system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
    ];
    for (name, groups) in bindings {
        let subjects: Vec<Value> =
            groups.iter().map(|group| json!({"apiGroup": API_GROUP, "kind": "Group", "name": group})).collect();
        let role = json!({"apiGroup": API_GROUP, "kind": "ClusterRole", "name": name});
        let binding = json!({"metadata": {"name": name, "labels": labels}, "roleRef": role, "subjects": subjects});
        registry.create(kinds::CLUSTER_ROLE_BINDINGS, "", binding, false)?;
    }
    Ok(())
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// Names and rules. Those of `view`, `edit` and `admin` are the rules of Kubernetes 1.20: what a user may do with them
/// here it may do everywhere.
fn roles() -> Vec<(&'static str, Vec<Value>)> {
    let public = json!({
        "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"],
    });
    let discovery = json!({
        "nonResourceURLs": [
            "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version",
            "/version/",
        ],
        "verbs": ["get"],
    });
    let reviews = rule("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"]);
    let everything = vec![rule("*", &["*"], &["*"]), json!({"nonResourceURLs": ["*"], "verbs": ["*"]})];
    let edit = [write(), view()].concat();
    let over_roles = rule(API_GROUP, &["rolebindings", "roles"], &[&WRITE[..], &READ].concat());
    let local = rule("authorization.k8s.io", &["localsubjectaccessreviews"], &["create"]);
    vec![
        ("cluster-admin", everything),
        ("system:basic-user", vec![reviews]),
        ("system:discovery", vec![discovery]),
        ("system:public-info-viewer", vec![public]),
        ("view", view()),
        ("admin", [edit.clone(), vec![local, over_roles]].concat()),
        ("edit", edit),
    ]
}

/// Reading of all that gives no rights to its reader: no secrets, no roles.
fn view() -> Vec<Value> {
    let core = [
        "configmaps",
        "endpoints",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let more = [
        "bindings",
        "events",
        "limitranges",
        "namespaces/status",
        "pods/log",
        "pods/status",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
    ];
    let apps = [
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
    ];
    vec![
        rule("", &core, &READ),
        rule("", &more, &READ),
        rule("", &["namespaces"], &READ),
        rule("apps", &apps, &READ),
        rule("autoscaling", &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], &READ),
        rule("batch", &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], &READ),
        rule("policy", &["poddisruptionbudgets", "poddisruptionbudgets/status"], &READ),
        rule("networking.k8s.io", &["ingresses", "ingresses/status", "networkpolicies"], &READ),
    ]
}

/// What `edit` has beyond `view`.
fn write() -> Vec<Value> {
    let streams = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"];
    let core = [
        "configmaps",
        "endpoints",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "secrets",
        "serviceaccounts",
        "services",
        "services/proxy",
    ];
    let apps = [
        "daemonsets",
        "deployments",
        "deployments/rollback",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
    ];
    vec![
        rule("", &[&streams[..], &["secrets", "services/proxy"]].concat(), &READ),
        rule("", &["serviceaccounts"], &["impersonate"]),
        rule("", &[&["pods"], &streams[..]].concat(), &WRITE),
        rule("", &core, &WRITE),
        rule("apps", &apps, &WRITE),
        rule("autoscaling", &["horizontalpodautoscalers"], &WRITE),
        rule("batch", &["cronjobs", "jobs"], &WRITE),
        rule("policy", &["poddisruptionbudgets"], &WRITE),
        rule("networking.k8s.io", &["ingresses", "networkpolicies"], &WRITE),
    ]
}
