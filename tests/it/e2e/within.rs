//! A run within the cluster, as the shipped Job, with the shipped Role and nothing beside it.

use crate::harness::{Manifest, SET, setting, try_kubectl};

const ROLE: &str = include_str!("../../../.github/rbac.yaml");
const JOB: &str = include_str!("../../../.github/job.yaml");

/// What is in the namespace: the cluster role is advisory, and may be somebody's.
fn role(namespace: &str) -> String {
    let documents = ROLE.split("\n---\n").filter(|document| !document.contains("kind: ClusterRole"));
    documents.collect::<Vec<_>>().join("\n---\n").replace("NAMESPACE", namespace)
}

fn job(namespace: &str, image: &str) -> String {
    let claim = "persistentVolumeClaim:\n            claimName: etcd-scale-snapshots";
    assert!(JOB.contains(claim), "the snapshot goes to a claim");
    let mut job = JOB
        .replace("image: IMAGE", &format!("image: {image}"))
        .replace("NAMESPACE", namespace)
        .replace("STATEFULSET", SET)
        .replace("SIZE", "3")
        // A volume that is a directory of the node belongs to its root.
        .replace(claim, "emptyDir: {}");
    // Where pods do not reach the API server by its Service.
    let address = setting("E2E_API_SERVER", "");
    if let Some((host, port)) = address.split_once(':') {
        let own = format!(
            "env:\n            - {{name: KUBERNETES_SERVICE_HOST, value: \"{host}\"}}\n            \
             - {{name: KUBERNETES_SERVICE_PORT, value: \"{port}\"}}\n          workingDir:"
        );
        job = job.replace("workingDir:", &own);
    }
    job
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn as_a_job_with_the_shipped_role() {
    let image = setting("E2E_OWN_IMAGE", "");
    if image.is_empty() {
        return;
    }
    let cluster = Manifest::new().start("within");
    let strategy = cluster.strategy();
    for objects in [role(cluster.name()), job(cluster.name(), &image)] {
        try_kubectl(&["apply", "-f", "-"], Some(&objects)).unwrap_or_else(|said| panic!("kubectl apply: {said}"));
    }
    let job = format!("job/etcd-scale-{SET}-to-3");
    let waited = try_kubectl(&["wait", "--for=condition=complete", &job, "-n", cluster.name(), "--timeout=300s"], None);
    let log = cluster.kubectl(&["logs", &job]);
    assert!(waited.is_ok(), "{waited:?}\n{log}");
    assert!(log.contains("the members are asked by direct"), "{log}");
    assert!(log.contains("saved to /snapshots/"), "{log}");
    assert!(log.contains(&format!("Done: {}/{SET} has 3 members.", cluster.name())), "{log}");
    cluster.has_grown(3, &strategy);
}
