//! What goes into and out of running pods: commands, connections, logs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::container::{Container, Running};
use super::exec::{self, Exec};
use super::pod::Pod;
use super::status::Doing;
use super::{Node, kinds};
use crate::sandbox::status::Status;

/// How long a connection into a pod may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The log of one incarnation of a container.
#[derive(Debug)]
pub(in crate::sandbox) struct Log {
    /// It grows as long as the container runs.
    pub(in crate::sandbox) path: PathBuf,
    running: Option<Arc<Running>>,
}

impl Log {
    /// Waits until nothing more comes. What is there then is all, so read once more after this.
    pub(in crate::sandbox) async fn ended(&self) {
        if let Some(running) = &self.running {
            running.process.exited().await;
        }
    }
}

impl Node {
    /// Runs a command in a container.
    ///
    /// # Errors
    /// When there is no such container, it does not run, or has no such command.
    pub(in crate::sandbox) async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        stdin: bool,
        tty: bool,
    ) -> Result<Exec, Status> {
        let pod = self.pod(namespace, pod)?;
        let container = find(&pod, container)?;
        let running = container.running().ok_or_else(|| {
            Status::new(500, "InternalError", format!("container not found (\"{}\")", container.name))
        })?;
        exec::spawn(&running.process, &running.plan, command, stdin, tty).await.map_err(|why| {
            let id = uuid::Uuid::new_v4().simple();
            let message = format!(
                "Internal error occurred: error executing command in container: failed to exec in container: failed to \
                 start exec \"{id}\": OCI runtime exec failed: exec failed: {why}"
            );
            Status::new(500, "InternalError", message)
        })
    }

    /// Connects to a port of a pod, as seen from within.
    ///
    /// # Errors
    /// When the pod does not run, or nothing listens there.
    pub(in crate::sandbox) async fn dial(&self, namespace: &str, pod: &str, port: u16) -> Result<TcpStream, Status> {
        let pod = self.pod(namespace, pod)?;
        let failed = |why: String| Status::new(500, "InternalError", why);
        let Some(attachment) = pod.attachment() else { return Err(failed("the pod has no network yet".to_owned())) };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        attachment.namespace.dial(address, PATIENCE).await.map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
                std::io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
                _ => error.to_string(),
            };
            failed(format!("failed to connect to localhost:{port} inside namespace: dial tcp4 {address}: {why}"))
        })
    }

    /// What a container writes, or has written before it was started the last time.
    ///
    /// # Errors
    /// When there is no such container, or it has not written yet.
    pub(in crate::sandbox) fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<Log, Status> {
        let pod = self.pod(namespace, pod)?;
        let container = find(&pod, container)?;
        let running = container.running().filter(|_| !previous);
        let state = container.state().clone();
        let path = if previous { state.last.map(|last| last.log) } else { state.log };
        let Some(path) = path else {
            let (name, pod) = (&container.name, &pod.name);
            let message = match &state.doing {
                Doing::Waiting { reason, .. } if !previous => {
                    format!("container \"{name}\" in pod \"{pod}\" is waiting to start: {reason}")
                }
                _ => format!("previous terminated container \"{name}\" in pod \"{pod}\" not found"),
            };
            return Err(Status::bad_request(message));
        };
        Ok(Log { path, running })
    }

    /// A pod that the node runs.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Result<Arc<Pod>, Status> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(pod) = self.inner.pods().get(&key) {
            return Ok(Arc::clone(pod));
        }
        let pod = self.inner.registry.get(kinds::PODS, namespace, name)?;
        if pod["spec"]["nodeName"].is_null() {
            return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
        }
        Err(Status::new(500, "InternalError", format!("Internal error occurred: pod {name} does not run on this node")))
    }
}

/// A container by its name, or the only one.
pub(super) fn find<'a>(pod: &'a Pod, name: Option<&str>) -> Result<&'a Container, Status> {
    let Some(name) = name else {
        if let [only] = pod.main() {
            return Ok(only);
        }
        let names: Vec<_> = pod.main().iter().map(|container| container.name.as_str()).collect();
        let message =
            format!("a container name must be specified for pod {}, choose one of: [{}]", pod.name, names.join(" "));
        return Err(Status::bad_request(message));
    };
    let found = pod.containers().find(|container| container.name == name);
    found.ok_or_else(|| Status::bad_request(format!("container {name} is not valid for pod {}", pod.name)))
}
