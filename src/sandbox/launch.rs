//! A sandbox in a process of its own, as whoever uses it sees it: started, known by its kubeconfig, ended.

use std::fs::{self, File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};

use super::server::{KUBECONFIG, Settings};

/// A file of the directory: held while the sandbox runs, with its process id in it.
const LOCK: &str = "lock";

/// A file of the directory: what a sandbox in the background has to say.
const LOG: &str = "log";

/// How long a sandbox may take to come up: longer than its own limit for the pods, which says more.
const COMES_UP: Duration = Duration::from_secs(120);

/// How long it may take to end, its pods' grace included.
const ENDS: Duration = Duration::from_secs(60);

/// Waits for what only blocks, for so long.
///
/// # Errors
/// When it lasts longer.
fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    let outcome = outcome.recv_timeout(limit);
    outcome.with_context(|| format!("the sandbox did not {what} within {} s", limit.as_secs()))
}

/// A sandbox that ends with whoever started it.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    directory: tempfile::TempDir,
}

impl Sandbox {
    /// Starts one and waits until the pods of its manifests are ready.
    ///
    /// # Errors
    /// When it does not come up; what it says about that goes to standard error.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("etcd-scale-sandbox-").tempdir()?;
        let mut command = command(settings, directory.path())?;
        // It ends when its standard input does: also when this process is killed.
        command.arg("--while-open").stdin(Stdio::piped());
        let mut child = command.spawn().context("cannot start the sandbox")?;
        await_ready(&mut child).map_err(|_| anyhow::anyhow!("the sandbox did not come up"))?;
        Ok(Self { child, directory })
    }

    /// The kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join(KUBECONFIG)
    }

    /// Its directory, where files may be left that are to go with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it, with all its processes and files.
    ///
    /// # Errors
    /// When its process cannot be waited for.
    pub fn end(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let mut child = self.child;
        within(ENDS, "end", move || child.wait())?.context("cannot wait for the sandbox")?;
        // It has cleared its directory away itself, where nothing was in the way.
        match self.directory.close() {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot clear the sandbox's directory away")
            }
            _ => Ok(()),
        }
    }
}

/// Starts a sandbox that stays when this program ends, and returns its kubeconfig.
///
/// # Errors
/// When one runs already, or it does not come up.
pub fn up(settings: &Settings) -> anyhow::Result<PathBuf> {
    let directory = home()?;
    if let Some(pid) = running(&directory)? {
        let kubeconfig = directory.join(KUBECONFIG);
        bail!(
            "a sandbox runs already, as process {pid}: KUBECONFIG={}; to end it: etcd-scale sandbox down",
            kubeconfig.display()
        );
    }
    clear(&directory)?;
    let log = directory.join(LOG);
    let mut command = command(settings, &directory)?;
    command.stdin(Stdio::null()).stderr(File::create(&log)?);
    let mut child = command.spawn().context("cannot start the sandbox")?;
    if await_ready(&mut child).is_err() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        drop(fs::remove_dir_all(&directory));
        bail!("the sandbox did not come up: {}", said.trim().trim_start_matches("error: "));
    }
    Ok(directory.join(KUBECONFIG))
}

/// Ends the sandbox that [`up`] has started. Whether there was one.
///
/// # Errors
/// When it cannot be ended.
pub fn down() -> anyhow::Result<bool> {
    let directory = home()?;
    let Some(pid) = running(&directory)? else {
        drop(fs::remove_dir_all(&directory));
        return Ok(false);
    };
    let lock = File::open(directory.join(LOCK))?;
    kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("cannot end process {pid}"))?;
    // It holds the lock for as long as it lives.
    within(ENDS, "end", move || lock.lock())?.context("cannot wait for the sandbox to end")?;
    // It has cleared its directory away itself, where nothing was in the way.
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {} away", directory.display()))
        }
        _ => Ok(true),
    }
}

/// Marks a directory as that of a sandbox that runs, for as long as the file lives.
///
/// # Errors
/// When it is another's.
pub fn hold(directory: &Path) -> anyhow::Result<File> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(directory.join(LOCK))?;
    file.try_lock().with_context(|| format!("another sandbox runs in {}", directory.display()))?;
    file.set_len(0)?;
    std::io::Write::write_all(&mut file, std::process::id().to_string().as_bytes())?;
    Ok(file)
}

/// The place of the user's one sandbox that stays.
fn home() -> anyhow::Result<PathBuf> {
    let directory = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) => PathBuf::from(runtime).join("etcd-scale-sandbox"),
        None => std::env::temp_dir().join(format!("etcd-scale-sandbox-{}", getuid())),
    };
    match fs::DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => Ok(directory),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            // A place that everybody may write to may hold somebody else's directory of this name.
            let found = fs::symlink_metadata(&directory)?;
            let ours = found.is_dir() && std::os::unix::fs::MetadataExt::uid(&found) == getuid().as_raw();
            let private = found.permissions().mode().trailing_zeros() >= 6; // nothing for group and others
            if ours && private {
                Ok(directory)
            } else {
                bail!("{} is not a directory of yours alone", directory.display())
            }
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", directory.display())),
    }
}

/// The process of the sandbox that runs in a directory.
fn running(directory: &Path) -> anyhow::Result<Option<i32>> {
    let mut file = match File::open(directory.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot tell whether a sandbox runs"),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            text.trim().parse().map(Some).context("the sandbox's lock does not name its process")
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot tell whether a sandbox runs"),
    }
}

/// Empties a directory that a sandbox has left behind.
fn clear(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let cleared = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        cleared.with_context(|| format!("cannot clear {} away", path.display()))?;
    }
    Ok(())
}

/// This same program, as the server.
fn command(settings: &Settings, directory: &Path) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let mut command = Command::new(program);
    command.args(["sandbox", "serve", "--directory"]).arg(directory);
    for manifest in &settings.manifests {
        command.arg("--filename").arg(manifest);
    }
    if let Some(etcd) = &settings.etcd {
        command.arg("--etcd").arg(etcd);
    }
    for (image, program) in &settings.images {
        command.arg("--image").arg(format!("{image}={}", program.display()));
    }
    command.arg("--keys").arg(settings.keys.to_string());
    // A group of its own: Ctrl-C at the terminal is for whoever started it.
    command.stdout(Stdio::piped()).process_group(0);
    Ok(command)
}

/// Waits for the one line that says that it is ready.
fn await_ready(child: &mut Child) -> anyhow::Result<()> {
    let stdout = child.stdout.take().context("its output is piped")?;
    let mut line = String::new();
    let heard = within(COMES_UP, "come up", move || BufReader::new(stdout).read_line(&mut line))??;
    if heard > 0 {
        return Ok(());
    }
    let status = child.wait()?;
    bail!("it ended with {status}");
}
