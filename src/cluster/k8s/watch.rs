//! The watch that wakes a waiting run: any change of the StatefulSet or its pods.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet as ApiStatefulSet;
use k8s_openapi::api::core::v1 as core;
use kube::Resource;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, watcher};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::read::Kubernetes;
use crate::model::StatefulSet;

/// Counts changes and wakes whoever waits for one. Its tasks end when it is dropped.
pub(in crate::cluster) struct Watch {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    changes: AtomicU64,
    changed: Notify,
    deaf: AtomicBool,
}

impl Watch {
    /// Begins to watch.
    pub(in crate::cluster) fn begin(kubernetes: &Kubernetes, set: &StatefulSet) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let own = Config::default().fields(&format!("metadata.name={}", set.name));
        let pods = Config::default().labels(&set.selector);
        // Only the metadata travels: that something has changed is all that a watch has to tell.
        tasks.spawn(follow(kubernetes.api::<PartialObjectMeta<ApiStatefulSet>>(), own, shared.clone()));
        tasks.spawn(follow(kubernetes.api::<PartialObjectMeta<core::Pod>>(), pods, shared.clone()));
        Self { shared, _tasks: tasks }
    }

    /// How many changes have been seen.
    pub(in crate::cluster) fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::SeqCst)
    }

    /// Whether watching is not permitted or does not work, so that somebody has to look by themselves.
    pub(in crate::cluster) fn deaf(&self) -> bool {
        self.shared.deaf.load(Ordering::SeqCst)
    }

    /// Returns at the next change, or at once where one came since the last call.
    pub(in crate::cluster) async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

async fn follow<K>(api: Api<PartialObjectMeta<K>>, config: Config, shared: Arc<Shared>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let mut stream = watcher(api, config).default_backoff().boxed();
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
            Ok(_) => {
                shared.deaf.store(false, Ordering::SeqCst);
                shared.changes.fetch_add(1, Ordering::SeqCst);
                shared.changed.notify_one();
            }
            Err(error) => {
                tracing::debug!(error = %crate::cluster::chain(&error), "the watch was interrupted");
                shared.deaf.store(true, Ordering::SeqCst);
            }
        }
    }
}
