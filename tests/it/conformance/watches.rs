//! Watches: what is told, in which order, and from where on.

use serde_json::{Value, json};

use super::objects::map;
use super::room::{MERGE, Room};
use super::watch::{Watch, told};

fn tell(room: &Room, events: &[Value]) {
    for event in events {
        let object = &event["object"];
        room.note(format!("  {} {} {}", told(event), object["kind"], object["data"]));
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn watches() {
    let room = Room::enter("watches");
    let labelled = |name: &str, tier: &str| {
        let mut map = map(name, &json!({"a": "1"}));
        map["metadata"]["labels"] = json!({"tier": tier});
        map
    };
    let first = room.make("configmaps", &labelled("one", "a"));
    let since = first["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let selected = Watch::begin(&room, "configmaps");
    room.change("configmaps/one", &json!({"data": {"a": "2"}}));
    room.make("configmaps", &labelled("two", "b"));
    room.change("configmaps/two", &json!({"metadata": {"labels": {"tier": "a"}}}));
    room.change("configmaps/two", &json!({"data": {"a": "3"}}));
    room.change("configmaps/two", &json!({"metadata": {"labels": {"tier": "b"}}}));
    room.send("PATCH", "configmaps/two", &[("content-type", MERGE)], b"{}".to_vec());
    room.delete("configmaps/one", &Value::Null);
    room.make("configmaps", &labelled("last", "a"));
    let last = |event: &Value| event["object"]["metadata"]["name"] == "last";
    room.title("all, from now on");
    tell(&room, &selected.until("the last", last));
    drop(selected);
    for (title, query) in [
        ("all, from a version", String::new()),
        ("some, by a label that comes and goes", "&labelSelector=tier%3Da".to_owned()),
        ("some, by their name", "&fieldSelector=metadata.name%20in%20(two)".to_owned()),
        ("one, and the last", "&fieldSelector=metadata.name!%3Dtwo".to_owned()),
    ] {
        room.title(title);
        let what = format!("configmaps?watch=true&resourceVersion={since}{query}");
        if query.contains("%20in") {
            let answer = room.send("GET", &what, &[], Vec::new());
            room.note(format!("  {} {}", answer.code, answer.body["message"]));
            continue;
        }
        tell(&room, &Watch::of(&room, &what).until("the last", last));
    }
    room.title("what there is, and then what comes");
    let watch = Watch::of(&room, "configmaps?watch=true&fieldSelector=metadata.name%3Dlast");
    watch.until("the last", last);
    room.change("configmaps/last", &json!({"data": {"a": "9"}}));
    tell(&room, &watch.until("the change", |event| event["object"]["data"]["a"] == "9"));
    drop(watch);
    room.title("one that ends by itself");
    let version = room.look("configmaps")["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let ended =
        room.send("GET", &format!("configmaps?watch=true&resourceVersion={version}&timeoutSeconds=1"), &[], Vec::new());
    room.note(format!("  {} {:?}", ended.code, ended.text));
    room.title("in other forms");
    let accept = [("accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")];
    let what = "configmaps?watch=true&fieldSelector=metadata.name%3Dlast&timeoutSeconds=1";
    let events = room.send("GET", what, &accept, Vec::new());
    let event: Value = serde_json::from_str(events.text.lines().next().unwrap_or_default()).unwrap_or_default();
    room.note(format!("  {} {} {}", told(&event), event["object"]["kind"], event["object"]["data"]));
    room.leave();
}
