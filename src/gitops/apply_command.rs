//! The apply command, which runs beside the loop: tools that deploy wait for pods to be ready, and the new one is ready
//! only when the run has gone on and promoted its member.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::model::{ApplyCommand, CommandEnd, Delivering, Raise};
use crate::runbook::{Trouble, TroubleKind};

/// How many lines are kept.
const MOST_LINES: usize = 200;

/// Longest line that is kept whole.
const LONGEST_LINE: usize = 500;

/// How long what the command left running may keep its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A command under way. Dropped before its end, it is told to end, with all that it has started.
pub(super) struct Running {
    raise: Raise,
    text: String,
    state: Arc<Mutex<State>>,
    changes: watch::Receiver<u64>,
    group: Option<Pid>,
}

#[derive(Default)]
struct State {
    written: u64,
    lines: VecDeque<String>,
    ended: Option<CommandEnd>,
}

impl Running {
    /// Starts the command in a directory. No shell reads its words.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(
        words: &[String],
        directory: &Path,
        variables: &[(String, PathBuf)],
        raise: Raise,
    ) -> Result<Self, Trouble> {
        let text = words.join(" ");
        let Some((program, arguments)) = words.split_first() else {
            return Err(Trouble::new(TroubleKind::Refused, "the apply command has no words"));
        };
        // A Ctrl-C is meant for the run, which lets a change under way come to its end.
        let child = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Trouble::new(TroubleKind::Refused, format!("cannot start {text}: {error}"))
                    .advise("name a program that is on the PATH with --apply-command")
            })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let state = Arc::new(Mutex::new(State::default()));
        let (teller, changes) = watch::channel(0);
        tokio::spawn(follow(child, Arc::clone(&state), teller));
        Ok(Self { raise, text, state, changes, group })
    }

    /// How it stands.
    pub(super) fn state(&self) -> Delivering {
        let state = lock(&self.state);
        Delivering {
            raise: self.raise.clone(),
            command: Some(ApplyCommand {
                text: self.text.clone(),
                written: state.written,
                lines: state.lines.iter().cloned().collect(),
                ended: state.ended.clone(),
            }),
        }
    }

    /// Returns when it has written something or has ended; never, where it has ended and all was seen.
    pub(super) async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if lock(&self.state).ended.is_none()
            && let Some(group) = self.group
        {
            // It may have ended this moment.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

/// Follows a command to its end.
async fn follow(mut child: Child, state: Arc<Mutex<State>>, changed: watch::Sender<u64>) {
    let mut readers = JoinSet::new();
    if let Some(out) = child.stdout.take() {
        readers.spawn(read(out, Arc::clone(&state), changed.clone()));
    }
    if let Some(errors) = child.stderr.take() {
        readers.spawn(read(errors, Arc::clone(&state), changed.clone()));
    }
    let ended = child.wait().await;
    drop(tokio::time::timeout(LAST_WORDS, async { while readers.join_next().await.is_some() {} }).await);
    lock(&state).ended = Some(match ended {
        Ok(status) => CommandEnd { well: status.success(), how: how(status) },
        Err(error) => CommandEnd { well: false, how: format!("an end that was not seen ({error})") },
    });
    changed.send_modify(|count| *count += 1);
}

async fn read(stream: impl AsyncRead + Unpin, state: Arc<Mutex<State>>, changed: watch::Sender<u64>) {
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line: String = String::from_utf8_lossy(&line).trim_end().chars().take(LONGEST_LINE).collect();
        {
            let mut state = lock(&state);
            state.written += 1;
            state.lines.push_back(line);
            if state.lines.len() > MOST_LINES {
                state.lines.pop_front();
            }
        }
        changed.send_modify(|count| *count += 1);
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> Running {
        let words = ["sh", "-c", script].map(str::to_owned);
        let raise = Raise { from: 2, to: 3, env: Vec::new(), words: Vec::new() };
        Running::start(&words, Path::new("/"), &[], raise).unwrap()
    }

    async fn end(running: &mut Running) -> ApplyCommand {
        loop {
            let command = running.state().command.unwrap();
            if command.ended.is_some() {
                return command;
            }
            running.changed().await;
        }
    }

    #[tokio::test]
    async fn what_it_says_and_how_it_ends_is_known() {
        let mut running = start("echo one; echo two >&2; exit 3");
        let command = end(&mut running).await;
        assert_eq!(command.written, 2);
        assert_eq!(command.ended, Some(CommandEnd { well: false, how: "exit code 3".into() }));
        let mut lines = command.lines;
        lines.sort();
        assert_eq!(lines, ["one", "two"]);
    }

    #[tokio::test]
    async fn it_ends_with_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let sign = directory.path().join("ended");
        let mut running =
            start(&format!("trap 'touch {}; exit' TERM; echo on; while :; do sleep 0.05; done", sign.display()));
        running.changed().await;
        drop(running);
        for _ in 0..200 {
            if sign.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it was not told to end");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let words = ["no-such-program".to_owned()];
        let raise = Raise { from: 2, to: 3, env: Vec::new(), words: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let trouble = Running::start(&words, Path::new("/"), &[], raise).err().unwrap();
        assert!(trouble.message.contains("cannot start no-such-program"), "{trouble}");
    }
}
