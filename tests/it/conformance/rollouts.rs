//! How a StatefulSet's pods come, change and go.

use serde_json::{Value, json};

use super::room::Room;
use super::sets::{Rest, Set, change_template, events, rests, revisions};
use super::watch::Watch;

fn scale(room: &Room, replicas: usize) {
    room.title(&format!("scaled to {replicas}"));
    room.change("statefulsets/set", &json!({"spec": {"replicas": replicas}}));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn parallel() {
    let room = Room::enter("parallel");
    room.title("created");
    let watch = Watch::begin(&room, "pods");
    room.make("statefulsets", &Set::new("set").replicas(2).object());
    rests(&room, "set", Rest::all(2));
    watch.tell_by_pod();
    let watch = Watch::begin(&room, "pods");
    scale(&room, 4);
    rests(&room, "set", Rest::all(4));
    watch.tell_by_pod();
    let watch = Watch::begin(&room, "pods");
    scale(&room, 1);
    rests(&room, "set", Rest::all(1));
    watch.tell_by_pod();
    room.title("a template, and no partition");
    scale(&room, 3);
    rests(&room, "set", Rest::all(3));
    let watch = Watch::begin(&room, "pods");
    change_template(&room, "set", "2");
    rests(&room, "set", Rest::all(3));
    watch.tell_in_order();
    revisions(&room);
    room.title("the first template again");
    let watch = Watch::begin(&room, "pods");
    room.change("statefulsets/set", &json!({"spec": {"template": {"metadata": {"annotations": null}}}}));
    rests(&room, "set", Rest::all(3));
    watch.tell_in_order();
    revisions(&room);
    events(&room, "set");
    scale(&room, 0);
    rests(&room, "set", Rest::all(0));
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn ordered() {
    let room = Room::enter("ordered");
    room.title("created");
    let watch = Watch::begin(&room, "pods");
    room.make("statefulsets", &Set::new("set").ordered().replicas(3).object());
    rests(&room, "set", Rest::all(3));
    watch.tell_in_order();
    let watch = Watch::begin(&room, "pods");
    scale(&room, 1);
    rests(&room, "set", Rest::all(1));
    watch.tell_in_order();
    let watch = Watch::begin(&room, "pods");
    scale(&room, 2);
    rests(&room, "set", Rest::all(2));
    watch.tell_in_order();
    room.title("a template");
    let watch = Watch::begin(&room, "pods");
    change_template(&room, "set", "2");
    rests(&room, "set", Rest::all(2));
    watch.tell_in_order();
    events(&room, "set");
    room.title("the set deleted, its pods left");
    room.delete("statefulsets/set", &json!({"propagationPolicy": "Orphan"}));
    room.until_gone("statefulsets/set");
    let pods = room.until("pods", "pods without an owner", |list| {
        list["items"].as_array().is_some_and(|pods| pods.iter().all(|pod| pod["metadata"]["ownerReferences"].is_null()))
    });
    room.note(format!("  pods left: {}", pods["items"].as_array().map_or(0, Vec::len)));
    room.title("adopted");
    room.make("statefulsets", &Set::new("set").ordered().replicas(2).object());
    rests(&room, "set", Rest::all(2));
    room.title("the set deleted before its pods");
    room.delete("statefulsets/set", &json!({"propagationPolicy": "Foreground"})).shows(&["/metadata/finalizers"]);
    room.until_gone("statefulsets/set");
    room.note(format!("  pods left: {}", room.look("pods")["items"].as_array().map_or(0, Vec::len)));
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn partition() {
    let room = Room::enter("partition");
    Set::new("set").replicas(3).partition(3).start(&room);
    room.title("a template behind the partition");
    change_template(&room, "set", "2");
    rests(&room, "set", Rest::some(3, 0));
    for partition in [2, 1] {
        room.title(&format!("partition {partition}"));
        let watch = Watch::begin(&room, "pods");
        let patch = json!([
            {"op": "test", "path": "/spec/updateStrategy/rollingUpdate/partition", "value": partition + 1},
            {"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/partition", "value": partition},
        ]);
        room.patch("statefulsets/set", super::room::JSON, &patch).shows(&["/spec/updateStrategy"]);
        rests(&room, "set", Rest::some(3, 3 - partition));
        watch.tell_in_order();
    }
    room.title("deleted below and above the partition");
    for pod in ["set-0", "set-2"] {
        let watch = Watch::begin(&room, "pods");
        let uid = room.look(&format!("pods/{pod}"))["metadata"]["uid"].clone();
        room.delete(&format!("pods/{pod}"), &json!({"preconditions": {"uid": uid}}));
        room.until(&format!("pods/{pod}"), "another pod", |pod| pod["metadata"]["uid"] != uid);
        rests(&room, "set", Rest::some(3, 2));
        watch.tell_in_order();
    }
    room.title("scaled up behind the partition, by one patch with the template");
    let watch = Watch::begin(&room, "pods");
    let change = json!({"spec": {
        "replicas": 4, "template": {"metadata": {"annotations": {"conf.test/round": "3"}}},
        "updateStrategy": {"rollingUpdate": {"partition": 3}},
    }});
    room.change("statefulsets/set", &change);
    rests(&room, "set", Rest::some(4, 1));
    watch.tell_by_pod();
    revisions(&room);
    room.title("no partition");
    let watch = Watch::begin(&room, "pods");
    room.change("statefulsets/set", &json!({"spec": {"updateStrategy": {"rollingUpdate": null}}}));
    room.get("statefulsets/set").shows(&["/spec/updateStrategy"]);
    rests(&room, "set", Rest::all(4));
    watch.tell_in_order();
    revisions(&room);
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn on_delete() {
    let room = Room::enter("on_delete");
    Set::new("set").replicas(2).strategy(json!({"type": "OnDelete"})).start(&room);
    room.title("a template");
    change_template(&room, "set", "2");
    rests(&room, "set", Rest::some(2, 0));
    for (pod, rest) in [("set-1", Rest::some(2, 1)), ("set-0", Rest::some(2, 2))] {
        let watch = Watch::begin(&room, "pods");
        room.title(&format!("{pod} deleted"));
        room.delete(&format!("pods/{pod}"), &Value::Null);
        rests(&room, "set", rest);
        watch.tell_in_order();
    }
    room.title("rolling from now on");
    room.change("statefulsets/set", &json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}}));
    room.get("statefulsets/set").shows(&["/spec/updateStrategy"]);
    rests(&room, "set", Rest::all(2));
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn broken_template() {
    let room = Room::enter("broken_template");
    let start = Set::new("set").replicas(3).start(&room);
    let image = start.object()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let with =
        |image: &Value| json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
    room.title("an image that is not there");
    let watch = Watch::begin(&room, "pods");
    room.patch("statefulsets/set", super::room::JSON, &with(&json!("nowhere.invalid/none:0")));
    room.until("pods/set-2", "the pod that cannot start", |pod| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImageNeverPull"
    });
    room.until("statefulsets/set", "two to be ready", |set| {
        set["status"]["readyReplicas"] == 2 && set["status"]["updatedReplicas"] == 1
    });
    super::sets::learn_revisions(&room);
    room.get("pods/set-2").shows(&[
        "/status/phase",
        "/status/containerStatuses/0/state",
        "/status/containerStatuses/0/image",
    ]);
    let set = room.look("statefulsets/set");
    super::sets::show(&room, &set, &[]);
    room.title("put right");
    room.patch("statefulsets/set", super::room::JSON, &with(&image));
    rests(&room, "set", Rest::all(3));
    watch.tell_in_order();
    revisions(&room);
    room.leave();
}

/// In order, a pod that cannot start is waited for, whatever the template has become meanwhile.
#[test]
#[ignore = "needs a Kubernetes cluster"]
fn broken_template_in_order() {
    let room = Room::enter("broken_template_in_order");
    let start = Set::new("set").ordered().replicas(2).start(&room);
    let image = start.object()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let with =
        |image: &Value| json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
    let watch = Watch::begin(&room, "pods");
    room.patch("statefulsets/set", super::room::JSON, &with(&json!("nowhere.invalid/none:0")));
    let stuck = room.until("pods/set-1", "the pod that cannot start", |pod| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImageNeverPull"
    });
    room.title("put right, which does not free it");
    room.patch("statefulsets/set", super::room::JSON, &with(&image));
    let set = room.until("statefulsets/set", "the set to have been looked at", |set| {
        set["status"]["observedGeneration"] == set["metadata"]["generation"]
            && set["status"]["currentRevision"] == set["status"]["updateRevision"]
    });
    super::sets::learn_revisions(&room);
    super::sets::show(&room, &set, &[]);
    let same = room.look("pods/set-1");
    room.note(format!("  the same pod: {}", same["metadata"]["uid"] == stuck["metadata"]["uid"]));
    room.title("freed by hand");
    room.delete("pods/set-1", &Value::Null);
    rests(&room, "set", Rest::all(2));
    watch.tell_in_order();
    room.leave();
}
