//! Network namespaces, held as open files, and threads that go into them.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What a thread needs that makes a few system calls; far more than that.
pub(super) const STACK: usize = 256 * 1024;

/// A network namespace. It lives as long as this, or a process in it.
#[derive(Debug, Clone)]
pub(super) struct NetworkNamespace(Arc<File>);

impl NetworkNamespace {
    /// Makes one, with a way to set up what is in it. That way keeps it alive as well: drop it when done.
    pub(super) async fn create() -> io::Result<(Self, rtnetlink::Handle)> {
        let runtime = Handle::current();
        let (file, connection, handle) = in_thread("network", move || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let file = File::open("/proc/thread-self/ns/net")?;
            // The socket belongs for good to the namespace that its thread is in now.
            let _entered = runtime.enter();
            let (connection, handle, _) = rtnetlink::new_connection()?;
            Ok((file, connection, handle))
        })
        .await?;
        tokio::spawn(connection);
        Ok((Self(Arc::new(file)), handle))
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Takes the calling thread into it, for good.
    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(setns(&*self.0, CloneFlags::CLONE_NEWNET)?)
    }

    /// Connects to an address as a process in it would.
    pub(super) async fn dial(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let namespace = self.clone();
        let stream = in_thread("dial", move || {
            namespace.enter()?;
            let stream = std::net::TcpStream::connect_timeout(&address, timeout)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        TcpStream::from_std(stream.await?)
    }
}

/// Does something in a thread of its own, which may change what belongs to a thread.
pub(super) async fn in_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| io::Error::other("a thread ended before its work"))?
}
