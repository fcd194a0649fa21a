//! `status`, `check`, `verify` and `snapshot`: they look, and change nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::harness::{Launch, Manifest, ODD_KEY};

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn on_a_healthy_cluster() {
    let cluster = Manifest::new().of_the_guides().start("verbs");
    let versions = cluster.versions();
    let (leader, _) = cluster.leader();

    let status = cluster.run(&["status"]);
    status.exits(0).says("etcd-0").says("etcd-1").says("leader").says("stage at-rest").never_says("no quorum");
    assert!(!status.stdout.is_empty(), "what was asked for goes to standard output\n{status}");
    let document = cluster.run(&["status", "-o", "json"]).exits(0).document();
    assert_eq!(document["stage"], "at-rest", "{document:#}");
    assert_eq!(document["quorum"], true);
    assert_eq!(document["podsAskedFor"], 2);
    let ids: Vec<_> = cluster.members().iter().map(|member| json!(format!("{:x}", member.id))).collect();
    for member in document["members"].as_array().expect("members") {
        assert!(ids.contains(&member["memberId"]), "{document:#}");
        assert_eq!(member["role"], if member["pod"] == json!(leader) { "leader" } else { "voter" });
        assert_eq!(member["health"], "ok");
    }

    cluster.run(&["check"]).exits(0).says("Ready: ");
    let checked = cluster.run(&["check", "-o", "json"]).exits(0).document();
    assert_eq!(checked["outcome"], "done", "{checked:#}");
    assert!(checked["findings"].as_array().is_some_and(|findings| findings.len() > 5), "{checked:#}");

    cluster.run(&["verify"]).exits(0).says("Proved: ").says("key-value hashes equal");
    // The leader too, however long the others take. Keys are compared where they can be streamed.
    cluster
        .run(&["verify", "--deep", "--hash", "all", "--via", "port-forward"])
        .exits(0)
        .says("nothing is left to compare");
    let verified = cluster.run(&["verify", "-o", "json"]).exits(0).document();
    assert_eq!(verified["outcome"], "done", "{verified:#}");

    assert_eq!(cluster.versions(), versions);
    assert_eq!(fs::read_dir(cluster.desk()).unwrap().count(), 0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_hung_member_is_told() {
    let cluster = Manifest::new().launch(Launch::Child).start("verbs-hung");
    cluster.hang("etcd-1");

    // One of two is no quorum.
    cluster.run(&["status"]).exits(0).says("no answer").says("no quorum").says("etcd-0");
    let document = cluster.run(&["status", "-o", "json"]).exits(0).document();
    assert_eq!(document["quorum"], false, "{document:#}");
    let hung = document["members"].as_array().unwrap().iter().find(|member| member["pod"] == "etcd-1");
    assert_eq!(hung.expect("a row for the hung pod")["health"], "no answer", "{document:#}");
    cluster.run(&["check"]).exits(3).says("no quorum");
    cluster.run(&["verify"]).exits(1).says("no quorum");
    let failed = cluster.run(&["verify", "-o", "json"]).exits(1).document();
    assert_eq!(failed["exitCode"], 1, "{failed:#}");

    cluster.unhang("etcd-1");
    cluster.run(&["verify", "--timeout", "3m"]).exits(0);
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn a_snapshot_can_be_restored() {
    let cluster = Manifest::new().start("snapshot");
    cluster.exec("etcd-0", &["etcdctl", "put", "kept", "value"]);

    cluster.run(&["snapshot", "saved.db", "--via", "port-forward"]).exits(0).says("saved.db").says("sha256");

    let file = cluster.desk().join("saved.db");
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let saved = fs::read(&file).unwrap();
    let document = cluster.run(&["snapshot", "again.db", "-o", "json", "--via", "port-forward"]).exits(0).document();
    assert_eq!(document["bytes"], metadata.len(), "{document:#}");

    let refused = cluster.run(&["snapshot", "saved.db", "--via", "port-forward"]);
    refused.says("saved.db exists already");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), saved, "an existing file is left alone");
    cluster.run(&["snapshot", "no/such/directory.db", "--via", "port-forward"]).says("no/such");
    let mut left: Vec<_> = fs::read_dir(cluster.desk()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["again.db", "saved.db"], "no half file stays");

    // etcd's own tools, where they are installed here.
    let restored = cluster.desk().join("restored");
    for tool in ["etcdutl", "etcdctl"] {
        let mut command = Command::new(tool);
        command.env("ETCDCTL_API", "3").args(["snapshot", "restore"]).arg(&file).arg("--data-dir").arg(&restored);
        if let Ok(output) = command.output() {
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(restored.join("member/snap/db").is_file());
            break;
        }
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn the_key_that_differs_is_named() {
    let cluster = Manifest::new().replicas(3).with_odd_key(5000).start("verify-deep");

    // The leader too, however long the others take.
    let shallow = cluster.run(&["verify", "--hash", "all"]);
    shallow.exits(1).says("the members hold different data").says("--deep").never_says(ODD_KEY);

    let key = format!("\"{ODD_KEY}\"");
    let deep = cluster.run(&["verify", "--deep", "--hash", "all", "--via", "port-forward"]);
    deep.exits(1)
        .says("1 of 5000 keys on etcd-1 differ from those on")
        .says(&key)
        .says("different values (5 and 5 bytes)");
    deep.never_says("usual").never_says("other value");
    let told = cluster.run(&["verify", "--deep", "--hash", "all", "-o", "ndjson", "--via", "port-forward"]);
    let events = told.exits(1).says(&key).events();
    for kind in ["look-progress", "keys-compared"] {
        assert!(events.iter().any(|event| event.is(kind)), "no {kind}");
    }

    // Without hashes all members are compared with one, and the odd one is found all the same.
    let document =
        cluster.run(&["verify", "--deep", "--hash", "none", "-o", "json", "--via", "port-forward"]).exits(1).document();
    let comparisons = document["keyComparisons"].as_array().expect("comparisons");
    assert_eq!(comparisons.len(), 2, "{document:#}");
    let odd = |comparison: &&serde_json::Value| {
        comparison["reference"]["pod"] == "etcd-1" || comparison["other"]["pod"] == "etcd-1"
    };
    for comparison in comparisons {
        let (expected, comparison) = (u32::from(odd(&comparison)), &comparison["comparison"]);
        assert_eq!(comparison["compared"], 5000, "{document:#}");
        assert_eq!(comparison["differing"], expected, "{document:#}");
        if expected > 0 {
            assert_eq!(comparison["first"][0]["key"], ODD_KEY, "{document:#}");
        }
    }
}
