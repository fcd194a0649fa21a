//! The lock: a Lease, renewed in the background for as long as the run lasts.
//!
//! A Lease has expired when its renewTime has not changed for its duration on our own monotonic clock. The clock of
//! its holder is never compared with ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};
use tokio::task::JoinHandle;

use super::errors::{ask, call};
use super::read::Kubernetes;
use crate::runbook::{LockError, Trouble, TroubleKind};

/// How long the Lease lasts without a renewal.
const DURATION: Duration = Duration::from_secs(10);

/// How often it is renewed: three renewals may fail before it expires.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How often another's Lease is looked at, while finding out whether it is still renewed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long one call for the Lease may take, so that a hanging one leaves time for the next.
const CALL: Duration = Duration::from_secs(3);

/// How long it is tried to delete the Lease at the end. It expires by itself soon after.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);

/// How long is left between two tries.
const RELEASE_EVERY: Duration = Duration::from_millis(100);

/// The Lease of a StatefulSet.
pub(super) fn name(statefulset: &str) -> String {
    format!("etcd-scale-{statefulset}")
}

/// What a Lease says.
pub(super) fn view(lease: &Lease) -> crate::model::Lock {
    let spec = lease.spec.clone().unwrap_or_default();
    crate::model::Lock {
        holder: spec.holder_identity.unwrap_or_default(),
        renewed: spec.renew_time.map(|time| time.0.to_string()).unwrap_or_default(),
        duration_seconds: spec.lease_duration_seconds.unwrap_or_default(),
    }
}

/// What the renewal in the background knows.
#[derive(Default)]
struct State {
    /// When it was last renewed.
    renewed: Option<Instant>,
    /// Why it is no longer ours.
    lost: Option<String>,
}

/// The lock of one run, taken or not.
pub(in crate::cluster) struct Lock {
    api: Api<Lease>,
    name: String,
    holder: String,
    state: Arc<Mutex<State>>,
    /// The resource version of another's Lease that was seen to have expired.
    expired: Option<String>,
    held: Option<JoinHandle<()>>,
}

impl Lock {
    /// The lock of a StatefulSet, for a run of `holder`. Not taken yet.
    pub(in crate::cluster) fn of(kubernetes: &Kubernetes, holder: String) -> Self {
        Self {
            api: kubernetes.api(),
            name: name(&kubernetes.name),
            holder,
            state: Arc::default(),
            expired: None,
            held: None,
        }
    }

    /// Finds out whether another run holds the lock and lives.
    ///
    /// # Errors
    /// [`LockError::Held`] where it does.
    pub(in crate::cluster) async fn probe(&mut self, waiting: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        let Some(mut lease) = self.read().await? else { return Ok(()) };
        let mut seen = view(&lease);
        if self.is_free(&lease) {
            return Ok(());
        }
        let lasts =
            Duration::from_secs(u64::try_from(seen.duration_seconds).unwrap_or(0)).clamp(LOOK_EVERY, DURATION * 6);
        // The last renewal of a run that was killed may still be on its way: only a second one is a sign of life.
        let mut renewals = 0;
        let mut began = Instant::now();
        while began.elapsed() < lasts {
            let left = lasts.saturating_sub(began.elapsed());
            waiting(&format!(
                "{} holds the lock; finding out whether it is still at work, {} s at most",
                seen.holder,
                left.as_secs() + 1
            ));
            tokio::time::sleep(LOOK_EVERY.min(left)).await;
            let Some(next) = self.read().await? else { return Ok(()) };
            let now = view(&next);
            if now.holder.is_empty() {
                return Ok(());
            }
            if now != seen {
                renewals += 1;
                if renewals > 1 || now.holder != seen.holder {
                    return Err(LockError::Held { holder: now.holder });
                }
                (lease, seen, began) = (next, now, Instant::now());
            }
        }
        self.expired = lease.metadata.resource_version;
        Ok(())
    }

    /// Whether a Lease may be taken: nobody holds it, its holder was seen to live no more, or it is our own already,
    /// because it was taken and the answer was lost.
    fn is_free(&self, lease: &Lease) -> bool {
        let holder = view(lease).holder;
        holder.is_empty() || holder == self.holder || lease.metadata.resource_version == self.expired
    }

    /// Takes the lock and begins to renew it.
    ///
    /// # Errors
    /// [`LockError::Held`] where another run holds it and lives.
    pub(in crate::cluster) async fn take(&mut self, waiting: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        let params = PostParams::default();
        loop {
            self.probe(waiting).await?;
            let present = self.read().await?;
            let taken = match present {
                None => {
                    let lease = Lease {
                        metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                        spec: Some(self.spec(0)),
                    };
                    ask("take the lock", CALL, || self.api.create(&params, &lease)).await
                }
                Some(mut lease) => {
                    // Taken by somebody in between: find out about that one.
                    if !self.is_free(&lease) {
                        continue;
                    }
                    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
                    let ours = view(&lease).holder == self.holder;
                    lease.spec = Some(self.spec(transitions.saturating_add(i32::from(!ours))));
                    ask("take the lock", CALL, || self.api.replace(&self.name, &params, &lease)).await
                }
            };
            match taken {
                Ok(lease) => {
                    let renewal = Renewal {
                        api: self.api.clone(),
                        name: self.name.clone(),
                        holder: self.holder.clone(),
                        state: self.state.clone(),
                    };
                    renewal.note(|state| state.renewed = Some(Instant::now()));
                    self.held = Some(tokio::spawn(renewal.go_on(lease)));
                    return Ok(());
                }
                Err(trouble) if trouble.kind == TroubleKind::Conflict => {}
                Err(trouble) => return Err(LockError::Trouble(trouble)),
            }
        }
    }

    /// Why the lock is no longer ours.
    pub(in crate::cluster) fn lost(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost.clone()
    }

    /// Whether the lock may have expired: it is held, and was not renewed for its duration. Nothing may be changed
    /// until it is known whose it is.
    pub(in crate::cluster) fn unsure(&self) -> bool {
        let renewed = self.state.lock().unwrap_or_else(PoisonError::into_inner).renewed;
        self.held.is_some() && renewed.is_some_and(|renewed| renewed.elapsed() >= DURATION)
    }

    /// Lets the lock go: the Lease is deleted, where it is still ours.
    pub(in crate::cluster) async fn release(&mut self) {
        let Some(task) = self.held.take() else { return };
        task.abort();
        let deleted = async {
            while let Err(trouble) = self.delete(|lease| view(lease).holder == self.holder).await {
                tracing::debug!(%trouble, "the lock was not released");
                match trouble.kind {
                    // The last renewal was still on its way and came between reading and deleting; or whether it was
                    // deleted shows when it is read again.
                    TroubleKind::Conflict | TroubleKind::Lost | TroubleKind::NotYet => {}
                    _ => return,
                }
                tokio::time::sleep(RELEASE_EVERY).await;
            }
        };
        drop(tokio::time::timeout(RELEASE_WITHIN, deleted).await);
    }

    /// Deletes the Lease of a holder that was seen to live no more, where nothing is left to do that would take it over.
    pub(in crate::cluster) async fn clear_away(&self) {
        let dead = |lease: &Lease| self.expired.is_some() && lease.metadata.resource_version == self.expired;
        if let Err(trouble) = self.delete(dead).await {
            // It is in nobody's way: the next run finds out as well that its holder is gone.
            tracing::debug!(%trouble, "the lock of a run that is gone was not deleted");
        }
    }

    async fn delete(&self, which: impl Fn(&Lease) -> bool) -> Result<(), Trouble> {
        let present = ask("read the lock", CALL, || self.api.get_opt(&self.name)).await?;
        let Some(lease) = present.filter(which) else { return Ok(()) };
        // Only as it was read: another run may take it over at this moment.
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: lease.metadata.uid,
                resource_version: lease.metadata.resource_version,
            }),
            ..DeleteParams::default()
        };
        ask("release the lock", CALL, || self.api.delete(&self.name, &params)).await.map(|_| ())
    }

    async fn read(&self) -> Result<Option<Lease>, LockError> {
        ask("read the lock", CALL, || self.api.get_opt(&self.name)).await.map_err(LockError::Trouble)
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

struct Renewal {
    api: Api<Lease>,
    name: String,
    holder: String,
    state: Arc<Mutex<State>>,
}

impl Renewal {
    /// Renews for as long as the Lease is ours, also through an API server that is away for a while: a renewal of the
    /// version that we wrote last passes only where nobody else has held it meanwhile.
    async fn go_on(self, mut lease: Lease) {
        let mut every = tokio::time::interval(RENEW_EVERY);
        every.tick().await;
        loop {
            every.tick().await;
            match self.renew(&lease).await {
                Ok(Some(now)) => {
                    lease = now;
                    self.note(|state| state.renewed = Some(Instant::now()));
                }
                Ok(None) => {
                    let why = "somebody else holds or has deleted its Lease".to_owned();
                    return self.note(|state| state.lost = Some(why));
                }
                Err(trouble) => tracing::debug!(%trouble, "the lock was not renewed this time"),
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        note(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The renewed Lease; none where it is no longer ours.
    async fn renew(&self, lease: &Lease) -> Result<Option<Lease>, Trouble> {
        let mut next = lease.clone();
        if let Some(spec) = &mut next.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match call("renew the lock", CALL, self.api.replace(&self.name, &PostParams::default(), &next)).await {
            Ok(renewed) => Ok(Some(renewed)),
            // Either another took it, or our own last renewal arrived and its answer did not.
            Err(trouble) if matches!(trouble.kind, TroubleKind::Conflict | TroubleKind::NotFound) => {
                let present = ask("read the lock", CALL, || self.api.get_opt(&self.name)).await?;
                Ok(present.filter(|present| {
                    view(present).holder == self.holder && present.metadata.uid == lease.metadata.uid
                }))
            }
            Err(trouble) => Err(trouble),
        }
    }
}
