//! The way from streams to pods: the node.

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::streams::{Exec, Log, Target};
use crate::sandbox::node::Node;
use crate::sandbox::status::Status;

impl Target for Node {
    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[String],
        stdin: bool,
        tty: bool,
    ) -> Result<Exec, Status> {
        let mut process = Self::exec(self, namespace, pod, Some(container), command, stdin, tty).await?;
        let (resize, mut sizes) = mpsc::channel::<(u16, u16)>(1);
        Ok(Exec {
            stdin: process.stdin.take(),
            stdout: std::mem::replace(&mut process.stdout, Box::new(tokio::io::empty())),
            stderr: process.stderr.take(),
            resize: tty.then_some(resize),
            exit: Box::pin(async move {
                let mut process = KilledWhenDropped(process);
                loop {
                    let process = &mut process.0;
                    tokio::select! {
                        code = process.exited() => return code,
                        Some((columns, rows)) = sizes.recv() => process.resize(columns, rows),
                    }
                }
            }),
        })
    }

    async fn dial(&self, namespace: &str, pod: &str, port: u16) -> Result<TcpStream, Status> {
        Self::dial(self, namespace, pod, port).await
    }

    async fn log(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<Log, Status> {
        let log = Self::log(self, namespace, pod, Some(container), previous)?;
        let (over, ended) = watch::channel(false);
        let path = log.path.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = log.ended() => drop(over.send(true)),
                () = over.closed() => {}
            }
        });
        Ok(Log { path, ended })
    }
}

/// Nobody listens to a command whose client has gone.
struct KilledWhenDropped(crate::sandbox::node::Exec);

impl Drop for KilledWhenDropped {
    fn drop(&mut self) {
        self.0.kill();
    }
}
