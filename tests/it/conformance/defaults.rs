//! What is stored where an object says little.

use serde_json::json;

use super::room::Room;
use super::sets::Set;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn defaults() {
    let room = Room::enter("defaults");
    room.title("StatefulSet");
    let set = json!({
        "metadata": {"name": "set"},
        "spec": {
            "replicas": 0, "serviceName": "set", "selector": {"matchLabels": {"app": "set"}},
            "template": {
                "metadata": {"labels": {"app": "set"}},
                "spec": {
                    "containers": [{
                        "name": "one", "image": "nowhere.invalid/none:0",
                        "readinessProbe": {"httpGet": {"port": 80}}, "livenessProbe": {"exec": {"command": ["true"]}},
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }],
                    "volumes": [{"name": "map", "configMap": {"name": "none"}}, {"name": "empty", "emptyDir": {}}],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }],
        },
    });
    room.post("statefulsets?dryRun=All", &set).shows_all();
    room.title("Pod");
    let pod = json!({
        "metadata": {"name": "pod"},
        "spec": {
            "nodeSelector": {"conf.test/none": ""}, "automountServiceAccountToken": false,
            "containers": [{"name": "one", "image": "nowhere.invalid/none"}],
        },
    });
    room.post("pods?dryRun=All", &pod).shows_all();
    room.title("PersistentVolumeClaim");
    let claim = json!({
        "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "conf-none", "resources": {"requests": {"storage": "1Gi"}}},
    });
    room.post("persistentvolumeclaims?dryRun=All", &claim).shows_all();
    room.title("PersistentVolume");
    let volume = json!({
        "metadata": {"name": "conf-volume"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/tmp/conf-none"},
            "claimRef": {"name": "a", "namespace": "b"},
        },
    });
    room.post("persistentvolumes?dryRun=All", &volume).shows_all();
    room.title("Service");
    room.post(
        "services?dryRun=All",
        &json!({
            "metadata": {"name": "headless"},
            "spec": {"clusterIP": "None", "selector": {"a": "b"}, "ports": [{"port": 80}]},
        }),
    )
    .shows_all();
    room.post("services", &json!({"metadata": {"name": "plain"}, "spec": {"ports": [{"port": 80, "name": "a"}]}}))
        .shows_all();
    room.title("StorageClass");
    room.post(
        "storageclasses?dryRun=All",
        &json!({"metadata": {"name": "conf-class"}, "provisioner": "conf.test/none"}),
    )
    .shows_all();
    room.title("others");
    room.post("leases?dryRun=All", &json!({"metadata": {"name": "lease"}, "spec": {"holderIdentity": "me"}}))
        .shows_all();
    room.post("secrets?dryRun=All", &json!({"metadata": {"name": "secret"}, "stringData": {"a": "b"}})).shows_all();
    room.post("namespaces?dryRun=All", &json!({"metadata": {"name": "conf-dry"}})).shows_all();
    room.leave();
}

/// What a pod of a set has that the template does not say.
#[test]
#[ignore = "needs a Kubernetes cluster"]
fn pod_of_a_set() {
    let room = Room::enter("pod_of_a_set");
    room.make("statefulsets", &Set::new("set").replicas(1).object());
    room.until("statefulsets/set", "the pod to be ready", |set| set["status"]["readyReplicas"] == 1);
    super::sets::learn_revisions(&room);
    let pod = room.look("pods/set-0");
    room.learn(pod["spec"]["nodeName"].as_str().unwrap_or_default(), "NODE");
    let id = pod["status"]["containerStatuses"][0]["containerID"].as_str().unwrap_or_default();
    room.learn(id, "CONTAINER");
    room.learn(pod["status"]["containerStatuses"][0]["imageID"].as_str().unwrap_or_default(), "IMAGE");
    room.get("pods/set-0").shows_all();
    room.get("statefulsets/set").shows(&["/status"]);
    room.get("controllerrevisions").shows(&[
        "/items/0/metadata/labels",
        "/items/0/metadata/ownerReferences",
        "/items/0/data",
        "/items/0/revision",
    ]);
    room.leave();
}
