//! A client that writes all the time, from a pod of its own, so that no restart of a member ends it, and by that pod's
//! clock, so that what its words take on their way here is not taken for the cluster's.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Cluster, Image, SERVICE, create, eventually, setting, try_kubectl};

/// Where it writes.
const PREFIX: &str = "written/";

/// Its pod.
const POD: &str = "writer";

/// A writer at work. Dropped, it ends with its namespace.
pub(crate) struct Writer {
    child: Child,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

/// What a writer has done.
struct Writes {
    attempts: Vec<Attempt>,
}

impl Writes {
    /// When each write was acknowledged.
    fn acknowledged(&self) -> Vec<Duration> {
        self.attempts.iter().filter(|done| done.failure.is_none()).map(|done| done.ended).collect()
    }

    /// The times from one acknowledged write to the next.
    fn gaps(&self) -> Vec<Duration> {
        self.acknowledged().windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
    }
}

/// One write: when it ended, in the time that the writer's machine has run, and why it failed if it did.
#[derive(Clone)]
struct Attempt {
    ended: Duration,
    failure: Option<String>,
}

impl Attempt {
    /// Reads a line of the writer's: the seconds, `ok` or `failed`, and etcdctl's words.
    fn read(line: &str) -> Option<Self> {
        let (seconds, rest) = line.split_once(' ')?;
        let ended = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
        Some(Self { ended, failure: rest.strip_prefix("failed ").map(str::to_owned) })
    }
}

impl Writer {
    /// Begins to write to whichever of so many pods serves, and returns when the first write was acknowledged.
    pub(crate) fn on(cluster: &Cluster, pods: usize) -> Self {
        let namespace = cluster.name();
        let endpoints: Vec<_> =
            (0..pods).map(|at| format!("http://etcd-{at}.{SERVICE}.{namespace}.svc:2379")).collect();
        let Image(image) = Image::usual();
        create(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": namespace},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                "name": "etcd",
                "image": image,
                "imagePullPolicy": setting("E2E_PULL_POLICY", "Never"),
                "env": [{"name": "ETCDCTL_API", "value": "3"}],
                "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1000 & wait; done"],
            }]},
        }));
        let exec = ["exec", "-n", namespace, POD, "-c", "etcd", "--"];
        eventually("the writer's pod", || try_kubectl(&[&exec[..], &["true"]].concat(), None));
        // What was not acknowledged is written once more, under the same key.
        let script = format!(
            "i=0; while :; do \
             if said=$(etcdctl --endpoints={} --dial-timeout=400ms --command-timeout=400ms put {PREFIX}$i $i 2>&1); \
             then i=$((i+1)); said=ok; else said=\"failed $said\"; fi; \
             read now idle </proc/uptime; echo $now $said; done",
            endpoints.join(",")
        );
        let mut child = Command::new("kubectl")
            .args(exec)
            .args(["sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl must be on the PATH");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&attempts);
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .filter_map(|line| Attempt::read(&line))
                .for_each(|read| lock(&record).push(read));
        });
        let writer = Self { child, attempts };
        writer.goes_on();
        writer
    }

    /// Waits for another write.
    pub(crate) fn goes_on(&self) {
        let written = || lock(&self.attempts).iter().filter(|done| done.failure.is_none()).count();
        let before = written();
        eventually("another write", || {
            let now = written();
            if now > before { Ok(()) } else { Err(format!("{now} writes")) }
        });
    }

    /// Ends it, after one more write.
    fn end(mut self) -> Writes {
        self.goes_on();
        drop(self.child.kill());
        drop(self.child.wait());
        Writes { attempts: lock(&self.attempts).clone() }
    }

    /// Ends it. Proves that every write that was acknowledged is there, and tells the longest time between two, with
    /// what the client was told meanwhile. That time rests on the machine, so it is judged only where
    /// `E2E_LONGEST_GAP_MS` says how long it may be.
    #[track_caller]
    pub(crate) fn lost_nothing(self, cluster: &Cluster, told: &str) {
        let writes = self.end();
        let acknowledged = writes.acknowledged();
        let keys = cluster.exec("etcd-0", &["etcdctl", "get", PREFIX, "--prefix", "--keys-only"]);
        let there = keys.lines().filter(|line| line.starts_with(PREFIX)).count();
        assert!(there >= acknowledged.len(), "{} acknowledged, {there} there", acknowledged.len());

        let gaps = writes.gaps().into_iter().zip(acknowledged.iter().copied());
        let (longest, from) = gaps.max().unwrap_or_default();
        let meanwhile: Vec<_> =
            writes.attempts.iter().filter(|done| done.ended > from && done.ended <= from + longest).collect();
        let failures: Vec<_> = meanwhile.iter().filter_map(|done| done.failure.as_deref()).collect();
        let gap = format!(
            "{told}: {} writes, none lost, the longest gap {} ms, {} s after the first, {} attempts in it{}",
            acknowledged.len(),
            longest.as_millis(),
            from.saturating_sub(acknowledged[0]).as_secs(),
            meanwhile.len(),
            failures.first().map(|why| format!(", the first: {why}")).unwrap_or_default()
        );
        drop(writeln!(std::io::stderr(), "{gap}"));
        if let Ok(limit) = setting("E2E_LONGEST_GAP_MS", "none").parse() {
            assert!(longest <= Duration::from_millis(limit), "{gap}");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lock(attempts: &Mutex<Vec<Attempt>>) -> MutexGuard<'_, Vec<Attempt>> {
    attempts.lock().unwrap_or_else(PoisonError::into_inner)
}
