//! Trouble on demand: each fault does what it says, ends when it is deleted, and a run lives through it.

use serde_json::{Value, json};

use crate::harness::{CLAIM, Cluster, Manifest, eventually, kubectl_create};

/// Begins a fault.
fn fault(cluster: &Cluster, name: &str, spec: &Value) {
    kubectl_create(&json!({
        "apiVersion": "sandbox.etcd-scale.io/v1",
        "kind": "Fault",
        "metadata": {"name": name, "namespace": cluster.name()},
        "spec": spec,
    }));
}

/// Ends it.
fn ended(cluster: &Cluster, name: &str) {
    cluster.kubectl(&["delete", "fault", name]);
}

/// Whether a pod's etcd answers with a quorum behind it.
fn healthy(cluster: &Cluster, pod: &str) -> Result<String, String> {
    cluster.try_exec(pod, &["etcdctl", "endpoint", "health", "--command-timeout=2s"])
}

/// Grows a cluster while the first such call meets trouble, and proves that the trouble was met.
fn grows_through(test: &str, answer: &Value) {
    let cluster = Manifest::new().start(test);
    let strategy = cluster.strategy();
    let mut answer = answer.clone();
    answer["namespace"] = json!(cluster.name());
    answer["times"] = json!(1);
    fault(&cluster, "trouble", &json!({"answer": answer}));

    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);

    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.kubectl(&["get", "faults", "-o", "name"]), "", "the fault was not met");
}

#[test]
#[ignore = "needs the sandbox"]
fn a_write_that_conflicts() {
    grows_through("answer-409", &json!({"verbs": ["patch"], "resource": "statefulsets", "code": 409}));
}

#[test]
#[ignore = "needs the sandbox"]
fn a_server_that_is_busy() {
    grows_through("answer-429", &json!({"verbs": ["patch"], "resource": "statefulsets", "code": 429}));
}

#[test]
#[ignore = "needs the sandbox"]
fn a_server_that_fails() {
    grows_through("answer-500", &json!({"verbs": ["patch"], "resource": "statefulsets", "code": 500}));
}

#[test]
#[ignore = "needs the sandbox"]
fn a_call_that_never_arrives() {
    grows_through("answer-cut", &json!({"verbs": ["patch"], "resource": "statefulsets"}));
}

#[test]
#[ignore = "needs the sandbox"]
fn an_answer_that_is_lost() {
    grows_through("answer-lost", &json!({"verbs": ["patch"], "resource": "statefulsets", "after": true}));
}

#[test]
#[ignore = "needs the sandbox"]
fn a_frozen_member() {
    let cluster = Manifest::new().start("freeze");
    fault(&cluster, "ice", &json!({"freeze": {"pod": "etcd-1"}}));

    eventually("the quorum to be lost", || match healthy(&cluster, "etcd-0") {
        Ok(said) => Err(said),
        Err(said) => Ok(said),
    });
    ended(&cluster, "ice");
    eventually("the quorum to come back", || healthy(&cluster, "etcd-0"));
    let restarts = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
    assert!(cluster.pods().iter().all(|pod| restarts(pod) == Some(0)), "frozen is not killed");
}

#[test]
#[ignore = "needs the sandbox"]
fn a_killed_member() {
    let cluster = Manifest::new().start("kill");
    fault(&cluster, "axe", &json!({"kill": {"pod": "etcd-1", "container": "etcd"}}));

    eventually("the container to come back", || {
        let pods = cluster.pods();
        let containers = pods[1]["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let etcd = containers.into_iter().find(|container| container["name"] == "etcd").unwrap_or_default();
        if etcd["restartCount"] == 1 && etcd["lastState"]["terminated"]["exitCode"] == 137 {
            Ok(())
        } else {
            Err(etcd.to_string())
        }
    });
    cluster.rests(2);
}

#[test]
#[ignore = "needs the sandbox"]
fn a_member_cut_off_from_its_peers() {
    let cluster = Manifest::new().start("cut");
    fault(&cluster, "shears", &json!({"cut": {"pod": "etcd-1"}}));

    eventually("the quorum to be lost", || match healthy(&cluster, "etcd-0") {
        Ok(said) => Err(said),
        Err(said) => Ok(said),
    });
    // The way in from outside is not cut.
    cluster.exec("etcd-1", &["true"]);
    cluster.run(&["status"]).exits(0).says("no quorum");
    ended(&cluster, "shears");
    eventually("the quorum to come back", || healthy(&cluster, "etcd-0"));
}

#[test]
#[ignore = "needs the sandbox"]
fn a_volume_that_is_held_back() {
    let cluster = Manifest::new().start("hold");
    let strategy = cluster.strategy();
    fault(&cluster, "hold", &json!({"hold": {"claim": format!("{CLAIM}-etcd-2")}}));

    cluster.run(&["up", "--yes", "--timeout", "5s"]).exits(5).says("etcd-2");
    ended(&cluster, "hold");
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
    cluster.has_grown(3, &strategy);
}

#[test]
#[ignore = "needs the sandbox"]
fn tunnels_that_drop() {
    let cluster = Manifest::new().start("drop");
    let strategy = cluster.strategy();
    let mut running = cluster.program(&["up", "--yes", "-o", "ndjson"]).start();
    running.until("its pod is asked for", |event| event.applied("patch-statefulset"));
    for pod in ["etcd-0", "etcd-1"] {
        fault(&cluster, pod, &json!({"drop": {"pod": pod}}));
    }
    running.end().exits(0);
    cluster.has_grown(3, &strategy);
}
