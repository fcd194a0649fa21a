//! An observation of a healthy cluster at rest, to start from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use etcd_scale::model::{
    Answer, Claim, ClaimTemplate, ClusterId, Container, ContainerState, Delivery, Deployment, EnvSource, EnvVar,
    FileEdit, GitOps, Goal, JoinChoice, Known, Member, MemberId, MemberStatus, Members, Mount, Node, Observation, Pod,
    Question, Request, Service, SnapshotChoice, StatefulSet, StorageClass, Template, Verb, Via, Volume,
};
use etcd_scale::runbook::{Finding, Step, Trail, Verdict};
use etcd_scale::steps::Precheck;
use serde_json::{Value, json};

/// Rok's StatefulSet with so many members, the first of them leading.
pub(super) fn rok(size: i32) -> Observation {
    let env = |name: &str, value: &str| EnvVar { name: name.into(), source: EnvSource::Literal(value.into()) };
    let container = Container {
        name: "etcd".into(),
        image: "etcd:3.5".into(),
        command: vec!["sh".into(), "-ec".into()],
        args: vec!["exec etcd --data-dir /data/etcd --initial-cluster \"$(peers $ETCD_CLUSTER_SIZE)\"".into()],
        env: vec![
            env("ETCDCTL_API", "3"),
            env("ETCD_CLUSTER_SIZE", &size.to_string()),
            env("ETCD_INITIAL_CLUSTER_STATE", "new"),
        ],
        mounts: vec![Mount { volume: "data".into(), path: "/data".into(), ..Mount::default() }],
        readiness_command: Some(vec!["etcdctl".into(), "endpoint".into(), "health".into()]),
        ..Container::default()
    };
    let labels = BTreeMap::from([("app".to_owned(), "etcd".to_owned())]);
    let statefulset = StatefulSet {
        namespace: "rok".into(),
        name: "rok-etcd".into(),
        uid: "set".into(),
        resource_version: "1".into(),
        replicas: size,
        service_name: "rok-etcd-cluster".into(),
        strategy: json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        current_revision: "first".into(),
        update_revision: "first".into(),
        selector: "app=etcd".into(),
        template: Template { labels: labels.clone(), containers: vec![container], ..Template::default() },
        claim_templates: vec![ClaimTemplate { name: "data".into(), storage_class: None }],
        ..StatefulSet::default()
    };
    let id = |ordinal: i32| MemberId(100 + u64::try_from(ordinal).unwrap());
    let members = (0..size).map(|ordinal| Member {
        id: id(ordinal),
        name: format!("rok-etcd-{ordinal}"),
        peer_urls: vec![format!("http://rok-etcd-{ordinal}.rok-etcd-cluster.rok:2380")],
        client_urls: vec![format!("http://rok-etcd-{ordinal}.rok-etcd-cluster.rok:2379")],
        learner: false,
    });
    let status = |ordinal: i32| MemberStatus {
        member: id(ordinal),
        cluster: ClusterId(7),
        version: "3.5.30".into(),
        db_size: 4096,
        db_quota: None,
        leader: Some(id(0)),
        raft_index: 50,
        raft_applied: 50,
        raft_term: 2,
        revision: 9,
        learner: false,
        errors: Vec::new(),
        healthy: Known::Known(()),
    };
    let pod = |ordinal: i32| Pod {
        name: format!("rok-etcd-{ordinal}"),
        uid: format!("pod-{ordinal}"),
        ordinal,
        revision: "first".into(),
        phase: "Running".into(),
        ready: true,
        containers: vec![up()],
        ..Pod::default()
    };
    let claim = |ordinal: i32| Claim {
        name: format!("data-rok-etcd-{ordinal}"),
        terminating: false,
        uid: format!("claim-{ordinal}"),
        phase: "Bound".into(),
        volume: None,
        storage_class: None,
        created: "2026-01-01T00:00:00Z".into(),
    };
    Observation {
        pods: (0..size).map(pod).collect(),
        claims: Known::Known((0..size).map(claim).collect()),
        volumes: Known::Known(Vec::new()),
        storage_classes: Known::Known(vec![storage_class()]),
        service: Known::Known(Some(Service {
            name: "rok-etcd-cluster".into(),
            headless: true,
            publish_not_ready: true,
            selector: labels,
        })),
        nodes: Known::Known(Vec::new()),
        members: Known::Known(Members { cluster: ClusterId(7), by_quorum: true, list: members.collect() }),
        statuses: (0..size).map(|ordinal| (format!("rok-etcd-{ordinal}"), Known::Known(status(ordinal)))).collect(),
        via: Via::default(),
        alarms: Known::Known(Vec::new()),
        lock: Known::Known(None),
        delivering: None,
        answers: Vec::new(),
        statefulset,
    }
}

fn storage_class() -> StorageClass {
    StorageClass { name: "standard".into(), provisioner: "example.org/disks".into(), default: true }
}

fn up() -> ContainerState {
    ContainerState { name: "etcd".into(), running: true, ready: true, ..ContainerState::default() }
}

/// The same with a start script that adds its own pod, and all that etcd is told in variables.
pub(super) fn self_joining(size: i32) -> Observation {
    let mut observation = rok(size);
    let peers: Vec<_> =
        (0..size).map(|n| format!("rok-etcd-{n}=http://rok-etcd-{n}.rok-etcd-cluster.rok:2380")).collect();
    let container = &mut observation.statefulset.template.containers[0];
    container.args = vec!["etcdctl member add \"$ETCD_NAME\" || true\nexec etcd\n".into()];
    let told = [
        ("ETCD_INITIAL_CLUSTER", peers.join(",")),
        ("ETCD_INITIAL_CLUSTER_STATE", "new".to_owned()),
        ("ETCD_NAME", "$(POD_NAME)".to_owned()),
        ("ETCD_DATA_DIR", "/data/etcd".to_owned()),
        ("ETCD_INITIAL_ADVERTISE_PEER_URLS", "http://$(POD_NAME).rok-etcd-cluster.rok:2380".to_owned()),
        ("ETCD_LISTEN_PEER_URLS", "http://0.0.0.0:2380".to_owned()),
        ("ETCD_LISTEN_CLIENT_URLS", "http://0.0.0.0:2379".to_owned()),
        ("ETCD_ADVERTISE_CLIENT_URLS", "http://$(POD_NAME).rok-etcd-cluster.rok:2379".to_owned()),
    ];
    container.env =
        told.into_iter().map(|(name, value)| EnvVar { name: name.into(), source: EnvSource::Literal(value) }).collect();
    observation
}

/// The same, made from a deployment repository that has nothing to say of a third member yet, and the way through it.
pub(super) fn by_commit(size: i32, delivery: Delivery) -> (Observation, GitOps) {
    let mut observation = rok(size);
    let env = |size: i32, state: &str| {
        json!([
            {"name": "ETCDCTL_API", "value": "3"},
            {"name": "ETCD_CLUSTER_SIZE", "value": size.to_string()},
            {"name": "ETCD_INITIAL_CLUSTER_STATE", "value": state},
        ])
    };
    let spec = |replicas: i32, state: &str| {
        let containers = json!([{"name": "etcd", "image": "etcd:3.5", "env": env(replicas, state)}]);
        json!({"replicas": replicas, "template": {"spec": {"containers": containers}}})
    };
    let mut stands = spec(size, "new");
    stands["updateStrategy"] = observation.statefulset.strategy.clone();
    stands["template"]["spec"]["dnsPolicy"] = json!("ClusterFirst");
    observation.statefulset.spec = stands;
    let file = |name: &str, from: &str, to: &str| FileEdit {
        path: format!("rok/etcd/patches/{name}.yaml"),
        from: Some(from.to_owned()),
        to: to.to_owned(),
    };
    let sized = |size: i32| format!("- op: replace\n  path: /spec/replicas\n  value: {size}\n");
    let deployment = Deployment {
        branch: "main".into(),
        files: vec![
            file("cluster-size", &sized(size), &sized(size + 1)),
            file("cluster-state", "value: new\n", "value: existing\n"),
        ],
        spec: spec(size + 1, "existing"),
        ..Deployment::default()
    };
    let answer = Answer::Deployment(Known::Known(Box::new(deployment)));
    observation.answers.push((Question::Deployment { to: size + 1 }, answer));
    (observation, GitOps { overlay: "rok/etcd".into(), delivery, push: false })
}

/// The command of the guide.
pub(super) fn rok_deploy() -> Delivery {
    Delivery::Command(["rok-deploy", "--apply", "rok/etcd"].map(str::to_owned).to_vec())
}

/// The same with another update strategy.
pub(super) fn with_strategy(size: i32, strategy: Value) -> Observation {
    let mut observation = rok(size);
    observation.statefulset.strategy = strategy;
    observation
}

/// What precheck says in the end, its looks answered as a plan would assume.
pub(super) fn prechecked(mut observation: Observation, goal: &Goal) -> Verdict {
    loop {
        match Precheck.judge(&observation, goal, &Trail::default()) {
            Verdict::Look(question) => {
                let answer = question.assumed(&observation);
                observation.answers.push((question, answer));
            }
            verdict => return verdict,
        }
    }
}

/// What precheck finds for a request, refused or not.
pub(super) fn found(observation: Observation, request: &Request) -> Vec<Finding> {
    let goal = Goal::resolve(request, &observation).expect("a goal");
    match prechecked(observation, &goal) {
        Verdict::Refuse(refusal) => refusal.findings,
        Verdict::Done(done) => done.findings,
        other => panic!("{other:?}"),
    }
}

/// `up --to N`, by run `run`.
pub(super) fn up_to(to: i32, run: &str) -> Request {
    Request {
        verb: Verb::Up,
        to: Some(to),
        by: None,
        replacement: None,
        claims: None,
        rollout: None,
        hash: None,
        deep: false,
        size_env: None,
        join: JoinChoice::Auto,
        snapshot: SnapshotChoice::In(PathBuf::from(".")),
        ignore_reconciler: false,
        ignore_diskpools: false,
        volume_template: None,
        gitops: None,
        timeout: Duration::from_secs(600),
        pause_before: None,
        run: run.to_owned(),
        operator: "op@host".to_owned(),
        started: "2026-01-01T00:00:00.5Z".to_owned(),
    }
}

/// The same on volumes made by hand, with the list of peers in the template: Puls8's.
pub(super) fn by_hand(size: i32) -> Observation {
    let mut observation = rok(size);
    let set = &mut observation.statefulset;
    set.claim_templates[0].storage_class = Some("manual".into());
    let container = &mut set.template.containers[0];
    container.command = vec!["etcd".into()];
    container.args = Vec::new();
    container.env[1] = EnvVar {
        name: "ETCD_INITIAL_CLUSTER".into(),
        source: EnvSource::Literal((0..size).map(peer).collect::<Vec<_>>().join(",\n  ")),
    };
    container.env.push(EnvVar { name: "ETCD_DATA_DIR".into(), source: EnvSource::Literal("/data/etcd".into()) });
    for (ordinal, claim) in (0..).zip(observation.claims.known_mut().unwrap()) {
        claim.volume = Some(format!("etcd-volume-{ordinal}"));
        claim.storage_class = Some("manual".into());
    }
    observation.storage_classes = Known::Known(vec![StorageClass {
        name: "manual".into(),
        provisioner: "kubernetes.io/no-provisioner".into(),
        default: false,
    }]);
    observation.volumes = Known::Known((0..size).map(volume).collect());
    observation.nodes = Known::Known((0..=size).map(node).collect());
    for pod in &mut observation.pods {
        pod.node = Some(format!("node-{}", pod.ordinal));
    }
    observation
}

/// The same with a second volume in each pod, for the write-ahead log.
pub(super) fn with_wal(mut observation: Observation) -> Observation {
    let set = &mut observation.statefulset;
    set.claim_templates.push(ClaimTemplate { name: "wal".into(), storage_class: Some("manual".into()) });
    let container = &mut set.template.containers[0];
    container.mounts.push(Mount { volume: "wal".into(), path: "/wal".into(), ..Mount::default() });
    container.env.push(EnvVar { name: "ETCD_WAL_DIR".into(), source: EnvSource::Literal("/wal/etcd".into()) });
    let claims = observation.claims.known_mut().unwrap();
    let second = claims.clone().into_iter().map(|claim| Claim {
        name: claim.name.replace("data-", "wal-"),
        uid: format!("wal-{}", claim.uid),
        volume: claim.volume.map(|volume| volume.replace("volume", "wal")),
        ..claim
    });
    claims.extend(second.collect::<Vec<_>>());
    let volumes = observation.volumes.known_mut().unwrap();
    let second = volumes.clone().into_iter().map(|mut volume| {
        volume.name = volume.name.replace("volume", "wal");
        volume.claim = volume.claim.map(|(namespace, claim)| (namespace, claim.replace("data-", "wal-")));
        let path = volume.spec["hostPath"]["path"].as_str().unwrap().replace("/etcd/", "/wal/");
        volume.spec["hostPath"]["path"] = json!(path);
        volume
    });
    volumes.extend(second.collect::<Vec<_>>());
    observation
}

/// A member's entry in the list of peers.
pub(super) fn peer(ordinal: i32) -> String {
    format!("rok-etcd-{ordinal}=http://rok-etcd-{ordinal}.rok-etcd-cluster.rok:2380")
}

/// The volume of an ordinal, as in the guide.
fn volume(ordinal: i32) -> Volume {
    Volume {
        uid: String::new(),
        name: format!("etcd-volume-{ordinal}"),
        phase: "Bound".into(),
        capacity: "2Gi".into(),
        claim: Some(("rok".into(), format!("data-rok-etcd-{ordinal}"))),
        provisioner: None,
        labels: BTreeMap::from([
            ("app.kubernetes.io/managed-by".to_owned(), "Helm".to_owned()),
            ("statefulset.kubernetes.io/pod-name".to_owned(), format!("rok-etcd-{ordinal}")),
        ]),
        annotations: BTreeMap::from([
            ("meta.helm.sh/release-name".to_owned(), "puls8".to_owned()),
            ("pv.kubernetes.io/bound-by-controller".to_owned(), "yes".to_owned()),
        ]),
        spec: json!({
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "2Gi"},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "rok", "name": "x", "uid": "5f0e1d2c"},
            "hostPath": {"path": format!("/var/local/puls8/etcd/pod-{ordinal}"), "type": ""},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "manual",
            "volumeMode": "Filesystem",
        }),
    }
}

fn node(number: i32) -> Node {
    let name = format!("node-{number}");
    let labels = BTreeMap::from([("kubernetes.io/hostname".to_owned(), name.clone())]);
    Node { name, labels, schedulable: true, taints: Vec::new() }
}
