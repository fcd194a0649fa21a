//! The etcd that tests change: a StatefulSet as operators write them, and the variations that matter.

use serde_json::{Value, json};

use super::{Cluster, setting};

/// The StatefulSet's name.
pub(crate) const SET: &str = "etcd";

/// The Service that names its pods.
pub(crate) const SERVICE: &str = "etcd-peers";

/// The claim template's name.
pub(crate) const CLAIM: &str = "store";

/// What the start script does once it knows its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launch {
    /// Becomes etcd.
    Exec,
    /// Keeps etcd as a child, so that it can be stopped: process 1 cannot be.
    Child,
    /// As `Exec`, but ends with a complaint where it is to join a cluster.
    EndsWhenJoining,
    /// As `Exec`, but hangs where it is to join a cluster.
    HangsWhenJoining,
    /// As `Exec`, but forms a cluster of its own where it is to join one.
    IgnoresCluster,
}

/// The etcd image.
#[derive(Debug, Clone)]
pub(crate) struct Image(String);

impl Image {
    /// etcd 3.4, or what `E2E_IMAGE` names.
    pub(crate) fn usual() -> Self {
        Self(setting("E2E_IMAGE", "docker.io/local/etcd:3.4"))
    }

    /// etcd 3.5, where `E2E_IMAGE_35` names an image or `E2E_35` says that the default one is there.
    pub(crate) fn newer() -> Option<Self> {
        let named = setting("E2E_IMAGE_35", "");
        if !named.is_empty() {
            return Some(Self(named));
        }
        (!setting("E2E_35", "").is_empty()).then(|| Self("docker.io/local/etcd:trixie".to_owned()))
    }
}

/// A StatefulSet to be, with its Service.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    replicas: usize,
    strategy: Option<Value>,
    pod_management: &'static str,
    claimed: bool,
    image: Image,
    launch: Launch,
    flags: String,
    probe: Value,
    labels: Value,
}

impl Manifest {
    /// Two members with data on claims, and everything as it should be.
    pub(crate) fn new() -> Self {
        Self {
            replicas: 2,
            strategy: None,
            pod_management: "Parallel",
            claimed: true,
            image: Image::usual(),
            launch: Launch::Exec,
            flags: String::new(),
            probe: json!({"exec": {"command": ["etcdctl", "endpoint", "health"]}}),
            labels: json!({}),
        }
    }

    pub(crate) fn replicas(self, replicas: usize) -> Self {
        Self { replicas, ..self }
    }

    /// The update strategy; the API server's default where this is not called.
    pub(crate) fn strategy(self, strategy: Value) -> Self {
        Self { strategy: Some(strategy), ..self }
    }

    /// One pod after the other. Readiness must not ask for a quorum then, or the first pod never lets the second come.
    pub(crate) fn ordered(self) -> Self {
        Self { pod_management: "OrderedReady", probe: json!({"tcpSocket": {"port": 2380}}), ..self }
    }

    /// The data on an emptyDir.
    pub(crate) fn unclaimed(self) -> Self {
        Self { claimed: false, ..self }
    }

    pub(crate) fn image(self, image: Image) -> Self {
        Self { image, ..self }
    }

    pub(crate) fn launch(self, launch: Launch) -> Self {
        Self { launch, ..self }
    }

    /// More flags for etcd.
    pub(crate) fn flags(self, flags: &str) -> Self {
        Self { flags: flags.to_owned(), ..self }
    }

    /// Labels of the StatefulSet itself.
    pub(crate) fn labels(self, labels: Value) -> Self {
        Self { labels, ..self }
    }

    /// Creates it in a namespace of the test's own and waits until all pods are ready.
    pub(crate) fn start(&self, test: &str) -> Cluster {
        Cluster::start(self, test)
    }

    pub(super) fn size(&self) -> usize {
        self.replicas
    }

    fn script(&self, namespace: &str) -> String {
        let flags = &self.flags;
        let etcd = format!(
            "etcd --name \"$HOSTNAME\" --data-dir /store/member --initial-cluster \"$peers\" \\\n  \
             --listen-peer-urls http://0.0.0.0:2380 --listen-client-urls http://0.0.0.0:2379 \\\n  \
             --initial-advertise-peer-urls \"http://$HOSTNAME.$domain:2380\" \\\n  \
             --advertise-client-urls \"http://$HOSTNAME.$domain:2379\" {flags}"
        );
        let joining = |what: &str| {
            format!(
                "if [ \"$ETCD_INITIAL_CLUSTER_STATE\" = existing ] && [ ! -d /store/member ]; then\n  {what}\nfi\n\
                 exec {etcd}\n"
            )
        };
        let end = match self.launch {
            Launch::Exec => format!("exec {etcd}\n"),
            Launch::Child => format!("trap 'kill \"$child\"; wait' TERM\n{etcd} &\nchild=$!\nwait \"$child\"\n"),
            Launch::EndsWhenJoining => joining("echo 'this script founds clusters, it does not join them'; exit 1"),
            Launch::HangsWhenJoining => joining("trap exit TERM; while :; do sleep 1000 & wait; done"),
            Launch::IgnoresCluster => {
                joining("peers=\"$HOSTNAME=http://$HOSTNAME.$domain:2380\"; ETCD_INITIAL_CLUSTER_STATE=new")
            }
        };
        format!(
            "domain={SERVICE}.{namespace}.svc\npeers=\ni=0\n\
             while [ \"$i\" -lt \"$ETCD_CLUSTER_SIZE\" ]; do\n  \
             peers=\"$peers${{peers:+,}}{SET}-$i=http://{SET}-$i.$domain:2380\"\n  i=$((i + 1))\ndone\n{end}"
        )
    }

    pub(super) fn objects(&self, namespace: &str) -> Value {
        let Image(image) = &self.image;
        let pull = setting("E2E_PULL_POLICY", "Never");
        let mut probe = self.probe.clone();
        probe["periodSeconds"] = json!(2);
        probe["timeoutSeconds"] = json!(5);
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": SET, "namespace": namespace, "labels": self.labels},
            "spec": {
                "serviceName": SERVICE,
                "podManagementPolicy": self.pod_management,
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": SET}},
                "template": {
                    "metadata": {"labels": {"app": SET}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [
                            {
                                "name": "etcd",
                                "image": image,
                                "imagePullPolicy": pull,
                                "command": ["sh", "-ec"],
                                "args": [self.script(namespace)],
                                "env": [
                                    {"name": "ETCDCTL_API", "value": "3"},
                                    {"name": "ETCD_CLUSTER_SIZE", "value": self.replicas.to_string()},
                                    {"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "new"},
                                    {"name": "ETCD_INITIAL_CLUSTER_TOKEN", "value": namespace},
                                ],
                                "ports": [
                                    {"name": "client", "containerPort": 2379},
                                    {"name": "peer", "containerPort": 2380},
                                ],
                                "readinessProbe": probe,
                                "volumeMounts": [{"name": CLAIM, "mountPath": "/store"}],
                            },
                            {
                                "name": "companion",
                                "image": image,
                                "imagePullPolicy": pull,
                                "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1000 & wait; done"],
                            },
                        ],
                    },
                },
            },
        });
        if let Some(strategy) = &self.strategy {
            set["spec"]["updateStrategy"] = strategy.clone();
        }
        if self.claimed {
            set["spec"]["volumeClaimTemplates"] = json!([claim_template()]);
        } else {
            set["spec"]["template"]["spec"]["volumes"] = json!([{"name": CLAIM, "emptyDir": {}}]);
        }
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": namespace},
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": {"app": SET},
                "ports": [{"name": "client", "port": 2379}, {"name": "peer", "port": 2380}],
            },
        });
        json!({"apiVersion": "v1", "kind": "List", "items": [service, set]})
    }
}

/// The claim template, which is also the shape of a claim made by hand.
pub(super) fn claim_template() -> Value {
    json!({
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": setting("E2E_STORAGE_CLASS", "standard"),
            "resources": {"requests": {"storage": "1Gi"}},
        },
    })
}
