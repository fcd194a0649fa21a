//! Patches of all three forms.

use serde_json::json;

use super::objects::map;
use super::room::{JSON, MERGE, Room, STRATEGIC};

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn patches() {
    let room = Room::enter("patches");
    room.make("configmaps", &map("one", &json!({"a": "1"})));
    room.title("JSON patch");
    let pass =
        json!([{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]);
    room.patch("configmaps/one", JSON, &pass).shows(&["/data"]);
    room.patch("configmaps/one", JSON, &pass);
    for patch in [
        json!([{"op": "replace", "path": "/data/none", "value": "x"}]),
        json!([{"op": "replace", "path": "/nowhere/none", "value": "x"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
        json!([{"op": "test", "path": "/data/none", "value": "x"}]),
        json!([{"op": "test", "path": "/data/none", "value": null}]),
        json!([{"op": "add", "path": "/data/b", "value": "1"}]),
        json!([{"op": "add", "path": "/metadata/annotations", "value": {}},
               {"op": "add", "path": "/metadata/annotations/conf.test~1key", "value": "v"}]),
        json!([{"op": "add", "path": "/metadata/annotations/plain/deep", "value": "v"}]),
        json!([{"op": "move", "from": "/data/b", "path": "/data/c"}]),
        json!([{"op": "copy", "from": "/data/c", "path": "/data/d"}]),
        json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]),
        json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}]),
        json!([{"op": "replace", "path": "/metadata/name", "value": "other"}]),
        json!([{"op": "dance", "path": "/data"}]),
        json!({"data": {"a": "9"}}),
        json!([]),
    ] {
        room.note(format!("{patch}"));
        room.patch("configmaps/one", JSON, &patch).shows(&["/data", "/metadata/annotations"]);
    }
    room.patch("configmaps/none", JSON, &json!([]));
    room.title("merge patch");
    for patch in [
        json!({"data": {"a": null, "e": "5"}}),
        json!({"data": null}),
        json!({"metadata": {"resourceVersion": "1"}, "data": {"x": "1"}}),
        json!({"metadata": {"uid": "11111111-2222-3333-4444-555555555555"}, "data": {"x": "1"}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"labels": {"a": null}}}),
        json!({}),
    ] {
        room.note(format!("{patch}"));
        room.patch("configmaps/one", MERGE, &patch).shows(&["/data", "/metadata/labels"]);
    }
    for patch in [json!({"data": {"n": 1}}), json!([])] {
        room.note(format!("{patch}"));
        room.brief("PATCH", "configmaps/one", MERGE, &patch);
    }
    room.patch("configmaps/one", "text/plain", &json!({}));
    room.title("strategic merge patch");
    let container = |name: &str| json!({"name": name, "image": "nowhere.invalid/none:0"});
    let set = json!({
        "metadata": {"name": "set"},
        "spec": {
            "replicas": 0, "serviceName": "set", "selector": {"matchLabels": {"app": "set"}},
            "template": {
                "metadata": {"labels": {"app": "set"}},
                "spec": {"containers": [container("first"), container("second")]},
            },
        },
    });
    room.make("statefulsets", &set);
    let spec = "/spec/template/spec/containers";
    let template = |spec: serde_json::Value| json!({"spec": {"template": {"spec": spec}}});
    for patch in [
        template(
            json!({"containers": [{"name": "second", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}),
        ),
        template(
            json!({"containers": [{"name": "second", "env": [{"name": "A", "value": "3"}, {"name": "C", "value": "4"}]}]}),
        ),
        template(json!({"containers": [{"name": "second", "env": [{"name": "B", "$patch": "delete"}]}]})),
        template(json!({"containers": [{"name": "third", "image": "nowhere.invalid/none:1"}]})),
        template(json!({"containers": [{"name": "first", "$patch": "delete"}]})),
        template(json!({"containers": [{"name": "second", "env": null, "command": ["a", "b"]}]})),
        template(json!({"containers": [{"name": "second", "ports": [{"containerPort": 80, "name": "web"}]}]})),
        template(json!({"containers": [{"image": "nameless"}]})),
        template(
            json!({"$setElementOrder/containers": [{"name": "third"}, {"name": "second"}], "containers": [{"name": "third", "args": ["x"]}]}),
        ),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "only", "image": "nowhere.invalid/none:0"}, {"$patch": "replace"}]}}}}),
        json!({"spec": {"template": {"metadata": {"labels": {"app": null}}}}}),
    ] {
        room.note(format!("{patch}"));
        room.patch("statefulsets/set", STRATEGIC, &patch).shows(&[spec, "/metadata/generation"]);
    }
    room.leave();
}
