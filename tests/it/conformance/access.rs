//! Who may do what: narrowed roles, what is said to those who may not, and who asks beforehand.

use serde_json::{Value, json};

use super::objects::map;
use super::room::Room;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn access() {
    let room = Room::enter("access");
    room.make("configmaps", &map("one", &json!({})));
    let role = json!({
        "metadata": {"name": "reader"},
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"], "resourceNames": ["one"]},
            {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
        ],
    });
    room.post("roles", &role);
    let binding = |name: &str, role: &str| {
        json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "conf-user"}],
        })
    };
    room.post("rolebindings", &binding("reader", "reader"));
    let user = [("impersonate-user", "conf-user")];
    let allowed = |answer: &super::room::Answer| answer.code == 200;
    // Real ones learn of roles a moment after they are there.
    crate::harness::eventually("the role to count", || {
        let answer = room.send("GET", "statefulsets", &user, Vec::new());
        if allowed(&answer) { Ok(()) } else { Err(answer.text) }
    });
    for (method, what) in [
        ("GET", "configmaps/one"),
        ("GET", "configmaps/two"),
        ("GET", "configmaps"),
        ("GET", "configmaps?watch=true&timeoutSeconds=1"),
        ("GET", "statefulsets"),
        ("GET", "statefulsets/none"),
        ("GET", "statefulsets/none/scale"),
        ("GET", "pods"),
        ("GET", "pods/p/log"),
        ("DELETE", "configmaps/one"),
        ("DELETE", "configmaps"),
        ("GET", "/api/v1/namespaces/default/configmaps"),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/apis/apps/v1/statefulsets"),
        ("GET", "nodes"),
        ("GET", "nodes/none"),
        ("GET", "storageclasses"),
        ("GET", "persistentvolumes/none"),
        ("GET", "nosuchthings"),
    ] {
        room.call(method, what, &user, &Value::Null);
    }
    room.call("POST", "configmaps", &user, &map("two", &json!({})));
    room.call("PUT", "configmaps/one", &user, &map("one", &json!({})));
    let patch = [user[0], ("content-type", super::room::MERGE)];
    room.call("PATCH", "statefulsets/none", &patch, &json!({}));
    room.title("asking beforehand");
    for attributes in [
        json!({"verb": "get", "resource": "configmaps"}),
        json!({"verb": "get", "resource": "configmaps", "name": "one"}),
        json!({"verb": "list", "group": "apps", "resource": "statefulsets"}),
        json!({"verb": "create", "resource": "pods", "subresource": "exec"}),
        json!({"verb": "create", "resource": "pods", "subresource": "portforward"}),
        json!({"verb": "delete", "resource": "pods"}),
        json!({"verb": "list", "resource": "nodes", "namespace": ""}),
    ] {
        let mut asked = attributes.clone();
        if asked["namespace"].is_null() {
            asked["namespace"] = json!(room.name());
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked},
        });
        room.note(format!("{attributes}"));
        room.call("POST", "selfsubjectaccessreviews", &user, &review).shows(&["/status/allowed"]);
        room.post("selfsubjectaccessreviews", &review).shows(&["/status/allowed"]);
    }
    room.title("giving what one has not");
    room.delete("rolebindings/reader", &Value::Null);
    room.post("rolebindings", &binding("gone", "none"));
    room.leave();
}
