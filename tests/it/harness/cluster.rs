//! One etcd cluster in a namespace of a test's own, and the facts that tests ask of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::kubectl::try_kubectl;
use super::manifest::claim_template;
use super::{CLAIM, Ended, Manifest, Member, Namespace, Program, SET, Standing, api, eventually, kubectl, setting};

/// The record of an unfinished run.
const RECORD: &str = "etcd-scale.io/run";

/// A StatefulSet that runs etcd. Its namespace goes with it.
pub(crate) struct Cluster {
    namespace: Namespace,
    /// Where the program under test runs, and leaves its snapshots.
    desk: TempDir,
}

impl Cluster {
    pub(super) fn start(manifest: &Manifest, test: &str) -> Self {
        let namespace = Namespace::new(test);
        api::create(&manifest.objects(&namespace.name));
        let cluster = Self { namespace, desk: tempfile::tempdir().expect("a temporary directory") };
        cluster.rests(manifest.size());
        cluster
    }

    pub(crate) fn name(&self) -> &str {
        &self.namespace.name
    }

    /// The directory that the program runs in.
    pub(crate) fn desk(&self) -> &Path {
        self.desk.path()
    }

    /// The program under test on this cluster: a verb and its options.
    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        let program = Program::new(arguments).arguments(&["--sts", SET, "-n", self.name()]).directory(self.desk());
        let via = setting("E2E_VIA", "");
        if via.is_empty() || arguments.contains(&"--via") {
            return program;
        }
        // What exec cannot stream has to be declined.
        let declined = via == "exec" && matches!(arguments, ["up" | "down" | "replace" | "check", ..]);
        let snapshot = arguments.iter().any(|word| word.ends_with("snapshot"));
        let program = program.arguments(&["--via", &via]);
        if declined && !snapshot { program.arguments(&["--no-snapshot"]) } else { program }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.program(arguments).run()
    }

    /// kubectl in this namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[arguments, &["-n", self.name()]].concat())
    }

    /// The StatefulSet.
    #[track_caller]
    pub(crate) fn set(&self) -> Value {
        api::get("statefulset", SET, self.name())
    }

    /// The pods of the StatefulSet.
    #[track_caller]
    pub(crate) fn pods(&self) -> Vec<Value> {
        api::list(&["pod"], self.name(), &format!("app={SET}"))
    }

    #[track_caller]
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        api::list(&[kind], self.name(), "")
    }

    /// Uids of the pods, by name.
    #[track_caller]
    pub(crate) fn uids(&self) -> BTreeMap<String, String> {
        self.pods().iter().map(|pod| (name_of(pod), text(&pod["metadata"]["uid"]))).collect()
    }

    /// Waits until nothing is under way: `size` pods, all ready, all on the present template.
    pub(crate) fn rests(&self, size: usize) {
        eventually("the pods to be ready", || {
            let (pods, set) = (self.pods(), self.set());
            let status = &set["status"];
            let quiet = status["observedGeneration"] == set["metadata"]["generation"]
                && status["readyReplicas"].as_u64().unwrap_or_default() == size as u64
                && status["replicas"] == json!(size)
                && status["currentRevision"] == status["updateRevision"];
            let up = pods.iter().filter(|pod| is_up(pod)).count();
            if quiet && up == size && pods.len() == size { Ok(()) } else { Err(format!("{up} pods up, {status}")) }
        });
    }

    /// Names of pods that are not ready with all containers, or on their way out.
    pub(crate) fn unready(&self) -> Vec<String> {
        self.pods().iter().filter(|pod| !is_up(pod)).map(name_of).collect()
    }

    /// Runs a command in a pod's etcd container.
    pub(crate) fn try_exec(&self, pod: &str, command: &[&str]) -> Result<String, String> {
        let exec = ["exec", "-n", self.name(), pod, "-c", "etcd", "--"];
        try_kubectl(&[&exec[..], command].concat(), None)
    }

    #[track_caller]
    pub(crate) fn exec(&self, pod: &str, command: &[&str]) -> String {
        self.try_exec(pod, command).unwrap_or_else(|said| panic!("{} in {pod}: {said}", command.join(" ")))
    }

    /// The member list, from the first pod.
    #[track_caller]
    pub(crate) fn members(&self) -> Vec<Member> {
        self.try_members().unwrap_or_else(|said| panic!("member list: {said}"))
    }

    fn try_members(&self) -> Result<Vec<Member>, String> {
        let list = self.try_exec(&pod(0), &["etcdctl", "member", "list", "-w", "json"])?;
        Ok(Member::all(&serde_json::from_str(&list).map_err(|error| error.to_string())?))
    }

    /// Name of the leader's pod, and the raft term.
    pub(crate) fn leader(&self) -> (String, u64) {
        eventually("a leader", || {
            let text = self.try_exec(&pod(0), &["etcdctl", "endpoint", "status", "--cluster", "-w", "json"])?;
            let statuses: Vec<Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let leads = |status: &&Value| status["Status"]["leader"] == status["Status"]["header"]["member_id"];
            let leader = statuses.iter().find(leads).ok_or("nobody leads")?;
            // An endpoint is http://POD.SERVICE...:2379.
            let endpoint = leader["Endpoint"].as_str().unwrap_or_default();
            let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
            let name = host.split('.').next().unwrap_or_default().to_owned();
            Ok((name, leader["Status"]["raftTerm"].as_u64().expect("a term")))
        })
    }

    /// Makes `name` the leader. On a machine that is hard at work a leader may be gone again by the next look.
    pub(crate) fn lead(&self, name: &str) {
        let target = self.members().into_iter().find(|member| member.name == name).expect("a member of that name");
        let id = format!("{:x}", target.id);
        eventually("the leader to change", || {
            let (leader, _) = self.leader();
            if leader == name {
                return Ok(());
            }
            let said = self.try_exec(&leader, &["etcdctl", "move-leader", &id]);
            Err(format!("{leader} leads: {said:?}"))
        });
    }

    /// Empties a member's data directory and ends its process: it comes back with nothing, under its old identity.
    pub(crate) fn empty(&self, pod: &str) {
        self.spoil(pod, "rm -rf /store/*");
    }

    /// Spoils a member's database and log, so that it cannot start.
    pub(crate) fn corrupt(&self, pod: &str) {
        self.spoil(
            pod,
            "for f in /store/*/member/snap/db /store/*/member/wal/*.wal; do [ -e $f ] && echo x > $f; done",
        );
    }

    fn spoil(&self, pod: &str, command: &str) {
        // The answer may be lost with the container.
        drop(self.try_exec(pod, &["sh", "-c", &format!("{command}; kill 1")]));
        eventually("the member to be missed", || {
            let pods = self.pods();
            let hit = pods.iter().find(|candidate| name_of(candidate) == pod).ok_or("no such pod")?;
            let containers = hit["status"]["containerStatuses"].as_array().map_or(&[][..], Vec::as_slice);
            let restarted = containers.iter().any(|container| container["restartCount"] != 0);
            if is_up(hit) || !restarted { Err(hit["status"].to_string()) } else { Ok(()) }
        });
    }

    /// Names of the claims.
    #[track_caller]
    pub(crate) fn claims(&self) -> BTreeSet<String> {
        self.list("persistentvolumeclaim").iter().map(name_of).collect()
    }

    /// Stops a member's process without ending it. The cluster must have been launched with [`super::Launch::Child`].
    pub(crate) fn hang(&self, pod: &str) {
        self.exec(pod, &["sh", "-c", "kill -STOP $(pidof etcd)"]);
    }

    /// Lets it go on.
    pub(crate) fn unhang(&self, pod: &str) {
        self.exec(pod, &["sh", "-c", "kill -CONT $(pidof etcd)"]);
    }

    /// Makes the claim that the pod of an ordinal would make.
    pub(crate) fn make_claim(&self, ordinal: usize) -> String {
        let mut claim = claim_template();
        let name = format!("{CLAIM}-{}", pod(ordinal));
        claim["apiVersion"] = json!("v1");
        claim["kind"] = json!("PersistentVolumeClaim");
        claim["metadata"] = json!({"name": name, "namespace": self.name()});
        api::create(&claim);
        name
    }

    #[track_caller]
    pub(crate) fn standing(&self) -> Standing {
        let set = self.set();
        let names = |kind| -> BTreeSet<String> { self.list(kind).iter().map(name_of).collect() };
        Standing {
            spec: set["spec"].clone(),
            annotations: set["metadata"]["annotations"].clone(),
            pods: self.uids(),
            claims: names("persistentvolumeclaim"),
            leases: names("lease"),
            members: self.try_members().ok(),
        }
    }

    /// Resource versions of everything that a run may change.
    #[track_caller]
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let kinds = ["statefulset", "pod", "persistentvolumeclaim", "service", "lease", "configmap"];
        api::list(&kinds, self.name(), "")
            .iter()
            .map(|object| {
                (format!("{} {}", object["kind"], name_of(object)), text(&object["metadata"]["resourceVersion"]))
            })
            .collect()
    }

    /// The record of an unfinished run, where one stands.
    #[track_caller]
    pub(crate) fn record(&self) -> Option<Value> {
        let set = self.set();
        let text = set["metadata"]["annotations"][RECORD].as_str()?;
        Some(serde_json::from_str(text).expect("the record is JSON"))
    }

    /// The update strategy.
    #[track_caller]
    pub(crate) fn strategy(&self) -> Value {
        self.set()["spec"]["updateStrategy"].clone()
    }

    /// The value of a variable of the etcd container in the template.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let set = self.set();
        let variables = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        variables.iter().find(|variable| variable["name"] == name).and_then(|v| v["value"].as_str().map(str::to_owned))
    }

    /// Proves a membership: so many voters, all started, no learner, and as many pods, all ready.
    #[track_caller]
    pub(crate) fn has_voters(&self, size: usize) {
        let members = self.members();
        assert_eq!(members.len(), size, "{members:#?}");
        assert!(members.iter().all(|member| !member.learner && !member.name.is_empty()), "{members:#?}");
        let set = self.set();
        assert_eq!(set["spec"]["replicas"], json!(size));
        let wanted: Vec<String> = (0..size).map(pod).collect();
        let pods = self.pods();
        assert_eq!(pods.iter().map(name_of).collect::<Vec<_>>(), wanted);
        assert_eq!(self.unready(), Vec::<String>::new());
        for pod in &pods {
            let count = |of: &Value| of.as_array().map(Vec::len);
            assert_eq!(
                count(&pod["status"]["containerStatuses"]),
                count(&set["spec"]["template"]["spec"]["containers"])
            );
        }
    }

    /// Proves that no run has left anything behind: no record, no lock.
    #[track_caller]
    pub(crate) fn has_no_traces(&self) {
        assert_eq!(self.record(), None);
        assert_eq!(self.list("lease").iter().map(name_of).collect::<Vec<_>>(), Vec::<String>::new());
    }

    /// Proves the end of a whole run to `size` members: voters, pods, template, strategy, no traces.
    #[track_caller]
    pub(crate) fn has_grown(&self, size: usize, strategy: &Value) {
        self.has_voters(size);
        self.has_no_traces();
        assert_eq!(self.strategy(), *strategy);
        assert_eq!(self.variable("ETCD_INITIAL_CLUSTER_STATE").as_deref(), Some("existing"));
        assert_eq!(self.variable("ETCD_CLUSTER_SIZE"), Some(size.to_string()));
        assert_eq!(self.variable("ETCDCTL_API").as_deref(), Some("3"));
    }

    /// Names of pods that run the present template.
    #[track_caller]
    pub(crate) fn on_present_template(&self) -> Vec<String> {
        let set = self.set();
        let revision = &set["status"]["updateRevision"];
        let pods = self.pods();
        let present = pods.iter().filter(|pod| pod["metadata"]["labels"]["controller-revision-hash"] == *revision);
        present.map(name_of).collect()
    }
}

/// The pod of an ordinal.
pub(super) fn pod(ordinal: usize) -> String {
    format!("{SET}-{ordinal}")
}

pub(super) fn name_of(object: &Value) -> String {
    text(&object["metadata"]["name"])
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether a pod is ready and stays.
pub(crate) fn is_up(pod: &Value) -> bool {
    let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    pod["metadata"]["deletionTimestamp"].is_null()
        && pod["status"]["conditions"].as_array().is_some_and(|conditions| conditions.iter().any(ready))
}
