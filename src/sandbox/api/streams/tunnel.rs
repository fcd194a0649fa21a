//! Tunnels to a pod's ports: as numbered channels of a WebSocket, and as pairs of streams of SPDY.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;

use super::forward::{Destination, connection};
use super::spdy::{self, Stream};
use super::target::Target;
use super::way::Way;
use super::websocket;

/// How many messages to one port wait before all wait: they share one connection.
const WAITING: usize = 64;
/// How many bytes of a SPDY session wait in the WebSocket that it comes through.
const BUFFER: usize = 256 * 1024;

/// A tunnel with two channels for each port, one for data and one for errors. Ends with the last connection.
pub(super) async fn channels<S, T>(socket: WebSocketStream<S>, to: Destination<T>, ports: &[u16])
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Target,
{
    let (sink, mut stream) = socket.split();
    let (messages, to_send) = mpsc::channel(websocket::WAITING);
    let (inputs, received): (Vec<_>, Vec<_>) = ports.iter().map(|_| mpsc::channel(WAITING)).unzip();
    let connections = join_all((0..=u8::MAX).step_by(2).zip(ports).zip(received).map(|((number, port), input)| {
        let way = |number| Way::Channel { number, messages: messages.clone() };
        let (data, error) = (way(number), way(number + 1));
        let to = &to;
        async move {
            // Each channel begins with its port, so that the client can tell them apart.
            for way in [&data, &error] {
                let _ = way.send(&port.to_le_bytes()).await;
            }
            connection(to, *port, input, &data, &error).await;
        }
    }));
    drop(messages);
    let session = async { _ = tokio::join!(connections, websocket::write(sink, to_send)) };
    let reading = async move {
        while let Some(message) = websocket::next(&mut stream).await {
            let Some(number) = message.first().filter(|number| *number % 2 == 0) else { continue };
            if let Some(input) = inputs.get(usize::from(number / 2)) {
                // A connection that has ended takes no more; the others do.
                let _ = input.send(message.slice(1..)).await;
            }
        }
    };
    websocket::beside(session, reading).await;
}

/// A tunnel in which each connection is a pair of SPDY streams. Lasts until the client goes.
pub(super) async fn spdy<S, T>(connection: S, to: Destination<T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Target,
{
    let (from, into) = tokio::io::split(connection);
    let (frames, to_send) = mpsc::channel(websocket::WAITING);
    session(from, frames, spdy::write(into, to_send), to).await;
}

/// The same, with the bytes of the session in the messages of a WebSocket.
pub(super) async fn spdy_in_websocket<S, T>(socket: WebSocketStream<S>, to: Destination<T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Target,
{
    let (sink, mut stream) = socket.split();
    let (from, mut into) = tokio::io::simplex(BUFFER);
    let (frames, to_send) = mpsc::channel(websocket::WAITING);
    let unwrapping = async move {
        while let Some(message) = websocket::next(&mut stream).await {
            into.write_all(&message).await?;
        }
        into.shutdown().await
    };
    let write = async {
        let (sent, _) = tokio::join!(websocket::write(sink, to_send), unwrapping);
        sent.map_err(io::Error::other)
    };
    session(from, frames, write, to).await;
}

/// Reads a session until its client goes, with whatever writes what is to be sent.
async fn session<T: Target>(
    from: impl AsyncRead + Unpin,
    frames: mpsc::Sender<Bytes>,
    writing: impl Future<Output = io::Result<()>>,
    to: Destination<T>,
) {
    let (opened, mut streams) = mpsc::channel(8);
    let serving = async {
        if let Err(error) = spdy::serve(from, frames, opened).await {
            tracing::debug!(%error, "a SPDY session broke");
        }
    };
    let pairing = async {
        let to = Arc::new(to);
        let mut halves = HashMap::new();
        // Dropped at the end, and all connections with it.
        let mut connections = JoinSet::new();
        while let Some(stream) = streams.recv().await {
            while connections.try_join_next().is_some() {}
            let Some((port, is_error)) = place(&stream) else {
                stream.output.reset().await;
                continue;
            };
            match halves.remove(&request(&stream, is_error)) {
                None => {
                    halves.insert(request(&stream, is_error), (is_error, stream));
                }
                Some((other_is_error, other)) if other_is_error != is_error => {
                    let (data, error) = if is_error { (other, stream) } else { (stream, other) };
                    let to = Arc::clone(&to);
                    connections.spawn(async move { pair(&to, port, data, error).await });
                }
                Some((_, other)) => {
                    stream.output.reset().await;
                    halves.insert(request(&other, is_error), (is_error, other));
                }
            }
        }
    };
    // All three end when the client is gone: the reading sees it first.
    let _ = tokio::join!(serving, pairing, writing);
}

/// The port that a stream is for, and whether it is the one for errors; none where it does not say.
fn place(stream: &Stream) -> Option<(u16, bool)> {
    let port = stream.header("port")?.parse().ok().filter(|port| *port > 0)?;
    match stream.header("streamtype")? {
        "error" => Some((port, true)),
        "data" => Some((port, false)),
        _ => None,
    }
}

/// What both streams of a connection have in common. Clients of old do not number their requests; they open the stream
/// for errors first and that for data next.
fn request(stream: &Stream, is_error: bool) -> String {
    let own = || (if is_error { stream.id() } else { stream.id().saturating_sub(2) }).to_string();
    stream.header("requestid").map_or_else(own, str::to_owned)
}

/// One connection over a pair of streams.
async fn pair<T: Target>(to: &Destination<T>, port: u16, data: Stream, error: Stream) {
    let (input, output, mut reset) = data.split();
    let (data, error_way) = (Way::Stream(output), Way::Stream(error.output.clone()));
    tokio::select! {
        () = connection(to, port, input, &data, &error_way) => {}
        () = reset.happens() => error_way.finish().await,
    }
}
