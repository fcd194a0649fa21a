//! Trouble on demand: pods that hang, die, or are cut off.

use rustix::process::Signal;

use super::Node;
use super::streams::find;
use crate::sandbox::status::Status;

impl Node {
    /// Stops all processes of a pod where they are, as a node does that hangs. A container that starts later runs.
    ///
    /// # Errors
    /// When the pod does not run here.
    pub(in crate::sandbox) fn freeze(&self, namespace: &str, pod: &str) -> Result<(), Status> {
        self.hold(namespace, pod, true)
    }

    /// Lets the processes of a frozen pod go on.
    ///
    /// # Errors
    /// When the pod does not run here.
    pub(in crate::sandbox) fn thaw(&self, namespace: &str, pod: &str) -> Result<(), Status> {
        self.hold(namespace, pod, false)
    }

    fn hold(&self, namespace: &str, pod: &str, frozen: bool) -> Result<(), Status> {
        let pod = self.pod(namespace, pod)?;
        for running in pod.containers().filter_map(super::container::Container::running) {
            running.process.freeze(frozen);
        }
        Ok(())
    }

    /// Kills a container, as the kernel does when memory is short.
    ///
    /// # Errors
    /// When there is no such container.
    pub(in crate::sandbox) fn kill(&self, namespace: &str, pod: &str, container: Option<&str>) -> Result<(), Status> {
        let pod = self.pod(namespace, pod)?;
        if let Some(running) = find(&pod, container)?.running() {
            running.process.handle.signal(Signal::KILL);
        }
        Ok(())
    }

    /// Cuts a pod off from all others. Commands and connections into it still work.
    ///
    /// # Errors
    /// When the pod does not run here.
    pub(in crate::sandbox) async fn cut(&self, namespace: &str, pod: &str) -> Result<(), Status> {
        self.plug(namespace, pod, false).await
    }

    /// Ends what [`Node::cut`] began.
    ///
    /// # Errors
    /// When the pod does not run here.
    pub(in crate::sandbox) async fn mend(&self, namespace: &str, pod: &str) -> Result<(), Status> {
        self.plug(namespace, pod, true).await
    }

    async fn plug(&self, namespace: &str, pod: &str, plugged: bool) -> Result<(), Status> {
        let pod = self.pod(namespace, pod)?;
        let Some(attachment) = pod.attachment() else { return Ok(()) };
        let done = self.inner.network.plug(attachment, plugged).await;
        done.map_err(|error| Status::new(500, "InternalError", format!("{error:#}")))
    }
}
