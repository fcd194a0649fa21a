//! Create, get, list, replace and delete, and what may be wrong with them.

use serde_json::{Value, json};

use super::room::Room;

pub(super) fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn verbs() {
    let room = Room::enter("verbs");
    room.title("create");
    room.post("configmaps", &map("one", &json!({"a": "1"}))).shows_all();
    room.post("configmaps", &map("one", &json!({})));
    room.post("configmaps", &json!({"metadata": {"generateName": "many-", "labels": {"made": "up"}}}));
    room.title("names and kinds that are wrong");
    room.post("configmaps", &map("Not A Name", &json!({})));
    room.post("configmaps", &map("", &json!({})));
    room.post("configmaps", &map("x", &json!({"no slashes/please": "1"})));
    room.post("configmaps", &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}));
    room.post("configmaps", &json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "x"}}));
    room.post("configmaps", &json!({"metadata": {"name": "x", "namespace": "default"}}));
    room.post("configmaps", &json!({"metadata": {"name": "x", "labels": {"a": "not a value"}}}));
    room.post("services", &json!({"metadata": {"name": "1x"}, "spec": {"ports": [{"port": 80}]}}));
    room.post("namespaces", &json!({"metadata": {"name": "conf.dots"}}));
    room.post("/api/v1/namespaces/conf-there-is-none/configmaps", &map("x", &json!({})));
    room.title("what is not there");
    room.get("configmaps/none");
    room.get("statefulsets/none");
    room.get("nosuchthings");
    room.get("nosuchthings/none");
    room.get("/api/v1/namespaces/conf-there-is-none");
    room.get("/api/v1/namespaces/conf-there-is-none/configmaps").shows(&["/items"]);
    room.get("configmaps/one/scale");
    room.put("configmaps/none", &map("none", &json!({})));
    room.delete("configmaps/none", &Value::Null);
    room.call("POST", "configmaps/one", &[], &map("one", &json!({})));
    room.call("PATCH", "configmaps", &[("content-type", super::room::MERGE)], &json!({}));
    room.title("replace");
    let one = room.get("configmaps/one").shows(&["/data"]);
    let mut next = one.body.clone();
    next["data"]["a"] = json!("2");
    let second = room.put("configmaps/one", &next).shows(&["/data"]);
    room.note(format!("  a new version: {}", second.version() != one.version()));
    room.put("configmaps/one", &next);
    let same = room.put("configmaps/one", &second.body);
    room.note(format!("  the same version where nothing changes: {}", same.version() == second.version()));
    let mut other = second.body.clone();
    other["metadata"]["name"] = json!("two");
    room.put("configmaps/one", &other);
    other = second.body.clone();
    other["metadata"]["uid"] = json!("11111111-2222-3333-4444-555555555555");
    room.put("configmaps/one", &other);
    other = second.body.clone();
    other["metadata"]["namespace"] = json!("default");
    room.put("configmaps/one", &other);
    let blind = room.put("configmaps/one", &map("one", &json!({"a": "3"}))).shows(&["/data"]);
    room.note(format!("  a new version: {}", blind.version() != second.version()));
    room.title("lists");
    room.post("configmaps", &json!({"metadata": {"name": "two", "labels": {"app": "x", "tier": "a"}}}));
    room.post("configmaps", &json!({"metadata": {"name": "three", "labels": {"app": "x", "tier": "b"}}}));
    for query in [
        "labelSelector=app",
        "labelSelector=!app,made",
        "labelSelector=app%3Dx",
        "labelSelector=app%3D%3Dx,tier!%3Da",
        "labelSelector=tier%20in%20(a,b)",
        "labelSelector=tier%20notin%20(a),app",
        "labelSelector=tier%20within%20(a)",
        "labelSelector=a%20b",
        "fieldSelector=metadata.name%3Dtwo",
        "fieldSelector=metadata.name!%3Dtwo&labelSelector=app",
        "fieldSelector=metadata.color%3Dred",
        "fieldSelector=nothing",
    ] {
        let answer = room.get(&format!("configmaps?{query}")).shows(&["/apiVersion"]);
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        // Random names, and what newer ones put into every namespace.
        let names = items.iter().filter_map(|item| item["metadata"]["name"].as_str()).filter(|name| name.len() < 6);
        room.note(format!(
            "  names: {:?}, items with a kind: {:?}",
            names.collect::<Vec<_>>(),
            items.first().map(|i| i["kind"].clone())
        ));
    }
    room.title("delete");
    let dry = json!({"dryRun": ["All"]});
    room.delete("configmaps/one", &dry);
    room.get("configmaps/one");
    room.delete("configmaps/one?dryRun=Sure", &Value::Null);
    room.delete("configmaps/one", &json!({"preconditions": {"uid": "11111111-2222-3333-4444-555555555555"}}));
    room.delete("configmaps/one", &json!({"preconditions": {"resourceVersion": "1"}}));
    room.delete("configmaps/one", &json!({"propagationPolicy": "Sideways"}));
    let uid = blind.body["metadata"]["uid"].clone();
    room.delete("configmaps/one", &json!({"preconditions": {"uid": uid, "resourceVersion": blind.version()}}))
        .shows(&["/status", "/details"]);
    room.get("configmaps/one");
    room.delete("configmaps?labelSelector=app", &Value::Null);
    room.get("configmaps?labelSelector=app").shows(&["/items"]);
    room.title("finalizers");
    room.post("configmaps", &json!({"metadata": {"name": "kept", "finalizers": ["conf.test/keeper"]}}));
    let kept = room.delete("configmaps/kept", &Value::Null).shows(&["/metadata/finalizers"]);
    room.note(format!("  on its way out: {}", kept.body["metadata"]["deletionTimestamp"].is_string()));
    room.patch("configmaps/kept", super::room::MERGE, &json!({"metadata": {"finalizers": ["conf.test/other"]}}));
    room.patch("configmaps/kept", super::room::MERGE, &json!({"metadata": {"finalizers": null}}));
    room.get("configmaps/kept");
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn dry_run() {
    let room = Room::enter("dry_run");
    room.post("configmaps?dryRun=All", &map("one", &json!({"a": "1"}))).shows(&["/data"]);
    room.get("configmaps/one");
    room.post("configmaps", &map("one", &json!({"a": "1"})));
    let stands = room.get("configmaps/one");
    room.post("configmaps?dryRun=All", &map("one", &json!({})));
    room.post("configmaps?dryRun=None", &map("one", &json!({})));
    room.patch("configmaps/one?dryRun=All", super::room::MERGE, &json!({"data": {"a": "2"}})).shows(&["/data"]);
    room.put("configmaps/one?dryRun=All", &map("one", &json!({"a": "3"}))).shows(&["/data"]);
    room.delete("configmaps/one?dryRun=All", &Value::Null).shows(&["/status"]);
    let still = room.get("configmaps/one").shows(&["/data"]);
    room.note(format!("  untouched: {}", still.body == stands.body));
    room.leave();
}
