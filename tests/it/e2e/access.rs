//! Ways to etcd: by port-forward, exec and directly, over TLS and with a password.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Cluster, Ended, Image, Manifest, Pem, Secured, eventually, list};

const ROOT: &str = "root:a secret: of its own";

/// Passwords that are checked in no time: what each check would cost tells nothing here.
const CHEAP: &str = "--bcrypt-cost=4";

/// How soon an answer to a wrong credential has to come.
const SOON: Duration = Duration::from_secs(5);

fn secured() -> Secured {
    Secured { peers: true, ..Secured::default() }
}

/// Waits until etcd serves: over TLS its readiness says only that it runs.
fn serves(cluster: &Cluster) {
    eventually("a quorum", || cluster.try_exec("etcd-0", &["etcdctl", "endpoint", "health"]));
}

/// etcd over TLS that asks for a password.
fn guarded(test: &str) -> Cluster {
    let cluster = Manifest::new().secured(secured()).user(ROOT).flags(CHEAP).start(test);
    serves(&cluster);
    cluster.exec("etcd-0", &["etcdctl", "user", "add", ROOT]);
    cluster.exec("etcd-0", &["etcdctl", "user", "add", "reader:reads"]);
    cluster.exec("etcd-0", &["etcdctl", "user", "grant-role", "root", "root"]);
    cluster.exec("etcd-0", &["etcdctl", "auth", "enable"]);
    cluster
}

/// Whether the pods may be reached from here: the sandbox's never are.
fn reachable(cluster: &Cluster) -> bool {
    let sandbox = list(&["node"], "", "").iter().any(|node| node["metadata"]["name"] == "sandbox");
    let address = cluster.pods()[0]["status"]["podIP"].as_str().expect("an address").to_owned();
    let address = format!("{address}:2379").parse().expect("an address");
    !sandbox && TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// All verbs, in one way. What cannot be streamed is refused with that.
fn all_verbs(cluster: &Cluster, way: &str, options: &[&str]) {
    let run = |words: &[&str]| cluster.run(&[words, &["--via", way], options].concat());
    let streams = way != "exec";
    let strategy = cluster.strategy();

    let status = run(&["status", "-o", "json"]).exits(0).document();
    assert_eq!(status["quorum"], true, "{status:#}");
    run(&["check"]).exits(if streams { 0 } else { 3 }).says(&format!("the members are asked by {way}"));
    run(&["verify", "--hash", "all"]).exits(0).says("key-value hashes equal");
    let file = format!("{way}.db");
    let saved = run(&["snapshot", &file]);
    if streams {
        saved.exits(0);
        assert!(fs::metadata(cluster.desk().join(&file)).is_ok());
        run(&["verify", "--deep", "--hash", "none"]).exits(0).says("keys");
    } else {
        saved.exits(3).says("nothing can be streamed").says("--via port-forward");
        run(&["verify", "--deep", "--hash", "none"]).exits(1).says("cannot stream them");
        run(&["up", "--yes"]).exits(3).says("cannot stream a snapshot").says("--no-snapshot");
    }
    let snapshot: &[&str] = if streams { &[] } else { &["--no-snapshot"] };
    run(&[&["up", "--yes", "--rollout", "defer"], snapshot].concat()).exits(0);
    run(&["settle", "--yes"]).exits(0);
    cluster.has_grown(3, &strategy);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn by_port_forward_with_tls_and_password() {
    all_verbs(&guarded("forward"), "port-forward", &["--user", ROOT]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn by_exec_with_tls_and_password() {
    all_verbs(&guarded("exec"), "exec", &["--user", ROOT]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn directly_with_tls_and_password() {
    let cluster = guarded("direct");
    if !reachable(&cluster) {
        // That nobody can be reached is no word about the quorum.
        let status = cluster.run(&["status", "--via", "direct", "--user", ROOT]);
        status.exits(0).says("quorum unknown").says("try another --via").never_says("no quorum");
        return;
    }
    all_verbs(&cluster, "direct", &["--user", ROOT]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn by_exec_without_tls() {
    all_verbs(&Manifest::new().start("exec-plain"), "exec", &[]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn by_exec_with_a_newer_etcdctl() {
    let Some(image) = Image::newer() else { return };
    all_verbs(&Manifest::new().image(image).start("exec-newer"), "exec", &[]);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn exec_is_taken_where_port_forward_is_not_permitted() {
    let cluster = Manifest::new().start("auto");
    let user = format!("system:serviceaccount:{}:default", cluster.name());
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    crate::harness::create(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "operator", "namespace": cluster.name()},
            "rules": [
                rule("", &["pods", "services", "persistentvolumeclaims"], &["get", "list", "watch"]),
                rule("", &["pods/exec"], &["get", "create"]),
                rule("apps", &["statefulsets"], &["get", "list", "watch"]),
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "operator", "namespace": cluster.name()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": cluster.name()}],
        },
    ]}));

    let check = cluster.run(&["check", "--as", &user, "-o", "json"]).exits(3).document();
    let findings = check["findings"].as_array().cloned().unwrap_or_default();
    let via = findings.iter().find(|finding| finding["id"] == "via").expect("the way");
    assert!(via["found"].as_str().is_some_and(|found| found.contains("asked by exec")), "{via}");
}

/// A refusal that came soon, in one sentence and without the password.
fn refused_soon(cluster: &Cluster, options: &[&str], sentence: &str) -> Ended {
    let began = Instant::now();
    let way: &[&str] = if options.contains(&"--via") { &["--no-snapshot"] } else { &["--via", "port-forward"] };
    let ended = cluster.run(&[&["check"], way, options].concat());
    assert!(began.elapsed() < SOON, "{:?}\n{ended}", began.elapsed());
    ended.exits(3).says(sentence).never_says("a secret");
    ended
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_wrong_password() {
    let cluster = guarded("password");
    refused_soon(&cluster, &["--user", "root:a secret guess"], "authentication failed");
    refused_soon(&cluster, &["--user", "root:a secret guess", "--via", "exec"], "authentication failed");
    refused_soon(&cluster, &["--user", "root"], "no password was given for etcd's user root");
    refused_soon(&cluster, &["--user", "reader:reads"], "lets this run change no members").says("permission denied");
    refused_soon(&cluster, &[], "lets this run change no members").says("--user");
    let set = cluster.program(&["check", "--via", "port-forward"]).variable("ETCDCTL_USER", ROOT);
    set.run().exits(0).never_says("a secret");
    // By exec the password goes to etcdctl's own question, along a way whose library logs every byte.
    let all = cluster.program(&["status", "--via", "exec", "--user", ROOT]).variable("ETCD_SCALE_LOG", "trace");
    let logged = all.into_command().output().expect("it runs").stderr;
    let logged = String::from_utf8(logged).expect("it is text");
    assert!(logged.contains("TRACE hyper") && !logged.contains(" tungstenite"), "{logged}");
    assert!(!logged.contains('\u{1b}'), "no colours where there is no terminal: {logged}");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_wrong_certificate() {
    let cluster = Manifest::new().secured(secured()).start("wrong-cert");
    serves(&cluster);
    let other = Pem::of(&secured(), cluster.name());
    for (name, text) in [("ca.crt", &other.ca), ("tls.crt", &other.cert), ("tls.key", &other.key)] {
        fs::write(cluster.desk().join(name), text).expect("the desk is there");
    }
    refused_soon(&cluster, &["--cacert", "ca.crt"], "is not signed by the authority that was given");
    refused_soon(&cluster, &["--cert", "tls.crt", "--key", "tls.key"], "refuses the client's certificate");
    refused_soon(&cluster, &["--cacert", "tls.key"], "has no certificate in it");
    refused_soon(&cluster, &["--cacert", "nowhere"], "cannot read nowhere");
    cluster.run(&["check", "--via", "port-forward"]).exits(0).says("they name the new member");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn an_expired_certificate() {
    let expired = Secured { expired: true, ..Secured::default() };
    let cluster = Manifest::new().secured(expired).start("expired");
    // By its date, and in the words of the handshake where there was time for one.
    refused_soon(&cluster, &[], "expired");
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_certificate_that_does_not_name_the_new_member() {
    let names = vec!["etcd-0".to_owned(), "etcd-1".to_owned()];
    let cluster = Manifest::new().secured(Secured { names, ..secured() }).start("unnamed");
    serves(&cluster);
    refused_soon(&cluster, &[], "does not name the new member's host etcd-2.etcd-peers");
    let before = cluster.standing();
    cluster.run(&["up", "--yes"]).exits(3).says("the certificate between members");
    assert!(cluster.standing() == before);
}
