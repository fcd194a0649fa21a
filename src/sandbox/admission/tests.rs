//! What the API server fills in and refuses, in the words of a real one.

use serde_json::{Value, json};

use super::super::registry::{Part, Registry};
use super::*;

fn registry() -> Registry {
    let registry = Registry::new();
    registry.create(kinds::NAMESPACES, "", json!({"metadata": {"name": "x"}}), false).unwrap();
    registry
}

fn set() -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}}, "serviceName": "web",
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "a", "image": "host:5000/busybox", "readinessProbe": {"httpGet": {"port": 80}},
                    "ports": [{"containerPort": 80}],
                }]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        },
    })
}

#[test]
fn a_set_gets_its_defaults_and_the_same_again_is_no_change() {
    let registry = registry();
    let made = registry.create(kinds::STATEFUL_SETS, "x", set(), false).unwrap();
    let spec = &made["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["updateStrategy"], json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
    assert_eq!(spec["volumeClaimTemplates"][0]["status"], json!({"phase": "Pending"}));
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/", "port": 80, "scheme": "HTTP"}));
    assert_eq!(spec["template"]["spec"]["serviceAccountName"], Value::Null);
    let again = registry
        .update(kinds::STATEFUL_SETS, "x", "web", Part::Whole, false, |object| {
            *object = set();
            Ok(())
        })
        .unwrap();
    assert_eq!(again, made);
}

#[test]
fn refusals_are_in_kubernetes_words() {
    let registry = registry();
    let refused = |resource: &str, object: Value| {
        let namespace = if registry.kind(resource).unwrap().namespaced { "x" } else { "" };
        registry.create(resource, namespace, object, true).unwrap_err()
    };
    let mut wrong = set();
    wrong["spec"]["replicas"] = json!(-1);
    wrong["spec"]["template"]["metadata"]["labels"]["app"] = json!("b");
    let status = refused(kinds::STATEFUL_SETS, wrong);
    assert_eq!(status.code, 422);
    assert_eq!(
        status.message,
        "StatefulSet.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, \
         spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"b\"}: `selector` does not match \
         template `labels`]"
    );
    let mut wrong = set();
    wrong["spec"]["updateStrategy"] = json!({"type": "OnDelete", "rollingUpdate": {"partition": 1}});
    let message = refused(kinds::STATEFUL_SETS, wrong).message;
    assert!(message.ends_with("only allowed for updateStrategy 'RollingUpdate'"), "{message}");
    let volume = json!({"metadata": {"name": "v"}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": ""}}});
    let message = refused(kinds::VOLUMES, volume).message;
    assert_eq!(message, "PersistentVolume \"v\" is invalid: spec.hostPath.path: Required value");
    let fault = |spec: Value| json!({"metadata": {"name": "f"}, "spec": spec});
    assert_eq!(refused(kinds::FAULTS, fault(json!({}))).code, 422);
    assert_eq!(refused(kinds::FAULTS, fault(json!({"cut": {"pod": "a"}, "kill": {"pod": "a"}}))).code, 422);
    assert_eq!(refused(kinds::FAULTS, fault(json!({"hold": {}}))).code, 422);
    let two = json!({"metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "a", "image": "x", "env": [{"name": "E"}, {"name": "E"}]}, {"name": "a", "image": "x"}]}});
    let message = refused(kinds::PODS, two).message;
    assert_eq!(message, "Pod \"p\" is invalid: spec.containers[1].name: Duplicate value: \"a\"");
}

#[test]
fn what_is_not_free_to_change_is_refused() {
    let registry = registry();
    registry.create(kinds::STATEFUL_SETS, "x", set(), false).unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
    let pod = registry.create(kinds::PODS, "x", pod, false).unwrap();
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    let change = |resource: &str, name: &str, field: &str, value: Value| {
        registry.update(resource, "x", name, Part::Whole, true, |object| {
            *object.pointer_mut(field).expect("the field is there") = value;
            Ok(())
        })
    };
    let status = change(kinds::STATEFUL_SETS, "web", "/spec/serviceName", json!("other")).unwrap_err();
    assert_eq!(status.details["causes"][0]["reason"], "FieldValueForbidden");
    assert!(status.message.contains("updates to statefulset spec for fields other than 'replicas'"));
    change(kinds::STATEFUL_SETS, "web", "/spec/replicas", json!(3)).unwrap();
    change(kinds::PODS, "p", "/spec/containers/0/image", json!("y")).unwrap();
    assert_eq!(change(kinds::PODS, "p", "/spec/containers/0/name", json!("y")).unwrap_err().code, 422);
}

#[test]
fn services_have_addresses_of_their_own_and_keep_them() {
    let registry = registry();
    let service = |name: &str, spec: Value| {
        registry.create(kinds::SERVICES, "x", json!({"metadata": {"name": name}, "spec": spec}), false).unwrap()
    };
    let one = service("one", json!({"ports": [{"port": 80}]}));
    let two = service("two", json!({"ports": [{"port": 80}]}));
    assert_ne!(one["spec"]["clusterIP"], two["spec"]["clusterIP"]);
    assert_eq!(one["spec"]["ports"][0], json!({"port": 80, "protocol": "TCP", "targetPort": 80}));
    assert_eq!(service("none", json!({"clusterIP": "None"}))["spec"]["clusterIPs"], json!(["None"]));
    let kept = registry
        .update(kinds::SERVICES, "x", "one", Part::Whole, false, |object| {
            object["spec"] = json!({"ports": [{"port": 81}]});
            Ok(())
        })
        .unwrap();
    assert_eq!(kept["spec"]["clusterIP"], one["spec"]["clusterIP"]);
}
