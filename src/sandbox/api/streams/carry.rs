//! A command's streams over WebSocket, as numbered channels, and over SPDY, as named streams.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;

use super::exec::{Asked, Input, Ways, size};
use super::spdy::{self, Stream};
use super::way::Way;
use super::websocket;

pub(super) const VERSION_4: &str = "v4.channel.k8s.io";
/// The one in which the end of a single channel can be told.
pub(super) const VERSION_5: &str = "v5.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// The channel of version 5 on which the client tells that another one ends.
const ENDS: u8 = 255;

/// How long a SPDY client may take to open its streams: kubelet's time.
const OPENING: Duration = Duration::from_secs(30);

/// Runs a command over a WebSocket.
pub(super) async fn websocket<S, F>(
    socket: WebSocketStream<S>,
    protocol: Option<&str>,
    asked: &Asked,
    run: impl FnOnce(mpsc::Receiver<Input>, Ways) -> F,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let ends = protocol == Some(VERSION_5);
    let (sink, mut stream) = socket.split();
    let (messages, to_send) = mpsc::channel(websocket::WAITING);
    let (input, received) = mpsc::channel(websocket::WAITING);
    let way = |number| Way::Channel { number, messages: messages.clone() };
    let ways = Ways {
        stdout: asked.stdout.then(|| way(STDOUT)),
        stderr: asked.stderr.then(|| way(STDERR)),
        error: way(ERROR),
    };
    drop(messages);
    let running = run(received, ways);
    let session = async { _ = tokio::join!(running, websocket::write(sink, to_send)) };
    let reading = async move {
        while let Some(message) = websocket::next(&mut stream).await {
            let input_of = match message[..] {
                [STDIN, _, ..] => Some(Input::Stdin(message.slice(1..))),
                [ENDS, STDIN, ..] if ends => Some(Input::StdinEnds),
                [RESIZE, ref json @ ..] => size(json),
                _ => None,
            };
            if let Some(one) = input_of {
                // Read on after the command's end: the client's farewell comes last.
                let _ = input.send(one).await;
            }
        }
    };
    websocket::beside(session, reading).await;
}

/// Runs a command over SPDY.
pub(super) async fn spdy<S, F>(connection: S, asked: &Asked, run: impl FnOnce(mpsc::Receiver<Input>, Ways) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let (from, to) = tokio::io::split(connection);
    let (frames, to_send) = mpsc::channel(websocket::WAITING);
    let (opened, streams) = mpsc::channel(8);
    let (input, received) = mpsc::channel(websocket::WAITING);
    let frames_of_session = frames.clone();
    let alive = input.clone();
    let reading = async move {
        if let Err(error) = spdy::serve(from, frames_of_session, opened).await {
            tracing::debug!(%error, "a SPDY session broke");
        }
        // As long as this is there the command knows that the client is.
        drop(alive);
    };
    let running = async move {
        let Ok(Some(streams)) = tokio::time::timeout(OPENING, collect(streams, asked)).await else {
            tracing::debug!("a client did not open the streams that it had asked for");
            return;
        };
        let (ways, feeding) = streams.split(input);
        // What the client sends matters no longer than the command runs.
        tokio::select! {
            biased;
            () = run(received, ways) => {}
            () = async { feeding.await; std::future::pending().await } => {}
        }
        spdy::farewell(&frames).await;
    };
    let session = async { _ = tokio::join!(running, spdy::write(to, to_send)) };
    websocket::beside(session, reading).await;
}

/// The streams that a SPDY client opens for a command.
struct Streams {
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resize: Option<Stream>,
    error: Stream,
}

/// Waits for all streams that a client has asked for; none where it goes before.
async fn collect(mut opened: mpsc::Receiver<Stream>, asked: &Asked) -> Option<Streams> {
    let [mut stdin, mut stdout, mut stderr, mut resize, mut error] = [None, None, None, None, None];
    loop {
        let there = |stream: &Option<Stream>, asked: bool| stream.is_some() || !asked;
        let all = there(&stdin, asked.stdin)
            && there(&stdout, asked.stdout)
            && there(&stderr, asked.stderr)
            && there(&resize, asked.tty);
        error = match error {
            Some(error) if all => return Some(Streams { stdin, stdout, stderr, resize, error }),
            other => other,
        };
        let stream = opened.recv().await?;
        let place = match stream.header("streamtype") {
            Some("stdin") => &mut stdin,
            Some("stdout") => &mut stdout,
            Some("stderr") => &mut stderr,
            Some("resize") => &mut resize,
            Some("error") => &mut error,
            _ => {
                stream.output.reset().await;
                continue;
            }
        };
        *place = Some(stream);
    }
}

impl Streams {
    /// The ways to the client, and what passes on all that comes from it.
    fn split(self, input: mpsc::Sender<Input>) -> (Ways, impl Future<Output = ()>) {
        let way = |stream: &Option<Stream>| stream.as_ref().map(|stream| Way::Stream(stream.output.clone()));
        let ways = Ways {
            stdout: way(&self.stdout),
            stderr: way(&self.stderr),
            error: Way::Stream(self.error.output.clone()),
        };
        let feeding = async move {
            // The streams that only go out are kept: what the client sends on them is not read.
            let Self { stdin, resize, stdout, stderr, error } = self;
            let _kept = (stdout, stderr, error);
            let to_stdin = async {
                let Some(mut stream) = stdin else { return };
                while let Some(bytes) = stream.input.recv().await {
                    let _ = input.send(Input::Stdin(bytes)).await;
                }
                let _ = input.send(Input::StdinEnds).await;
            };
            let to_resize = async {
                let Some(mut stream) = resize else { return };
                while let Some(json) = stream.input.recv().await {
                    if let Some(size) = size(&json) {
                        let _ = input.send(size).await;
                    }
                }
            };
            tokio::join!(to_stdin, to_resize);
        };
        (ways, feeding)
    }
}
