//! Programs that are run to their end: what they said, within a time.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What a program said.
pub(super) struct Said {
    /// Whether it ended well.
    pub(super) well: bool,
    /// Its standard output.
    pub(super) out: Vec<u8>,
    /// Its standard error, or its standard output where that is all it said.
    pub(super) complaint: String,
}

/// Runs a program to its end, with nobody to answer its questions.
///
/// # Errors
/// When it cannot be started, or takes too long.
pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    directory: &Path,
    variables: &[(&str, &OsStr)],
    limit: Duration,
) -> Result<Said, String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    // What the caller's own git, a hook's for one, is set to is not meant for this repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => return Err(format!("{program} did not end within {} s", limit.as_secs())),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("the program {program} was not found"));
        }
        Ok(Err(error)) => return Err(format!("{program} could not be started: {error}")),
        Ok(Ok(output)) => output,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let errors = text(&output.stderr);
    let complaint = if errors.is_empty() { text(&output.stdout) } else { errors };
    Ok(Said { well: output.status.success(), out: output.stdout, complaint })
}

/// Whether a program can be started by that name.
pub(super) fn is_there(program: &str, directory: &Path) -> bool {
    if program.contains('/') {
        return directory.join(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
