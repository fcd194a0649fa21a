//! The command line: what may be said, and one file for each verb.

mod args;
mod check;
mod exit;
mod session;
mod settle;
mod signals;
mod snapshot;
mod status;
mod up;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::report::Console;
use crate::runbook::Interrupt;
use args::{Cli, Command};

/// Runs the program and returns its exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // Both of rustls' providers may be compiled in by a dependency; one has to be named.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    log(cli.output.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let trouble =
                crate::runbook::Trouble::new(crate::runbook::TroubleKind::Internal, format!("cannot start: {error}"));
            Console::new(cli.output.style(), Interrupt::default()).refused(&trouble, exit::INTERNAL);
            return ExitCode::from(exit::INTERNAL);
        }
    };
    let code = runtime.block_on(dispatch(cli));
    // A question that was interrupted leaves a thread behind that still reads a line.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn dispatch(cli: Cli) -> u8 {
    let interrupt = Interrupt::default();
    signals::listen(&interrupt);
    let mut console = Console::new(cli.output.style(), interrupt.clone());
    match cli.command {
        Command::Up(args) => up::run(args, &mut console, interrupt).await,
        Command::Settle(args) => settle::run(args, &mut console, interrupt).await,
        Command::Check(args) => check::run(args, &mut console, interrupt).await,
        Command::Status(args) => status::run(args, &mut console).await,
        Command::Verify(args) => verify::run(args, &mut console, interrupt).await,
        Command::Snapshot(args) => snapshot::run(args, &mut console, interrupt).await,
    }
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "etcd_scale=debug",
        2 => "etcd_scale=debug,kube=debug,tonic=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("ETCD_SCALE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
