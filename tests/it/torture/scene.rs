//! What the runs are that meet trouble: a cluster, a command, and how it has to end.

use serde_json::{Value, json};

use super::blow::{begin, changes_of, end, user};
use crate::harness::{Cluster, Ended, Manifest, Peers, Program, eventually, try_get};

/// A cluster, a command, and its end.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    manifest: fn() -> Manifest,
    /// What has to be so before the command.
    arrange: fn(&Cluster),
    command: &'static [&'static str],
    /// How many members there are in the end.
    size: usize,
}

/// All of them: each verb that changes the membership, on Rok and on Puls8.
pub(super) const SCENES: &[Scene] = &[
    Scene { name: "up-rok", manifest: || rok(2), arrange: nothing, command: &["up", "--to", "3"], size: 3 },
    Scene { name: "up-puls8", manifest: || puls8(2), arrange: nothing, command: &["up", "--to", "3"], size: 3 },
    Scene {
        name: "down-rok",
        manifest: || rok(3),
        arrange: nothing,
        command: &["down", "--to", "2", "--claim", "delete"],
        size: 2,
    },
    Scene {
        name: "down-puls8",
        manifest: || puls8(3),
        arrange: nothing,
        command: &["down", "--to", "2", "--claim", "delete"],
        size: 2,
    },
    Scene { name: "replace-rok", manifest: || rok(3), arrange: emptied, command: &["replace", "etcd-1"], size: 3 },
    Scene { name: "replace-puls8", manifest: || puls8(3), arrange: emptied, command: &["replace", "etcd-1"], size: 3 },
    Scene {
        name: "abort-rok",
        manifest: || rok(2),
        arrange: half_way,
        command: &["abort", "--claim", "delete"],
        size: 2,
    },
    Scene {
        name: "abort-puls8",
        manifest: || puls8(2),
        arrange: half_way,
        command: &["abort", "--claim", "delete"],
        size: 2,
    },
];

fn rok(replicas: usize) -> Manifest {
    Manifest::new().replicas(replicas)
}

fn puls8(replicas: usize) -> Manifest {
    Manifest::new().replicas(replicas).peers(Peers::Variable).by_hand()
}

fn nothing(_: &Cluster) {}

fn emptied(cluster: &Cluster) {
    cluster.empty("etcd-1");
}

fn half_way(cluster: &Cluster) {
    cluster.run(&["up", "--yes", "--pause-before", "promote"]).exits(0);
}

/// Waits until etcd takes a new member. In its first seconds it does not, and a run would try again and again: most of what
/// trouble could meet were then the same change.
fn takes_members(cluster: &Cluster) {
    let etcdctl = |words: &[&str]| cluster.try_exec("etcd-0", &[&["etcdctl", "member"], words].concat());
    let added = ["add", "nobody", "--learner", "--peer-urls=http://nobody:2380", "-w", "json"];
    let said = eventually("etcd to take members", || etcdctl(&added));
    let said: Value = serde_json::from_str(&said).expect("etcdctl writes JSON");
    let id = said["member"]["ID"].as_u64().expect("a member id");
    etcdctl(&["remove", &format!("{id:x}")]).expect("a learner can be removed");
}

impl Scene {
    /// Sets it up in a namespace of its own.
    pub(super) fn set_up(&self) -> Cluster {
        let cluster = (self.manifest)().start(&format!("torture-{}", self.name));
        cluster.exec("etcd-0", &["etcdctl", "put", "before", "kept"]);
        takes_members(&cluster);
        (self.arrange)(&cluster);
        cluster
    }

    /// The command, as the user whom faults may meet.
    pub(super) fn program(&self, cluster: &Cluster) -> Program {
        let user = user(cluster);
        let more = ["--yes", "-o", "ndjson", "--as", &user, "--as-group", "system:masters"];
        cluster.program(&[self.command, &more].concat())
    }

    /// How many changes a run makes that meets no trouble.
    pub(super) fn changes(&self) -> u64 {
        const MANY: u64 = 1_000_000;
        let cluster = self.set_up();
        begin(&cluster, "count", &json!({"answer": changes_of(&cluster, &json!({"skip": MANY}))}));
        self.program(&cluster).run().exits(0);
        let count = try_get("fault", "count", cluster.name()).expect("it stands until it is ended");
        end(&cluster, "count");
        self.is_reached(&cluster, 0);
        MANY - count["spec"]["answer"]["skip"].as_u64().expect("a number")
    }

    /// Whether a run has the right to end so: at its goal, or with a way out.
    #[track_caller]
    pub(super) fn may_end(ended: &Ended) {
        match ended.code {
            // Killed, or there.
            None | Some(0) => {}
            // Stopped half-way or before the first change; what stands in the way is named.
            Some(1 | 3 | 6) => assert!(ended.stderr.contains("->") || ended.stderr.contains("etcd-scale "), "{ended}"),
            Some(_) => panic!("neither the goal nor a way out\n{ended}"),
        }
    }

    /// The run that comes last, which nothing disturbs.
    pub(super) fn finish(&self, cluster: &Cluster) {
        let ended = self.program(cluster).run();
        let is_replaced = || self.command[0] == "replace" && cluster.record().is_none() && ended.code == Some(3);
        assert!(ended.code == Some(0) || is_replaced(), "the last run does not reach the goal\n{ended}");
    }

    /// Proves the end, and that nothing was lost: neither of what was there before nor of what was written meanwhile.
    pub(super) fn is_reached(&self, cluster: &Cluster, written: usize) {
        // A member that was just let go again may have missed its last probe, and the last run may have had nothing to do.
        eventually("every pod to be ready", || {
            let unready = cluster.unready();
            if unready.is_empty() { Ok(()) } else { Err(unready.join(", ")) }
        });
        cluster.has_voters(self.size);
        let leases = cluster.list("lease");
        assert!(leases.is_empty(), "a lock is left: {leases:#?}");
        assert!(cluster.record().is_none_or(|record| record["deferred"] == true), "a record is left");
        let keys = cluster.exec("etcd-0", &["etcdctl", "get", "", "--prefix", "--keys-only"]);
        let count = keys.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(count, written + 1, "written and lost: {keys}");
        cluster.run(&["verify"]).exits(0);
    }

    /// Writes a key, for which there has to be a quorum, if not at once.
    pub(super) fn write(cluster: &Cluster, number: usize) {
        let key = format!("meanwhile-{number}");
        eventually("a quorum that takes a write", || {
            let pods = ["etcd-0", "etcd-1", "etcd-2"];
            let write = |pod| cluster.try_exec(pod, &["etcdctl", "put", &key, "kept", "--command-timeout=3s"]);
            pods.into_iter().find_map(|pod| write(pod).ok()).ok_or_else(|| "no pod took it".to_owned())
        });
    }
}
