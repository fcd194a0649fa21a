//! One channel of a connection on its way to the client, be it of a WebSocket or of SPDY.

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::spdy::{HEAD, Outgoing};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// The client takes no more.
#[derive(Debug)]
pub(super) struct Gone;

/// One channel on its way to the client.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A channel of a WebSocket: its number stands at the beginning of each message.
    Channel {
        number: u8,
        messages: mpsc::Sender<Bytes>,
    },
    Stream(Outgoing),
}

impl Way {
    /// What has to be set aside at the beginning of each chunk.
    fn room(&self) -> usize {
        match self {
            Self::Channel { .. } => 1,
            Self::Stream(_) => HEAD,
        }
    }

    /// Sends a chunk that begins with room set aside.
    async fn pass(&self, mut chunk: Vec<u8>) -> Result<(), Gone> {
        match self {
            Self::Channel { number, messages } => {
                chunk[0] = *number;
                messages.send(chunk.into()).await.map_err(|_| Gone)
            }
            Self::Stream(stream) => stream.send(chunk, false).await.then_some(()).ok_or(Gone),
        }
    }

    /// Sends a few bytes.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), Gone> {
        let mut chunk = vec![0; self.room()];
        chunk.extend_from_slice(bytes);
        self.pass(chunk).await
    }

    /// Sends all that can be read, as it comes.
    ///
    /// # Errors
    /// When reading fails; when the client is gone, that is no error of the reader's: the inner result tells.
    pub(super) async fn pump(&self, mut from: impl AsyncRead + Unpin) -> std::io::Result<Result<(), Gone>> {
        loop {
            // Read to where it is sent from: nothing is copied on the way but by the socket.
            let mut chunk = Vec::with_capacity(CHUNK);
            chunk.resize(self.room(), 0);
            if from.read_buf(&mut chunk).await? == 0 {
                return Ok(Ok(()));
            }
            if let Err(gone) = self.pass(chunk).await {
                return Ok(Err(gone));
            }
        }
    }

    /// Tells that no more comes. A single channel of a WebSocket has no end: version 5 has one for what the client sends,
    /// and only for that; kubectl complains of one from the server.
    pub(super) async fn finish(&self) {
        if let Self::Stream(stream) = self {
            stream.send(vec![0; HEAD], true).await;
        }
    }
}
