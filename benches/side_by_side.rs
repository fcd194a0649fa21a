//! The whole of a scale-up by one member, by the guide's commands and by `etcd-scale`, in turn, each on a StatefulSet made
//! anew, while a client writes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::figures::{Figures, Unit, head, table};
use crate::harness::{Image, Namespace, create, eventually, get, is_up, list, setting, try_kubectl};
use crate::observer::Observer;
use crate::weigh::{self, PROGRAM, Weighed};
use crate::writer::{ANSWER, PACE, Writer};
use crate::{picture, readme, rounds, tell};

/// How often the cluster is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// etcd takes a new member once those that it has have been connected for 5 s. Neither side should have to wait for that.
const CONNECTED: Duration = Duration::from_secs(6);

/// Marks a namespace that is this benchmark's, and may be deleted.
const OWN: &str = "etcd-scale-bench";

/// A guide, its StatefulSet, and its commands.
struct Guide {
    name: &'static str,
    namespace: &'static str,
    set: &'static str,
    /// Its StatefulSet, beside its commands.
    fixture: &'static str,
    /// The same as the sandbox has it, for where the commands are not there.
    built_in: &'static str,
    script: &'static str,
    size: usize,
}

static GUIDES: [Guide; 2] = [
    Guide {
        name: "Rok",
        namespace: "rok",
        set: "rok-etcd",
        fixture: "fixtures/rok.yaml",
        built_in: include_str!("../src/sandbox/manifests/rok.yaml"),
        script: "runbook-rok",
        size: 2,
    },
    Guide {
        name: "Puls8",
        namespace: "puls8",
        set: "puls8-etcd",
        fixture: "fixtures/puls8-self-joining.yaml",
        built_in: include_str!("../src/sandbox/manifests/puls8.yaml"),
        script: "runbook-puls8",
        size: 3,
    },
];

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    ByHand,
    Guarded,
    Defer,
}

impl Side {
    const ALL: [Self; 3] = [Self::ByHand, Self::Guarded, Self::Defer];

    fn name(self) -> &'static str {
        match self {
            Self::ByHand => "the guide by hand",
            Self::Guarded => "etcd-scale up",
            Self::Defer => "etcd-scale up --rollout defer",
        }
    }
}

/// What is measured of a run.
const MEASURES: [(&str, Unit); 11] = [
    ("to the new member's vote", Unit::Seconds),
    ("to the end", Unit::Seconds),
    ("longest time without a write", Unit::Seconds),
    ("99 % of writes within", Unit::Seconds),
    ("half of the writes within", Unit::Seconds),
    ("leader changes", Unit::Count),
    ("restarts of old members", Unit::Count),
    ("API requests", Unit::Count),
    ("bytes moved", Unit::Bytes),
    ("peak memory of the largest process", Unit::Bytes),
    ("writes", Unit::Count),
];

/// Those that are drawn.
const DRAWN: [usize; 6] = [0, 1, 2, 7, 8, 9];

/// A run's figures, in the order of [`MEASURES`].
type Run = [Option<f64>; MEASURES.len()];

pub(crate) fn measure() -> String {
    let runbooks = runbooks();
    let sides: Vec<Side> = Side::ALL.into_iter().filter(|side| runbooks.is_some() || *side != Side::ByHand).collect();
    let mut text = String::new();
    let mut drawings = Vec::new();
    for guide in &GUIDES {
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); sides.len()];
        let mut version = String::new();
        for round in 0..rounds() {
            for turn in 0..sides.len() {
                // Whatever comes first in one round comes later in the next.
                let at = (round + turn) % sides.len();
                let made = Made::new(guide, runbooks.as_deref());
                version = made.version();
                let run = made.run(sides[at], runbooks.as_deref());
                tell(&format!("{} {}: {run:?}", guide.name, sides[at].name()));
                runs[at].push(run);
            }
        }
        let of = |measure: usize, runs: &[Run]| Figures::new(runs.iter().filter_map(|run| run[measure]).collect());
        let figures: Vec<Vec<Figures>> =
            (0..MEASURES.len()).map(|measure| runs.iter().map(|runs| of(measure, runs)).collect()).collect();
        let rows = MEASURES.iter().zip(&figures).map(|((what, unit), sides)| {
            let cells = sides.iter().map(|figures| figures.write(*unit));
            std::iter::once((*what).to_owned()).chain(cells).collect()
        });
        let title = format!("{}, {} to {} members", guide.name, guide.size, guide.size + 1);
        let names: Vec<_> = std::iter::once(title.as_str()).chain(sides.iter().map(|side| side.name())).collect();
        writeln!(text, "{}", table(&head(&names), &rows.collect::<Vec<_>>())).expect("a string takes everything");
        writeln!(text, "{}\n", place(&version)).expect("a string takes everything");
        drawings.push(picture::Column { title, panels: DRAWN.map(|at| (MEASURES[at], figures[at].clone())).to_vec() });
    }
    let names: Vec<_> = sides.iter().map(|side| side.name()).collect();
    std::fs::write(readme::file("benches/up.svg"), picture::draw(&names, &drawings)).expect("it can be written");
    if runbooks.is_none() {
        text.push_str(
            "The guides' commands were not there (`BENCH_RUNBOOKS`), so `etcd-scale` was measured alone.\n\n",
        );
    }
    let note = format!(
        "Medians of {} runs for each column, in brackets the least and the most. Both sides go through the same \
         counting proxy. The client holds a connection to each old member, writes every {} ms, and goes on to another \
         member when one fails or does not answer within {} ms; the times without a write are from one \
         acknowledged write to the next. It writes the same value again and again, or the listings that the guide compares \
         would differ. The guide's commands wait by asking once a second. Puls8's image would add its own pod as a voter: \
         the pod starts past that script, as a learner, and again with it before it gets its vote.",
        rounds(),
        PACE.as_millis(),
        ANSWER.as_millis()
    );
    format!("![The same figures as bars](benches/up.svg)\n\n{text}{note}")
}

/// What it ran on.
fn place(version: &str) -> String {
    let processors = thread::available_parallelism().map_or(0, usize::from);
    format!("On Kubernetes {} and etcd {version}, seen from a machine with {processors} processors.", kubernetes())
}

fn kubernetes() -> String {
    let text = try_kubectl(&["get", "--raw", "/version"], None).expect("the API server tells its version");
    let version: Value = serde_json::from_str(&text).expect("in JSON");
    version["gitVersion"].as_str().unwrap_or("unknown").to_owned()
}

/// Where the guides' commands are.
fn runbooks() -> Option<PathBuf> {
    let path = readme::file(&setting("BENCH_RUNBOOKS", "../shared/real-cluster"));
    let there = GUIDES.iter().all(|guide| path.join(guide.script).exists() && path.join(guide.fixture).exists());
    there.then_some(path)
}

/// A guide's StatefulSet, made anew. It goes when dropped.
struct Made {
    guide: &'static Guide,
    namespace: Option<Namespace>,
}

impl Made {
    fn new(guide: &'static Guide, runbooks: Option<&Path>) -> Self {
        let labels = ["get", "namespace", guide.namespace, "-o", "jsonpath={.metadata.labels}"];
        match try_kubectl(&labels, None) {
            // What a run left that was ended before it could clear away.
            Ok(labels) if labels.contains(OWN) => drop(Self::of(guide)),
            Ok(_) => panic!("namespace {} is there, and none of the benchmark's: it is left alone", guide.namespace),
            Err(_) => {}
        }
        let volumes = volumes_of(guide.namespace);
        assert!(volumes.is_empty(), "volumes for namespace {} are there already: they are left alone", guide.namespace);
        create(&json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": guide.namespace, "labels": {OWN: "true"}},
        }));
        let made = Self::of(guide);
        let manifest = if let Some(path) = runbooks {
            std::fs::read_to_string(path.join(guide.fixture)).expect("the fixture can be read")
        } else {
            let Image(image) = Image::usual();
            let pull = setting("E2E_PULL_POLICY", "Never");
            guide.built_in.replace("image: etcd\n", &format!("image: {image}\n        imagePullPolicy: {pull}\n"))
        };
        try_kubectl(&["apply", "-f", "-"], Some(&manifest)).unwrap_or_else(|said| panic!("kubectl apply: {said}"));
        made.rests(guide.size);
        thread::sleep(CONNECTED);
        made
    }

    fn of(guide: &'static Guide) -> Self {
        Self { guide, namespace: Some(Namespace { name: guide.namespace.to_owned() }) }
    }

    /// Waits until so many pods are there, all ready, all on the present template.
    fn rests(&self, size: usize) {
        let Guide { namespace, set, .. } = self.guide;
        eventually("the members", || {
            let status = get("statefulset", set, namespace)["status"].clone();
            let up = list(&["pod"], namespace, "app=etcd").iter().filter(|pod| is_up(pod)).count();
            let quiet = up == size && status["currentRevision"] == status["updateRevision"];
            if quiet { Ok(()) } else { Err(format!("{up} pods up, {status}")) }
        });
    }

    fn version(&self) -> String {
        let pod = format!("{}-0", self.guide.set);
        let exec = ["exec", "-n", self.guide.namespace, &pod, "-c", "etcd", "--", "etcd", "--version"];
        let said = try_kubectl(&exec, None).expect("etcd tells its version");
        said.lines().find_map(|line| line.strip_prefix("etcd Version: ")).unwrap_or("unknown").to_owned()
    }

    fn run(&self, side: Side, runbooks: Option<&Path>) -> Run {
        let Guide { namespace, set, script, size, .. } = *self.guide;
        let pods: Vec<_> = (0..size).map(|at| format!("{set}-{at}")).collect();
        // The same again and again: listings of several members are then the same, whenever each is made.
        let writer = Writer::on(namespace, &pods, |_| ("written/again".to_owned(), "same".to_owned()));
        let observer = Observer::on(namespace, set, size, LOOK);
        let weighed: Weighed = match side {
            Side::ByHand => weigh::run(&[&runbooks.expect("they are there").join(script).to_string_lossy()]),
            Side::Guarded | Side::Defer => {
                let rollout = if side == Side::Defer { "defer" } else { "guarded" };
                weigh::run(&[PROGRAM, "up", "--sts", set, "-n", namespace, "--yes", "--rollout", rollout])
            }
        };
        let story = observer.end();
        let gaps = writer.end();
        let promoted = story.promoted.map(|at| at.saturating_duration_since(weighed.began).as_secs_f64());
        let [took, requests, bytes, memory] = weighed.figures();
        [
            promoted,
            Some(took),
            gaps.most(),
            gaps.percentile(99),
            gaps.median(),
            Some(story.leader_changes() as f64),
            Some(story.restarts() as f64),
            Some(requests),
            Some(bytes),
            Some(memory),
            Some(gaps.count() as f64),
        ]
    }
}

impl Drop for Made {
    /// Waits until all is gone, what is on the volumes as well: the next one has the same paths.
    fn drop(&mut self) {
        let namespace = self.guide.namespace;
        let volumes = volumes_of(namespace);
        drop(self.namespace.take());
        eventually("the namespace to go", || match try_kubectl(&["get", "namespace", namespace, "-o", "name"], None) {
            Ok(name) => Err(format!("{name} is there")),
            Err(_) => Ok(()),
        });
        for volume in &volumes {
            let name = volume["metadata"]["name"].as_str().unwrap_or_default();
            // One that went with its claim is gone already.
            drop(try_kubectl(&["delete", "persistentvolume", name, "--wait=false"], None));
        }
        let paths = volumes.iter().filter_map(|volume| volume["spec"]["hostPath"]["path"].as_str());
        // One that was made for its claim has a path of its own, which no other gets.
        let paths: Vec<_> = paths.filter(|path| path.contains(namespace)).collect();
        if !paths.is_empty() {
            sweep(&paths);
        }
    }
}

/// The volumes that are reserved for a namespace's claims.
fn volumes_of(namespace: &str) -> Vec<Value> {
    let mut volumes = list(&["persistentvolume"], "", "");
    volumes.retain(|volume| volume["spec"]["claimRef"]["namespace"] == namespace);
    volumes
}

/// Empties paths on the node, from a pod: the node need not be this machine.
fn sweep(paths: &[&str]) {
    let Image(image) = Image::usual();
    let namespace = Namespace::of("bench", "sweep");
    let volumes: Vec<_> = paths
        .iter()
        .enumerate()
        .map(
            |(at, path)| json!({"name": format!("path-{at}"), "hostPath": {"path": path, "type": "DirectoryOrCreate"}}),
        )
        .collect();
    let mounts: Vec<_> =
        (0..paths.len()).map(|at| json!({"name": format!("path-{at}"), "mountPath": format!("/paths/{at}")})).collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sweep", "namespace": namespace.name},
        "spec": {"restartPolicy": "Never", "volumes": volumes, "containers": [{
            "name": "sweep",
            "image": image,
            "imagePullPolicy": setting("E2E_PULL_POLICY", "Never"),
            "command": ["sh", "-c", "rm -rf /paths/*/*"],
            "volumeMounts": mounts,
        }]},
    });
    // A namespace this young may have no token for its pods yet.
    eventually("a pod to sweep", || try_kubectl(&["create", "-f", "-"], Some(&pod.to_string())));
    eventually("the paths to be emptied", || {
        let pod = get("pod", "sweep", &namespace.name);
        if pod["status"]["phase"] == "Succeeded" { Ok(()) } else { Err(pod["status"].to_string()) }
    });
}
