//! `status` of all namespaces, or of one: a line for each StatefulSet that runs etcd, and for no other.

use serde_json::{Value, json};

use crate::harness::{Cluster, Ended, Launch, Manifest, Program, SET, create, eventually, setting};

fn status(arguments: &[&str]) -> Ended {
    let program = Program::new(&[&["status"], arguments].concat());
    let via = setting("E2E_VIA", "");
    let program = if via.is_empty() { program } else { program.arguments(&["--via", &via]) };
    program.run()
}

/// The cells after the namespace of each line about it. Other tests' etcds come and go meanwhile.
fn lines(ended: &Ended, cluster: &Cluster) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    let mut lines: Vec<_> = ended.stdout.lines().map(cells).filter(|cells| cells[0] == cluster.name()).collect();
    for line in &mut lines {
        line.remove(0);
    }
    lines
}

/// The documents about a namespace, without what grows by being looked at.
fn documents(document: &Value, cluster: &Cluster) -> Vec<Value> {
    let own = format!("{}/", cluster.name());
    let all = document["statefulsets"].as_array().expect("a list").iter();
    let mine = all.filter(|status| status["statefulset"].as_str().is_some_and(|name| name.starts_with(&own)));
    mine.cloned().map(lasting).collect()
}

fn lasting(mut status: Value) -> Value {
    for member in status["members"].as_array_mut().into_iter().flatten() {
        member["raftApplied"] = Value::Null;
    }
    status
}

/// A StatefulSet that runs no etcd, beside the one that does.
pub(super) fn add_another(cluster: &Cluster) {
    create(&json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": cluster.name()},
        "spec": {
            "serviceName": "web",
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "busybox", "command": ["sleep", "1000"]}]},
            },
        },
    }));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_line_for_each_etcd() {
    let (one, two) = (Manifest::new().replicas(1).start("fleet-one"), Manifest::new().start("fleet-two"));
    add_another(&one);
    two.run(&["up", "--yes", "--rollout", "defer"]).exits(0);

    let everywhere = status(&["-A"]);
    everywhere.exits(0);
    assert_eq!(lines(&everywhere, &one), [[SET, "1/1", "1", "at-rest", "-", "ok"]], "{everywhere}");
    assert_eq!(lines(&everywhere, &two), [[SET, "3/3", "3", "deferred", "settle", "ok"]], "{everywhere}");
    let at = |cluster: &Cluster| everywhere.stdout.find(cluster.name());
    assert!(at(&one) < at(&two), "by namespace\n{everywhere}");

    let here = status(&["-n", one.name()]);
    here.exits(0);
    assert_eq!(here.stdout.lines().count(), 2, "a header and a line\n{here}");
    assert_eq!(lines(&here, &one).len(), 1, "{here}");

    let document = status(&["-A", "-o", "json"]).exits(0).document();
    for cluster in [&one, &two] {
        let mut alone = cluster.run(&["status", "-o", "json"]).exits(0).document();
        alone.as_object_mut().expect("an object").remove("version");
        assert_eq!(documents(&document, cluster), [lasting(alone)]);
    }
    let events = status(&["-A", "-o", "ndjson"]);
    assert!(events.exits(0).events().len() >= 2, "an event for each\n{events}");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn what_cannot_be_read_has_its_reason() {
    let cluster = Manifest::new().launch(Launch::Child).start("fleet-dark");
    cluster.hang("etcd-1");
    let dark = status(&["-A"]);
    let line = lines(dark.exits(0), &cluster).remove(0);
    assert_eq!(line[2], "2", "both are listed\n{dark}");
    assert!(line[5].contains("no quorum"), "{dark}");
    cluster.unhang("etcd-1");

    // Who may list the namespace's StatefulSets and nothing more.
    let user = format!("system:serviceaccount:{}:default", cluster.name());
    let metadata = json!({"name": "lister", "namespace": cluster.name()});
    create(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["list"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lister"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": cluster.name()}],
        },
    ]}));
    let everywhere = status(&["-A", "--as", &user]);
    everywhere.exits(3).says("cannot list the StatefulSets of all namespaces").says("forbidden");
    let here = eventually("the role to count", || {
        let here = status(&["-n", cluster.name(), "--as", &user]);
        if here.code == Some(0) { Ok(here) } else { Err(here.to_string()) }
    });
    let line = lines(&here, &cluster).remove(0);
    assert_eq!(line[..5], [SET, "unknown", "unknown", "unknown", "-"], "{here}");
    assert!(line[5].contains("forbidden"), "{here}");
    let document = status(&["-n", cluster.name(), "--as", &user, "-o", "json"]).exits(0).document();
    let unread = &documents(&document, &cluster)[0];
    assert_eq!(unread["trouble"]["kind"], "refused", "{document:#}");
}
