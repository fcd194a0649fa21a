//! Watches the pods of a namespace from outside, to tell how many were down at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::{is_up, name_of, pod, text};
use super::{Cluster, eventually};

/// One change of one pod.
#[derive(Debug, Clone)]
struct Seen {
    after: Duration,
    pod: String,
    uid: String,
    up: bool,
}

/// A watch on the pods, from its start to its drop.
pub(crate) struct PodWatch {
    child: Child,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl PodWatch {
    /// Begins to watch, and returns when the pods that are there have been seen.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let arguments = ["get", "pods", "-n", cluster.name(), "--watch", "--output-watch-events", "-o", "json"];
        let mut child = Command::new("kubectl")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl must be on the PATH");
        let stdout = child.stdout.take().expect("its output is piped");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let began = Instant::now();
        thread::spawn(move || {
            for event in serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().map_while(Result::ok) {
                let object = &event["object"];
                lock(&record).push(Seen {
                    after: began.elapsed(),
                    pod: name_of(object),
                    uid: text(&object["metadata"]["uid"]),
                    up: event["type"] != "DELETED" && is_up(object),
                });
            }
        });
        let watch = Self { child, seen };
        watch.catches_up(cluster);
        watch
    }

    /// Waits until the watch has seen the pods as they are now.
    fn catches_up(&self, cluster: &Cluster) {
        eventually("the watch to catch up", || {
            let now: BTreeMap<String, (String, bool)> =
                cluster.pods().iter().map(|pod| (name_of(pod), (text(&pod["metadata"]["uid"]), is_up(pod)))).collect();
            let last: BTreeMap<String, (String, bool)> =
                lock(&self.seen).iter().map(|seen| (seen.pod.clone(), (seen.uid.clone(), seen.up))).collect();
            if now.iter().all(|(pod, state)| last.get(pod) == Some(state)) { Ok(()) } else { Err(format!("{last:?}")) }
        });
    }

    /// Proves that of `size` pods no more than one was down at any moment since the watch began. A pod that does not
    /// exist yet is down.
    #[track_caller]
    pub(crate) fn had_one_down_at_most(&self, cluster: &Cluster, size: usize) {
        self.never_had_two_down(cluster, (0..size).map(|ordinal| (pod(ordinal), ordinal + 1 < size)).collect(), true);
    }

    /// Proves the same of the `there` pods that the watch began with, and of others from when they are there.
    #[track_caller]
    pub(crate) fn had_one_of_those_down_at_most(&self, cluster: &Cluster, there: usize) {
        self.never_had_two_down(cluster, (0..there).map(|ordinal| (pod(ordinal), true)).collect(), true);
    }

    /// Proves the same of the `there` pods that the watch began with, whatever others do: one that is new may start as
    /// soon as a member that started anew serves, which is before its pod's next probe.
    #[track_caller]
    pub(crate) fn had_one_old_down_at_most(&self, cluster: &Cluster, there: usize) {
        self.never_had_two_down(cluster, (0..there).map(|ordinal| (pod(ordinal), true)).collect(), false);
    }

    #[track_caller]
    fn never_had_two_down(&self, cluster: &Cluster, mut up: BTreeMap<String, bool>, new_ones_too: bool) {
        self.catches_up(cluster);
        // The watch begins with those that are there, one after the other.
        let seen = lock(&self.seen).clone();
        let mut story = String::new();
        let mut most = 0;
        for seen in seen {
            writeln!(story, "{:8.3} {} {} up: {}", seen.after.as_secs_f64(), seen.pod, seen.uid, seen.up)
                .expect("a string takes everything");
            if new_ones_too || up.contains_key(&seen.pod) {
                up.insert(seen.pod, seen.up);
            }
            most = most.max(up.values().filter(|up| !**up).count());
        }
        assert!(most <= 1, "{most} pods were down at once:\n{story}");
    }
}

impl Drop for PodWatch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
