//! The end of a namespace.

use serde_json::{Value, json};

use super::objects::map;
use super::room::{MERGE, Room};
use super::sets::Set;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn namespace_deletion() {
    let room = Room::enter("namespace_deletion");
    Set::new("set").replicas(1).start(&room);
    let mut kept = map("kept", &json!({}));
    kept["metadata"]["finalizers"] = json!(["conf.test/keeper"]);
    room.make("configmaps", &kept);
    let own = format!("namespaces/{}", room.name());
    room.title("deleted");
    room.delete(&own, &Value::Null);
    room.get(&own).shows(&["/status/phase", "/spec/finalizers"]);
    room.post("configmaps", &map("late", &json!({})));
    room.post("statefulsets", &Set::new("late").object());
    room.delete(&own, &Value::Null);
    room.title("emptied, but for what is held");
    room.until_gone("statefulsets/set");
    room.until_gone("pods/set-0");
    room.get("configmaps/kept").shows(&["/metadata/finalizers"]);
    room.title("let go");
    room.patch("configmaps/kept", MERGE, &json!({"metadata": {"finalizers": null}}));
    room.until_gone(&own);
    room.get(&own);
    room.get("configmaps").shows(&["/items"]);
    room.post("configmaps", &map("late", &json!({})));
    room.leave();
}
