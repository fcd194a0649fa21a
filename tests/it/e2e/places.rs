//! Places of volumes made by hand: the node that each is tied to, and the nodes that the pods may run on.

use serde_json::{Value, json};

use crate::harness::{Manifest, Peers, list};

fn by_hand(replicas: usize) -> Manifest {
    Manifest::new().replicas(replicas).peers(Peers::Variable).by_hand()
}

/// A node that takes the test's pods.
fn node() -> String {
    let open = |node: &Value| node["spec"]["taints"].is_null() && node["spec"]["unschedulable"] != true;
    let node = list(&["node"], "", "").into_iter().find(open).expect("a node that takes pods");
    node["metadata"]["labels"]["kubernetes.io/hostname"].as_str().expect("a host name").to_owned()
}

fn volumes(namespace: &str) -> Vec<Value> {
    list(&["persistentvolume"], "", &format!("etcd-scale-e2e={namespace}"))
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn beside_its_neighbours_on_their_node() {
    let node = node();
    let cluster = by_hand(2).on_nodes(vec![vec![node.clone()], vec![node.clone()]]).start("places");

    cluster.run(&["up", "--yes", "--rollout", "defer"]).exits(0);

    cluster.has_voters(3);
    let volumes = volumes(cluster.name());
    assert_eq!(volumes.len(), 3);
    for volume in volumes {
        let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        assert_eq!(terms[0]["matchExpressions"][0]["values"], json!([node]), "{volume:#}");
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn no_node_is_left_for_the_path() {
    let node = node();
    let host = "kubernetes.io/hostname";
    // Whatever nodes the cluster has, the pods may run on one, and each on one of its own.
    let affinity = json!({
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": host, "operator": "In", "values": [node]}]},
        ]}},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": host, "labelSelector": {"matchLabels": {"app": "etcd"}}},
        ]},
    });
    let cluster = by_hand(1).on_nodes(vec![vec![node]]).affinity(affinity).start("places-none");
    let before = cluster.standing();

    let ended = cluster.run(&["up", "--yes"]);

    ended.exits(3).says("Nothing was changed").says("each volume is on a node of its own");
    ended.says(&format!("the pods must not share a {host}, and 1 of them are schedulable for 2 pods"));
    assert_eq!(cluster.standing(), before, "{ended}");
    assert_eq!(volumes(cluster.name()).len(), 1);
}
