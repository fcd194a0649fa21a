//! Runs one command, and tells how long it took and how much memory the largest of its processes had: the same for one
//! program and for a script of hundreds.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::figures::Unit;
use crate::meter::Meter;

/// What makes this program the small one that runs a command. The kernel counts what a process had before `exec` as its
/// own, so that a large parent would be measured in its place.
pub(crate) const WORD: &str = "--weigh";

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_etcd-scale");

/// How long a command may take before it counts as hanging.
const LONGEST: Duration = Duration::from_secs(1800);

/// What a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighed {
    /// When it began.
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// Bytes of the largest process.
    pub(crate) memory: u64,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

impl Weighed {
    pub(crate) const UNITS: [(&str, Unit); 4] = [
        ("time", Unit::Seconds),
        ("API requests", Unit::Count),
        ("bytes moved", Unit::Bytes),
        ("peak memory", Unit::Bytes),
    ];

    /// The figures of [`Self::UNITS`].
    pub(crate) fn figures(&self) -> [f64; 4] {
        [self.took.as_secs_f64(), self.requests as f64, self.bytes as f64, self.memory as f64]
    }
}

/// Runs a command, which must succeed, with all that it asks the API server counted.
#[track_caller]
pub(crate) fn run(command: &[&str]) -> Weighed {
    let desk = tempfile::tempdir().expect("a temporary directory");
    let meter = Meter::the();
    let (requests_before, bytes_before) = meter.counted();
    let file = desk.path().join("weighed");
    let began = Instant::now();
    // A snapshot is left in the directory that a command runs in, and goes with it.
    let output = meter
        .command(std::env::current_exe().expect("its own path"))
        .args([WORD, &file.to_string_lossy()])
        .args(command)
        .current_dir(desk.path())
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{} failed ({})\n{}\n{}",
        command.join(" "),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    let (took, memory) = read(&file).expect("it was weighed");
    let (requests, bytes) = meter.counted();
    Weighed { began, took, memory, requests: requests - requests_before, bytes: bytes - bytes_before }
}

/// Runs the program under test.
#[track_caller]
pub(crate) fn etcd_scale(arguments: &[&str]) -> Weighed {
    run(&[&[PROGRAM][..], arguments].concat())
}

/// What the command took, and its memory.
fn read(file: &Path) -> Option<(Duration, u64)> {
    let text = fs::read_to_string(file).ok()?;
    let (seconds, memory) = text.split_once(' ')?;
    Some((Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?, memory.parse().ok()?))
}

/// The small one: runs the command and writes what it took into a file.
pub(crate) fn weigh(file: &str, command: &[String]) -> ExitCode {
    let [program, arguments @ ..] = command else { return ExitCode::from(2) };
    let began = Instant::now();
    let mut child = Command::new(program).args(arguments).process_group(0).spawn().expect("the command starts");
    let group = Pid::from_child(&child);
    let (over, waits) = mpsc::channel::<()>();
    thread::spawn(move || {
        if waits.recv_timeout(LONGEST).is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    });
    let status = child.wait().expect("it ends");
    let took = began.elapsed().as_secs_f64();
    let _ = over.send(());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel tells");
    fs::write(file, format!("{took} {}", usage.max_rss() * 1024)).expect("it can be written");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
