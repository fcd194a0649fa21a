//! The life of one container: image, start, probes, end, back-off, and again.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::backoff::{BackOff, written};
use super::pod::Pod;
use super::process::{Exit, Process};
use super::stage::Plan;
use super::status::{Doing, State, Termination};
use super::{images, probe};
use crate::sandbox::registry::now;

/// A container that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) plan: Plan,
}

/// A container of a pod.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) init: bool,
    pub(super) spec: Value,
    state: Mutex<State>,
    running: Mutex<Option<Arc<Running>>>,
}

impl Container {
    pub(super) fn new(spec: &Value, init: bool, reason: &'static str) -> Self {
        Self {
            name: spec["name"].as_str().unwrap_or_default().to_owned(),
            init,
            spec: spec.clone(),
            state: Mutex::new(State::new(reason)),
            running: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present process, where there is one.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn runs(&self, running: Option<Arc<Running>>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// A new incarnation begins.
    fn begin(&self, id: &str, log: &Path) {
        let mut state = self.state();
        if state.id.is_some() {
            state.restarts += 1;
        }
        state.id = Some(id.to_owned());
        state.log = Some(log.to_owned());
    }

    /// Where it is in the pod's spec, as Events have it.
    pub(super) fn path(&self) -> String {
        format!("spec.{}{{{}}}", if self.init { "initContainers" } else { "containers" }, self.name)
    }

    fn image(&self) -> &str {
        self.spec["image"].as_str().unwrap_or_default()
    }
}

/// Runs a container for as long as its pod wants it. The exit code of its last run; none where the pod ended while it
/// did not run.
pub(super) async fn live(pod: &Pod, container: &Container) -> Option<Exit> {
    let mut backoff = BackOff::default();
    loop {
        pull(pod, container).await?;
        let exit = run(pod, container).await?;
        let policy = pod.object["spec"]["restartPolicy"].as_str().unwrap_or("Always");
        let again = match policy {
            "Never" => false,
            "Always" if !container.init => true,
            _ => exit != 0,
        };
        if pod.deadline().is_some() || !again {
            return Some(exit);
        }
        let ended = Instant::now();
        if let Some(delay) = backoff.wait(ended) {
            let (name, delay_written) = (&container.name, written(delay));
            let message =
                format!("back-off {delay_written} restarting failed container={name} pod={}", pod.full_name());
            pod.tell(Some(container), true, "BackOff", "Back-off restarting failed container");
            pod.change(container, |state| state.waits("CrashLoopBackOff", Some(message)));
            pod.unless_ending(sleep_until(ended + delay)).await?;
        }
        backoff.next(ended, Instant::now());
    }
}

/// Waits until the image is there: at once, or never. None when the pod ends.
async fn pull(pod: &Pod, container: &Container) -> Option<()> {
    let image = container.image();
    let Some(trouble) = images::trouble(image) else { return Some(()) };
    if container.spec["imagePullPolicy"] == "Never" {
        let message = format!("Container image \"{image}\" is not present with pull policy of Never");
        pod.tell(Some(container), true, "ErrImageNeverPull", &message);
        pod.change(container, |state| state.waits("ErrImageNeverPull", Some(message)));
        return pod.unless_ending(std::future::pending()).await;
    }
    let mut backoff = BackOff::default();
    loop {
        pod.tell(Some(container), false, "Pulling", &format!("Pulling image \"{image}\""));
        pod.tell(Some(container), true, "Failed", &format!("Failed to pull image \"{image}\": {trouble}"));
        pod.tell(Some(container), true, "Failed", "Error: ErrImagePull");
        pod.change(container, |state| state.waits("ErrImagePull", Some(trouble.clone())));
        let failed = Instant::now();
        backoff.next(failed, failed);
        let delay = backoff.wait(failed).unwrap_or_default();
        // Kubelet looks again about every ten seconds, and finds first that it has to wait.
        pod.unless_ending(sleep_until(failed + delay.min(Duration::from_secs(10)))).await?;
        let message = format!("Back-off pulling image \"{image}\"");
        pod.tell(Some(container), false, "BackOff", &message);
        pod.tell(Some(container), true, "Failed", "Error: ImagePullBackOff");
        pod.change(container, |state| state.waits("ImagePullBackOff", Some(message)));
        pod.unless_ending(sleep_until(failed + delay)).await?;
    }
}

/// Runs a container once. None when the pod ends before it starts.
async fn run(pod: &Pod, container: &Container) -> Option<Exit> {
    let image = container.image();
    let plan = loop {
        let changes = pod.references();
        pod.tell(Some(container), false, "Pulled", &format!("Container image \"{image}\" already present on machine"));
        match pod.plan(container) {
            Ok(plan) => break plan,
            Err(why) => {
                pod.tell(Some(container), true, "Failed", &format!("Error: {why}"));
                pod.change(container, |state| state.waits("CreateContainerConfigError", Some(why)));
                pod.unless_ending(changes.next()).await?;
            }
        }
    };
    if pod.deadline().is_some() {
        return None;
    }
    let id = format!("containerd://{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let started = now();
    let log = match open_log(pod, container) {
        Ok((file, path)) => {
            pod.tell(Some(container), false, "Created", &format!("Created container {}", container.name));
            container.begin(&id, &path);
            Ok((file, path))
        }
        Err(error) => Err(format!("cannot open the log: {error}")),
    };
    let (process, path) = match log {
        Ok((file, path)) => (pod.start(plan.clone(), file).await, path),
        Err(error) => (Err(error), PathBuf::new()),
    };
    let exit = match process {
        Ok(process) => {
            let running = Arc::new(Running { process, plan });
            container.runs(Some(Arc::clone(&running)));
            pod.tell(Some(container), false, "Started", &format!("Started container {}", container.name));
            pod.change(container, |state| {
                if let Doing::Terminated(termination) = &state.doing {
                    state.last = Some(termination.clone());
                }
                state.doing = Doing::Running { since: started.clone() };
            });
            let exit = attend(pod, container, &running).await;
            container.runs(None);
            Ok(exit)
        }
        Err(why) => {
            let message = format!(
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                 failed: {why}"
            );
            pod.tell(Some(container), true, "Failed", &format!("Error: {message}"));
            Err(message)
        }
    };
    let code = *exit.as_ref().unwrap_or(&128);
    let reason = match &exit {
        Err(_) => "StartError",
        Ok(0) => "Completed",
        Ok(_) => "Error",
    };
    let started = if exit.is_ok() { started } else { "1970-01-01T00:00:00Z".to_owned() };
    let termination = Termination { code, reason, message: exit.err(), started, finished: now(), id, log: path };
    pod.change(container, |state| {
        state.doing = Doing::Terminated(termination);
        (state.started, state.ready) = (false, false);
    });
    Some(code)
}

/// Stays with a running container until it has ended, by itself or by its pod's or a probe's will.
async fn attend(pod: &Pod, container: &Container, running: &Running) -> Exit {
    tokio::select! {
        biased;
        exit = running.process.exited() => exit,
        () = pod.ending() => {
            pod.tell(Some(container), false, "Killing", &format!("Stopping container {}", container.name));
            stop(pod, container, running, None).await
        }
        probe = probe::watch(pod, container, running), if !container.init => {
            let message = format!("Container {} failed {probe} probe, will be restarted", container.name);
            pod.tell(Some(container), false, "Killing", &message);
            pod.change(container, |state| state.ready = false);
            stop(pod, container, running, Some(Instant::now() + pod.grace())).await
        }
    }
}

/// Ends a container: its hook, SIGTERM, and when the time is over SIGKILL. Without a time of its own it is the pod's.
async fn stop(pod: &Pod, container: &Container, running: &Running, own: Option<Instant>) -> Exit {
    let until = || own.into_iter().chain(pod.deadline()).min();
    let process = &running.process;
    let hook = probe::words(&container.spec["lifecycle"]["preStop"]["exec"]["command"]);
    let left = until().map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
    if !hook.is_empty()
        && !left.is_zero()
        && let Ok(Err(why)) = timeout(left, probe::command(running, &hook, left)).await
    {
        let message =
            format!("Exec lifecycle hook ([{}]) for Container \"{}\" failed: {why}", hook.join(" "), container.name);
        pod.tell(Some(container), true, "FailedPreStopHook", &message);
    }
    process.handle.signal(Signal::TERM);
    loop {
        // The pod's time may become shorter meanwhile.
        let over = until().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            exit = process.exited() => return exit,
            () = sleep_until(over) => break,
            () = pod.hurried(over) => {}
        }
    }
    process.handle.signal(Signal::KILL);
    process.exited().await
}

/// The log of the incarnation that begins. The present one and the one before it are kept.
fn open_log(pod: &Pod, container: &Container) -> std::io::Result<(File, PathBuf)> {
    let directory = pod.directory.join("logs").join(&container.name);
    fs::create_dir_all(&directory)?;
    let number = {
        let state = container.state();
        if state.id.is_some() { state.restarts + 1 } else { 0 }
    };
    if let Some(old) = number.checked_sub(2) {
        let _ = fs::remove_file(directory.join(format!("{old}.log")));
    }
    let path = directory.join(format!("{number}.log"));
    Ok((OpenOptions::new().create(true).append(true).open(&path)?, path))
}
