//! What all streams over WebSocket share: binary messages out in batches, binary messages in, and a farewell.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How many messages wait to be sent before their makers wait.
pub(super) const WAITING: usize = 16;
/// How long the client may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sends messages until there are no more, then closes.
pub(super) async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut messages: mpsc::Receiver<Bytes>,
) -> Result<(), Error> {
    while let Some(message) = messages.recv().await {
        sink.feed(Message::Binary(message)).await?;
        while let Ok(message) = messages.try_recv() {
            sink.feed(Message::Binary(message)).await?;
        }
        sink.flush().await?;
    }
    // kubectl takes any other code, and an end without one, for an error.
    let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    sink.send(Message::Close(Some(farewell))).await
}

/// The next message with content; none once the client has closed, or is gone.
pub(super) async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut SplitStream<WebSocketStream<S>>,
) -> Option<Bytes> {
    loop {
        match stream.next().await? {
            Ok(Message::Binary(bytes)) => return Some(bytes),
            Ok(Message::Text(text)) => return Some(text.into()),
            Ok(Message::Close(_)) | Err(_) => return None,
            // Pings are answered where they are read.
            Ok(_) => {}
        }
    }
}

/// Runs a session and the reading from its client beside each other, and ends when the session has ended: it learns
/// from what the reading feeds it that the client is gone. The client gets time to answer the farewell, because a
/// connection that is closed with something unread is reset, and what was sent last would be lost.
pub(super) async fn beside(session: impl Future<Output = ()>, reading: impl Future<Output = ()>) {
    let (mut session, mut reading) = (pin!(session), pin!(reading));
    tokio::select! {
        () = &mut session => {
            let _ = tokio::time::timeout(FAREWELL, reading).await;
        }
        () = &mut reading => session.await,
    }
}
