//! The node with real processes. Its mounts need a process of their own, so the test runs itself again as one: as root,
//! or as root of a user namespace.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Node, Settings, isolate};
use crate::sandbox::kinds;
use crate::sandbox::registry::{Deletion, Part, Registry};

const NAMESPACE: &str = "here";
/// Tells the second process that it is that, and where to write.
const DIRECTORY: &str = "SANDBOX_NODE_TEST_DIRECTORY";
/// Longer than any machine needs; only a broken test waits for so long.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
#[ignore = "not a test: the second stage of containers, which the node runs in the test below"]
fn stage() {
    if std::env::var_os("PATH").is_none() {
        super::stage::become_container();
    }
}

/// This test's program again, with one of its tests, as root of something.
fn again(test: &str, directory: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--kill-child", "--fork"]).arg(program);
        command
    };
    command.args(["--exact", &format!("sandbox::node::tests::{test}"), "--ignored", "--nocapture"]);
    command.env(DIRECTORY, directory).stdout(Stdio::piped()).spawn().unwrap()
}

fn has_etcd() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("etcd").is_file())
}

#[test]
fn three_pods_form_a_cluster_and_do_as_they_are_told() {
    if !has_etcd() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let child = again("cluster", directory.path());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_killed_server_leaves_nothing() {
    if !has_etcd() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = again("parked", directory.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("pids ")).expect("no pods");
    let pids: Vec<u32> = line.split_whitespace().skip(1).map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 4, "the server and its three pods: {line}");
    let handles: Vec<_> = pids
        .iter()
        .map(|pid| {
            let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
        })
        .collect();
    rustix::process::pidfd_send_signal(&handles[0], rustix::process::Signal::KILL).unwrap();
    child.wait().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for handle in handles {
            // It is no pipe, but is waited for like one.
            let handle = tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(handle).unwrap();
            tokio::time::timeout(PATIENCE, handle.readable()).await.expect("a process is left").unwrap();
        }
    });
    let left: Vec<_> = std::fs::read_dir(directory.path().join("mem")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A cluster in this process, or none where this is not the process for it.
fn with_cluster<F: Future<Output = ()>>(test: impl FnOnce(Cluster) -> F) {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    isolate(directory).unwrap();
    // Its threads come from this thread, and so are where this one is.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = Arc::new(Registry::new());
        let settings = Settings { directory: directory.to_owned(), ..Settings::default() };
        let node = Node::start(Arc::clone(&registry), settings).await.unwrap();
        let cluster = Cluster { registry, node };
        cluster.prepare();
        test(cluster).await;
    });
}

#[test]
#[ignore = "a part of the test above"]
fn parked() {
    with_cluster(async |cluster| {
        for ordinal in 0..3 {
            cluster.bind(pod(ordinal));
        }
        let mut pids = vec![std::process::id()];
        for ordinal in 0..3 {
            let name = format!("etcd-{ordinal}");
            cluster.until(&name, is_ready).await;
            let pod = cluster.node.pod(NAMESPACE, &name).unwrap();
            pids.push(pod.main()[0].running().unwrap().process.pid);
        }
        let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
        // The harness has begun a line of its own.
        writeln!(std::io::stdout(), "\npids {}", pids.join(" ")).unwrap();
        std::future::pending::<()>().await;
    });
}

#[test]
#[ignore = "a part of the test above"]
fn cluster() {
    with_cluster(async |cluster| {
        for ordinal in 0..3 {
            cluster.bind(pod(ordinal));
        }
        for ordinal in 0..3 {
            cluster
                .until(&format!("etcd-{ordinal}"), |pod| {
                    !pod["status"]["containerStatuses"][0]["state"]["running"].is_null()
                })
                .await;
        }
        for ordinal in 0..3 {
            cluster.until(&format!("etcd-{ordinal}"), is_ready).await;
        }
        streams(&cluster).await;
        faults(&cluster).await;
        ends(&cluster).await;
        troubles(&cluster).await;
        cluster.node.stop().await;
    });
}

async fn streams(cluster: &Cluster) {
    let (code, output) = cluster.run("etcd-0", "etcdctl member list", "").await;
    assert_eq!((code, output.matches("started").count()), (0, 3), "{output}");
    // The namespaces are the container's, and its environment.
    let (_, output) =
        cluster.run("etcd-0", "echo $$ $ETCD_NAME $(hostname) $(cat); ls /proc/1/exe -l; exit 7", "in").await;
    assert!(output.contains("etcd-0 etcd-0 in") && output.contains("/usr/local/bin/etcd"), "{output}");
    assert_eq!(cluster.run("etcd-0", "exit 7", "").await.0, 7);
    let (_, output) = cluster.run("etcd-0", "touch /usr/x; ls -d /home/* /work; cat /etc/hosts", "").await;
    assert!(output.contains("etcd-2.svc.here.svc.cluster.local"), "{output}");
    assert!(output.contains("Read-only"), "{output}");
    let command = ["nosuchthing".to_owned()];
    let error = cluster.node.exec(NAMESPACE, "etcd-0", None, &command, false, false).await.err().unwrap();
    assert!(error.message.ends_with("exec: \"nosuchthing\": executable file not found in $PATH: unknown"), "{error:?}");

    let mut stream = cluster.node.dial(NAMESPACE, "etcd-1", 2379).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"health\""), "{answer}");
    let error = cluster.node.dial(NAMESPACE, "etcd-1", 99).await.unwrap_err();
    assert!(error.message.ends_with("dial tcp4 127.0.0.1:99: connect: connection refused"), "{error:?}");

    let text = std::fs::read_to_string(cluster.node.log(NAMESPACE, "etcd-2", None, false).unwrap().path).unwrap();
    assert!(text.contains("etcd"), "{text}");
    let error = cluster.node.log(NAMESPACE, "etcd-2", None, true).unwrap_err();
    assert_eq!(error.message, "previous terminated container \"etcd\" in pod \"etcd-2\" not found");
}

async fn faults(cluster: &Cluster) {
    cluster.node.freeze(NAMESPACE, "etcd-2").unwrap();
    cluster.until("etcd-2", |pod| !is_ready(pod)).await;
    cluster.node.thaw(NAMESPACE, "etcd-2").unwrap();
    cluster.until("etcd-2", is_ready).await;
    // Alone it has no quorum, so it is not healthy.
    cluster.node.cut(NAMESPACE, "etcd-2").await.unwrap();
    cluster.until("etcd-2", |pod| !is_ready(pod)).await;
    assert!(cluster.node.dial(NAMESPACE, "etcd-2", 2379).await.is_ok());
    cluster.node.mend(NAMESPACE, "etcd-2").await.unwrap();
    cluster.until("etcd-2", is_ready).await;
    cluster.node.kill(NAMESPACE, "etcd-2", None).unwrap();
    let pod = cluster
        .until("etcd-2", |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1 && is_ready(pod))
        .await;
    assert_eq!(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 137);
    assert!(cluster.node.log(NAMESPACE, "etcd-2", None, true).is_ok());
}

async fn ends(cluster: &Cluster) {
    // What comes back has its data, and another address.
    let before = cluster.registry.get(kinds::PODS, NAMESPACE, "etcd-2").unwrap();
    let process = |name: &str| cluster.node.pod(NAMESPACE, name).unwrap().main()[0].running().unwrap();
    let old = process("etcd-2");
    cluster.registry.delete(kinds::PODS, NAMESPACE, "etcd-2", &Deletion::default()).unwrap();
    cluster.until_gone("etcd-2").await;
    assert_eq!(old.process.exit(), Some(0), "etcd ends well when it is asked to");
    cluster.bind(pod(2));
    let after = cluster.until("etcd-2", is_ready).await;
    assert_ne!(after["status"]["podIP"], before["status"]["podIP"]);
    let (_, output) = cluster.run("etcd-2", "etcdctl member list", "").await;
    assert_eq!(output.matches("started").count(), 3, "{output}");
    // Without grace, and another in its place at once.
    let old = process("etcd-2");
    let now = Deletion { grace: Some(0), ..Deletion::default() };
    cluster.registry.delete(kinds::PODS, NAMESPACE, "etcd-2", &now).unwrap();
    cluster.bind(pod(2));
    assert_eq!(tokio::time::timeout(PATIENCE, old.process.exited()).await.unwrap(), 137);
    cluster.until("etcd-2", is_ready).await;
    let (events, _) = cluster.registry.list(kinds::EVENTS, Some(NAMESPACE));
    let told = |reason: &str, message: &str| {
        let mut same = events.iter().filter(|event| event["reason"] == reason);
        assert!(same.any(|event| event["message"].as_str().unwrap().starts_with(message)), "{reason}: {message}");
    };
    told("Pulled", "Container image \"etcd:3\" already present on machine");
    told("Created", "Created container etcd");
    told("Started", "Started container etcd");
    told("Unhealthy", "Readiness probe failed: ");
    told("Killing", "Stopping container etcd");
}

/// What cannot start, and what does not stay.
async fn troubles(cluster: &Cluster) {
    let pod = |name: &str, container: Value| {
        let mut pod = json!({"metadata": {"name": name}, "spec": {"nodeName": super::NAME, "containers": [container]}});
        pod["spec"]["containers"][0]["name"] = json!("a");
        pod["spec"]["terminationGracePeriodSeconds"] = json!(1);
        pod
    };
    let waits = |reason: &'static str| {
        move |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
    };
    cluster.bind(pod("crash", json!({"command": ["sh", "-c", "echo here; exit 3"]})));
    cluster.bind(pod(
        "config",
        json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]}),
    ));
    cluster.bind(pod("image", json!({"image": "registry.invalid/etcd:1"})));
    cluster.bind(pod("command", json!({"command": ["nosuchthing"]})));
    let mut mounting =
        pod("volume", json!({"command": ["sleep", "1000"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
    mounting["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "m"}}]);
    cluster.bind(mounting);
    let probe = json!({"tcpSocket": {"port": 99}, "periodSeconds": 1, "failureThreshold": 1});
    let mut living = pod("alive", json!({"command": ["sleep", "1000"], "livenessProbe": probe}));
    living["spec"]["initContainers"] = json!([{"name": "i", "command": ["sh", "-c", "exit 0"]}]);
    cluster.bind(living);

    let crashed = cluster.until("crash", waits("CrashLoopBackOff")).await;
    let status = &crashed["status"]["containerStatuses"][0];
    let message = status["state"]["waiting"]["message"].as_str().unwrap();
    assert!(message.starts_with("back-off 10s restarting failed container=a pod=crash_here("), "{message}");
    assert_eq!((&status["lastState"]["terminated"]["exitCode"], &status["restartCount"]), (&json!(3), &json!(1)));
    let text = std::fs::read_to_string(cluster.node.log(NAMESPACE, "crash", None, true).unwrap().path).unwrap();
    assert!(text.contains("here"), "{text}");
    cluster.until("image", waits("ErrImagePull")).await;
    let commanded = cluster.until("command", waits("CrashLoopBackOff")).await;
    let last = &commanded["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(128), &json!("StartError")));
    let killed = cluster.until("alive", |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1).await;
    assert_eq!(killed["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"], "Completed");

    let config = cluster.until("config", waits("CreateContainerConfigError")).await;
    assert_eq!(config["status"]["containerStatuses"][0]["state"]["waiting"]["message"], "configmap \"m\" not found");
    cluster.until("volume", waits("ContainerCreating")).await;
    let map = json!({"metadata": {"name": "m"}, "data": {"k": "v"}});
    cluster.registry.create(kinds::CONFIG_MAPS, NAMESPACE, map, false).unwrap();
    cluster.until("volume", is_ready).await;
    assert_eq!(cluster.run("volume", "cat /v/k", "").await, (0, "v".to_owned()));
    cluster.until("config", |pod| !waits("CreateContainerConfigError")(pod)).await;
    for name in ["crash", "config", "image", "command", "volume", "alive"] {
        cluster.registry.delete(kinds::PODS, NAMESPACE, name, &Deletion::default()).unwrap();
        cluster.until_gone(name).await;
    }
}

struct Cluster {
    registry: Arc<Registry>,
    node: Node,
}

impl Cluster {
    fn prepare(&self) {
        self.registry.create(kinds::NAMESPACES, "", json!({"metadata": {"name": NAMESPACE}}), false).unwrap();
        let service = json!({
            "metadata": {"name": "svc"},
            "spec": {"clusterIP": "None", "publishNotReadyAddresses": true, "selector": {"app": "etcd"}},
        });
        self.registry.create(kinds::SERVICES, NAMESPACE, service, false).unwrap();
        for ordinal in 0..3 {
            let volume = json!({"metadata": {"name": format!("pv-{ordinal}")}, "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                "csi": {"driver": "none", "volumeHandle": format!("pv-{ordinal}")},
            }});
            self.registry.create(kinds::VOLUMES, "", volume, false).unwrap();
            let claim = json!({"metadata": {"name": format!("data-{ordinal}")}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                "volumeName": format!("pv-{ordinal}"),
            }});
            self.registry.create(kinds::CLAIMS, NAMESPACE, claim, false).unwrap();
            let bound = self.registry.update(
                kinds::CLAIMS,
                NAMESPACE,
                &format!("data-{ordinal}"),
                Part::Status,
                false,
                |claim| {
                    claim["status"] = json!({"phase": "Bound"});
                    Ok(())
                },
            );
            bound.unwrap();
        }
    }

    fn bind(&self, mut pod: Value) {
        for list in ["containers", "initContainers"] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                container["image"] = container.get("image").cloned().unwrap_or_else(|| json!("etcd"));
            }
        }
        self.registry.create(kinds::PODS, NAMESPACE, pod, false).unwrap();
    }

    async fn until(&self, name: &str, holds: impl Fn(&Value) -> bool) -> Arc<Value> {
        let mut watch = self.registry.watch(0);
        let wait = async {
            loop {
                if let Ok(pod) = self.registry.get(kinds::PODS, NAMESPACE, name)
                    && holds(&pod)
                {
                    return pod;
                }
                watch.next().await.unwrap();
            }
        };
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| {
            let pod = self.registry.get(kinds::PODS, NAMESPACE, name);
            let log = self.node.log(NAMESPACE, name, None, false);
            let text = log.map(|log| std::fs::read_to_string(log.path).unwrap()).unwrap_or_default();
            panic!("{name}: {pod:#?}\n{text}")
        })
    }

    async fn until_gone(&self, name: &str) {
        let mut watch = self.registry.watch(0);
        let wait = async {
            while self.registry.get(kinds::PODS, NAMESPACE, name).is_ok() {
                watch.next().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the pod is still there");
    }

    async fn run(&self, pod: &str, script: &str, input: &str) -> (i32, String) {
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut exec = self.node.exec(NAMESPACE, pod, None, &command, true, false).await.unwrap();
        let mut stdin = exec.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let (mut output, mut errors) = (String::new(), String::new());
        exec.stdout.read_to_string(&mut output).await.unwrap();
        exec.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        (exec.exited().await, output + &errors)
    }
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn pod(ordinal: u32) -> Value {
    let name = format!("etcd-{ordinal}");
    let peers: Vec<_> =
        (0..3).map(|other| format!("etcd-{other}=http://etcd-{other}.svc.here.svc.cluster.local:2380")).collect();
    json!({
        "metadata": {"name": name, "labels": {"app": "etcd"}},
        "spec": {
            "nodeName": super::NAME, "hostname": name, "subdomain": "svc", "terminationGracePeriodSeconds": 60,
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{ordinal}")}}],
            "containers": [{
                "name": "etcd", "image": "etcd:3",
                "command": ["etcd"],
                "env": [
                    {"name": "ETCDCTL_API", "value": "3"},
                    {"name": "ETCD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "ETCD_DATA_DIR", "value": "/var/lib/etcd/data"},
                    {"name": "ETCD_LISTEN_PEER_URLS", "value": "http://0.0.0.0:2380"},
                    {"name": "ETCD_LISTEN_CLIENT_URLS", "value": "http://0.0.0.0:2379"},
                    {"name": "ETCD_ADVERTISE_CLIENT_URLS", "value": "http://$(ETCD_NAME).svc.here:2379"},
                    {"name": "ETCD_INITIAL_ADVERTISE_PEER_URLS",
                     "value": "http://$(ETCD_NAME).svc.here.svc.cluster.local:2380"},
                    {"name": "ETCD_INITIAL_CLUSTER", "value": peers.join(",")},
                ],
                "readinessProbe": {
                    "exec": {"command": ["etcdctl", "endpoint", "health"]},
                    "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 2,
                },
                "volumeMounts": [{"name": "data", "mountPath": "/var/lib/etcd"}],
            }],
        },
    })
}
