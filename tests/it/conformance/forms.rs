//! Answers in other forms than the object's own: tables, metadata alone, a scale.

use serde_json::{Value, json};

use super::objects::map;
use super::room::{MERGE, Room};
use super::sets::Set;

/// The columns that kubectl shows without `-o wide`, and the rows under them.
fn table(room: &Room, what: &str) {
    let answer = room.get_as("Table", what);
    let columns = answer.body["columnDefinitions"].as_array().cloned().unwrap_or_default();
    for column in &columns {
        let Value::Object(column) = column else { continue };
        room.note(format!("  column {} {} {}", column["name"], column["type"], column["priority"]));
    }
    for row in answer.body["rows"].as_array().into_iter().flatten() {
        // The rest is as wide as it is on the cluster at hand, or an age.
        let narrow = row["cells"].as_array().into_iter().flatten().zip(&columns);
        let cells: Vec<_> = narrow
            .filter(|(_, column)| column["priority"] == 0 && column["name"] != "Age")
            .map(|(cell, _)| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
            .collect();
        room.note(format!("  row {} of {}", cells.join(" "), row["object"]["kind"]));
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn tables() {
    let room = Room::enter("tables");
    room.make("statefulsets", &Set::new("set").replicas(1).object());
    room.until("statefulsets/set", "the pod to be ready", |set| set["status"]["readyReplicas"] == 1);
    room.make("configmaps", &map("one", &json!({"a": "1"})));
    room.make("services", &json!({
        "metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]},
    }));
    let claim = json!({
        "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "conf-none", "resources": {"requests": {"storage": "1Gi"}}},
    });
    room.make("persistentvolumeclaims", &claim);
    for what in [
        "pods",
        "pods/set-0",
        "statefulsets",
        "persistentvolumeclaims",
        "services",
        "configmaps?fieldSelector=metadata.name%3Done",
    ] {
        table(&room, what);
    }
    room.get_as("Table", "configmaps/none");
    room.title("metadata alone");
    room.get_as("PartialObjectMetadata", "configmaps/one").shows(&["/apiVersion", "/metadata/name", "/data"]);
    room.get_as("PartialObjectMetadataList", "configmaps?fieldSelector=metadata.name%3Done").shows(&[
        "/apiVersion",
        "/items/0/metadata/name",
        "/items/0/kind",
        "/items/0/data",
    ]);
    room.title("scale");
    room.get("statefulsets/set/scale").shows(&["/apiVersion", "/spec", "/status"]);
    room.patch("statefulsets/set/scale", MERGE, &json!({"spec": {"replicas": 0}})).shows(&["/spec"]);
    room.get("statefulsets/set").shows(&["/spec/replicas", "/metadata/generation"]);
    room.leave();
}
