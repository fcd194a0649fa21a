//! More processes in a running container: for `kubectl exec`, and for probes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, ready};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::netns::STACK;
use super::process::{Exit, Handle, Process, waited};
use super::stage::{self, Plan};

/// A process in a container, and its streams.
pub(in crate::sandbox) struct Exec {
    /// Where it was asked for. Dropping it is the end of the input, but with a terminal nothing ends that.
    pub(in crate::sandbox) stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(in crate::sandbox) stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// A terminal has one stream for both.
    pub(in crate::sandbox) stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    terminal: Option<OwnedFd>,
    handle: Handle,
    exit: oneshot::Receiver<Exit>,
}

impl Exec {
    /// Tells the terminal its size in characters; nothing without one.
    pub(in crate::sandbox) fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            let _ = tcsetwinsize(terminal, size);
        }
    }

    /// Waits for the end: the exit code, or 128 and the signal.
    pub(in crate::sandbox) async fn exited(&mut self) -> i32 {
        (&mut self.exit).await.unwrap_or(137)
    }

    /// Ends the process at once.
    pub(in crate::sandbox) fn kill(&self) {
        self.handle.signal(Signal::KILL);
    }
}

/// What a new process gets, and this side of it.
struct Spawned {
    child: Child,
    handle: Handle,
    terminal: Option<OwnedFd>,
}

/// Runs a command in all the namespaces of a container, with its environment.
///
/// # Errors
/// When it cannot be started: why, in the words of a container runtime.
pub(super) async fn spawn(
    process: &Process,
    plan: &Plan,
    command: &[String],
    stdin: bool,
    tty: bool,
) -> Result<Exec, String> {
    let namespaces = open(process).map_err(|error| error.to_string())?;
    let mut command = prepare(plan, command, tty).map_err(|error| error.to_string())?;
    let (started, start) = oneshot::channel();
    let (ended, exit) = oneshot::channel();
    let live = move || {
        let spawned = enter(&namespaces).map_err(|error| error.to_string()).and_then(|()| {
            let spawned = if tty { with_terminal(&mut command.0) } else { with_pipes(&mut command.0, stdin) };
            spawned.map_err(|error| stage::failed(&error, &command.0))
        });
        // With it goes this side's copy of the terminal.
        drop(command);
        match spawned {
            Ok(mut spawned) => {
                let pipes = (spawned.child.stdin.take(), spawned.child.stdout.take(), spawned.child.stderr.take());
                let _ = started.send(Ok((pipes, spawned.terminal, spawned.handle)));
                let _ = ended.send(waited(&spawned.child.wait()));
            }
            Err(error) => drop(started.send(Err(error))),
        }
    };
    let thread = thread::Builder::new().name("exec".to_owned()).stack_size(STACK).spawn(live);
    thread.map_err(|error| error.to_string())?;
    let (pipes, terminal, handle) = start.await.map_err(|_| "the thread of the command ended".to_owned())??;
    streams(pipes, terminal, stdin, handle, exit).map_err(|error| error.to_string())
}

type Pipes = (Option<std::process::ChildStdin>, Option<std::process::ChildStdout>, Option<std::process::ChildStderr>);

fn streams(
    pipes: Pipes,
    terminal: Option<OwnedFd>,
    stdin: bool,
    handle: Handle,
    exit: oneshot::Receiver<Exit>,
) -> io::Result<Exec> {
    if let Some(terminal) = terminal {
        ioctl_fionbio(&terminal, true)?;
        // It is no pipe, but is read and written like one.
        let output = pipe::Receiver::from_owned_fd_unchecked(terminal.try_clone()?)?;
        let input = stdin.then(|| terminal.try_clone().and_then(pipe::Sender::from_owned_fd_unchecked)).transpose()?;
        return Ok(Exec {
            stdin: input.map(|input| Box::new(input) as Box<dyn AsyncWrite + Send + Unpin>),
            stdout: Box::new(Output(output)),
            stderr: None,
            terminal: Some(terminal),
            handle,
            exit,
        });
    }
    let missing = || io::Error::other("a stream of the command is missing");
    let (input, output, errors) = pipes;
    let input = input.map(|input| pipe::Sender::from_owned_fd(input.into())).transpose()?;
    let output = pipe::Receiver::from_owned_fd(output.ok_or_else(missing)?.into())?;
    let errors = pipe::Receiver::from_owned_fd(errors.ok_or_else(missing)?.into())?;
    Ok(Exec {
        stdin: input.map(|input| Box::new(input) as Box<dyn AsyncWrite + Send + Unpin>),
        stdout: Box::new(output),
        stderr: Some(Box::new(errors)),
        terminal: None,
        handle,
        exit,
    })
}

const NAMESPACES: [(&str, CloneFlags); 5] = [
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("pid", CloneFlags::CLONE_NEWPID),
];

/// The namespaces of a running process.
fn open(process: &Process) -> io::Result<Vec<(File, CloneFlags)>> {
    let files =
        NAMESPACES.iter().map(|(name, flag)| Ok((File::open(format!("/proc/{}/ns/{name}", process.pid))?, *flag)));
    let files = files.collect::<io::Result<_>>()?;
    // Its number is its own only as long as nobody has waited for it.
    if process.exit().is_some() { Err(io::Error::other("the container has ended")) } else { Ok(files) }
}

/// Takes this thread into the namespaces; what it spawns is then in all of them.
fn enter(namespaces: &[(File, CloneFlags)]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_FS)?;
    for (file, flag) in namespaces {
        setns(file, *flag)?;
    }
    Ok(())
}

/// A command, and what must stay open until it runs.
fn prepare(plan: &Plan, command: &[String], tty: bool) -> io::Result<(Command, Option<File>)> {
    let (name, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command specified"))?;
    let (mut prepared, file) = if tty {
        // The container does not have this program. Its open file does, by the number that it has.
        let file = File::open("/proc/self/exe")?;
        (stage::terminal(PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())), command), Some(file))
    } else {
        let mut direct = Command::new(name);
        direct.args(arguments).process_group(0);
        (direct, None)
    };
    let mut env: BTreeMap<_, _> = plan.env.iter().cloned().collect();
    if tty {
        env.entry("TERM".to_owned()).or_insert_with(|| "xterm".to_owned());
    }
    prepared.env_clear().envs(env).current_dir(plan.directory.as_deref().unwrap_or("/"));
    Ok((prepared, file))
}

fn with_pipes(command: &mut Command, stdin: bool) -> io::Result<Spawned> {
    command.stdin(if stdin { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    Ok(Spawned { handle: Handle::of(&child)?, child, terminal: None })
}

fn with_terminal(command: &mut Command) -> io::Result<Spawned> {
    // This thread is in the container, so the terminal is one of the container's own.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags)?;
    unlockpt(&terminal)?;
    let theirs = ioctl_tiocgptpeer(&terminal, flags)?;
    command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    let child = command.spawn()?;
    Ok(Spawned { handle: Handle::of(&child)?, child, terminal: Some(terminal) })
}

/// What comes from a terminal. It ends with an error of its own where other streams just end.
struct Output(pipe::Receiver);

impl AsyncRead for Output {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.get_mut().0).poll_read(context, buffer)) {
            // Nobody has the other side any more.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}
