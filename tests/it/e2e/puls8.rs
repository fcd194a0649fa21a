//! Puls8's way: volumes made by hand, the list of peers in the template, and pools of disks beside it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    CLAIM, Cluster, Ended, Manifest, NoPools, PEERS_MAP, Peers, PodWatch, Pools, get, kubectl, kubectl_create, list,
    path, volume, wal_volume,
};

fn by_hand(replicas: usize) -> Manifest {
    Manifest::new().replicas(replicas).peers(Peers::Variable).by_hand()
}

fn volume_name(cluster: &Cluster, ordinal: usize) -> String {
    format!("{}-volume-{ordinal}", cluster.name())
}

fn volume_of(cluster: &Cluster, ordinal: usize) -> Value {
    get("persistentvolume", &volume_name(cluster, ordinal), "")
}

/// Names of all volumes that were made for the test.
fn volumes(cluster: &Cluster) -> Vec<String> {
    let items = list(&["persistentvolume"], "", &format!("etcd-scale-e2e={}", cluster.name()));
    items.iter().filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

/// Proves that the ordinal's volume is there, as its neighbours are, and bound to its claim.
#[track_caller]
fn assert_volume(cluster: &Cluster, ordinal: usize) {
    let made = volume_of(cluster, ordinal);
    let wanted = volume(cluster.name(), ordinal);
    assert_eq!(made["status"]["phase"], "Bound", "{made:#}");
    assert_eq!(made["spec"]["claimRef"]["name"], json!(format!("{CLAIM}-etcd-{ordinal}")));
    assert_eq!(made["metadata"]["labels"], wanted["metadata"]["labels"]);
    assert_eq!(made["metadata"]["annotations"]["meta.helm.sh/release-name"], "of-the-test");
    for field in
        ["accessModes", "capacity", "hostPath", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode"]
    {
        assert_eq!(made["spec"][field], wanted["spec"][field], "{field}");
    }
    assert!(made["spec"]["nodeAffinity"].is_object(), "its path is on one node, and it names none\n{made:#}");
}

/// Runs `up --yes`, which must be refused and leave everything as it was, the volumes too.
#[track_caller]
fn refused(cluster: &Cluster, options: &[&str], fact: &str) -> Ended {
    let (before, volumes_before) = (cluster.standing(), volumes(cluster));
    let ended = cluster.run(&[&["up", "--yes"], options].concat());
    ended.exits(3).says(fact).says("Nothing was changed");
    assert_eq!(cluster.standing(), before, "{ended}");
    assert_eq!(volumes(cluster), volumes_before, "{ended}");
    ended
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn three_to_four() {
    let cluster = by_hand(3).start("puls8");
    let old = cluster.uids();
    let watch = PodWatch::of(&cluster);

    let ended = cluster.run(&["up", "--yes", "--rollout", "defer", "-o", "ndjson"]);

    ended.exits(0).says("a literal in the variable ETCD_INITIAL_CLUSTER");
    assert_eq!(
        ended.kinds(),
        ["open-run", "create-volume", "add-learner", "patch-statefulset", "promote", "defer-rollout"]
    );
    cluster.has_voters(4);
    assert_volume(&cluster, 3);
    assert_eq!(cluster.variable("ETCD_INITIAL_CLUSTER"), Some(Manifest::list(cluster.name(), 4)));
    assert_eq!(cluster.variable("ETCD_INITIAL_CLUSTER_STATE").as_deref(), Some("existing"));
    cluster.run(&["verify"]).exits(0).says("hashes equal on");
    let new = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| new[pod] == *uid), "an old pod was restarted");
    watch.had_one_down_at_most(&cluster, 4);
    let record = cluster.record().expect("a deferred run's record");
    assert_eq!(record["volumes"], json!([volume_name(&cluster, 3)]));

    // Later the old members take over the list, from the same volumes.
    cluster.run(&["settle", "--yes"]).exits(0);
    cluster.has_voters(4);
    cluster.has_no_traces();
    // And the next one follows.
    cluster.run(&["up", "--to", "5", "--yes", "--rollout", "defer"]).exits(0);
    cluster.has_voters(5);
    assert_volume(&cluster, 4);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_dry_run_shows_the_volume_and_makes_none() {
    let cluster = by_hand(1).start("puls8-dry");
    let before = cluster.standing();

    let ended = cluster.run(&["up", "--dry-run=server"]);

    ended.exits(0).says(&volume_name(&cluster, 1)).says("kubectl create -f -").says("Nothing was changed");
    ended.says("the API server would take create-volume").says("the API server would take patch-statefulset");
    assert_eq!(cluster.standing(), before);
    assert_eq!(volumes(&cluster), [volume_name(&cluster, 0)]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn killed_with_its_volume_made() {
    let cluster = by_hand(1).start("puls8-kill");
    let mut first = cluster.program(&["up", "--yes", "-o", "ndjson"]).start();
    first.until("the volume is made", |event| event.applied("create-volume"));
    first.kill();

    let second = cluster.run(&["up", "--yes", "-o", "ndjson"]);

    second.exits(0).says("finishes the run");
    assert!(second.changes().iter().all(|change| change["kind"] != "create-volume"), "{second}");
    cluster.has_voters(2);
    assert_volume(&cluster, 1);
    assert_eq!(volumes(&cluster).len(), 2);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn what_is_there_already_is_refused() {
    let cluster = by_hand(1).start("puls8-refused");
    let put = |object: &Value| {
        kubectl_create(object);
        object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
    };
    let remove = |name: &str| drop(kubectl(&["delete", "persistentvolume", name]));

    let mut named = volume(cluster.name(), 1);
    let name = put(&named);
    refused(&cluster, &[], &format!("volume {name} exists already"));
    remove(&name);

    named["metadata"]["name"] = json!(format!("{name}-other"));
    named["spec"]["claimRef"] = Value::Null;
    let name = put(&named);
    refused(&cluster, &[], &format!("path {} is used by volume {name}", path(cluster.name(), 1)));
    remove(&name);

    let claim = cluster.make_claim(1);
    refused(&cluster, &[], &format!("claim {claim} exists already"));
    cluster.kubectl(&["delete", "persistentvolumeclaim", &claim]);

    let mut elsewhere = volume(cluster.name(), 1);
    elsewhere["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["none-such"]}]}
    ]}});
    fs::write(cluster.desk().join("volume.yaml"), elsewhere.to_string()).unwrap();
    refused(&cluster, &["--volume-template", "volume.yaml"], "names node none-such, which is not there");

    let annotation = |value: &str| cluster.kubectl(&["annotate", "statefulset", "etcd", "--overwrite", value]);
    let used = path(cluster.name(), 1);
    annotation(&format!("etcd-scale.io/used-paths=[\"{used}\"]"));
    cluster.run(&["check"]).exits(0).says(&format!("{used} held a removed member's data")).says(&format!("{used}.2"));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn two_volumes_in_each_pod() {
    let cluster = by_hand(2).wal().start("puls8-wal");

    let ended = cluster.run(&["up", "--yes", "--rollout", "defer", "-o", "ndjson"]);

    let kinds = ended.exits(0).kinds();
    assert_eq!(kinds[1..4], ["create-volume", "create-volume", "add-learner"], "{kinds:?}");
    cluster.has_voters(3);
    assert_volume(&cluster, 2);
    let (data, wanted) = (volume_of(&cluster, 2), wal_volume(cluster.name(), 2));
    let wal = get("persistentvolume", &format!("{}-wal-2", cluster.name()), "");
    assert_eq!(wal["status"]["phase"], "Bound");
    assert_eq!(wal["spec"]["claimRef"]["name"], wanted["spec"]["claimRef"]["name"]);
    assert_eq!(wal["spec"]["hostPath"], wanted["spec"]["hostPath"]);
    assert_eq!(wal["spec"]["nodeAffinity"], data["spec"]["nodeAffinity"], "the pod has to be where both are");
    assert_eq!(cluster.record().expect("a record")["volumes"].as_array().map(Vec::len), Some(2));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_template_of_the_operators_own() {
    let cluster = by_hand(1).start("puls8-own");
    let own = format!(
        "apiVersion: v1\nkind: PersistentVolume\nmetadata:\n  name: {0}-own-{{ordinal}}\n  labels: {{etcd-scale-e2e: {0}}}\n\
         spec:\n  accessModes: [ReadWriteOnce]\n  capacity: {{storage: 3Gi}}\n  storageClassName: by-hand-{0}\n  \
         hostPath: {{path: \"/tmp/etcd-scale-volumes/{0}/own-{{ordinal}}\", type: DirectoryOrCreate}}\n",
        cluster.name()
    );
    fs::write(cluster.desk().join("own.yaml"), own).unwrap();

    cluster.run(&["up", "--yes", "--volume-template", "own.yaml"]).exits(0);

    cluster.has_voters(2);
    let made = get("persistentvolume", &format!("{}-own-1", cluster.name()), "");
    assert_eq!(made["status"]["phase"], "Bound");
    assert_eq!(made["spec"]["capacity"]["storage"], "3Gi");
    assert_eq!(volumes(&cluster).len(), 2);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_list_in_flags() {
    let cluster = Manifest::new().peers(Peers::Flag).start("flags");

    cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0).says("the flag --initial-cluster in args[0]");

    cluster.has_voters(3);
    let set = cluster.set();
    let list = format!("--initial-cluster={}", Manifest::list(cluster.name(), 3));
    let args = &set["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*args, json!([list, "--initial-cluster-state=existing"]));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_list_in_a_config_map() {
    let cluster = Manifest::new().peers(Peers::ConfigMap).start("config-map");
    let strategy = cluster.strategy();
    let old = cluster.uids();
    let map = || cluster.list("configmap").into_iter().find(|map| map["metadata"]["name"] == PEERS_MAP).unwrap();

    // One that cannot be changed is named.
    cluster.kubectl(&[
        "patch",
        "configmap",
        PEERS_MAP,
        "-p",
        r#"{"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "Release", "name": "owner", "uid": "u", "controller": true}]}}"#,
    ]);
    refused(&cluster, &[], &format!("key list of ConfigMap {PEERS_MAP} has to change")).says("Release owner");
    cluster.kubectl(&["patch", "configmap", PEERS_MAP, "-p", r#"{"metadata": {"ownerReferences": null}}"#]);

    let ended = cluster.run(&["up", "--yes", "-o", "ndjson"]);

    ended.exits(0).says(&format!("key list of ConfigMap {PEERS_MAP}"));
    cluster.has_voters(3);
    cluster.has_no_traces();
    assert_eq!(cluster.strategy(), strategy);
    assert_eq!(map()["data"]["list"], json!(Manifest::list(cluster.name(), 3)));
    assert_eq!(map()["data"]["state"], "existing");
    // Nothing in the template has changed, so there was nothing to bring to the old pods.
    let new = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| new[pod] == *uid), "an old pod was restarted");
}

/// The files of the members that are there, and that of a pod after a run has told it of three.
fn files(cluster: &Cluster) -> Value {
    let map = cluster.list("configmap").into_iter().find(|map| map["metadata"]["name"] == PEERS_MAP);
    map.expect("the ConfigMap")["data"].clone()
}

fn joined_file(cluster: &Cluster, pod: &str) -> Value {
    let file = Manifest::file(cluster.name(), pod, &Manifest::list(cluster.name(), 3));
    json!(file.replace("initial-cluster:", "initial-cluster-state: existing\ninitial-cluster:"))
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_list_in_a_file_of_each_pods_own() {
    let cluster = Manifest::new().peers(Peers::Files).start("files");
    let (old, before) = (cluster.uids(), files(&cluster));
    let dry = cluster.run(&["up", "--dry-run=server"]);
    dry.exits(0).says("the etcd configuration file /etc/etcd/etcd-2.yaml, made after key etcd-1.yaml");
    dry.says("the API server would take patch-config-map");
    assert_eq!(files(&cluster), before);

    cluster.run(&["up", "--yes"]).exits(0);

    cluster.has_voters(3);
    cluster.has_no_traces();
    let mut wanted = before;
    wanted["etcd-2.yaml"] = joined_file(&cluster, "etcd-2");
    assert_eq!(files(&cluster), wanted);
    let new = cluster.uids();
    assert!(old.iter().all(|(pod, uid)| new[pod] == *uid), "an old pod was restarted");

    // A file that stands there under another's name is not taken.
    let patch = json!({"data": {"etcd-3.yaml": wanted["etcd-2.yaml"]}}).to_string();
    cluster.kubectl(&["patch", "configmap", PEERS_MAP, "-p", &patch]);
    refused(&cluster, &["--to", "4"], "which pod etcd-3 reads, names its member etcd-2 instead of etcd-3");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_list_in_a_file_that_the_command_fills_in() {
    let cluster = Manifest::new().peers(Peers::MadeFile).start("made-file");
    let found = format!("key etcd.yaml of ConfigMap {PEERS_MAP}, of which the start command makes");

    cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0).says(&found);

    cluster.has_voters(3);
    assert_eq!(files(&cluster), json!({"etcd.yaml": joined_file(&cluster, "NAME")}));
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn pools_that_are_not_online() {
    let cluster = Manifest::new().replicas(1).start("pools");
    let none = NoPools::new();
    cluster.run(&["check"]).exits(0).never_says("disk-pools");
    let _pools = Pools::instead_of(none);
    cluster.run(&["check"]).exits(0).says("there are none in the namespace");
    for (name, status) in [("pool-0", "Online"), ("pool-1", "Unknown")] {
        kubectl_create(&json!({
            "apiVersion": "openebs.io/v1beta3",
            "kind": "DiskPool",
            "metadata": {"name": name, "namespace": cluster.name()},
            "spec": {"node": "node-7", "disks": []},
            "status": {"cr_state": "Created", "pool_status": status},
        }));
    }

    refused(&cluster, &[], "DiskPool pool-1 on node node-7 is not Online: Unknown").says("--ignore-diskpools");

    cluster.run(&["check", "--ignore-diskpools"]).exits(0).says("pool-1 on node node-7 is not Online");
    let online = r#"{"status": {"pool_status": "Online"}}"#;
    cluster.kubectl(&["patch", "diskpools.openebs.io", "pool-1", "--type=merge", "-p", online]);
    cluster.run(&["check"]).exits(0).says("2 Online: pool-0, pool-1");
}
