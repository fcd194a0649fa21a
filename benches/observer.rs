//! Looks at a cluster from outside while somebody changes it, and notes when the new member could vote and did, how the
//! raft term rose, and which old members restarted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use etcd_client::{Client, MemberListResponse, StatusResponse};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::etcd;
use crate::harness::RUNTIME;

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_millis(500);

/// How often the pods are looked at.
const PODS: Duration = Duration::from_millis(300);

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// The earliest that the learner can have been seen as far as etcd asks for: nine tenths of the leader's log.
    pub(crate) possible: Option<Instant>,
    /// When the look ended that first found as many voters as are to be, all started.
    pub(crate) promoted: Option<Instant>,
    /// The newest entry of a voter's log.
    head: u64,
    /// The first raft term and the last.
    terms: Option<(u64, u64)>,
    /// Each life of an old member's container: its pod's name, the pod's uid, and how often it has been restarted.
    lives: BTreeSet<(String, String, i32)>,
    /// How many pods there were.
    old: usize,
}

impl Story {
    /// Takes up a member's answer to a question that was asked at `began`. Whether it is the first to tell of a learner
    /// that could vote.
    fn note(&mut self, status: &StatusResponse, began: Instant) -> bool {
        if status.is_learner() {
            let first = self.possible.is_none() && self.head > 0 && status.raft_applied_index() * 10 >= self.head * 9;
            if first {
                self.possible = Some(began);
            }
            return first;
        }
        self.head = self.head.max(status.raft_index());
        let term = status.raft_term();
        let (first, last) = self.terms.unwrap_or((term, term));
        // A member that has just started may know an old one still.
        self.terms = Some((first, last.max(term)));
        false
    }

    /// From possible to promoted, at most: the error is two looks.
    pub(crate) fn delay(&self) -> Option<Duration> {
        Some(self.promoted?.saturating_duration_since(self.possible?))
    }

    /// How many terms began. Each is an election, or leadership handed over.
    pub(crate) fn leader_changes(&self) -> u64 {
        self.terms.map(|(first, last)| last - first).unwrap_or_default()
    }

    /// How many lives of old members began.
    pub(crate) fn restarts(&self) -> usize {
        self.lives.len().saturating_sub(self.old)
    }
}

/// Looks until it is told to stop.
pub(crate) struct Observer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Story>,
}

impl Observer {
    /// Begins to look at the pods of a StatefulSet, of which there are `size` and will be one more.
    pub(crate) fn on(namespace: &str, set: &str, size: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let names: Vec<_> = (0..=size).map(|at| format!("{set}-{at}")).collect();
        let look = Look { namespace: namespace.to_owned(), names, size, pause };
        let task = RUNTIME.spawn(look.on(Arc::clone(&stop)));
        Self { stop, task }
    }

    /// Stops, and tells.
    pub(crate) fn end(self) -> Story {
        self.stop.store(true, Ordering::Relaxed);
        RUNTIME.block_on(self.task).expect("it looked")
    }
}

struct Look {
    namespace: String,
    names: Vec<String>,
    size: usize,
    pause: Duration,
}

impl Look {
    /// Members, lists and pods are looked at apart, so that one that does not answer keeps nobody else from being seen.
    async fn on(self, stop: Arc<AtomicBool>) -> Story {
        let pods = etcd::pods(&self.namespace).await;
        let members = join_all(self.names.iter().map(|name| etcd::member(&pods, name))).await;
        let story = Mutex::new(Story { old: self.size, ..Story::default() });
        tokio::join!(
            join_all(members.iter().map(|member| self.follow(member.clone(), &story, &stop))),
            self.lists(&members[..self.size], &story, &stop),
            self.pods(&pods, &story, &stop),
        );
        story.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows one member's status.
    async fn follow(&self, mut member: Client, story: &Mutex<Story>, stop: &AtomicBool) {
        loop {
            // The last look is after the end.
            let over = stop.load(Ordering::Relaxed);
            let began = Instant::now();
            if let Ok(Ok(status)) = timeout(ANSWER, member.status()).await {
                let ended = Instant::now();
                // The question may have waited for somebody to connect to: the answer is as young as another one takes.
                if lock(story).note(&status, began) && matches!(timeout(ANSWER, member.status()).await, Ok(Ok(_))) {
                    let answered = ended.checked_sub(ended.elapsed());
                    let mut story = lock(story);
                    story.possible = story.possible.max(answered);
                }
            }
            if over {
                return;
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    /// Waits for the member list that is to be, from whichever old member answers.
    async fn lists(&self, members: &[Client], story: &Mutex<Story>, stop: &AtomicBool) {
        let mut turn = (0..members.len()).cycle();
        let mut at = 0;
        while !stop.load(Ordering::Relaxed) {
            match timeout(ANSWER, members[at].clone().member_list()).await {
                Ok(Ok(list)) if self.all_vote(&list) => {
                    lock(story).promoted = Some(Instant::now());
                    return;
                }
                Ok(Ok(_)) => {}
                _ => at = turn.next().unwrap_or_default(),
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    fn all_vote(&self, list: &MemberListResponse) -> bool {
        let members = list.members();
        members.len() == self.size + 1 && members.iter().all(|member| !member.is_learner() && !member.name().is_empty())
    }

    /// Notes the lives of old members.
    async fn pods(&self, pods: &Api<Pod>, story: &Mutex<Story>, stop: &AtomicBool) {
        loop {
            let over = stop.load(Ordering::Relaxed);
            let list = timeout(ANSWER, pods.list(&ListParams::default())).await;
            for pod in list.into_iter().flatten().flatten() {
                let name = pod.metadata.name.unwrap_or_default();
                let containers = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
                let etcd = containers.iter().find(|container| container.name == "etcd");
                if self.names[..self.size].contains(&name) {
                    let restarts = etcd.map(|container| container.restart_count).unwrap_or_default();
                    lock(story).lives.insert((name, pod.metadata.uid.unwrap_or_default(), restarts));
                }
            }
            if over {
                return;
            }
            tokio::time::sleep(PODS).await;
        }
    }
}

fn lock(story: &Mutex<Story>) -> MutexGuard<'_, Story> {
    story.lock().unwrap_or_else(PoisonError::into_inner)
}
