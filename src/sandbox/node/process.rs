//! The first process of a container, and the thread that it lives and ends with.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::{fs, io, thread};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::{oneshot, watch};

use super::netns::{NetworkNamespace, STACK};
use super::stage::{self, Plan};

/// How a process ended: its code, or 128 and the signal, as in a container's status.
pub(super) type Exit = i32;

/// A running container's first process.
#[derive(Debug)]
pub(super) struct Process {
    /// As the server sees it. The container itself sees 1.
    pub(super) pid: u32,
    pub(super) handle: Handle,
    exit: watch::Receiver<Option<Exit>>,
}

/// A way to signal one process that never meets another with the same number.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

impl Handle {
    pub(super) fn of(child: &Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process number out of range"))?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Signals the process; one that has ended cares no more.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.0, signal);
    }
}

impl Process {
    /// Runs a plan. Comes back when the container's command has taken over.
    ///
    /// # Errors
    /// When it has not: why, in the words of a container runtime.
    pub(super) async fn start(plan: Plan, namespace: NetworkNamespace, log: File) -> Result<Self, String> {
        let (started, start) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        let live = move || match launch(&plan, &namespace, log) {
            Ok((mut child, handle)) => {
                let _ = started.send(Ok((child.id(), handle)));
                ended.send_replace(Some(waited(&child.wait())));
            }
            Err(error) => drop(started.send(Err(error.to_string()))),
        };
        let thread = thread::Builder::new().name("container".to_owned()).stack_size(STACK).spawn(live);
        thread.map_err(|error| error.to_string())?;
        let (pid, handle) = start.await.map_err(|_| "the container's thread ended".to_owned())??;
        Ok(Self { pid, handle, exit })
    }

    /// Waits for the end.
    pub(super) async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        // The thread that would say it is gone only with the process.
        exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit).unwrap_or(137)
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Stops or continues all processes of the container, those that came by exec as well. From outside, so that not
    /// even the first process can refuse.
    pub(super) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        let own = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let Some(namespace) = own(&self.pid.to_string()) else { return };
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some((text, number)) = name.to_str().and_then(|name| Some((name, name.parse::<i32>().ok()?))) else {
                continue;
            };
            if own(text).as_ref() == Some(&namespace) {
                let handle = Pid::from_raw(number).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                if let Some(handle) = handle {
                    let _ = pidfd_send_signal(handle, signal);
                }
            }
        }
    }
}

/// Starts the second stage in new namespaces, and hands it the plan.
fn launch(plan: &Plan, namespace: &NetworkNamespace, log: File) -> io::Result<(Child, Handle)> {
    namespace.enter()?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
    let (mut socket, theirs) = UnixStream::pair()?;
    let errors = log.try_clone()?;
    // The command goes at the end of this line, and with it this side's copy of the other end.
    let mut child = stage::container().stdin(OwnedFd::from(theirs)).stdout(log).stderr(errors).spawn()?;
    let result = Handle::of(&child).and_then(|handle| {
        let mut ready = [0];
        socket.read_exact(&mut ready)?;
        socket.write_all(&serde_json::to_vec(plan)?)?;
        socket.shutdown(Shutdown::Write)?;
        // The stage's end closes when the command takes over; until then only trouble comes.
        let mut trouble = String::new();
        socket.read_to_string(&mut trouble)?;
        if trouble.is_empty() { Ok(handle) } else { Err(io::Error::other(trouble)) }
    });
    match result {
        Ok(handle) => Ok((child, handle)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// A process's end as a container's status has it.
pub(super) fn waited(status: &io::Result<ExitStatus>) -> Exit {
    let Ok(status) = status else { return 137 };
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(137)
}
