//! Trouble on demand: each fault does what it says, ends when it is deleted, and a run lives through it.

use std::time::Duration;

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

#[test]
#[ignore = "needs the sandbox"]
fn an_api_server_that_does_everything_but_answer() {
    let cluster = Manifest::new().start("answers");
    let strategy = cluster.strategy();
    let troubles = [
        json!({"code": 409}),
        json!({"code": 429}),
        json!({"code": 500}),
        json!({"code": 503}),
        json!({}),
        json!({"after": true}),
        json!({"silent": true}),
        json!({"silent": true, "after": true}),
    ];
    // One after the other: each patch that is tried meets the next.
    for (number, trouble) in troubles.iter().enumerate() {
        let mut answer = trouble.clone();
        answer["verbs"] = json!(["patch"]);
        answer["resource"] = json!("statefulsets");
        answer["namespace"] = json!(cluster.name());
        answer["times"] = json!(1);
        fault(&cluster, &format!("trouble-{number}"), &json!({"answer": answer}));
    }
    // A lock that is not let go keeps the next run waiting.
    let release =
        json!({"verbs": ["delete"], "resource": "leases", "namespace": cluster.name(), "code": 500, "times": 2});
    fault(&cluster, "release", &json!({"answer": release}));

    cluster.run(&["up", "--to", "3", "--yes", "--request-timeout", "2s"]).exits(0);

    cluster.has_grown(3, &strategy);
    assert_eq!(cluster.kubectl(&["get", "faults", "-o", "name"]), "", "a fault was not met");
}

#[test]
#[ignore = "needs the sandbox"]
fn a_server_that_is_busy_from_the_first_call_on() {
    let cluster = Manifest::new().start("answer-busy");
    let answer = |resource: &str, verb: &str, times: u64| json!({"answer": {"verbs": [verb], "resource": resource, "namespace": cluster.name(), "code": 429, "times": times}});
    fault(&cluster, "first-call", &answer("statefulsets", "get", 2));
    fault(&cluster, "pods", &answer("pods", "list", 1));
    fault(&cluster, "claims", &answer("persistentvolumeclaims", "list", 1));
    cluster.run(&["check"]).exits(0).never_says("too many requests");
    assert_eq!(cluster.kubectl(&["get", "faults", "-o", "name"]), "", "the faults were not met");

    // One that stays busy is told of within the time that the first call has.
    fault(&cluster, "busy", &answer("statefulsets", "get", 100));
    let ended = cluster.run(&["check"]);
    ended.exits(3).says("too many requests");
    assert!(ended.took < Duration::from_secs(20), "{ended}");
}

/// Watches only wake a run, which reads for itself what there is: whatever becomes of them, it goes on.
#[test]
#[ignore = "needs the sandbox"]
fn watches_that_end_and_that_stay_quiet() {
    let cluster = Manifest::new().start("watches");
    let strategy = cluster.strategy();
    let watches = |resource: &str| json!({"verbs": ["watch"], "resource": resource, "namespace": cluster.name()});
    fault(&cluster, "ends", &json!({"answer": watches("statefulsets")}));
    let mut quiet = watches("pods");
    quiet["silent"] = json!(true);
    fault(&cluster, "quiet", &json!({"answer": quiet}));
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0);
    cluster.has_grown(3, &strategy);
}

#[test]
#[ignore = "needs the sandbox"]
fn a_lock_that_expires_under_a_run_that_lives() {
    let cluster = Manifest::new().start("expired");
    let strategy = cluster.strategy();
    // The first run's renewals do not arrive, and its second patch, the one that asks for a pod, comes late.
    let of_first = |verb: &str, resource: &str| json!({"user": "first", "verbs": [verb], "resource": resource});
    fault(&cluster, "renewals", &json!({"answer": of_first("update", "leases")}));
    let mut late = of_first("patch", "statefulsets");
    late["skip"] = json!(1);
    late["times"] = json!(1);
    late["late"] = json!(true);
    fault(&cluster, "late", &json!({"answer": late}));
    let as_first = ["up", "--yes", "--as", "first", "--as-group", "system:masters", "--request-timeout", "4m"];
    let first = cluster.program(&as_first).start();
    eventually("the patch", || {
        let standing = cluster.kubectl(&["get", "fault", "late", "-o", "jsonpath={.spec.answer.times}"]);
        if standing == "0" { Ok(()) } else { Err(standing) }
    });

    // Another takes over what does not move, and goes through with it.
    cluster.run(&["up", "--to", "3", "--yes"]).exits(0).says("This finished the run that");
    cluster.has_grown(3, &strategy);

    // What comes late is turned away: the first run changes nothing more, whether it sees its goal reached or says why
    // not.
    let stands = cluster.standing();
    ended(&cluster, "late");
    ended(&cluster, "renewals");
    let over = first.end();
    assert!(matches!(over.code, Some(0 | 1 | 6)), "{over}");
    assert!(cluster.standing() == stands, "{over}\n{:#?}", cluster.standing());
    cluster.run(&["verify"]).exits(0);
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
