//! What streams lead to: the commands, ports and logs of pods. The node provides them; tests have their own.

use std::path::PathBuf;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::sandbox::status::Status;

/// A command that runs in a container.
pub(in crate::sandbox) struct Exec {
    /// None where the command gets none. Shutting it down, or dropping it, is the end of the command's input.
    pub(in crate::sandbox) stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(in crate::sandbox) stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// None with a terminal, which has one stream for both.
    pub(in crate::sandbox) stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Columns and rows; none without a terminal.
    pub(in crate::sandbox) resize: Option<mpsc::Sender<(u16, u16)>>,
    /// The exit code. Dropping it before it is there kills the command, as nobody listens to it any more.
    pub(in crate::sandbox) exit: BoxFuture<'static, i32>,
}

/// One container's log, of one incarnation.
pub(in crate::sandbox) struct Log {
    /// The container's output as it is, standard output and standard error together.
    pub(in crate::sandbox) path: PathBuf,
    /// True once the container has ended and all that it wrote is in the file. A sender that is gone means the same.
    pub(in crate::sandbox) ended: watch::Receiver<bool>,
}

/// The processes behind pods. The callers have seen to it that the pod is there and has the container.
pub(in crate::sandbox) trait Target: Send + Sync + 'static {
    /// Starts a command in a container.
    ///
    /// # Errors
    /// When the container does not run, or there is no such command.
    fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[String],
        stdin: bool,
        tty: bool,
    ) -> impl Future<Output = Result<Exec, Status>> + Send;

    /// Connects to a port inside the pod, on its localhost.
    ///
    /// # Errors
    /// When nothing listens there, in the words that follow `error forwarding port PORT to pod POD, uid : `.
    fn dial(&self, namespace: &str, pod: &str, port: u16) -> impl Future<Output = Result<TcpStream, Status>> + Send;

    /// The log of a container, of its present incarnation or of the one before.
    ///
    /// # Errors
    /// When there is none.
    fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> impl Future<Output = Result<Log, Status>> + Send;
}
