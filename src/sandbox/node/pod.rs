//! One pod on the node, from the moment it is bound to the moment nothing of it is left.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::container::{self, Container};
use super::env::{self, Sources, expand};
use super::network::{Attachment, HOST};
use super::process::Process;
use super::stage::Plan;
use super::status::{self, Sight, State};
use super::volumes::{self, Places};
use super::{Inner, events, names, probe};
use crate::sandbox::kinds;
use crate::sandbox::registry::{Deletion, Part, Registry, now};
use crate::sandbox::status::Status;
use crate::sandbox::store::Watch;

/// A pod that the node runs.
#[derive(Debug)]
pub(super) struct Pod {
    node: Arc<Inner>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// As it was bound. What matters of it does not change.
    pub(super) object: Arc<Value>,
    /// What goes with the pod.
    pub(super) directory: PathBuf,
    init: Vec<Container>,
    main: Vec<Container>,
    attachment: OnceLock<Attachment>,
    since: String,
    /// When its processes get SIGKILL, from when on it ends.
    deadline: watch::Sender<Option<Instant>>,
    /// Whether its object is there: a status to write, and at the end something to remove.
    present: watch::Sender<bool>,
    /// Whether nothing of it is left.
    gone: watch::Sender<bool>,
    /// Statuses are made and written one after the other.
    publishing: Mutex<()>,
}

impl Pod {
    /// None where the object is not one of a pod.
    pub(super) fn new(node: Arc<Inner>, object: &Arc<Value>) -> Option<Self> {
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let (namespace, name, uid) = (text("namespace")?, text("name")?, text("uid")?);
        let directory = node.memory.join("pods").join(&uid);
        let list = |field: &str| object["spec"][field].as_array().map_or(&[][..], Vec::as_slice);
        let reason = if list("initContainers").is_empty() { "ContainerCreating" } else { "PodInitializing" };
        Some(Self {
            namespace,
            name,
            uid,
            object: Arc::clone(object),
            directory,
            init: list("initContainers").iter().map(|spec| Container::new(spec, true, "PodInitializing")).collect(),
            main: list("containers").iter().map(|spec| Container::new(spec, false, reason)).collect(),
            attachment: OnceLock::new(),
            since: now(),
            deadline: watch::Sender::new(None),
            present: watch::Sender::new(true),
            gone: watch::Sender::new(false),
            publishing: Mutex::default(),
            node,
        })
    }

    /// `NAME_NAMESPACE(UID)`, as kubelet names pods.
    pub(super) fn full_name(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.node.registry
    }

    pub(super) fn attachment(&self) -> Option<&Attachment> {
        self.attachment.get()
    }

    /// All its containers, those that come first at first.
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.init.iter().chain(&self.main)
    }

    pub(super) fn main(&self) -> &[Container] {
        &self.main
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs(self.object["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30))
    }

    /// When its processes get SIGKILL; none as long as it does not end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        *self.deadline.borrow()
    }

    /// Ends it, with time until then. A later call can only shorten the time.
    pub(super) fn end(&self, deadline: Instant) {
        self.deadline.send_if_modified(|standing| {
            let shorter = standing.is_none_or(|standing| deadline < standing);
            if shorter {
                *standing = Some(deadline);
            }
            shorter
        });
    }

    /// Its object is gone, or another's now: nobody waits for its processes.
    pub(super) fn vanish(&self) {
        self.present.send_replace(false);
        self.end(Instant::now());
    }

    /// Waits until it is to end.
    pub(super) async fn ending(&self) {
        // The sender is this pod's own.
        let _ = self.deadline.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until its time is shorter than that.
    pub(super) async fn hurried(&self, than: Instant) {
        let shorter = |deadline: &Option<Instant>| deadline.is_some_and(|deadline| deadline < than);
        let _ = self.deadline.subscribe().wait_for(shorter).await;
    }

    /// Waits until nothing of it is left.
    pub(super) async fn gone(&self) {
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// Waits for something, but not longer than the pod is wanted.
    pub(super) async fn unless_ending<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.ending() => None,
            result = what => Some(result),
        }
    }

    /// Tells an Event about it, or about one of its containers.
    pub(super) fn tell(&self, container: Option<&Container>, warning: bool, reason: &str, message: &str) {
        let path = container.map(Container::path);
        events::tell(self.registry(), &self.object, path.as_deref(), warning, reason, message);
    }

    /// Changes what is known of a container, and the pod's status with it.
    pub(super) fn change(&self, container: &Container, change: impl FnOnce(&mut State)) {
        change(&mut container.state());
        self.publish();
    }

    fn publish(&self) {
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if !*self.present.borrow() {
            return;
        }
        let states = |containers: &[Container]| -> Vec<State> {
            containers.iter().map(|container| container.state().clone()).collect()
        };
        let (init, main) = (states(&self.init), states(&self.main));
        let address = self.attachment().map(|attachment| attachment.address);
        let sight = Sight { init: &init, main: &main, address, since: &self.since };
        let written = self.registry().update(kinds::PODS, &self.namespace, &self.name, Part::Status, false, |object| {
            if object["metadata"]["uid"] != self.uid.as_str() {
                return Err(Status::not_found(kinds::PODS, &self.name));
            }
            object["status"] = status::of(object, &sight, &now());
            Ok(())
        });
        if let Err(error) = written {
            tracing::debug!(pod = self.name, error = error.message, "the status was not taken");
        }
    }

    fn sources(&self) -> Sources<'_> {
        let address = self.attachment().map_or(HOST, |attachment| attachment.address);
        Sources { registry: self.registry(), pod: &self.object, address, host: HOST }
    }

    fn places(&self) -> Places<'_> {
        Places { memory: &self.node.memory, pod: &self.directory }
    }

    /// What its references point to, to wait for a change of that.
    pub(super) fn references(&self) -> References {
        References(self.registry().watch(self.registry().version()))
    }

    /// What a container is to run, and with what.
    ///
    /// # Errors
    /// In kubelet's words, when it cannot be said yet.
    pub(super) fn plan(&self, container: &Container) -> Result<Plan, String> {
        let env = env::variables(self.sources(), &container.spec)?;
        let expanded = |field: &str| -> Vec<String> {
            probe::words(&container.spec[field]).iter().map(|word| expand(word, &env)).collect()
        };
        let mut command = expanded("command");
        if command.is_empty() {
            // No image is here to know a better one.
            command.push("etcd".to_owned());
        }
        command.extend(expanded("args"));
        Ok(Plan {
            root: self.node.memory.join("root"),
            hostname: env::hostname(&self.object).to_owned(),
            names: self.names(),
            programs: self.node.images.programs(container.spec["image"].as_str().unwrap_or_default()),
            mounts: volumes::mounts(self.sources(), self.places(), &container.spec)?,
            command,
            env,
            directory: container.spec["workingDir"].as_str().filter(|path| !path.is_empty()).map(str::to_owned),
        })
    }

    pub(super) async fn start(&self, plan: Plan, log: File) -> Result<Process, String> {
        let attachment = self.attachment().ok_or("the pod has no network")?;
        Process::start(plan, attachment.namespace.clone(), log).await
    }

    fn names(&self) -> PathBuf {
        self.directory.join("names")
    }

    /// Writes the names that it finds others by.
    pub(super) fn name(&self, lines: &str) {
        let Some(attachment) = self.attachment() else { return };
        let text = names::own(&self.object, attachment.address) + lines;
        if let Err(error) = names::write(&self.names(), &text) {
            tracing::warn!(pod = self.name, %error, "cannot write the names");
        }
    }
}

/// The life of a pod. `before` is the one of the same name that has to be gone first.
pub(super) async fn live(pod: Arc<Pod>, before: Option<Arc<Pod>>) {
    if let Some(before) = before {
        before.gone().await;
    }
    if pod.deadline().is_none() {
        pod.publish();
        run(&pod).await;
        pod.ending().await;
    }
    pod.publish();
    if *pod.present.borrow() {
        let deletion = Deletion { grace: Some(0), uid: Some(pod.uid.clone()), ..Deletion::default() };
        if let Err(error) = pod.registry().delete(kinds::PODS, &pod.namespace, &pod.name, &deletion) {
            tracing::debug!(pod = pod.name, error = error.message, "the pod was gone already");
        }
    }
    let _ = fs::remove_dir_all(&pod.directory);
    pod.node.forget(&pod);
    pod.gone.send_replace(true);
}

/// Runs its containers. Comes back when none of them runs, nor will.
async fn run(pod: &Pod) {
    if prepare(pod).await.is_none() {
        return;
    }
    for container in &pod.init {
        if container::live(pod, container).await != Some(0) {
            return;
        }
    }
    for container in &pod.main {
        if !pod.init.is_empty() {
            container.state().waits("PodInitializing", None);
        }
    }
    pod.publish();
    futures::future::join_all(pod.main.iter().map(|container| container::live(pod, container))).await;
}

/// Volumes, then an address and names. None when the pod ends before they are there.
async fn prepare(pod: &Pod) -> Option<()> {
    loop {
        let changes = pod.references();
        let ready = fs::create_dir_all(&pod.directory)
            .map_err(|error| error.to_string())
            .and_then(|()| volumes::prepare(pod.sources(), pod.places()));
        match ready {
            Ok(()) => break,
            Err(why) => pod.tell(None, true, "FailedMount", &why),
        }
        pod.unless_ending(changes.next()).await?;
    }
    match pod.node.network.attach().await {
        Ok(attachment) => drop(pod.attachment.set(attachment)),
        Err(error) => {
            let why = format!("Failed to create pod sandbox: rpc error: code = Unknown desc = {error:#}");
            pod.tell(None, true, "FailedCreatePodSandBox", &why);
            return pod.unless_ending(std::future::pending()).await;
        }
    }
    pod.publish();
    // Before its first process asks for a name.
    pod.node.rename();
    Some(())
}

/// Changes of what pods refer to.
#[derive(Debug)]
pub(super) struct References(Watch);

impl References {
    /// Waits for one.
    pub(super) async fn next(mut self) {
        const KINDS: [&str; 4] = [kinds::CONFIG_MAPS, kinds::SECRETS, kinds::CLAIMS, kinds::VOLUMES];
        // Changes that are forgotten were changes too.
        while let Ok(events) = self.0.next().await {
            if events.iter().any(|event| KINDS.contains(&event.key.resource.as_str())) {
                return;
            }
        }
    }
}
