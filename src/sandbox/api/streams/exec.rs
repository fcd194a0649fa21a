//! A command in a container: the request, and its streams from beginning to end.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, Request};
use axum::http::Uri;
use axum::response::Response;
use futures::future::OptionFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::answer::refusal;
use super::target::{Exec, Target};
use super::upgrade::{self, Wanted};
use super::way::{Gone, Way};
use super::{carry, container, log};
use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

/// Of WebSocket, the newest first. The oldest has no name, and no `Status` at the end in a real cluster; it gets one.
const WEBSOCKET: &[&str] = &[carry::VERSION_5, carry::VERSION_4, "channel.k8s.io"];
const SPDY: &[&str] = &[carry::VERSION_4];

/// What a client sends to a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Stdin(Bytes),
    StdinEnds,
    Resize { columns: u16, rows: u16 },
}

/// The ways of a command's streams to the client; those that nobody asked for are none.
pub(super) struct Ways {
    pub(super) stdout: Option<Way>,
    pub(super) stderr: Option<Way>,
    pub(super) error: Way,
}

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the request's own")]
pub(super) struct Asked {
    command: Vec<String>,
    container: Option<String>,
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

impl Asked {
    fn read(uri: &Uri) -> Result<Self, Status> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let mut asked = Self::default();
        for (name, value) in pairs {
            // As Kubernetes reads it: whatever is there and does not say no is yes.
            let yes = !value.eq_ignore_ascii_case("false") && value != "0";
            match name.as_str() {
                "command" => asked.command.push(value),
                "container" => asked.container = Some(value),
                "stdin" => asked.stdin = yes,
                "stdout" => asked.stdout = yes,
                "stderr" => asked.stderr = yes,
                "tty" => asked.tty = yes,
                _ => {}
            }
        }
        if !(asked.stdin || asked.stdout || asked.stderr) {
            return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        // A terminal has one stream for both.
        asked.stderr &= !asked.tty;
        Ok(asked)
    }
}

/// `.../pods/POD/exec`
pub(in crate::sandbox) async fn exec<T: Target>(
    request: Request,
    registry: &Registry,
    target: &Arc<T>,
    namespace: &str,
    pod: &str,
) -> Response {
    // Read first: a request cannot be shared between threads, so that none may be borrowed while something is waited for.
    let (asked, wanted) = (Asked::read(request.uri()), upgrade::wanted(request.headers()));
    let started = async move {
        let asked = asked?;
        if asked.command.is_empty() {
            return Err(Status::bad_request("you must specify at least one command for the container"));
        }
        let found = registry.get(kinds::PODS, namespace, pod)?;
        let container = container::chosen(&found, asked.container.as_deref())?;
        container::placed(&found)?;
        if wanted == Wanted::Nothing {
            return Ok((asked, Err(Status::bad_request("Upgrade request required"))));
        }
        let exec = target.exec(namespace, pod, container, &asked.command, asked.stdin, asked.tty).await;
        // What goes wrong in the container is told over the stream; that there is no container is told before.
        exec.as_ref().err().filter(|status| status.code != 500).map_or(Ok(()), |status| Err(status.clone()))?;
        Ok((asked, exec))
    };
    match started.await {
        Ok((asked, exec)) => respond(request, asked, exec),
        Err(status) => refusal(&status),
    }
}

/// `.../pods/POD/attach`: the container's output from now on. Nothing reaches its input.
pub(in crate::sandbox) async fn attach<T: Target>(
    request: Request,
    registry: &Registry,
    target: &Arc<T>,
    namespace: &str,
    pod: &str,
) -> Response {
    let asked = Asked::read(request.uri());
    let attached = async move {
        let asked = asked?;
        let found = registry.get(kinds::PODS, namespace, pod)?;
        let container = container::chosen(&found, asked.container.as_deref())?;
        container::placed(&found)?;
        let log = target.log(namespace, pod, container, false).await?;
        Ok((asked, Ok(log::attached(log).await)))
    };
    match attached.await {
        Ok((asked, exec)) => respond(request, asked, exec),
        Err(status) => refusal(&status),
    }
}

/// Turns the connection into the streams of a command.
fn respond(request: Request, asked: Asked, exec: Result<Exec, Status>) -> Response {
    let command = asked.command.join(" ");
    match upgrade::wanted(request.headers()) {
        Wanted::WebSocket => match upgrade::websocket_protocol(request.headers(), WEBSOCKET) {
            Ok(protocol) => upgrade::websocket(request, protocol, move |socket| async move {
                carry::websocket(socket, protocol, &asked, |input, ways| run(exec, &command, input, ways)).await;
            }),
            Err(status) => refusal(&status),
        },
        Wanted::Spdy => match upgrade::spdy_protocol(request.headers(), SPDY) {
            Ok(protocol) => upgrade::spdy(request, protocol, move |raw| async move {
                let carried = carry::spdy(raw, &asked, |input, ways| run(exec, &command, input, ways));
                // The state of decompression is large.
                Box::pin(carried).await;
            }),
            Err(status) => refusal(&status),
        },
        Wanted::Nothing => upgrade::required(),
    }
}

/// Runs a command's streams until it has ended, or the client is gone: then it is dropped, which kills it.
pub(super) async fn run(exec: Result<Exec, Status>, command: &str, input: mpsc::Receiver<Input>, ways: Ways) {
    let status = match exec {
        Ok(exec) => {
            let Exec { stdin, stdout, stderr, resize, exit } = exec;
            let out = async {
                let stdout = drain(Some(stdout), ways.stdout.as_ref());
                let stderr = drain(stderr, ways.stderr.as_ref());
                tokio::try_join!(stdout, stderr)?;
                Ok::<_, Gone>(exit.await)
            };
            tokio::select! {
                code = out => match code {
                    Ok(code) => ended(command, code),
                    Err(Gone) => return,
                },
                () = feed(stdin, resize, input) => return,
            }
        }
        Err(status) => status.object(),
    };
    let _ = ways.error.send(status.to_string().as_bytes()).await;
    for way in [ways.stdout, ways.stderr, Some(ways.error)].into_iter().flatten() {
        way.finish().await;
    }
}

/// Reads a stream to its end, for the client or for nobody: a command must not notice that nobody wants its output.
async fn drain(stream: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>, way: Option<&Way>) -> Result<(), Gone> {
    let Some(mut stream) = stream else { return Ok(()) };
    let read = match way {
        Some(way) => way.pump(stream).await,
        None => tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(|_| Ok(())),
    };
    // A terminal whose last process has ended is an error to its reader, and the end all the same.
    read.unwrap_or(Ok(()))
}

/// Gives the client's input to the command. Ends when the client is gone.
async fn feed(
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<(u16, u16)>>,
    mut input: mpsc::Receiver<Input>,
) {
    while let Some(input) = input.recv().await {
        match input {
            Input::Stdin(bytes) => {
                let write = async |stdin: &mut Box<dyn AsyncWrite + Send + Unpin>| {
                    stdin.write_all(&bytes).await?;
                    stdin.flush().await
                };
                let done = OptionFuture::from(stdin.as_mut().map(write)).await;
                // A command that reads no more may well go on.
                if let Some(Err(_)) = done {
                    stdin = None;
                }
            }
            Input::StdinEnds => {
                if let Some(mut stdin) = stdin.take() {
                    let _ = stdin.shutdown().await;
                }
            }
            Input::Resize { columns, rows } => {
                if let Some(resize) = &resize {
                    let _ = resize.send((columns, rows)).await;
                }
            }
        }
    }
}

/// What is said at the end, in kubelet's words.
fn ended(command: &str, code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    let message =
        format!("command terminated with non-zero exit code: error executing command [{command}], exit code {code}");
    json!({
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// A terminal's size, as clients send it.
pub(super) fn size(json: &[u8]) -> Option<Input> {
    let size: Value = serde_json::from_slice(json).ok()?;
    let cells = |name: &str| size[name].as_u64().and_then(|cells| u16::try_from(cells).ok());
    Some(Input::Resize { columns: cells("Width")?, rows: cells("Height")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_in_any_order() {
        let read = |query: &str| Asked::read(&format!("/exec?{query}").parse().unwrap());
        let asked =
            read("stdout=true&command=sh&stdin=1&command=-c&tty=false&command=a%20%26+b&container=etcd").unwrap();
        assert_eq!(asked.command, ["sh", "-c", "a & b"]);
        assert_eq!(asked.container.as_deref(), Some("etcd"));
        assert!(asked.stdin && asked.stdout && !asked.stderr && !asked.tty);
        // A terminal has one stream for both.
        assert!(!read("stdout&stderr&tty&command=sh").unwrap().stderr);
        assert_eq!(read("command=sh").unwrap_err().code, 400);
    }

    #[test]
    fn a_terminals_size_is_read_or_left() {
        assert_eq!(size(b"{\"Width\":80,\"Height\":25}\n"), Some(Input::Resize { columns: 80, rows: 25 }));
        for wrong in [&b"{\"Width\":80}"[..], b"[]", b"", b"{\"Width\":-1,\"Height\":70000}"] {
            assert_eq!(size(wrong), None);
        }
    }
}
