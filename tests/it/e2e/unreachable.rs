//! Nothing to work on: a plain sentence, soon.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Ended, Manifest, Namespace, Program, kubectl_create};

/// How long any of them may take.
const SOON: Duration = Duration::from_secs(5);

/// Verbs that must all say so.
const VERBS: &[&[&str]] = &[&["up", "--yes"], &["status"], &["check"], &["verify"], &["snapshot", "never.db"]];

#[track_caller]
fn assert_soon(ended: &Ended, facts: &[&str]) {
    ended.exits(3).says("error: ");
    for fact in facts {
        ended.says(fact);
    }
    assert!(ended.took < SOON, "it took longer than {} s\n{ended}", SOON.as_secs());
}

/// Runs every verb against an API server that is none.
fn all_verbs_at(address: &str, facts: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = kubeconfig(directory.path(), address);
    for verb in VERBS {
        let ended = Program::new(verb)
            .arguments(&["--sts", "etcd", "-n", "default"])
            .variable("KUBECONFIG", &kubeconfig)
            .directory(directory.path())
            .run();
        assert_soon(&ended, facts);
    }
    assert_soon(&Program::new(&["status", "-A"]).variable("KUBECONFIG", &kubeconfig).run(), facts);
}

fn kubeconfig(directory: &Path, address: &str) -> std::path::PathBuf {
    let file = directory.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
        "current-context": "none",
    });
    fs::write(&file, config.to_string()).unwrap();
    file
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_cluster() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    all_verbs_at(&address, &["cannot", "refused"]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_api_server_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // The kernel accepts on its behalf; nobody ever reads.
    all_verbs_at(&silent.local_addr().unwrap().to_string(), &["did not answer"]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_kubeconfig() {
    let directory = tempfile::tempdir().unwrap();
    let ended = Program::new(&["up", "--yes", "--sts", "etcd", "-n", "default"])
        .arguments(&["--kubeconfig", "none-such"])
        .directory(directory.path())
        .run();
    assert_soon(&ended, &["none-such"]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_such_namespace() {
    for verb in VERBS {
        let ended = Program::new(verb).arguments(&["--sts", "etcd", "-n", "none-such"]).run();
        assert_soon(&ended, &["namespace none-such does not exist"]);
    }
    assert_soon(&Program::new(&["status", "-n", "none-such"]).run(), &["namespace none-such does not exist"]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_such_statefulset() {
    let cluster = Namespace::new("no-set");
    for verb in VERBS {
        let ended = Program::new(verb).arguments(&["--sts", "none-such", "-n", &cluster.name]).run();
        assert_soon(&ended, &["there is no StatefulSet none-such", &cluster.name]);
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_statefulset_that_is_not_etcd() {
    let namespace = Namespace::new("not-etcd");
    kubectl_create(&json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": namespace.name},
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
    for verb in VERBS {
        let ended = Program::new(verb).arguments(&["--sts", "web", "-n", &namespace.name]).run();
        assert_soon(&ended, &["web", "etcd"]);
    }
    let none = format!("No StatefulSet in namespace {} runs etcd.", namespace.name);
    Program::new(&["status", "-n", &namespace.name]).run().exits(0).says(&none);
    let document = Program::new(&["status", "-o", "json", "-n", &namespace.name]).run().exits(0).document();
    assert_eq!(document["statefulsets"], json!([]), "{document:#}");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_member_to_ask() {
    // etcd by its template, with no pod at all.
    let cluster = Manifest::new().replicas(0).start("no-pods");
    cluster.run(&["status"]).exits(0).says("no quorum");
    cluster.run(&["up", "--yes"]).exits(3).says("0 pods");
}
