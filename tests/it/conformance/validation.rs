//! What is not taken: objects that are not valid, and changes that may not be.

use serde_json::{Value, json};

use super::room::Room;
use super::sets::Set;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn validation() {
    let room = Room::enter("validation");
    let good = Set::new("set").replicas(0).object();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut set = good.clone();
        change(&mut set);
        set
    };
    room.title("a StatefulSet that may not be");
    for (what, set) in [
        ("another selector", with(&|set| set["spec"]["selector"]["matchLabels"]["app"] = json!("other"))),
        ("an empty selector", with(&|set| set["spec"]["selector"] = json!({}))),
        ("no selector", with(&|set| set["spec"]["selector"] = Value::Null)),
        ("negative replicas", with(&|set| set["spec"]["replicas"] = json!(-1))),
        ("an unknown pod management", with(&|set| set["spec"]["podManagementPolicy"] = json!("Sideways"))),
        ("an unknown strategy", with(&|set| set["spec"]["updateStrategy"] = json!({"type": "Sideways"}))),
        (
            "a partition under OnDelete",
            with(&|set| {
                set["spec"]["updateStrategy"] = json!({"type": "OnDelete", "rollingUpdate": {"partition": 1}});
            }),
        ),
        (
            "a negative partition",
            with(&|set| {
                set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": -1}});
            }),
        ),
        ("another restart policy", with(&|set| set["spec"]["template"]["spec"]["restartPolicy"] = json!("Never"))),
        ("no containers", with(&|set| set["spec"]["template"]["spec"]["containers"] = json!([]))),
        ("no image", with(&|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(""))),
        ("a container's name", with(&|set| set["spec"]["template"]["spec"]["containers"][0]["name"] = json!("A_b"))),
        (
            "a mount of nothing",
            with(&|set| {
                set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
                    json!([{"name": "x", "mountPath": "/x"}]);
            }),
        ),
        ("a name of points", with(&|set| set["metadata"]["name"] = json!("a.b"))),
        ("a label's value", with(&|set| set["metadata"]["labels"] = json!({"a": "not a value"}))),
        (
            "two things",
            with(&|set| {
                set["spec"]["replicas"] = json!(-1);
                set["spec"]["podManagementPolicy"] = json!("Sideways");
            }),
        ),
    ] {
        room.note(what);
        room.post("statefulsets?dryRun=All", &set);
    }
    room.note("replicas in words");
    room.brief("POST", "statefulsets", "application/json", &with(&|set| set["spec"]["replicas"] = json!("two")));
    room.title("changes that may not be");
    room.make("statefulsets", &good);
    let merge = super::room::MERGE;
    for patch in [
        json!({"spec": {"serviceName": "other"}}),
        json!({"spec": {"podManagementPolicy": "Parallel"}}),
        json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}}),
        json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "x"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
        json!({"spec": {"replicas": -2}}),
        json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
        json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}),
        json!({"spec": {"updateStrategy": null}}),
        json!({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}),
        json!({"status": {"replicas": 9}}),
        json!({"metadata": {"annotations": {"a": "b"}}}),
        json!({"metadata": {"generation": 77}}),
    ] {
        room.note(format!("{patch}"));
        room.patch("statefulsets/set", merge, &patch).shows(&["/metadata/generation", "/spec/updateStrategy"]);
    }
    room.brief("PATCH", "statefulsets/set", merge, &json!({"spec": {"replicas": "three"}}));
    room.patch("statefulsets/set/status", merge, &json!({"status": {"replicas": 5}, "spec": {"replicas": 5}}))
        .shows(&["/spec/replicas"]);
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn validation_of_pods_and_claims() {
    let room = Room::enter("validation_of_pods_and_claims");
    let merge = super::room::MERGE;
    room.title("pods");
    let pod = json!({
        "metadata": {"name": "pod"},
        "spec": {
            "nodeSelector": {"conf.test/none": ""}, "automountServiceAccountToken": false,
            "containers": [{"name": "one", "image": "nowhere.invalid/none:0"}],
        },
    });
    room.make("pods", &pod);
    for patch in [
        json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "nowhere.invalid/none:1"}]),
        json!([{"op": "add", "path": "/spec/hostname", "value": "x"}]),
        json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]),
    ] {
        room.note(format!("{patch}"));
        let answer =
            room.send("PATCH", "pods/pod", &[("content-type", super::room::JSON)], patch.to_string().into_bytes());
        // The message has the whole pod in it, as the server's own language prints it.
        let message = answer.body["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        room.note(format!("  {} {} {message}", answer.code, answer.body["reason"]));
    }
    room.title("claims");
    let claim = json!({
        "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "conf-none", "resources": {"requests": {"storage": "1Gi"}}},
    });
    room.make("persistentvolumeclaims", &claim);
    for field in ["accessModes", "resources"] {
        let mut bad = claim.clone();
        bad["metadata"]["name"] = json!("bad");
        bad["spec"].as_object_mut().expect("a spec").remove(field);
        room.note(format!("without {field}"));
        room.post("persistentvolumeclaims", &bad);
    }
    let answer = room.send(
        "PATCH",
        "persistentvolumeclaims/claim",
        &[("content-type", merge)],
        br#"{"spec":{"storageClassName":"other"}}"#.to_vec(),
    );
    let message = answer.body["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    room.note(format!("  {} {} {message}", answer.code, answer.body["reason"]));
    room.patch(
        "persistentvolumeclaims/claim",
        merge,
        &json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
    );
    room.leave();
}
