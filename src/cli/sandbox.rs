//! `sandbox`: a cluster on loopback, for trying, rehearsing and testing.

use super::args::Sandbox;
use super::exit;
use crate::report::Console;
use crate::runbook::{Interrupt, Trouble, TroubleKind};

#[cfg(target_os = "linux")]
pub(super) use linux::{before_threads, run};

#[cfg(not(target_os = "linux"))]
pub(super) async fn run(_: Sandbox, console: &mut Console, _: Interrupt) -> u8 {
    refuse(console, "the sandbox needs Linux: its pods are processes in namespaces of their own")
}

fn refuse(console: &mut Console, why: &str) -> u8 {
    console.refused(&Trouble::new(TroubleKind::Refused, why), exit::REFUSED);
    exit::REFUSED
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::Path;

    use clap::Parser as _;

    use super::{Console, Interrupt, Sandbox, exit, refuse};
    use crate::cli::args::{Cli, Command, SandboxStart, SandboxVerb};
    use crate::cli::{status, up};
    use crate::sandbox::{self, Settings};

    /// How many keys the demo's etcd has.
    const DEMO_KEYS: u32 = 200;

    /// What has to be done while there is one thread only: a server goes into namespaces of its own.
    ///
    /// # Errors
    /// When this machine does not let it.
    pub(in crate::cli) fn before_threads(command: &Command) -> anyhow::Result<()> {
        match command {
            Command::Sandbox(Sandbox { verb: SandboxVerb::Serve(serve) }) => sandbox::isolate(&serve.directory),
            _ => Ok(()),
        }
    }

    pub(in crate::cli) async fn run(args: Sandbox, console: &mut Console, interrupt: Interrupt) -> u8 {
        let ended = match args.verb {
            SandboxVerb::Demo { yes, start } => demo(yes, &start, console, interrupt).await,
            SandboxVerb::Up(start) => start_one(&start, console),
            SandboxVerb::Down => match sandbox::down() {
                Ok(true) => Ok(exit::DONE),
                Ok(false) => {
                    console.nothing_to_do("no sandbox runs");
                    Ok(exit::DONE)
                }
                Err(error) => Err(error),
            },
            SandboxVerb::Run { start, command } => run_command(&start, &command).await,
            SandboxVerb::Serve(serve) => {
                let settings = Settings { directory: serve.directory, ..settings(&serve.start, serve.keys) };
                self::serve(settings, serve.while_open, console, interrupt).await
            }
        };
        ended.unwrap_or_else(|error| refuse(console, &format!("{error:#}")))
    }

    fn settings(start: &SandboxStart, keys: u32) -> Settings {
        Settings {
            manifests: start.filename.clone(),
            etcd: start.etcd.clone(),
            images: start.image.clone(),
            keys,
            ..Settings::default()
        }
    }

    fn start_one(start: &SandboxStart, console: &mut Console) -> anyhow::Result<u8> {
        let kubeconfig = sandbox::up(&settings(start, 0))?;
        console.sandbox_started(&kubeconfig);
        if start.filename.is_empty() {
            console.note("It is empty; one with an etcd in it begins with: etcd-scale sandbox up -f rok");
        }
        Ok(exit::DONE)
    }

    /// A sandbox for the length of one command, whose exit code it is.
    async fn run_command(start: &SandboxStart, command: &[String]) -> anyhow::Result<u8> {
        let settings = settings(start, 0);
        let sandbox = tokio::task::spawn_blocking(move || sandbox::Sandbox::start(&settings)).await??;
        let [program, arguments @ ..] = command else { return Ok(exit::USAGE) };
        // Ctrl-C reaches the command by itself; this program waits for it and then clears away.
        let status = tokio::process::Command::new(program)
            .args(arguments)
            .env("KUBECONFIG", sandbox.kubeconfig())
            .status()
            .await
            .map_err(|error| anyhow::anyhow!("cannot run {program}: {error}"));
        sandbox.end()?;
        let status = status?;
        let signal = status.signal().map(exit::of_signal);
        Ok(signal.unwrap_or_else(|| status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::FAILED)))
    }

    /// Two members become three before the operator's eyes.
    async fn demo(yes: bool, start: &SandboxStart, console: &mut Console, interrupt: Interrupt) -> anyhow::Result<u8> {
        console.note("Starting a Kubernetes on loopback with Rok's etcd in it: two members and some keys.");
        let settings = Settings { manifests: vec!["rok".to_owned()], ..settings(start, DEMO_KEYS) };
        let sandbox = tokio::task::spawn_blocking(move || sandbox::Sandbox::start(&settings)).await??;
        let (kubeconfig, snapshot) = (sandbox.kubeconfig(), sandbox.directory().join("snapshot.db"));
        console.note("Now what an operator would type: etcd-scale up --sts rok-etcd -n rok --to 3\n");
        let verb = |arguments: &[&str], more: &[(&str, &Path)]| {
            let mut words: Vec<std::ffi::OsString> = ["etcd-scale"].iter().chain(arguments).map(Into::into).collect();
            words.extend(["--sts", "rok-etcd", "-n", "rok"].map(Into::into));
            for (option, value) in more {
                words.extend([(*option).into(), value.as_os_str().to_owned()]);
            }
            Cli::try_parse_from(words).map(|cli| cli.command)
        };
        let mut arguments = vec!["up", "--to", "3"];
        if yes || !Console::can_ask() {
            arguments.push("--yes");
        }
        let places = [("--kubeconfig", kubeconfig.as_path()), ("--snapshot", snapshot.as_path())];
        let mut code = exit::INTERNAL;
        if let Command::Up(args) = verb(&arguments, &places)? {
            code = up::run(args, console, interrupt.clone()).await;
        }
        if code == exit::DONE
            && let Command::Status(args) = verb(&["status"], &places[..1])?
        {
            console.note("");
            code = status::run(args, console, interrupt).await;
        }
        sandbox.end()?;
        console.note("\nThe sandbox is cleared away.");
        Ok(code)
    }

    /// The server itself, in a process of its own.
    async fn serve(
        settings: Settings,
        while_open: bool,
        console: &mut Console,
        interrupt: Interrupt,
    ) -> anyhow::Result<u8> {
        let _held = sandbox::hold(&settings.directory)?;
        let over = async {
            tokio::select! {
                _ = interrupt.raised() => {}
                () = crate::report::input_ended(), if while_open => {}
            }
        };
        let kubeconfig = settings.directory.join(sandbox::KUBECONFIG);
        let directory = settings.directory.clone();
        sandbox::serve(settings, || console.sandbox_ready(&kubeconfig), over).await?;
        // Whoever started it may have been killed, and then nobody else clears away.
        sandbox::clear_away(&directory);
        Ok(exit::DONE)
    }
}
