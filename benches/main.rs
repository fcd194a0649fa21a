//! The benchmark: what `etcd-scale` costs and takes, beside the guides by hand, on whatever cluster `KUBECONFIG` names.
//!
//! `make bench` measures every part, `make bench BENCH='delay status'` some; each writes its figures into README.md
//! between marks of its own. It is no test: nothing passes or fails by its speed. It stands on the tests' harness.
//!
//! The environment: `BENCH_ROUNDS` (5), `BENCH_SIZES` in MB (`1 100 1000`), `BENCH_FLEET` (`1 10 100`), `BENCH_RUNBOOKS`
//! (where the guides' `runbook-rok`, `runbook-puls8` and `fixtures/` are), and what tells the tests of the cluster
//! (`E2E_IMAGE`, `E2E_PULL_POLICY`, `E2E_STORAGE_CLASS`).

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod delay;
mod etcd;
mod figures;
mod filled;
mod fleet;
mod gap;
#[path = "../tests/it/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests need more of it")]
mod harness;
mod help;
mod memory;
mod meter;
mod observer;
mod picture;
mod readme;
mod side_by_side;
mod status;
mod verify;
mod weigh;
mod writer;

use std::io::Write as _;
use std::panic::catch_unwind;
use std::process::ExitCode;

use harness::setting;

/// Measures a part and tells it in Markdown; nothing where it has been written down already.
type Measure = fn() -> String;

/// The parts by name, with their headings, in the order that they are measured in.
const PARTS: &[(&str, &str, Measure)] = &[
    ("help", "Start", help::measure),
    ("status", "A look", status::measure),
    ("delay", "A learner that could vote", delay::measure),
    ("up", "One member more, while a client writes", side_by_side::measure),
    ("verify", "Whether all members hold the same", verify::measure),
    ("gap", "A large database", gap::measure),
    ("memory", "Memory", memory::measure),
    ("fleet", "A look at all", fleet::measure),
];

fn main() -> ExitCode {
    // Cargo gives the first one to every benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, file, command @ ..] = &words[..]
        && first == weigh::WORD
    {
        return weigh::weigh(file, command);
    }
    let unknown: Vec<_> = words.iter().filter(|word| PARTS.iter().all(|(name, ..)| name != word)).collect();
    if !unknown.is_empty() {
        let known: Vec<_> = PARTS.iter().map(|(name, ..)| *name).collect();
        tell(&format!("no such part: {unknown:?}; there are {}", known.join(", ")));
        return ExitCode::from(2);
    }
    let mut failed = Vec::new();
    let asked = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    for (name, heading, measure) in PARTS.iter().filter(|(name, ..)| asked(name)) {
        tell(&format!("bench {name}"));
        // One part that cannot be measured does not cost the others' hour; what stopped it has been told by then.
        let outcome = catch_unwind(|| {
            let text = measure();
            if !text.is_empty() {
                tell(&text);
                readme::put(name, heading, &text);
            }
        });
        if outcome.is_err() {
            failed.push(*name);
        }
    }
    meter::Meter::clear();
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    tell(&format!("not measured: {}", failed.join(", ")));
    ExitCode::FAILURE
}

/// Tells how far it is.
fn tell(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// How often each thing is measured.
fn rounds() -> usize {
    setting("BENCH_ROUNDS", "5").parse().expect("BENCH_ROUNDS is a number")
}

/// A list of numbers from the environment.
fn numbers(name: &str, default: &str) -> Vec<u64> {
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{name} is a list of numbers, not {word:?}"));
    setting(name, default).split_whitespace().map(number).collect()
}
