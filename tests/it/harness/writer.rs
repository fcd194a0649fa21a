//! A client that writes all the time, from a pod of its own, so that no restart of a member ends it.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Cluster, Image, SERVICE, create, eventually, setting};

/// Where it writes.
const PREFIX: &str = "written/";

/// Its pod.
const POD: &str = "writer";

/// A writer at work. Dropped, it ends with its namespace.
pub(crate) struct Writer {
    child: Child,
    acknowledged: Arc<Mutex<Vec<Instant>>>,
}

impl Writer {
    /// Begins to write to whichever of so many pods serves, and returns when the first write was acknowledged.
    pub(crate) fn on(cluster: &Cluster, pods: usize) -> Self {
        let Image(image) = Image::usual();
        create(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": cluster.name()},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                "name": "etcd",
                "image": image,
                "imagePullPolicy": setting("E2E_PULL_POLICY", "Never"),
                "env": [{"name": "ETCDCTL_API", "value": "3"}],
                "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1000 & wait; done"],
            }]},
        }));
        eventually("the writer's pod", || cluster.try_exec(POD, &["true"]));
        let endpoints: Vec<_> =
            (0..pods).map(|at| format!("http://etcd-{at}.{SERVICE}.{}.svc:2379", cluster.name())).collect();
        // What was not acknowledged is written once more, under the same key.
        let script = format!(
            "i=0; while :; do if etcdctl --endpoints={} --dial-timeout=400ms --command-timeout=400ms put {PREFIX}$i $i \
             >/dev/null 2>&1; then echo $i; i=$((i+1)); fi; done",
            endpoints.join(",")
        );
        let mut child = Command::new("kubectl")
            .args(["exec", "-n", cluster.name(), POD, "-c", "etcd", "--", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl must be on the PATH");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&acknowledged);
        thread::spawn(move || lines.map_while(Result::ok).for_each(|_| lock(&record).push(Instant::now())));
        let writer = Self { child, acknowledged };
        writer.goes_on();
        writer
    }

    /// Waits for another write.
    pub(crate) fn goes_on(&self) {
        let before = lock(&self.acknowledged).len();
        eventually("another write", || {
            let now = lock(&self.acknowledged).len();
            if now > before { Ok(()) } else { Err(format!("{now} writes")) }
        });
    }

    /// Ends it. Proves that every write that was acknowledged is there, and tells the longest time between two. That
    /// rests on the machine, so it is judged only where `E2E_LONGEST_GAP_MS` says how long it may be.
    #[track_caller]
    pub(crate) fn lost_nothing(mut self, cluster: &Cluster, told: &str) {
        self.goes_on();
        drop(self.child.kill());
        drop(self.child.wait());
        let acknowledged = lock(&self.acknowledged).clone();
        let keys = cluster.exec("etcd-0", &["etcdctl", "get", PREFIX, "--prefix", "--keys-only"]);
        let there = keys.lines().filter(|line| line.starts_with(PREFIX)).count();
        assert!(there >= acknowledged.len(), "{} acknowledged, {there} there", acknowledged.len());
        let gaps = acknowledged.windows(2).map(|pair| (pair[1] - pair[0], pair[0] - acknowledged[0]));
        let (longest, at) = gaps.max().unwrap_or_default();
        drop(writeln!(
            std::io::stderr(),
            "{told}: {} writes, none lost, the longest gap {} ms, {} s after the first",
            acknowledged.len(),
            longest.as_millis(),
            at.as_secs()
        ));
        if let Ok(limit) = setting("E2E_LONGEST_GAP_MS", "none").parse() {
            assert!(longest <= Duration::from_millis(limit), "{told}: a gap of {} ms", longest.as_millis());
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lock(acknowledged: &Mutex<Vec<Instant>>) -> MutexGuard<'_, Vec<Instant>> {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
}
