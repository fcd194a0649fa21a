//! The program under test: how it is run, what it says, and how it ends.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a run may take before it counts as hanging.
const LONGEST: Duration = Duration::from_secs(420);

/// Text that only a program's own author wants to see.
const DEBUG_FORMS: &[&str] = &[
    "Error {",
    "Status {",
    "kind:",
    "Some(",
    "Err(",
    "Ok(",
    "source:",
    "hyper::",
    "kube::",
    "tonic::",
    "etcd_client::",
    "panicked at",
    "RUST_BACKTRACE",
];

/// Asserts that text for people has no debug output in it.
#[track_caller]
pub(crate) fn assert_plain(text: &str) {
    // Lines of a diff are somebody else's text.
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with(['+', '-'])).collect();
    let text = lines.join("\n");
    for form in DEBUG_FORMS {
        assert!(!text.contains(form), "the output contains {form:?}, which is debug output:\n{text}");
    }
}

/// A run to be.
pub(crate) struct Program {
    command: Command,
}

impl Program {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etcd-scale"));
        command.args(arguments);
        Self { command }
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The command itself, for a run at a terminal.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end, with no terminal.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.start().end()
    }

    /// Starts it, with no terminal.
    pub(crate) fn start(mut self) -> Running {
        let words: Vec<_> = self.command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut stderr = child.stderr.take().expect("its errors are piped");
        let (send, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            // What was read before an error is as good as all.
            drop(stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        Running {
            child,
            command: words.join(" "),
            lines,
            stdout: Vec::new(),
            stderr: Some(stderr),
            began: Instant::now(),
        }
    }
}

/// A run under way. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    command: String,
    lines: Receiver<String>,
    stdout: Vec<String>,
    stderr: Option<JoinHandle<String>>,
    began: Instant,
}

impl Running {
    /// The next line of standard output; none where it has ended.
    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LONGEST.saturating_sub(self.began.elapsed())) {
            Ok(line) => {
                self.stdout.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                drop(self.child.kill());
                let ended = self.collect(None);
                panic!("the run hangs\n{ended}");
            }
        }
    }

    /// The next event of `-o ndjson`; none where the run has ended.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.line().map(|line| Event::parse(&line))
    }

    /// Reads events until one fits.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, fits: impl Fn(&Event) -> bool) {
        while let Some(event) = self.event() {
            if fits(&event) {
                return;
            }
        }
        let ended = self.collect(None);
        panic!("the run ended before {what}\n{ended}");
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Reads so many more events, or all that come.
    pub(crate) fn some_events(&mut self, count: usize) {
        for _ in 0..count {
            if self.event().is_none() {
                return;
            }
        }
    }

    /// Kills it without a warning.
    pub(crate) fn kill(mut self) -> Ended {
        drop(self.child.kill());
        let status = self.child.wait().expect("it ends");
        // It may have ended by itself before.
        self.collect(status.code())
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it can be interrupted");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        while self.line().is_some() {}
        let status = self.child.wait().expect("it ends");
        let ended = self.collect(status.code());
        assert!(status.signal().is_none(), "it was ended by a signal\n{ended}");
        assert_plain(&ended.stderr);
        if !ended.stdout.starts_with('{') {
            assert_plain(&ended.stdout);
        }
        assert!(!ended.text().contains('\u{1b}'), "there are escape sequences without a terminal\n{ended}");
        ended
    }

    fn collect(&mut self, code: Option<i32>) -> Ended {
        self.stdout.extend(self.lines.iter());
        Ended {
            command: self.command.clone(),
            code,
            stdout: self.stdout.join("\n"),
            stderr: self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default(),
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    command: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, stdout, stderr, took } = self;
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let took = took.as_secs_f64();
        write!(
            f,
            "etcd-scale {command}\nexit code {code} after {took:.1} s\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

impl Ended {
    fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "exit code {code} expected\n{self}");
        self
    }

    /// Asserts that it said something, in whatever form.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.text().contains(text), "it should say {text:?}\n{self}");
        self
    }

    /// The command that it says goes on, in words, without the program's name.
    #[track_caller]
    pub(crate) fn goes_on_with(&self) -> Vec<String> {
        let line = self.stderr.lines().find_map(|line| line.split_once("Go on with: etcd-scale "));
        let (_, line) = line.unwrap_or_else(|| panic!("it should say how to go on\n{self}"));
        shlex::split(line).expect("as a shell takes it")
    }

    /// Asserts that it did not.
    #[track_caller]
    pub(crate) fn never_says(&self, text: &str) -> &Self {
        assert!(!self.text().contains(text), "it should not say {text:?}\n{self}");
        self
    }

    /// The one document of `-o json`.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is not one JSON document: {error}\n{self}"));
        assert_eq!(document["version"], 1, "{self}");
        document
    }

    /// The events of `-o ndjson`.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Event> {
        let events: Vec<Event> = self.stdout.lines().map(Event::parse).collect();
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event.0["seq"], index, "events are numbered\n{self}");
            assert_eq!(event.0["version"], 1, "events have a version\n{self}");
        }
        events
    }

    /// The changes that it began, in order, as data.
    #[track_caller]
    pub(crate) fn changes(&self) -> Vec<Value> {
        self.events().iter().filter_map(Event::change_started).cloned().collect()
    }

    /// The kinds of those in the cluster. In its first seconds, and after an election, etcd refuses to add or remove a
    /// member, which is tried again: that is one.
    #[track_caller]
    pub(crate) fn kinds(&self) -> Vec<String> {
        let kind = |change: &Value| change["kind"].as_str().unwrap_or_default().to_owned();
        let mut kinds: Vec<_> = self.changes().iter().map(kind).filter(|kind| kind != "save-snapshot").collect();
        kinds.dedup_by(|one, other| one == other && (one == "add-learner" || one == "remove-member"));
        kinds
    }
}

/// One line of `-o ndjson`.
#[derive(Debug, Clone)]
pub(crate) struct Event(Value);

impl Event {
    #[track_caller]
    fn parse(line: &str) -> Self {
        Self(serde_json::from_str(line).unwrap_or_else(|error| panic!("a line is not JSON: {error}\n{line}")))
    }

    /// All that it says.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn is(&self, kind: &str) -> bool {
        self.0["type"] == kind
    }

    /// What it tells, the same for every repetition of it.
    pub(crate) fn moment(&self) -> String {
        let Self(event) = self;
        let change = event["change"].get("kind").unwrap_or(&event["change"]);
        format!("{} {} {change} {}", event["type"], event["step"], event["seen"])
    }

    /// The change that begins here.
    pub(crate) fn change_started(&self) -> Option<&Value> {
        self.is("change-started").then(|| &self.0["change"])
    }

    pub(crate) fn applied(&self, change: &str) -> bool {
        self.is("change-applied") && self.0["change"] == change
    }

    pub(crate) fn waits_in(&self, step: &str) -> bool {
        self.is("waiting") && self.0["step"] == step
    }
}
