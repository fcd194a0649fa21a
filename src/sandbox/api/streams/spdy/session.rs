//! A session: its streams, over one connection.

use std::collections::HashMap;
use std::io;

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, watch};

use super::frame::{self, Frame};
use super::headers::{Reader, Writer};

/// How many frames of one stream wait for their reader before the whole session waits, as there are no windows.
const WAITING: usize = 64;
/// How much is read from the connection at once.
const BUFFER: usize = 64 * 1024;
const PROTOCOL_ERROR: u32 = 1;

/// A stream that the client has opened.
#[derive(Debug)]
pub(in super::super) struct Stream {
    id: u32,
    headers: Vec<(String, String)>,
    /// What the client sends. Ends when the client has ended it, or has reset the stream, or is gone.
    pub(in super::super) input: mpsc::Receiver<Bytes>,
    pub(in super::super) output: Outgoing,
    reset: watch::Receiver<bool>,
}

impl Stream {
    pub(in super::super) fn id(&self) -> u32 {
        self.id
    }

    /// The value of a header; its name is in small letters.
    pub(in super::super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Takes the stream apart: what comes in, what goes out, and what tells that the client wants no more of it.
    pub(in super::super) fn split(self) -> (mpsc::Receiver<Bytes>, Outgoing, Reset) {
        (self.input, self.output, Reset(self.reset))
    }
}

/// Tells that the client wants no more of a stream, or is gone.
#[derive(Debug)]
pub(in super::super) struct Reset(watch::Receiver<bool>);

impl Reset {
    pub(in super::super) async fn happens(&mut self) {
        // A sender that is gone means that the session is.
        let _ = self.0.wait_for(|reset| *reset).await;
    }
}

/// The server's side of a stream. Frames that are sent when the client is gone go nowhere.
#[derive(Debug, Clone)]
pub(in super::super) struct Outgoing {
    stream: u32,
    frames: mpsc::Sender<Bytes>,
}

impl Outgoing {
    /// Sends what stands behind [`frame::HEAD`] bytes that are set aside; false where nobody takes it any more.
    pub(in super::super) async fn send(&self, chunk: Vec<u8>, last: bool) -> bool {
        self.frames.send(frame::data(self.stream, last, chunk)).await.is_ok()
    }

    /// Ends the stream in both directions.
    pub(in super::super) async fn reset(&self) {
        let _ = self.frames.send(frame::reset(self.stream, PROTOCOL_ERROR)).await;
    }
}

/// The session's part of a stream.
struct Known {
    /// None once the client has ended its side.
    input: Option<mpsc::Sender<Bytes>>,
    reset: watch::Sender<bool>,
}

/// Reads a session from a connection until the client is gone: gives each new stream to `opened`, and what is to be
/// sent to `frames`.
///
/// # Errors
/// When the connection breaks, or what comes is not SPDY.
pub(in super::super) async fn serve(
    from: impl AsyncRead + Unpin,
    frames: mpsc::Sender<Bytes>,
    opened: mpsc::Sender<Stream>,
) -> io::Result<()> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let (mut reader, mut writer) = (Reader::new(), Writer::new());
    let mut streams: HashMap<u32, Known> = HashMap::new();
    let mut newest = 0;
    // What cannot be sent need not stop the reading: the end of the connection does.
    while let Some(frame) = frame::read(&mut from).await? {
        match frame {
            Frame::Open { stream, last, headers } => {
                let headers = reader.read(&headers)?;
                // Streams of a client have odd numbers that grow.
                if stream % 2 == 0 || stream <= newest {
                    let _ = frames.send(frame::reset(stream, PROTOCOL_ERROR)).await;
                    continue;
                }
                newest = stream;
                streams.retain(|_, known| !known.reset.is_closed());
                let (input, received) = mpsc::channel(WAITING);
                let (reset, told) = watch::channel(false);
                streams.insert(stream, Known { input: (!last).then_some(input), reset });
                // Before anything else on this stream: spdystream throws away what comes earlier.
                let _ = frames.send(frame::reply(stream, &writer.write(&[]))).await;
                let output = Outgoing { stream, frames: frames.clone() };
                let _ = opened.send(Stream { id: stream, headers, input: received, output, reset: told }).await;
            }
            Frame::Data { stream, last, data } => {
                let Some(known) = streams.get_mut(&stream) else { continue };
                if let Some(input) = known.input.as_ref().filter(|_| !data.is_empty()) {
                    let _ = input.send(data).await;
                }
                if last {
                    known.input = None;
                }
            }
            Frame::Reset { stream } => {
                if let Some(known) = streams.remove(&stream) {
                    known.reset.send_replace(true);
                }
            }
            // Odd numbers are the client's own pings; even ones would answer ours, of which there are none.
            Frame::Ping { id } if id % 2 == 1 => {
                let _ = frames.send(frame::ping(id)).await;
            }
            Frame::Headers { headers } => {
                reader.read(&headers)?;
            }
            Frame::Ping { .. } | Frame::GoAway | Frame::Other => {}
        }
    }
    Ok(())
}

/// Sends frames until [`farewell`], or until nobody can send any more.
///
/// # Errors
/// When the client is gone.
pub(in super::super) async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        if frame.is_empty() {
            break;
        }
        to.write_all(&frame).await?;
        // With nothing more to send at once, what may still be in a buffer has to go out.
        if frames.is_empty() {
            to.flush().await?;
        }
    }
    to.shutdown().await
}

/// Says that the session ends, and makes [`write()`] end.
pub(in super::super) async fn farewell(frames: &mpsc::Sender<Bytes>) {
    for last in [frame::go_away(0), Bytes::new()] {
        let _ = frames.send(last).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::super::headers::Writer;
    use super::*;

    /// A client's frame that opens a stream.
    fn open(stream: u8, headers: &[u8]) -> Vec<u8> {
        let length = u8::try_from(headers.len() + 10).unwrap();
        [&[0x80, 3, 0, 1, 0, 0, 0, length, 0, 0, 0, stream, 0, 0, 0, 0, 0, 0][..], headers].concat()
    }

    #[tokio::test]
    async fn a_client_opens_uses_and_ends_streams() {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let (from, to) = tokio::io::split(server);
        let (frames, to_send) = mpsc::channel(16);
        let (opened, mut streams) = mpsc::channel(8);
        let serving = tokio::spawn(serve(from, frames, opened));
        let writing = tokio::spawn(write(to, to_send));
        let mut headers = Writer::new();

        client.write_all(&open(1, &headers.write(&[("StreamType", "data"), ("port", "2379")]))).await.unwrap();
        let mut first = streams.recv().await.unwrap();
        assert_eq!((first.id(), first.header("streamtype"), first.header("port")), (1, Some("data"), Some("2379")));
        // The reply comes before all else.
        assert!(first.output.send([&[0; frame::HEAD], &b"hello"[..]].concat(), false).await);
        let mut head = [0; 12];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!((&head[..5], &head[8..]), (&[0x80, 3, 0, 2, 0][..], &[0, 0, 0, 1][..]));
        let mut more = vec![0; usize::from(head[7]) - 4 + frame::HEAD + 5];
        client.read_exact(&mut more).await.unwrap();
        assert!(more.ends_with(&[0, 0, 0, 1, 0, 0, 0, 5, b'h', b'e', b'l', b'l', b'o']));

        client.write_all(&[0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i', 0, 0, 0, 1, 1, 0, 0, 0]).await.unwrap();
        assert_eq!(first.input.recv().await.unwrap(), "hi");
        assert!(first.input.recv().await.is_none());
        // What comes after the end, or for no stream, is nobody's. Windows are not counted. Pings are answered.
        client.write_all(&[0, 0, 0, 1, 0, 0, 0, 1, b'x', 0, 0, 0, 9, 0, 0, 0, 1, b'x']).await.unwrap();
        client.write_all(&[0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1]).await.unwrap();
        let ping = [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1];
        client.write_all(&ping).await.unwrap();
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(head, ping);

        // The number of a stream is used once.
        client.write_all(&open(1, &headers.write(&[]))).await.unwrap();
        let mut refused = [0; 16];
        client.read_exact(&mut refused).await.unwrap();
        assert_eq!(refused[..12], [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 1]);
        client.write_all(&open(3, &headers.write(&[]))).await.unwrap();
        let (mut input, out, mut reset) = streams.recv().await.unwrap().split();
        client.write_all(&[0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 5]).await.unwrap();
        reset.happens().await;
        assert!(input.recv().await.is_none());

        // The end of the client is the end of all.
        drop(client);
        serving.await.unwrap().unwrap();
        assert!(streams.recv().await.is_none());
        drop((first, out));
        let _ = writing.await.unwrap();
    }

    #[tokio::test]
    async fn nonsense_ends_a_session() {
        let (frames, _kept) = mpsc::channel(16);
        let (opened, _streams) = mpsc::channel(8);
        assert!(serve(&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], frames.clone(), opened.clone()).await.is_err());
        assert!(serve(&open(1, b"nonsense")[..], frames, opened).await.is_err());
    }
}
