//! The second stage of a container: this program again, as the first process of the container's namespaces. It makes
//! the root file system and then becomes the container's command.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, io};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{sethostname, setsid};
use serde::{Deserialize, Serialize};

use super::root;

/// The hidden first arguments that make this program a stage.
const CONTAINER: &str = "sandbox-container-stage";
const TERMINAL: &str = "sandbox-terminal-stage";
/// What a container's end is called that had no command to end, as with containerd.
const FAILED: u8 = 128;

/// What the server decides about a container, and its second stage does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Plan {
    /// An empty directory to mount the root file system on.
    pub(super) root: PathBuf,
    pub(super) hostname: String,
    /// The directory with the file `hosts`, whole, so that the file can be replaced.
    pub(super) names: PathBuf,
    /// What `/usr/local/bin` has.
    pub(super) programs: Vec<Program>,
    pub(super) mounts: Vec<Mount>,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) directory: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// A directory or file that the container sees in another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mount {
    pub(super) source: PathBuf,
    pub(super) target: String,
    pub(super) read_only: bool,
}

/// This program, to be run as the second stage of a container: its standard input is the socket for the plan.
pub(super) fn container() -> Command {
    let mut command = Command::new("/proc/self/exe");
    #[cfg(not(test))]
    command.arg(CONTAINER);
    // A test's program is not this program, but it has this code: one of its "tests" is the stage.
    #[cfg(test)]
    command.args(["--exact", "sandbox::node::tests::stage", "--nocapture", "--ignored"]);
    command.env_clear();
    command
}

/// A program file, to be run as the stage that takes its standard input for its terminal, and becomes a command.
pub(super) fn terminal(program: PathBuf, command: &[String]) -> Command {
    let mut stage = Command::new(program);
    stage.arg(TERMINAL).args(command);
    stage
}

/// Runs the stage that the program's arguments ask for. None where they ask for none.
pub(in crate::sandbox) fn run() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let first = arguments.next()?;
    if first == CONTAINER {
        return Some(become_container());
    }
    (first == TERMINAL).then(|| become_terminal(arguments.collect()))
}

/// Comes back only when there is no command to become; says why over the socket.
pub(super) fn become_container() -> ExitCode {
    // No socket, nobody to tell.
    let Ok(mut socket) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::from(FAILED);
    };
    let error = match prepare(&mut socket) {
        Ok(mut command) => failed(&command.exec(), &command),
        Err(error) => format!("{error:#}"),
    };
    let _ = socket.write_all(error.as_bytes());
    ExitCode::from(FAILED)
}

fn prepare(socket: &mut UnixStream) -> anyhow::Result<Command> {
    // When the server's thread goes, so does the container. Only then the server sends the plan, so it cannot have
    // gone unnoticed.
    set_pdeathsig(Signal::SIGKILL)?;
    socket.write_all(b"!")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    let plan: Plan = serde_json::from_str(&text)?;
    sethostname(&plan.hostname)?;
    // Signals from the server's terminal are not for the pods.
    setsid()?;
    root::build(&plan)?;
    let (name, arguments) = plan.command.split_first().ok_or_else(|| anyhow::anyhow!("no command specified"))?;
    let directory = plan.directory.unwrap_or_else(|| "/".to_owned());
    // As runtimes do; where it fails, the command will.
    let _ = fs::create_dir_all(&directory);
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs(plan.env).current_dir(directory).stdin(Stdio::null());
    Ok(command)
}

fn become_terminal(arguments: Vec<OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let taken = setsid().is_ok() && rustix::process::ioctl_tiocsctty(io::stdin()).is_ok();
    let Some(name) = arguments.next().filter(|_| taken) else { return ExitCode::from(FAILED) };
    let mut command = Command::new(name);
    // The environment is the right one already. Naming the path makes it the one that is searched.
    command.args(arguments).env("PATH", env::var_os("PATH").unwrap_or_default());
    let error = command.exec();
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// Why a command cannot be started, in runc's words.
pub(super) fn failed(error: &io::Error, command: &Command) -> String {
    let name = command.get_program().display();
    let why = match error.kind() {
        io::ErrorKind::NotFound if command.get_program().as_encoded_bytes().contains(&b'/') => {
            format!("exec: \"{name}\": stat {name}: no such file or directory")
        }
        io::ErrorKind::NotFound => format!("exec: \"{name}\": executable file not found in $PATH"),
        io::ErrorKind::PermissionDenied => format!("exec: \"{name}\": permission denied"),
        _ => format!("exec: \"{name}\": {error}"),
    };
    format!("unable to start container process: {why}: unknown")
}
