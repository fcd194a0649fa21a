//! The command line: what may be said, and one file for each verb.

mod abort;
mod args;
mod called;
mod check;
mod completions;
mod down;
mod exit;
mod man;
mod replace;
mod sandbox;
mod session;
mod settle;
mod signals;
mod snapshot;
mod status;
mod up;
mod verify;

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use crate::report::Console;
use crate::runbook::{Interrupt, Trouble, TroubleKind};
use args::{Cli, Command};
use called::Called;

/// Runs the program and returns its exit code.
pub fn run() -> ExitCode {
    // A container of the sandbox starts as this program. It must be alone in its process then.
    #[cfg(target_os = "linux")]
    if let Some(code) = crate::sandbox::stage() {
        return code;
    }
    let called = Called::now();
    if completions::answer(called) {
        return ExitCode::SUCCESS;
    }
    let cli = called.parse();
    #[cfg(target_os = "linux")]
    if let Err(error) = sandbox::before_threads(&cli.command) {
        let trouble = Trouble::new(TroubleKind::Refused, format!("{error:#}"));
        Console::new(cli.output.style(), Interrupt::default()).refused(&trouble, exit::REFUSED);
        return ExitCode::from(exit::REFUSED);
    }
    let runtime = match start(cli.output.verbose) {
        Ok(runtime) => runtime,
        Err(error) => {
            let trouble = Trouble::new(TroubleKind::Internal, format!("{error:#}"));
            Console::new(cli.output.style(), Interrupt::default()).refused(&trouble, exit::INTERNAL);
            return ExitCode::from(exit::INTERNAL);
        }
    };
    let code = runtime.block_on(dispatch(cli, called));
    // A question that was interrupted leaves a thread behind that still reads a line.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// What has to be there before the first verb: logs, a TLS provider, threads.
fn start(verbose: u8) -> anyhow::Result<Runtime> {
    crate::report::log(verbose)?;
    // A dependency may compile in a second provider of rustls', so one has to be named.
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().map_err(|_| anyhow::anyhow!("another TLS provider was installed already"))?;
    Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start the program's threads")
}

async fn dispatch(cli: Cli, called: Called) -> u8 {
    let interrupt = Interrupt::default();
    signals::listen(&interrupt);
    let mut console = Console::new(cli.output.style(), interrupt.clone()).called(called.name());
    let mut command = cli.command;
    if let Some(access) = command.access_mut()
        && let Err(trouble) = session::ask_password(access, &mut console).await
    {
        return session::refuse(&mut console, &trouble);
    }
    // A demo runs a verb that nobody has typed.
    if !matches!(command, Command::Sandbox(_)) {
        console.begun_by(called::typed());
    }
    let code = match command {
        Command::Up(args) => up::run(args, &mut console, interrupt).await,
        Command::Down(args) => down::run(args, &mut console, interrupt).await,
        Command::Replace(args) => replace::run(args, &mut console, interrupt).await,
        Command::Abort(args) => abort::run(args, &mut console, interrupt).await,
        Command::Settle(args) => settle::run(args, &mut console, interrupt).await,
        Command::Check(args) => check::run(args, &mut console, interrupt).await,
        Command::Status(args) => status::run(args, &mut console, interrupt).await,
        Command::Verify(args) => verify::run(args, &mut console, interrupt).await,
        Command::Snapshot(args) => Box::pin(snapshot::run(args, &mut console, interrupt)).await,
        Command::Sandbox(args) => sandbox::run(args, &mut console, interrupt).await,
        Command::Completions(args) => completions::run(&args, &mut console),
        Command::Man(args) => man::run(&args, &mut console),
    };
    if console.tell_unwritten() && code == exit::DONE { exit::FAILED } else { code }
}
