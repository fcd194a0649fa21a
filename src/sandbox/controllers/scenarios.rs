//! All controllers together on a registry, with a node that is a small function: what a cluster does, without a clock.

use super::super::registry::{Deletion, Part, Propagation};
use super::object::{has_finalizer, is_ready, uid};
use super::world::{World, image, node, set};
use super::*;

fn running(world: &World, pod: &str) -> String {
    let pod = world.get(kinds::PODS, pod).expect("a pod");
    assert!(is_ready(&pod), "{pod:#}");
    pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

#[test]
fn a_set_comes_up_grows_and_shrinks_and_its_claims_stay() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(2));
    world.settle();
    assert_eq!(world.pods(), ["web-0", "web-1"]);
    let pod = world.get(kinds::PODS, "web-1").unwrap();
    assert_eq!(pod["spec"]["hostname"], "web-1");
    assert_eq!(pod["spec"]["subdomain"], "web");
    assert_eq!(pod["spec"]["nodeName"], "node-0");
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-web-1");
    assert_eq!(pod["spec"]["volumes"].as_array().unwrap().len(), 2);
    let claim = world.get(kinds::CLAIMS, "data-web-1").unwrap();
    assert_eq!(
        claim["status"],
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}})
    );
    assert_eq!(claim["metadata"]["labels"]["app"], "web");
    world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(4)).unwrap();
    world.settle();
    assert_eq!(world.pods().len(), 4);
    world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(1)).unwrap();
    world.settle();
    assert_eq!(world.pods(), ["web-0"]);
    assert_eq!(world.list(kinds::CLAIMS).len(), 4, "claims are left over");
    let status = &world.get(kinds::STATEFUL_SETS, "web").unwrap()["status"];
    assert_eq!(status["readyReplicas"], 1);
    assert_eq!(status["observedGeneration"], 3);
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    let told = world.events("SuccessfulDelete");
    let expected = "delete Pod web-3 in StatefulSet web successful";
    assert!(told.iter().any(|message| message == expected), "{told:?}");
    // A claim that was left over is taken again.
    let before = world.get(kinds::CLAIMS, "data-web-1").unwrap();
    world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(2)).unwrap();
    world.settle();
    assert_eq!(uid(&world.get(kinds::CLAIMS, "data-web-1").unwrap()), uid(&before));
}

#[test]
fn a_rollout_stops_at_its_partition_and_pods_are_made_anew_as_what_they_were() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(3));
    world.settle();
    world
        .patch(kinds::STATEFUL_SETS, "web", |set| {
            set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(2);
            image("good:2")(set);
        })
        .unwrap();
    world.settle();
    let images = |world: &World| ["web-0", "web-1", "web-2"].map(|pod| running(world, pod));
    assert_eq!(images(&world), ["good:1", "good:1", "good:2"]);
    let status = world.get(kinds::STATEFUL_SETS, "web").unwrap()["status"].clone();
    assert_eq!((&status["updatedReplicas"], &status["currentReplicas"]), (&json!(1), &json!(2)));
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    for pod in ["web-0", "web-2"] {
        world.delete(kinds::PODS, pod);
    }
    world.settle();
    assert_eq!(images(&world), ["good:1", "good:1", "good:2"]);
    let partition = |set: &mut Value| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0);
    world.patch(kinds::STATEFUL_SETS, "web", partition).unwrap();
    world.settle();
    assert_eq!(images(&world), ["good:2", "good:2", "good:2"]);
    let revision = |world: &World| {
        let set = world.get(kinds::STATEFUL_SETS, "web").unwrap();
        assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
        world.get(kinds::REVISIONS, set["status"]["updateRevision"].as_str().unwrap()).unwrap()
    };
    assert_eq!(revision(&world)["revision"], 2);
    // Back: the first revision again, with a new number.
    world.patch(kinds::STATEFUL_SETS, "web", image("good:1")).unwrap();
    world.settle();
    assert_eq!(revision(&world)["revision"], 3);
    assert_eq!(world.list(kinds::REVISIONS).len(), 2);
}

#[test]
fn a_broken_pod_blocks_the_rollout_until_it_is_deleted_by_hand() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(3));
    world.settle();
    world.patch(kinds::STATEFUL_SETS, "web", image("broken")).unwrap();
    world.settle();
    world.patch(kinds::STATEFUL_SETS, "web", image("good:3")).unwrap();
    world.settle();
    let of = |pod: &str| world.get(kinds::PODS, pod).unwrap()["spec"]["containers"][0]["image"].clone();
    assert_eq!([of("web-0"), of("web-1"), of("web-2")], ["good:1", "good:1", "broken"]);
    world.delete(kinds::PODS, "web-2");
    world.settle();
    assert_eq!(["web-0", "web-1", "web-2"].map(|pod| running(&world, pod)), ["good:3", "good:3", "good:3"]);
}

#[test]
fn on_delete_replaces_nothing_by_itself() {
    let mut world = World::new();
    let mut set = set(2);
    set["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    world.create(kinds::STATEFUL_SETS, "x", set);
    world.settle();
    world.patch(kinds::STATEFUL_SETS, "web", image("good:2")).unwrap();
    world.settle();
    assert_eq!(running(&world, "web-0"), "good:1");
    world.delete(kinds::PODS, "web-0");
    world.settle();
    assert_eq!(["web-0", "web-1"].map(|pod| running(&world, pod)), ["good:2", "good:1"]);
}

#[test]
fn a_set_deleted_without_its_pods_gives_them_to_the_next_of_its_name() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(2));
    world.settle();
    let before: Vec<_> = world.list(kinds::PODS).iter().map(|pod| uid(pod).to_owned()).collect();
    let orphan = Deletion { propagation: Propagation::Orphan, ..Deletion::default() };
    world.registry.delete(kinds::STATEFUL_SETS, "x", "web", &orphan).unwrap();
    world.settle();
    assert!(world.get(kinds::STATEFUL_SETS, "web").is_none());
    assert!(world.list(kinds::PODS).iter().all(|pod| pod["metadata"]["ownerReferences"].is_null()));
    world.create(kinds::STATEFUL_SETS, "x", set(2));
    world.settle();
    let after: Vec<_> = world.list(kinds::PODS).iter().map(|pod| uid(pod).to_owned()).collect();
    assert_eq!(before, after);
    assert_eq!(world.get(kinds::STATEFUL_SETS, "web").unwrap()["status"]["updatedReplicas"], 2);
    let foreground = Deletion { propagation: Propagation::Foreground, ..Deletion::default() };
    world.registry.delete(kinds::STATEFUL_SETS, "x", "web", &foreground).unwrap();
    world.settle();
    assert!(world.pods().is_empty() && world.list(kinds::REVISIONS).is_empty());
    assert!(world.get(kinds::STATEFUL_SETS, "web").is_none());
}

#[test]
fn a_claim_without_a_provisioner_waits_for_its_volume() {
    let mut world = World::new();
    let class = json!({"metadata": {"name": "by-hand"}, "provisioner": "kubernetes.io/no-provisioner"});
    world.create(kinds::STORAGE_CLASSES, "", class);
    let mut set = set(1);
    set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = json!("by-hand");
    world.create(kinds::STATEFUL_SETS, "x", set);
    world.settle();
    assert_eq!(world.get(kinds::CLAIMS, "data-web-0").unwrap()["status"]["phase"], "Pending");
    assert_eq!(world.events("ProvisioningFailed"), ["no volume plugin matched name: kubernetes.io/no-provisioner"]);
    let unbound = "0/1 nodes are available: 1 pod has unbound immediate PersistentVolumeClaims.";
    assert!(world.events("FailedScheduling").contains(&unbound.to_owned()));
    let volume = |name: &str, size: &str| {
        json!({"metadata": {"name": name}, "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
            "hostPath": {"path": "/data/x"}, "persistentVolumeReclaimPolicy": "Delete"}})
    };
    world.create(kinds::VOLUMES, "", volume("small", "1Mi"));
    world.create(kinds::VOLUMES, "", volume("large", "4Gi"));
    world.create(kinds::VOLUMES, "", volume("right", "2Gi"));
    let mut others = volume("others", "1Gi");
    others["spec"]["claimRef"] = json!({"namespace": "x", "name": "data-web-0", "uid": "another"});
    world.create(kinds::VOLUMES, "", others);
    world.settle();
    assert_eq!(running(&world, "web-0"), "good:1");
    let phase = |world: &World, volume: &str| world.get(kinds::VOLUMES, volume).unwrap()["status"]["phase"].clone();
    assert_eq!([phase(&world, "right"), phase(&world, "large")], ["Bound", "Available"]);
    // The claim goes after the pod that uses it, and this volume cannot be deleted.
    world.delete(kinds::CLAIMS, "data-web-0");
    world.settle();
    assert!(world.get(kinds::CLAIMS, "data-web-0").is_some());
    world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(0)).unwrap();
    world.settle();
    assert!(world.get(kinds::CLAIMS, "data-web-0").is_none());
    assert_eq!(phase(&world, "right"), "Failed");
    let why = "host_path deleter only supports /tmp/.+ but received provided /data/x";
    assert_eq!(world.get(kinds::VOLUMES, "right").unwrap()["status"]["message"], why);
}

#[test]
fn a_class_that_waits_for_its_consumer_binds_when_a_pod_comes() {
    let mut world = World::new();
    let class = json!({"metadata": {"name": "late"}, "provisioner": "some.driver", "volumeBindingMode": "WaitForFirstConsumer"});
    world.create(kinds::STORAGE_CLASSES, "", class);
    let mut set = set(0);
    set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = json!("late");
    let mut claim = json!({"metadata": {"name": "data-web-0"}});
    claim["spec"] = set["spec"]["volumeClaimTemplates"][0]["spec"].clone();
    world.create(kinds::CLAIMS, "x", claim);
    world.create(kinds::STATEFUL_SETS, "x", set);
    world.settle();
    assert_eq!(world.events("WaitForFirstConsumer"), ["waiting for first consumer to be created before binding"]);
    world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(1)).unwrap();
    world.settle();
    assert_eq!(running(&world, "web-0"), "good:1");
    // What was provisioned goes with its claim.
    world.delete(kinds::STATEFUL_SETS, "web");
    world.delete(kinds::CLAIMS, "data-web-0");
    world.settle();
    assert!(world.list(kinds::VOLUMES).is_empty() && world.list(kinds::CLAIMS).is_empty());
}

#[test]
fn a_held_claim_is_bound_when_the_trouble_is_over() {
    let mut world = World::new();
    world.create(kinds::FAULTS, "x", json!({"metadata": {"name": "f"}, "spec": {"hold": {"claim": "data-web-0"}}}));
    world.create(kinds::STATEFUL_SETS, "x", set(1));
    world.settle();
    assert_eq!(world.get(kinds::CLAIMS, "data-web-0").unwrap()["status"]["phase"], "Pending");
    world.delete(kinds::FAULTS, "f");
    world.settle();
    assert_eq!(running(&world, "web-0"), "good:1");
}

#[test]
fn a_quota_refuses_the_pod_that_has_no_room_until_there_is_room() {
    let mut world = World::new();
    world.create(kinds::QUOTAS, "x", json!({"metadata": {"name": "two-pods"}, "spec": {"hard": {"pods": "2"}}}));
    world.create(kinds::STATEFUL_SETS, "x", set(3));
    world.settle();
    assert_eq!(world.pods().len(), 2);
    let why = "create Pod web-2 in StatefulSet web failed error: pods \"web-2\" is forbidden: exceeded quota: two-pods, \
               requested: pods=1, used: pods=2, limited: pods=2";
    assert_eq!(world.events("FailedCreate"), [why]);
    let status = &world.get(kinds::QUOTAS, "two-pods").unwrap()["status"];
    assert_eq!(*status, json!({"hard": {"pods": "2"}, "used": {"pods": "2"}}));
    world.patch(kinds::QUOTAS, "two-pods", |quota| quota["spec"]["hard"]["pods"] = json!("3")).unwrap();
    world.settle();
    assert_eq!(world.pods().len(), 3);
}

#[test]
fn a_pod_that_has_failed_is_deleted_and_made_anew() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(2));
    world.settle();
    let before = world.get(kinds::PODS, "web-0").unwrap();
    world
        .registry
        .update(kinds::PODS, "x", "web-0", Part::Status, false, |pod| {
            pod["status"]["phase"] = json!("Failed");
            Ok(())
        })
        .unwrap();
    world.settle();
    assert_ne!(uid(&world.get(kinds::PODS, "web-0").unwrap()), uid(&before));
}

#[test]
fn a_namespace_that_ends_takes_all_with_it() {
    let mut world = World::new();
    world.create(kinds::STATEFUL_SETS, "x", set(3));
    world.create(
        kinds::BUDGETS,
        "x",
        json!({"metadata": {"name": "b"}, "spec": {
        "maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    );
    world.settle();
    let status = &world.get(kinds::BUDGETS, "b").unwrap()["status"];
    assert_eq!((&status["desiredHealthy"], &status["disruptionsAllowed"]), (&json!(2), &json!(1)));
    assert!(world.get(kinds::SERVICE_ACCOUNTS, "default").is_some());
    let claim = world.get(kinds::CLAIMS, "data-web-0").unwrap();
    assert!(has_finalizer(&claim, "kubernetes.io/pvc-protection"));
    world.delete(kinds::NAMESPACES, "x");
    world.settle();
    assert!(world.get(kinds::NAMESPACES, "x").is_none());
    for kind in world.registry.kinds().iter().filter(|kind| kind.namespaced) {
        let left = world.registry.list(&kind.resource(), Some("x")).0;
        assert!(left.is_empty(), "{left:#?}");
    }
    assert!(world.list(kinds::VOLUMES).is_empty());
}

#[tokio::test]
async fn the_controllers_run_by_themselves_and_come_to_rest() {
    let world = World::new();
    let registry = Arc::clone(&world.registry);
    let tasks = start(&registry);
    let follower = Arc::clone(&registry);
    let mut node_watch = registry.watch(0);
    let node = tokio::spawn(async move {
        while node_watch.next().await.is_ok() {
            node(&follower, |_| true);
        }
    });
    let mut watch = registry.watch(registry.version());
    world.create(kinds::STATEFUL_SETS, "x", set(3));
    let up = async {
        while world.get(kinds::STATEFUL_SETS, "web").is_none_or(|set| set["status"]["readyReplicas"] != 3) {
            watch.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), up).await.expect("the set comes up");
    drop(tasks);
    node.abort();
}
