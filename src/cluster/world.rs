//! The cluster as the loop's world: Kubernetes and etcd, read together and changed one call at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use super::etcd::{Etcd, Reach};
use super::k8s::{Connection, Kubernetes, Lock, Watch};
use crate::model::{Answer, Change, KeyComparison, Known, Observation, Pod, Question, patch_operations, with_revision};
use crate::runbook::{Apply, Depth, LockError, SavedSnapshot, Trouble, TroubleKind, Wake, World};

/// How often members are asked while something in etcd is waited for: a learner that could vote waits as long at most.
const ASK_MEMBERS_EVERY: Duration = Duration::from_millis(50);

/// How long members are left alone between two looks by exec: each answer costs their node a process, and the audit log
/// an entry.
const ASK_BY_EXEC_EVERY: Duration = Duration::from_secs(2);

/// How often Kubernetes is looked at where it may not be watched, and at least while members are asked.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the end of a run waits for its Events to be written.
const LAST_NOTES: Duration = Duration::from_secs(2);

/// What is said of a deployment repository here, where none is known of.
const NO_REPOSITORY: &str = "no deployment repository was named";

/// One StatefulSet and the etcd in it.
pub struct Cluster {
    kubernetes: Kubernetes,
    etcd: Etcd,
    lock: Lock,
    operator: String,
    notes: JoinSet<()>,
    began: Instant,
    watch: Option<Watch>,
    /// The last whole reading of Kubernetes, how many changes the watch had seen before it, and when it was.
    last: Option<(Observation, u64, Instant)>,
}

impl Cluster {
    /// Opens a connection. `operator` is noted on what is changed, `run` makes the lock's holder unique.
    ///
    /// # Errors
    /// When there is no usable kubeconfig.
    pub async fn open(
        connection: &Connection,
        reach: Reach,
        namespace: Option<String>,
        name: String,
        operator: String,
        run: &str,
    ) -> Result<Self, Trouble> {
        let kubernetes = Kubernetes::open(connection, namespace, name, reach.container.clone()).await?;
        let lock = Lock::of(&kubernetes, format!("{operator}/{run}"));
        let etcd = Etcd::new(kubernetes.api(), reach);
        Ok(Self {
            etcd,
            lock,
            operator,
            notes: JoinSet::new(),
            began: Instant::now(),
            watch: None,
            last: None,
            kubernetes,
        })
    }

    /// The address of the API server.
    pub fn server(&self) -> &str {
        &self.kubernetes.server
    }

    /// Finds out whether another run is at work on the StatefulSet.
    ///
    /// # Errors
    /// [`LockError::Held`] where one is.
    pub async fn probe_lock(&mut self, waiting: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        self.lock.probe(waiting).await
    }

    /// Clears away the lock of a run that was found to be gone. It is for a run that has nothing to do: another takes it.
    pub async fn clear_lock(&self) {
        self.lock.clear_away().await;
    }

    /// Has the API server check a change without applying it (`dryRun=All`); `operations` are those of its patch.
    /// Nothing where it cannot check such a change.
    pub async fn rehearse(&self, change: &Change, operations: Vec<Value>) -> Option<Result<(), Trouble>> {
        match change {
            Change::PatchStatefulSet { .. } => Some(self.kubernetes.patch(operations, true).await),
            Change::PatchConfigMap { name, .. } => Some(self.kubernetes.patch_config_map(name, operations, true).await),
            Change::CreateVolume { manifest, .. } => Some(self.kubernetes.create_volume(manifest, true).await),
            _ => None,
        }
    }

    /// Saves a snapshot of a pod's member.
    ///
    /// # Errors
    /// When it cannot be read, written or verified; no file is left then.
    pub async fn save_snapshot(
        &self,
        pod: &str,
        file: &Path,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<SavedSnapshot, Trouble> {
        let expected = observation.status_of_pod(pod).map(|status| status.db_size);
        self.etcd.save_snapshot(find(pod, observation)?, expected, file, progress).await
    }

    async fn read_kubernetes(&mut self) -> Result<Observation, Trouble> {
        let seen = self.watch.as_ref().map_or(0, Watch::changes);
        // Boxed, because its calls run side by side and make a future too large to carry around.
        let observation = Box::pin(self.kubernetes.read()).await?;
        self.last = Some((observation.clone(), seen, Instant::now()));
        Ok(observation)
    }

    /// The last reading of Kubernetes, where nothing is known to have changed since. Where it may not be watched, that is
    /// found out by looking every now and then.
    fn unchanged(&self) -> Option<Observation> {
        let watch = self.watch.as_ref()?;
        let (observation, seen, at) = self.last.as_ref()?;
        let quiet = watch.deaf() || watch.changes() == *seen;
        (quiet && at.elapsed() < LOOK_EVERY).then(|| observation.clone())
    }
}

impl World for Cluster {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn observe(&mut self, depth: Depth) -> Result<Observation, Trouble> {
        let kept = if depth == Depth::Members { self.unchanged() } else { None };
        let mut observation = match kept {
            Some(observation) => observation,
            None => self.read_kubernetes().await?,
        };
        Box::pin(self.etcd.read(&self.kubernetes, &mut observation, depth)).await;
        Ok(observation)
    }

    async fn look(
        &mut self,
        question: &Question,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Answer {
        match question {
            Question::Permissions(list) => Answer::Permissions(self.kubernetes.permissions(list).await),
            Question::LastLines { pod, container } => {
                Answer::LastLines(self.kubernetes.last_lines(pod, container).await)
            }
            Question::Neighbours { hosts } => {
                Answer::Neighbours(self.kubernetes.neighbours(&observation.statefulset, hosts).await)
            }
            Question::Volumes { names } => Answer::Volumes(self.kubernetes.volumes_by_hand(names).await),
            Question::ConfigMap { name, keys } => Answer::ConfigMap(self.kubernetes.config_map(name, keys).await),
            Question::Privileges => Answer::Privileges(self.etcd.privileges(observation).await),
            Question::InactivePeers => Answer::InactivePeers(self.etcd.inactive_peers(observation).await),
            Question::Certificate { source, host } => {
                Answer::Certificate(self.etcd.certificate(&self.kubernetes, source, host.as_deref()).await)
            }
            Question::DiskPools => Answer::DiskPools(self.kubernetes.disk_pools().await),
            Question::Deployment { .. } => Answer::Deployment(Known::Unknown(NO_REPOSITORY.to_owned())),
            Question::Hash { member, pod, revision } => Answer::Hash(match find(pod, observation) {
                Ok(pod) => self.etcd.hash(pod, *member, *revision).await,
                Err(trouble) => Known::Unknown(trouble.message),
            }),
            Question::Keys { revision, reference, other } => {
                let pods = find(&reference.pod, observation).and_then(|pod| Ok((pod, find(&other.pod, observation)?)));
                Answer::Keys(match pods {
                    Ok((pod, other_pod)) => {
                        let (one, two) = ((pod, reference.member), (other_pod, other.member));
                        Box::pin(self.etcd.compare_keys(one, two, *revision, progress)).await
                    }
                    Err(trouble) => KeyComparison { broken_off: Some(trouble.message), ..KeyComparison::default() },
                })
            }
        }
    }

    async fn apply(
        &mut self,
        change: &Change,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Apply, Trouble> {
        if self.lock.unsure() {
            return Err(Trouble::new(TroubleKind::NotYet, "the lock could not be renewed; finding out whose it is"));
        }
        match change {
            Change::SaveSnapshot { pod, file, revision } => {
                let file = if *revision { with_revision(file, pod, observation) } else { file.clone() };
                return self.save_snapshot(pod, &file, observation, progress).await.map(Apply::Snapshot);
            }
            Change::CreateVolume { manifest, .. } => self.kubernetes.create_volume(manifest, false).await?,
            Change::PatchConfigMap { name, .. } => {
                let operations = patch_operations(change, observation).unwrap_or_default();
                self.kubernetes.patch_config_map(name, operations, false).await?;
            }
            Change::AddLearner { name, peer_url } => self.etcd.add_learner(name, peer_url, observation).await?,
            Change::RemoveMember { member, .. } => self.etcd.remove_member(*member, observation).await?,
            Change::DeleteClaim { claim, uid, .. } => self.kubernetes.delete_claim(claim, uid).await?,
            Change::DeleteVolume { volume, uid } => self.kubernetes.delete_volume(volume, uid).await?,
            Change::Promote { member, .. } => self.etcd.promote(*member, observation).await?,
            Change::MoveLeader { to, .. } => self.etcd.move_leader(to.0, observation).await?,
            Change::DeletePod { pod, uid } => self.kubernetes.delete_pod(pod, uid).await?,
            Change::CommitPatches { .. } | Change::PushCommit { .. } | Change::ApplyOverlay { .. } => {
                return Err(Trouble::new(TroubleKind::Internal, NO_REPOSITORY));
            }
            Change::OpenRun { .. }
            | Change::PatchStatefulSet { .. }
            | Change::TakeBack { .. }
            | Change::NoteUsedPath { .. }
            | Change::RestoreCommand { .. }
            | Change::LowerPartition { .. }
            | Change::DeferRollout { .. }
            | Change::CloseRun => {
                let operations = patch_operations(change, observation)
                    .ok_or_else(|| Trouble::new(TroubleKind::Internal, format!("{} has no patch", change.name())))?;
                self.kubernetes.patch(operations, false).await?;
            }
        }
        if !change.is_bookkeeping() {
            let note = self.kubernetes.note(change, &observation.statefulset, &self.operator);
            self.notes.spawn(note);
        }
        Ok(Apply::Applied)
    }

    async fn wake(&mut self, wake: Wake, limit: Duration) {
        if self.watch.is_none()
            && let Some((observation, _, _)) = &self.last
        {
            self.watch = Some(Watch::begin(&self.kubernetes, &observation.statefulset));
        }
        let rest = if self.etcd.by_exec() { limit.min(ASK_BY_EXEC_EVERY) } else { Duration::ZERO };
        tokio::time::sleep(rest).await;
        let limit = limit.saturating_sub(rest);
        let limit = match (wake, self.watch.as_ref().is_none_or(Watch::deaf)) {
            (Wake::Members, _) => limit.min(ASK_MEMBERS_EVERY),
            (Wake::Kubernetes, true) => limit.min(LOOK_EVERY),
            (Wake::Kubernetes, false) => limit,
        };
        match &self.watch {
            Some(watch) => drop(tokio::time::timeout(limit, watch.changed()).await),
            None => tokio::time::sleep(limit).await,
        }
    }

    async fn lock(&mut self, waiting: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        self.lock.take(waiting).await
    }

    fn lock_lost(&self) -> Option<String> {
        self.lock.lost()
    }

    async fn unlock(&mut self) {
        self.lock.release().await;
        let notes = std::mem::take(&mut self.notes);
        if tokio::time::timeout(LAST_NOTES, notes.join_all()).await.is_err() {
            tracing::debug!("some Events were not written in time");
        }
    }
}

fn find<'a>(name: &str, observation: &'a Observation) -> Result<&'a Pod, Trouble> {
    let pod = observation.pods.iter().find(|pod| pod.name == name);
    pod.ok_or_else(|| Trouble::new(TroubleKind::NotYet, format!("pod {name} does not exist")))
}
