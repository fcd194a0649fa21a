//! A client that writes all the time, as a program that lives on etcd does: its connections last, and where a member does
//! not take a write, another one gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etcd_client::Client;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::etcd;
use crate::figures::Figures;
use crate::harness::RUNTIME;

/// From the beginning of one write to the next: a client that never rests would be measured for the load that it is.
pub(crate) const PACE: Duration = Duration::from_millis(10);

/// How long a member is given for a write before another one gets it.
pub(crate) const ANSWER: Duration = Duration::from_millis(400);

/// How long a write may take, whoever is asked, before the cluster counts as lost.
const LONGEST: Duration = Duration::from_secs(60);

/// A writer at work.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Instant>>,
}

impl Writer {
    /// Begins to write to whichever of these pods serves, and returns when the first write was acknowledged. `put` tells the
    /// key and the value from the number of the write.
    pub(crate) fn on(namespace: &str, pods: &[String], put: fn(usize) -> (String, String)) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let hand = RUNTIME.block_on(async {
            let api = etcd::pods(namespace).await;
            let members = join_all(pods.iter().map(|pod| etcd::member(&api, pod))).await;
            let mut hand = Hand { members, at: 0, put, acknowledged: Vec::new() };
            hand.write().await;
            hand
        });
        let task = RUNTIME.spawn(hand.on(over));
        Self { stop, task }
    }

    /// Ends it after one more write. The seconds from each acknowledged write to the next.
    pub(crate) fn end(self) -> Figures {
        self.stop.store(true, Ordering::Relaxed);
        let acknowledged = RUNTIME.block_on(self.task).expect("it wrote");
        Figures::new(acknowledged.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect())
    }
}

/// What does the writing.
struct Hand {
    members: Vec<Client>,
    /// The member that took the last write.
    at: usize,
    put: fn(usize) -> (String, String),
    acknowledged: Vec<Instant>,
}

impl Hand {
    async fn on(mut self, over: Arc<AtomicBool>) -> Vec<Instant> {
        let mut turns = interval(PACE);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let last = over.load(Ordering::Relaxed);
            self.write().await;
            if last {
                return self.acknowledged;
            }
        }
    }

    /// One write, to one member after the other until it is acknowledged: the same again, so that it is done once.
    async fn write(&mut self) {
        timeout(LONGEST, self.until_acknowledged()).await.expect("etcd takes a write");
    }

    async fn until_acknowledged(&mut self) {
        let (key, value) = (self.put)(self.acknowledged.len());
        loop {
            let put = self.members[self.at].put(key.clone(), value.clone(), None);
            if matches!(timeout(ANSWER, put).await, Ok(Ok(_))) {
                self.acknowledged.push(Instant::now());
                return;
            }
            self.at = (self.at + 1) % self.members.len();
            tokio::task::yield_now().await;
        }
    }
}
