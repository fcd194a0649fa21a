//! Running a command in a container, without a shell, and taking in what it prints.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::errors::call;
use crate::runbook::{Trouble, TroubleKind};

/// What a command gave.
#[derive(Debug)]
pub(in crate::cluster) struct Ended {
    /// Its exit code.
    pub(in crate::cluster) code: i32,
    /// What it printed; with a terminal, everything.
    pub(in crate::cluster) stdout: String,
    /// What it complained of.
    pub(in crate::cluster) stderr: String,
}

/// What is typed at a command's question for a password, which then never stands in a command line or an audit log.
#[derive(Clone, Copy)]
pub(in crate::cluster) struct Typed<'a> {
    /// What the question ends with.
    pub(in crate::cluster) at: &'a str,
    /// What is typed.
    pub(in crate::cluster) text: &'a str,
}

/// Runs a command in a container to its end.
///
/// # Errors
/// When it cannot be started or its end is not heard of. A command that fails is no error.
pub(in crate::cluster) async fn exec(
    pods: &Api<Pod>,
    (pod, container): (&str, &str),
    command: &[String],
    typed: Option<Typed<'_>>,
    limit: Duration,
) -> Result<Ended, Trouble> {
    // A question is only asked at a terminal, and a terminal has no standard error of its own.
    let at_terminal = typed.is_some();
    let params = AttachParams::default().container(container).stdin(at_terminal).tty(at_terminal).stderr(!at_terminal);
    let program = command.first().map(String::as_str).unwrap_or_default();
    let what = format!("run {program} in {pod}");
    let lost = |why: &str| Trouble::new(TroubleKind::Lost, format!("cannot {what}: {why}"));
    let work = async {
        let mut process = call(&what, limit, pods.exec(pod, command, &params)).await?;
        let (stdout, stderr, stdin) = (process.stdout(), process.stderr(), process.stdin());
        let status = process.take_status();
        let (mut printed, mut complained) = (Vec::new(), Vec::new());
        let reading = async {
            let Some(mut stdout) = stdout else { return Ok(()) };
            if let (Some(typed), Some(mut stdin)) = (typed, stdin) {
                while !String::from_utf8_lossy(&printed).trim_end().ends_with(typed.at) {
                    if stdout.read_buf(&mut printed).await? == 0 {
                        return Ok(());
                    }
                }
                stdin.write_all(format!("{}\n", typed.text).as_bytes()).await?;
                stdin.flush().await?;
                printed.clear();
            }
            stdout.read_to_end(&mut printed).await.map(|_| ())
        };
        let complaining = async {
            let Some(mut stderr) = stderr else { return Ok(()) };
            stderr.read_to_end(&mut complained).await.map(|_| ())
        };
        let read: (std::io::Result<()>, std::io::Result<()>) = tokio::join!(reading, complaining);
        read.0.and(read.1).map_err(|error| lost(&error.to_string()))?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let code = status.as_ref().and_then(exit_code).ok_or_else(|| {
            let said = status.and_then(|status| status.message);
            lost(&said.unwrap_or_else(|| "its end was not heard of".to_owned()))
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ended { code, stdout: text(&printed), stderr: text(&complained) })
    };
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(lost(&format!("no answer within {} s", limit.as_secs_f32()))))
}

/// The exit code in the Status that ends an exec; none where it says that the command was not even started.
fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}
