//! Facts that stand in the way: each is named, and nothing is changed.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Cluster, Ended, Launch, Manifest, SERVICE, SET, eventually, get, kubectl_create, setting};

/// Runs `up --yes` with more options, which must be refused for `fact` and leave everything as it was.
#[track_caller]
fn refused(cluster: &Cluster, options: &[&str], fact: &str) -> Ended {
    let before = cluster.standing();
    let ended = cluster.run(&[&["up", "--yes"], options].concat());
    ended.exits(3).says(fact).says("Nothing was changed");
    assert_eq!(cluster.standing(), before, "{ended}");
    assert_eq!(cluster.record(), None, "{ended}");
    ended
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_hung_member() {
    let cluster = Manifest::new().replicas(3).launch(Launch::Child).start("hung");
    // Without an election, which would hide who is missing for its length.
    cluster.lead("etcd-0");
    cluster.hang("etcd-1");

    refused(&cluster, &[], "voter etcd-1 does not answer");

    cluster.unhang("etcd-1");
    cluster.rests(3);
    cluster.run(&["check"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_hung_member_that_takes_the_quorum_along() {
    let cluster = Manifest::new().launch(Launch::Child).start("hung-of-two");
    cluster.hang("etcd-1");

    refused(&cluster, &[], "no quorum").says("etcd-1 does not answer");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_alarm() {
    let cluster = Manifest::new().replicas(1).flags("--quota-backend-bytes=1048576").start("alarm");
    let fill = "i=0; while [ $i -lt 8 ]; do head -c 500000 /dev/zero | tr '\\0' x | etcdctl put k$i || exit 0; i=$((i+1)); done";
    eventually("the alarm", || {
        cluster.try_exec("etcd-0", &["sh", "-c", fill])?;
        let alarms = cluster.try_exec("etcd-0", &["etcdctl", "alarm", "list"])?;
        if alarms.contains("NOSPACE") { Ok(()) } else { Err(format!("alarms: {alarms}")) }
    });

    refused(&cluster, &[], "alarm NOSPACE is raised by etcd-0").says("etcdctl alarm disarm");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_foreign_learner() {
    let cluster = Manifest::new().start("learner");
    eventually("etcd to take the learner", || {
        cluster.try_exec("etcd-0", &["etcdctl", "member", "add", "stray", "--learner", "--peer-urls=http://stray:2380"])
    });

    let ended = refused(&cluster, &[], "is a learner that no run of etcd-scale left behind");

    let stray = cluster.members().into_iter().find(|member| member.learner).expect("the stray learner");
    ended.says(&format!("member remove {:x}", stray.id));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_voter_whose_pod_was_scaled_away() {
    let cluster = Manifest::new().replicas(3).start("scaled-away");
    cluster.kubectl(&["scale", "statefulset", SET, "--replicas=2"]);
    cluster.kubectl(&["wait", "--for=delete", "pod/etcd-2", "--timeout=60s"]);

    let ended = refused(&cluster, &[], "holds the data of etcd-2, which has a vote and no pod");
    ended.says("kubectl scale statefulset").says("--replicas=3");
    ended.never_says("delete pvc").never_says("member remove").never_says("--claim delete");
    refused(&cluster, &["--claim", "delete"], "holds the data of etcd-2");

    cluster.kubectl(&["scale", "statefulset", SET, "--replicas=3"]);
    cluster.rests(3);
    cluster.run(&["check"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_scale_up_by_hand() {
    let cluster = Manifest::new().start("by-kubectl");
    cluster.kubectl(&["scale", "statefulset", SET, "--replicas=3"]);
    let by_hand = "the StatefulSet asks for 3 pods, and etcd has 2 members";
    let status = cluster.run(&["status"]);
    status.exits(0).says(by_hand).says("kubectl scale statefulset").says("--replicas=2");
    cluster.run(&["up", "--to", "3", "--yes"]).exits(3).says("kubectl scale statefulset").says("--replicas=2");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_snapshot_that_has_no_place() {
    // Where a member is replaced, the snapshot comes after the broken one is removed.
    let cluster = Manifest::new().replicas(3).start("no-place");
    let before = cluster.standing();
    let ended = cluster.run(&["replace", "etcd-1", "--force", "--yes", "--snapshot", "nowhere/saved.db"]);
    ended.exits(3).says("the snapshot cannot be written into").says("nowhere: No such file");
    assert_eq!(cluster.standing(), before);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_claim_left_over() {
    let cluster = Manifest::new().replicas(1).start("claim");
    let claim = cluster.make_claim(1);

    refused(&cluster, &[], &format!("claim {claim} exists already")).says("kubectl delete pvc");

    cluster.kubectl(&["delete", "persistentvolumeclaim", &claim]);
    cluster.run(&["check"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_service_that_hides_or_misses_pods() {
    let cluster = Manifest::new().replicas(1).start("service");
    let patch = |patch: &str| cluster.kubectl(&["patch", "service", SERVICE, "--type=merge", "-p", patch]);

    patch(r#"{"spec": {"publishNotReadyAddresses": false}}"#);
    refused(&cluster, &[], "hides pods that are not ready").says(SERVICE);

    patch(r#"{"spec": {"publishNotReadyAddresses": true, "selector": {"app": "other"}}}"#);
    refused(&cluster, &[], "does not select the pods");

    cluster.kubectl(&["delete", "service", SERVICE]);
    refused(&cluster, &[], "does not exist").says(SERVICE);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_rollout_under_way() {
    let cluster = Manifest::new().of_the_guides().start("rollout");
    // Only the companion's image is wrong, so etcd itself is healthy all the time.
    let patch =
        r#"[{"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "nowhere.invalid/none:0"}]"#;
    cluster.kubectl(&["patch", "statefulset", SET, "--type=json", "-p", patch]);
    eventually("the rollout to get stuck with etcd running", || {
        let unready = cluster.unready();
        let members = cluster.try_exec("etcd-0", &["etcdctl", "endpoint", "health", "--cluster"])?;
        // The pod that is being replaced is unready too.
        let present = cluster.on_present_template();
        if unready == ["etcd-1"] && present == ["etcd-1"] {
            Ok(())
        } else {
            Err(format!("{unready:?} {present:?} {members}"))
        }
    });

    refused(&cluster, &[], "etcd-1").says("at-rest").says("companion");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_canary() {
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let cluster = Manifest::new().strategy(strategy).start("canary");
    let patch = r#"{"spec": {"template": {"metadata": {"annotations": {"tried": "this"}}}}}"#;
    cluster.kubectl(&["patch", "statefulset", SET, "--type=merge", "-p", patch]);
    eventually("the canary to be ready", || {
        let healthy = cluster.try_exec("etcd-0", &["etcdctl", "endpoint", "health", "--cluster"])?;
        let present = cluster.on_present_template();
        let unready = cluster.unready();
        if present == ["etcd-1"] && unready.is_empty() {
            Ok(())
        } else {
            Err(format!("{present:?} {unready:?} {healthy}"))
        }
    });

    refused(&cluster, &[], "held back by the partition 1").says("etcd-0");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_controlling_owner() {
    let cluster = Manifest::new().replicas(1).start("owner");
    kubectl_create(&json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "operator", "namespace": cluster.name()},
    }));
    let owner = get("configmap", "operator", cluster.name());
    let patch = json!({"metadata": {"ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "operator", "uid": owner["metadata"]["uid"], "controller": true,
    }]}});
    cluster.kubectl(&["patch", "statefulset", SET, "--type=merge", "-p", &patch.to_string()]);

    refused(&cluster, &[], "controlled by ConfigMap operator");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_reconciler_unless_told() {
    let argo = json!({"argocd.argoproj.io/instance": "etcd"});
    let cluster = Manifest::new().replicas(1).labels(argo).start("argo");

    refused(&cluster, &[], "Argo CD reconciles the StatefulSet").says("--ignore-reconciler");
    cluster.run(&["check"]).exits(3).says("Argo CD");
    cluster.run(&["check", "--ignore-reconciler"]).exits(0).says("Argo CD");

    cluster.kubectl(&[
        "label",
        "statefulset",
        SET,
        "argocd.argoproj.io/instance-",
        "kustomize.toolkit.fluxcd.io/name=etcd",
    ]);
    refused(&cluster, &[], "Flux reconciles the StatefulSet");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_size_variables_unless_one_is_named() {
    let cluster = Manifest::new().start("two-sizes");
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "REPLICAS", "value": "2"}},
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "NOTE", "value": "$(REPLICAS)"}},
    ]);
    cluster.kubectl(&["patch", "statefulset", SET, "--type=json", "-p", &patch.to_string()]);
    cluster.rests(2);

    refused(&cluster, &[], "ETCD_CLUSTER_SIZE, REPLICAS").says("--size-env");
    cluster.run(&["check", "--size-env", "ETCD_CLUSTER_SIZE"]).exits(0);
    cluster.run(&["check", "--size-env", "NONE_SUCH"]).exits(3).says("NONE_SUCH");
}

/// Rules of a role, each a group, resources and verbs.
type Rules = &'static [(&'static str, &'static [&'static str], &'static [&'static str])];

/// What a whole run cannot do without.
const NEEDED: Rules = &[
    ("apps", &["statefulsets"], &["get", "patch"]),
    ("", &["pods"], &["get", "list"]),
    ("", &["pods/portforward"], &["get", "create"]),
    ("", &["services"], &["get"]),
    ("", &["persistentvolumeclaims"], &["list"]),
    ("coordination.k8s.io", &["leases"], &["get", "create", "update", "delete"]),
];

/// A service account with these rules less one verb on one resource. The user to act as.
fn account(cluster: &Cluster, name: &str, without: Option<(&str, &str)>) -> String {
    let way = if setting("E2E_VIA", "") == "exec" { "pods/exec" } else { "pods/portforward" };
    let rules: Vec<_> = NEEDED
        .iter()
        .flat_map(|(group, resources, verbs)| resources.iter().map(move |resource| (*group, *resource, *verbs)))
        .map(|(group, resource, verbs)| (group, if resource == "pods/portforward" { way } else { resource }, verbs))
        .map(|(group, resource, verbs)| {
            let verbs: Vec<_> = verbs.iter().filter(|verb| without != Some((resource, **verb))).collect();
            json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
        })
        .filter(|rule| rule["verbs"].as_array().is_some_and(|verbs| !verbs.is_empty()))
        .collect();
    let metadata = json!({"name": name, "namespace": cluster.name()});
    let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": cluster.name()});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    kubectl_create(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]},
    ]}));
    format!("system:serviceaccount:{}:{name}", cluster.name())
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_missing_permission() {
    let cluster = Manifest::new().replicas(1).start("permission");
    for (name, resource, verb, fact) in [
        ("no-patch", "statefulsets", "patch", "you may not patch statefulsets"),
        ("no-lease", "leases", "create", "you may not create leases"),
        ("no-claims", "persistentvolumeclaims", "list", "persistentvolumeclaims"),
    ] {
        let user = account(&cluster, name, Some((resource, verb)));
        refused(&cluster, &["--as", &user], fact);
    }
    // Without these nothing can be looked at in the first place.
    for (name, resource, verb) in [("no-set", "statefulsets", "get"), ("no-pods", "pods", "list")] {
        let user = account(&cluster, name, Some((resource, verb)));
        let before = cluster.standing();
        cluster.run(&["up", "--yes", "--as", &user]).exits(3).says(resource).says("forbidden");
        assert_eq!(cluster.standing(), before);
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn what_is_needed_is_enough() {
    let cluster = Manifest::new().start("role");
    let strategy = cluster.strategy();
    let user = account(&cluster, "operator", None);

    cluster.run(&["check", "--as", &user]).exits(0).says("unknown");
    let arguments = ["up", "--to", "3", "--yes", "-o", "json", "--no-snapshot", "--as", &user];
    let document = cluster.run(&arguments).exits(0).document();

    cluster.has_grown(3, &strategy);
    assert_tells_the_whole_run(&cluster, &document);
    assert_eq!(fs::read_dir(cluster.desk()).unwrap().count(), 0, "--no-snapshot leaves no file");
}

/// The document of a whole run, for programs.
#[track_caller]
fn assert_tells_the_whole_run(cluster: &Cluster, document: &Value) {
    assert_eq!(document["outcome"], "done", "{document:#}");
    assert_eq!(document["exitCode"], 0);
    assert_eq!(document["statefulset"], format!("{}/{SET}", cluster.name()));
    let changes = document["changes"].as_array().expect("changes");
    for kind in ["add-learner", "patch-statefulset", "promote", "lower-partition", "close-run"] {
        assert!(changes.iter().any(|change| change["kind"] == kind), "{kind} is missing: {document:#}");
    }
    let promoted = changes.iter().find(|change| change["kind"] == "promote").expect("a promotion");
    let ids: Vec<_> = cluster.members().iter().map(|member| json!(format!("{:x}", member.id))).collect();
    assert!(ids.contains(&promoted["member"]), "member ids are lower-case hex: {ids:?} {promoted}");
}
