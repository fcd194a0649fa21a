//! Runs in the sandbox that meet trouble at their changes, one by one and at random: `make torture` runs all of them,
//! `make test` a few.

mod blow;
mod scene;
mod schedule;

pub(super) use schedule::Schedule;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::harness::setting;
use blow::Blow;
use scene::SCENES;

/// Runs schedules side by side, `TORTURE_THREADS` at a time. Those that fail are told of with what repeats them.
#[track_caller]
fn run_all(schedules: &[(Schedule, String)]) {
    let threads = setting("TORTURE_THREADS", "6").parse().expect("TORTURE_THREADS is a number");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((schedule, repeat)) = schedules.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let outcome = catch_unwind(AssertUnwindSafe(|| schedule.run()));
                    let word = if outcome.is_ok() { "survived" } else { "FAILED" };
                    drop(writeln!(std::io::stderr(), "{word}: {schedule}"));
                    if outcome.is_err() {
                        failed.lock().unwrap().push(format!("{schedule}\n  again: {repeat}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    drop(writeln!(std::io::stderr(), "{} schedules, {} failed", schedules.len(), failed.len()));
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), schedules.len(), failed.join("\n"));
}

#[test]
#[ignore = "takes an hour"]
fn every_change_meets_every_trouble() {
    let mut schedules = Vec::new();
    let only = setting("TORTURE_SCHEDULE", "");
    if only.is_empty() {
        for scene in SCENES {
            for at in 0..scene.changes() {
                for blow in Blow::ALL {
                    schedules.push(Schedule { scene, blows: vec![(at, *blow)] });
                }
            }
        }
    } else {
        schedules.push(only.parse().unwrap());
    }
    let with_command = |schedule: Schedule| {
        let repeat = format!("TORTURE_SCHEDULE='{schedule}' make torture-changes");
        (schedule, repeat)
    };
    run_all(&schedules.into_iter().map(with_command).collect::<Vec<_>>());
}

#[test]
#[ignore = "takes an hour"]
fn random_trouble() {
    let number = |name: &str, default: &str| setting(name, default).parse::<u64>().expect("it is a number");
    let (seed, rounds) = (number("TORTURE_SEED", "1"), number("TORTURE_ROUNDS", "10"));
    let schedule = |seed| (Schedule::random(seed), format!("TORTURE_SEED={seed} TORTURE_ROUNDS=1 make torture-random"));
    run_all(&(seed..seed + rounds).map(schedule).collect::<Vec<_>>());
}
