//! The etcd that tests change: a StatefulSet as operators write them, and the variations that matter.

use serde_json::{Value, json};

use super::certificates::{DIRECTORY, Pem, SECRET, Secured};
use super::namespace::OF_NAMESPACE;
use super::{Cluster, setting};

/// The StatefulSet's name.
pub(crate) const SET: &str = "etcd";

/// The Service that names its pods.
pub(crate) const SERVICE: &str = "etcd-peers";

/// The claim template's name.
pub(crate) const CLAIM: &str = "store";

/// The claim template of the write-ahead log.
const WAL: &str = "log";

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
    /// As `Exec`, but where it is to join a cluster it waits for the file [`GO`].
    WaitsWhenJoining,
    /// As `Exec`, but forms a cluster of its own where it is to join one.
    IgnoresCluster,
    /// With [`Peers::Variable`]: adds its own pod as a voter, and tries until that passes, as Bitnami's older scripts do.
    AddsItself,
    /// With [`Peers::Variable`]: removes the member with its own peer URL first, as the newer ones do.
    ReplacesItself,
}

/// Where the list of peers stands, and the cluster state with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peers {
    /// The start script works the list out, from the size.
    Script,
    /// Literal variables.
    Variable,
    /// Flags of etcd.
    Flag,
    /// Keys of the ConfigMap [`PEERS_MAP`], named by variables.
    ConfigMap,
    /// A configuration file for each pod, in the ConfigMap [`PEERS_MAP`].
    Files,
    /// A configuration file that the start command makes each pod's own of, in the ConfigMap [`PEERS_MAP`].
    MadeFile,
}

/// What lets a member join that waits for it.
pub(crate) const GO: &str = "/store/go";

/// The key that one member has another value of.
pub(crate) const ODD_KEY: &str = "key-002345";

/// Writes keys into an etcd on loopback, and restores that etcd's snapshot as the member.
const OWN_SNAPSHOT: &str = r#"
if [ ! -d /store/member ]; then
  etcd --data-dir /store/seed --max-txn-ops 1000000 \
    --listen-client-urls http://127.0.0.1:32379 --advertise-client-urls http://127.0.0.1:32379 \
    --listen-peer-urls http://127.0.0.1:32380 --initial-advertise-peer-urls http://127.0.0.1:32380 \
    --initial-cluster default=http://127.0.0.1:32380 &
  seed=$!
  seeding() { etcdctl --endpoints http://127.0.0.1:32379 "$@"; }
  until seeding endpoint health; do sleep 0.2; done
  odd=usual
  [ "$HOSTNAME" != SET-1 ] || odd=other
  awk -v odd="$odd" 'BEGIN {
    print ""
    for (i = 0; i < KEYS; i++) {
      key = sprintf("key-%06d", i)
      print "put", key, key == "ODD" ? odd : "usual"
    }
    print "\n"
  }' | seeding txn > /dev/null
  seeding snapshot save /store/seed.db
  kill "$seed"
  wait "$seed" || true
  etcdctl snapshot restore /store/seed.db --name "$HOSTNAME" --data-dir /store/member \
    --initial-cluster "$peers" --initial-cluster-token "$ETCD_INITIAL_CLUSTER_TOKEN" \
    --initial-advertise-peer-urls "http://$HOSTNAME.$domain:2380"
fi
"#;

/// The ConfigMap that the list of peers is in, where it is in one.
pub(crate) const PEERS_MAP: &str = "etcd-peers";

/// The etcd image.
#[derive(Debug, Clone)]
pub(crate) struct Image(pub(crate) String);

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
    /// The name of a second container.
    companion: Option<&'static str>,
    labels: Value,
    peers: Peers,
    by_hand: bool,
    wal: bool,
    affinity: Option<Value>,
    nodes: Vec<Vec<String>>,
    keys: Option<u32>,
    secured: Option<Secured>,
    user: Option<String>,
}

impl Manifest {
    /// Two members with data on claims, and everything as it should be, with what is cheapest to run: readiness without
    /// a process for each look, and one container to a pod.
    pub(crate) fn new() -> Self {
        Self {
            replicas: 2,
            strategy: None,
            pod_management: "Parallel",
            claimed: true,
            image: Image::usual(),
            launch: Launch::Exec,
            flags: String::new(),
            probe: json!({"httpGet": {"path": "/health", "port": 2379}}),
            companion: None,
            labels: json!({}),
            peers: Peers::Script,
            by_hand: false,
            wal: false,
            affinity: None,
            nodes: Vec::new(),
            keys: None,
            secured: None,
            user: None,
        }
    }

    /// With a second container and with readiness by etcdctl, as in the guides. A learner is not ready by it.
    pub(crate) fn of_the_guides(self) -> Self {
        Self {
            companion: Some("companion"),
            probe: json!({"exec": {"command": ["etcdctl", "endpoint", "health"]}}),
            ..self
        }
    }

    /// Over TLS, for which clients need a certificate too. Readiness needs none.
    pub(crate) fn secured(self, secured: Secured) -> Self {
        Self { secured: Some(secured), probe: json!({"tcpSocket": {"port": 2380}}), ..self }
    }

    /// The user, as `NAME:PASSWORD`, that etcdctl in the pods is.
    pub(crate) fn user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
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

    /// A busy machine does not have etcd elect anybody, which would be no doing of the run.
    pub(crate) fn patient(self) -> Self {
        self.flags("--election-timeout=10000")
    }

    /// Labels of the StatefulSet itself.
    pub(crate) fn labels(self, labels: Value) -> Self {
        Self { labels, ..self }
    }

    /// Plain etcd, which finds its list of peers there.
    pub(crate) fn peers(self, peers: Peers) -> Self {
        Self { peers, ..self }
    }

    /// Volumes made by hand, of a class that nobody makes any for.
    pub(crate) fn by_hand(self) -> Self {
        Self { by_hand: true, ..self }
    }

    /// The write-ahead log on a claim of its own, where etcd takes variables.
    pub(crate) fn wal(self) -> Self {
        Self { wal: true, ..self }
    }

    /// The pods' `affinity`.
    pub(crate) fn affinity(self, affinity: Value) -> Self {
        Self { affinity: Some(affinity), ..self }
    }

    /// The `nodeAffinity` of the volume of each ordinal.
    pub(crate) fn on_nodes(self, nodes: Vec<Vec<String>>) -> Self {
        Self { nodes, ..self }
    }

    /// Each member begins with a snapshot of its own making: so many keys, named `key-` and six digits, of which
    /// [`ODD_KEY`] has another value on the member of ordinal 1.
    pub(crate) fn with_odd_key(self, keys: u32) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Creates it in a namespace of the test's own and waits until all pods are ready.
    pub(crate) fn start(&self, test: &str) -> Cluster {
        Cluster::start(self, test)
    }

    pub(super) fn size(&self) -> usize {
        self.replicas
    }

    fn script(&self, namespace: &str) -> String {
        let scheme = |secure: bool| if secure { "https" } else { "http" };
        let client = scheme(self.secured.is_some());
        let peer = scheme(self.secured.as_ref().is_some_and(|secured| secured.peers));
        let flags = [self.flags.clone(), self.secured.as_ref().map(Secured::flags).unwrap_or_default()].join(" ");
        let etcd = format!(
            "etcd --name \"$HOSTNAME\" --data-dir /store/member --initial-cluster \"$peers\" \\\n  \
             --listen-peer-urls {peer}://0.0.0.0:2380 --listen-client-urls {client}://0.0.0.0:2379 \\\n  \
             --initial-advertise-peer-urls \"{peer}://$HOSTNAME.$domain:2380\" \\\n  \
             --advertise-client-urls \"{client}://$HOSTNAME.$domain:2379\" {flags}"
        );
        let joining = |what: &str| {
            format!(
                "if [ \"$ETCD_INITIAL_CLUSTER_STATE\" = existing ] && [ ! -d /store/member ]; then\n  {what}\nfi\n\
                 exec {etcd}\n"
            )
        };
        let end = match self.launch {
            Launch::Exec | Launch::AddsItself | Launch::ReplacesItself => format!("exec {etcd}\n"),
            Launch::Child => format!("trap 'kill \"$child\"; wait' TERM\n{etcd} &\nchild=$!\nwait \"$child\"\n"),
            Launch::EndsWhenJoining => joining("echo 'this script founds clusters, it does not join them'; exit 1"),
            Launch::HangsWhenJoining => {
                joining("echo 'this script waits for ever'; trap exit TERM; while :; do sleep 1000 & wait; done")
            }
            Launch::WaitsWhenJoining => joining(&format!("until [ -e {GO} ]; do sleep 0.1; done")),
            Launch::IgnoresCluster => {
                joining("peers=\"$HOSTNAME=http://$HOSTNAME.$domain:2380\"; ETCD_INITIAL_CLUSTER_STATE=new")
            }
        };
        format!(
            "domain={SERVICE}.{namespace}.svc\npeers=\ni=0\n\
             while [ \"$i\" -lt \"$ETCD_CLUSTER_SIZE\" ]; do\n  \
             peers=\"$peers${{peers:+,}}{SET}-$i={peer}://{SET}-$i.$domain:2380\"\n  i=$((i + 1))\ndone\n{}{end}",
            self.own_snapshot(),
        )
    }

    /// What begins the script where members make their own snapshots.
    fn own_snapshot(&self) -> String {
        let Some(keys) = self.keys else { return String::new() };
        OWN_SNAPSHOT.replace("SET", SET).replace("KEYS", &keys.to_string()).replace("ODD", ODD_KEY)
    }

    /// The list of peers of `size` members.
    pub(crate) fn list(namespace: &str, size: usize) -> String {
        let peers = (0..size).map(|at| format!("{SET}-{at}=http://{SET}-{at}.{SERVICE}.{namespace}.svc:2380"));
        peers.collect::<Vec<_>>().join(",")
    }

    /// The configuration file of a pod.
    pub(crate) fn file(namespace: &str, pod: &str, list: &str) -> String {
        let url = format!("http://{pod}.{SERVICE}.{namespace}.svc");
        format!(
            "# Of {pod} alone.\nname: {pod}\ndata-dir: /store/member\nlisten-peer-urls: http://0.0.0.0:2380\n\
             listen-client-urls: http://0.0.0.0:2379\ninitial-advertise-peer-urls: {url}:2380\n\
             advertise-client-urls: \"{url}:2379\" # for clients\ninitial-cluster-token: {namespace}\n\
             initial-cluster: >-\n  {list}\n\n# The end.\n"
        )
    }

    /// What the etcd container runs, and its variables.
    fn launched(&self, namespace: &str) -> Value {
        let version = json!({"name": "ETCDCTL_API", "value": "3"});
        if self.peers == Peers::Script {
            let mut env = vec![
                version,
                json!({"name": "ETCD_CLUSTER_SIZE", "value": self.replicas.to_string()}),
                json!({"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "new"}),
                json!({"name": "ETCD_INITIAL_CLUSTER_TOKEN", "value": namespace}),
            ];
            let mut var = |name: &str, value: String| env.push(json!({"name": name, "value": value}));
            if self.secured.is_some() {
                var("ETCDCTL_ENDPOINTS", "https://127.0.0.1:2379".to_owned());
                var("ETCDCTL_CACERT", format!("{DIRECTORY}/ca.crt"));
                var("ETCDCTL_CERT", format!("{DIRECTORY}/tls.crt"));
                var("ETCDCTL_KEY", format!("{DIRECTORY}/tls.key"));
            }
            if let Some(user) = &self.user {
                var("ETCDCTL_USER", user.clone());
            }
            return json!({"command": ["sh", "-ec"], "args": [self.script(namespace)], "env": env});
        }
        let of_pod = json!({"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
        match self.peers {
            Peers::Files => {
                let file = "--config-file=/etc/etcd/$(POD).yaml";
                return json!({"command": ["etcd"], "args": [file], "env": [version, of_pod]});
            }
            Peers::MadeFile => {
                let script = "sed \"s/NAME/$POD/\" /etc/etcd/etcd.yaml > /tmp/etcd.yaml\n\
                              exec etcd --config-file=/tmp/etcd.yaml";
                return json!({"command": ["sh", "-ec"], "args": [script], "env": [version, of_pod]});
            }
            _ => {}
        }
        let own = |port| json!(format!("http://$(POD).{SERVICE}.{namespace}.svc:{port}"));
        let list = Self::list(namespace, self.replicas);
        let mut env = vec![
            version,
            of_pod,
            json!({"name": "ETCD_NAME", "value": "$(POD)"}),
            json!({"name": "ETCD_DATA_DIR", "value": "/store/member"}),
            json!({"name": "ETCD_LISTEN_PEER_URLS", "value": "http://0.0.0.0:2380"}),
            json!({"name": "ETCD_LISTEN_CLIENT_URLS", "value": "http://0.0.0.0:2379"}),
            json!({"name": "ETCD_INITIAL_ADVERTISE_PEER_URLS", "value": own(2380)}),
            json!({"name": "ETCD_ADVERTISE_CLIENT_URLS", "value": own(2379)}),
            json!({"name": "ETCD_INITIAL_CLUSTER_TOKEN", "value": namespace}),
        ];
        if self.wal {
            env.push(json!({"name": "ETCD_WAL_DIR", "value": "/wal/member"}));
        }
        let mut args = Vec::new();
        match self.peers {
            Peers::Flag => args = vec![format!("--initial-cluster={list}"), "--initial-cluster-state=new".to_owned()],
            Peers::ConfigMap => {
                let from = |key: &str| json!({"configMapKeyRef": {"name": PEERS_MAP, "key": key}});
                env.push(json!({"name": "ETCD_INITIAL_CLUSTER_STATE", "valueFrom": from("state")}));
                env.push(json!({"name": "ETCD_INITIAL_CLUSTER", "valueFrom": from("list")}));
            }
            _ => {
                env.push(json!({"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "new"}));
                env.push(json!({"name": "ETCD_INITIAL_CLUSTER", "value": list}));
            }
        }
        let adds = |first: &str| {
            format!(
                "if [ \"$ETCD_INITIAL_CLUSTER_STATE\" = existing ] && [ ! -d \"$ETCD_DATA_DIR/member\" ]; then\n  \
                 own=\"$ETCD_INITIAL_ADVERTISE_PEER_URLS\"\n  \
                 export ETCDCTL_ENDPOINTS=\"http://{SET}-0.{SERVICE}.{namespace}.svc:2379\"\n{first}  \
                 until etcdctl member add \"$ETCD_NAME\" --peer-urls \"$own\"; do sleep 1; done\n  \
                 unset ETCDCTL_ENDPOINTS\nfi\nexec etcd\n"
            )
        };
        let script = match self.launch {
            Launch::AddsItself => adds(""),
            Launch::ReplacesItself => adds(
                "  id=$(etcdctl member list | grep -F \"$own\" | cut -d, -f1)\n  \
                 if [ -n \"$id\" ]; then etcdctl member remove \"$id\"; fi\n",
            ),
            _ => return json!({"command": ["etcd"], "args": args, "env": env}),
        };
        json!({"command": ["sh", "-ec"], "args": [script], "env": env})
    }

    /// The objects beside the StatefulSet and its Service.
    fn beside(&self, namespace: &str) -> Vec<Value> {
        let mut objects = Vec::new();
        let list = Self::list(namespace, self.replicas);
        let data = match self.peers {
            Peers::ConfigMap => Some(json!({"list": list, "state": "new"})),
            Peers::Files => {
                let each = (0..self.replicas).map(|at| format!("{SET}-{at}"));
                Some(each.map(|pod| (format!("{pod}.yaml"), json!(Self::file(namespace, &pod, &list)))).collect())
            }
            Peers::MadeFile => Some(json!({"etcd.yaml": Self::file(namespace, "NAME", &list)})),
            Peers::Script | Peers::Variable | Peers::Flag => None,
        };
        objects.extend(data.map(|data| {
            let metadata = json!({"name": PEERS_MAP, "namespace": namespace});
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        }));
        objects.extend(self.secured.as_ref().map(|secured| Pem::of(secured, namespace).secret(namespace)));
        if self.by_hand {
            objects.extend((0..self.replicas).map(|at| {
                let mut volume = volume(namespace, at);
                if let Some(nodes) = self.nodes.get(at) {
                    volume["spec"]["nodeAffinity"] = on_nodes(nodes);
                }
                volume
            }));
            objects.extend((0..self.replicas).filter(|_| self.wal).map(|at| wal_volume(namespace, at)));
        }
        objects
    }

    pub(super) fn objects(&self, namespace: &str) -> Value {
        let Image(image) = &self.image;
        let pull = setting("E2E_PULL_POLICY", "Never");
        let launched = self.launched(namespace);
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
                                "command": launched["command"],
                                "args": launched["args"],
                                "env": launched["env"],
                                "ports": [
                                    {"name": "client", "containerPort": 2379},
                                    {"name": "peer", "containerPort": 2380},
                                ],
                                "readinessProbe": probe,
                                "volumeMounts": [{"name": CLAIM, "mountPath": "/store"}],
                            },
                        ],
                    },
                },
            },
        });
        if let Some(name) = self.companion {
            let containers = set["spec"]["template"]["spec"]["containers"].as_array_mut().expect("containers");
            containers.push(json!({
                "name": name,
                "image": image,
                "imagePullPolicy": pull,
                "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1000 & wait; done"],
            }));
        }
        if let Some(strategy) = &self.strategy {
            set["spec"]["updateStrategy"] = strategy.clone();
        }
        if self.claimed {
            let mut template = claim_template();
            if self.by_hand {
                template["spec"]["storageClassName"] = json!(class_by_hand(namespace));
            }
            let mut templates = vec![template];
            if self.wal {
                let mut second = templates[0].clone();
                second["metadata"]["name"] = json!(WAL);
                templates.push(second);
                let mounts = &mut set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
                mounts.as_array_mut().expect("mounts").push(json!({"name": WAL, "mountPath": "/wal"}));
            }
            set["spec"]["volumeClaimTemplates"] = json!(templates);
        } else {
            set["spec"]["template"]["spec"]["volumes"] = json!([{"name": CLAIM, "emptyDir": {}}]);
        }
        if let Some(affinity) = &self.affinity {
            set["spec"]["template"]["spec"]["affinity"] = affinity.clone();
        }
        if matches!(self.peers, Peers::Files | Peers::MadeFile) {
            let spec = &mut set["spec"]["template"]["spec"];
            spec["volumes"] = json!([{"name": "files", "configMap": {"name": PEERS_MAP}}]);
            let mounts = spec["containers"][0]["volumeMounts"].as_array_mut().expect("mounts");
            mounts.push(json!({"name": "files", "mountPath": "/etc/etcd"}));
        }
        if self.secured.is_some() {
            let spec = &mut set["spec"]["template"]["spec"];
            spec["volumes"] = json!([{"name": "certs", "secret": {"secretName": SECRET}}]);
            let mounts = spec["containers"][0]["volumeMounts"].as_array_mut().expect("mounts");
            mounts.push(json!({"name": "certs", "mountPath": DIRECTORY}));
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
        let mut items = self.beside(namespace);
        items.extend([service, set]);
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }
}

/// The class of volumes made by hand: no such object exists, as with the guide's `manual`.
fn class_by_hand(namespace: &str) -> String {
    format!("by-hand-{namespace}")
}

/// The volume of an ordinal, made as the guide makes it. Its name and its path are the namespace's own, as volumes are in
/// none; its label lets the namespace take it along when it goes.
pub(crate) fn volume(namespace: &str, ordinal: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": format!("{namespace}-volume-{ordinal}"),
            "labels": {OF_NAMESPACE: namespace, "statefulset.kubernetes.io/pod-name": format!("{SET}-{ordinal}")},
            "annotations": {"meta.helm.sh/release-name": "of-the-test"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace,
                "name": format!("{CLAIM}-{SET}-{ordinal}"),
            },
            "hostPath": {"path": path(namespace, ordinal), "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": class_by_hand(namespace),
            "volumeMode": "Filesystem",
        },
    })
}

/// The volume of an ordinal's write-ahead log.
pub(crate) fn wal_volume(namespace: &str, ordinal: usize) -> Value {
    let mut volume = volume(namespace, ordinal);
    volume["metadata"]["name"] = json!(format!("{namespace}-wal-{ordinal}"));
    volume["spec"]["claimRef"]["name"] = json!(format!("{WAL}-{SET}-{ordinal}"));
    volume["spec"]["hostPath"]["path"] = json!(format!("{}/wal-{ordinal}", volumes(namespace)));
    volume
}

/// A volume's `nodeAffinity` to these nodes.
fn on_nodes(nodes: &[String]) -> Value {
    json!({"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}]}
    ]}})
}

/// Where volumes lie that are made by hand.
pub(super) fn volumes(namespace: &str) -> String {
    format!("/tmp/etcd-scale-volumes/{namespace}")
}

/// Where the volume of an ordinal lies.
pub(crate) fn path(namespace: &str, ordinal: usize) -> String {
    format!("{}/pod-{ordinal}", volumes(namespace))
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
