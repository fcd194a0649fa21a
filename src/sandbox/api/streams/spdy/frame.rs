//! Frames on the wire.

use std::io;

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The length of what each frame begins with.
pub(in super::super) const HEAD: usize = 8;
/// How long a control frame may get.
const LONGEST: u32 = 64 * 1024;
/// The flag of a stream's last frame in a direction.
const LAST: u8 = 1;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

/// What a client sends, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A new stream; its headers are compressed.
    Open {
        stream: u32,
        last: bool,
        headers: Bytes,
    },
    Data {
        stream: u32,
        last: bool,
        data: Bytes,
    },
    Reset {
        stream: u32,
    },
    Ping {
        id: u32,
    },
    /// The client opens no more streams.
    GoAway,
    /// Headers that come later: nobody reads them, but they carry on the state of compression.
    Headers {
        headers: Bytes,
    },
    /// Settings, windows, and what else there may be.
    Other,
}

/// Reads the next frame; none at the end of the connection.
///
/// # Errors
/// When the connection breaks, or what comes is not SPDY/3.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    if let Err(error) = from.read_exact(&mut head).await {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let last = head[4] & LAST != 0;
    let length = u32::from_be_bytes([0, head[5], head[6], head[7]]);
    if first >> 31 == 0 {
        let data = body(from, length).await?;
        return Ok(Some(Frame::Data { stream: first, last, data }));
    }
    let (version, kind) = ((first >> 16) & 0x7fff, u16::from_be_bytes([head[2], head[3]]));
    if version != 3 {
        return Err(broken(&format!("version {version}")));
    }
    if length > LONGEST {
        return Err(broken(&format!("a control frame of {length} bytes")));
    }
    let body = body(from, length).await?;
    let number = || {
        let number = body.first_chunk().ok_or_else(|| broken("a control frame that is cut off"))?;
        Ok::<_, io::Error>(u32::from_be_bytes(*number))
    };
    let after = |skipped: usize| body.slice(skipped.min(body.len())..);
    Ok(Some(match kind {
        // Behind the stream: the stream that it belongs to, its priority and slot.
        SYN_STREAM => Frame::Open { stream: number()? & 0x7fff_ffff, last, headers: after(10) },
        SYN_REPLY | HEADERS => Frame::Headers { headers: after(4) },
        RST_STREAM => Frame::Reset { stream: number()? & 0x7fff_ffff },
        PING => Frame::Ping { id: number()? },
        GOAWAY => Frame::GoAway,
        _ => Frame::Other,
    }))
}

async fn body(from: &mut (impl AsyncRead + Unpin), length: u32) -> io::Result<Bytes> {
    // The length is the sender's word only, so no more is set aside than may well come.
    let mut body = Vec::with_capacity(usize::try_from(length.min(LONGEST)).unwrap_or_default());
    if from.take(u64::from(length)).read_to_end(&mut body).await? < usize::try_from(length).unwrap_or(usize::MAX) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body.into())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not SPDY/3.1: {what}"))
}

fn control(kind: u16, body: &[&[u8]]) -> Bytes {
    let length: usize = body.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(HEAD + length);
    frame.extend_from_slice(&[0x80, 3]);
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(length).expect("our own control frames are short").to_be_bytes());
    for part in body {
        frame.extend_from_slice(part);
    }
    frame.into()
}

/// The answer to a new stream; `headers` are compressed.
pub(super) fn reply(stream: u32, headers: &[u8]) -> Bytes {
    control(SYN_REPLY, &[&stream.to_be_bytes(), headers])
}

/// Ends a stream in both directions.
pub(super) fn reset(stream: u32, why: u32) -> Bytes {
    control(RST_STREAM, &[&stream.to_be_bytes(), &why.to_be_bytes()])
}

/// The answer to a ping.
pub(super) fn ping(id: u32) -> Bytes {
    control(PING, &[&id.to_be_bytes()])
}

/// Says that the session ends.
pub(super) fn go_away(newest: u32) -> Bytes {
    control(GOAWAY, &[&newest.to_be_bytes(), &[0; 4]])
}

/// Makes a frame of data out of what stands behind `HEAD` bytes that are set aside, without moving it.
pub(super) fn data(stream: u32, last: bool, mut frame: Vec<u8>) -> Bytes {
    frame[..4].copy_from_slice(&stream.to_be_bytes());
    let length = u32::try_from(frame.len() - HEAD).expect("what is read at once is short");
    frame[4..HEAD].copy_from_slice(&length.to_be_bytes());
    frame[4] = if last { LAST } else { 0 };
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(mut bytes: &[u8]) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some(frame) = read(&mut bytes).await? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn frames_are_read_as_the_protocol_has_them() {
        let open = [
            0x80, 3, 0, 1, 1, 0, 0, 13, // control, version 3, SYN_STREAM, the last frame, 13 bytes
            0, 0, 0, 5, 0, 0, 0, 0, 0xe0, 0, // stream 5, of no other, priority 7, slot 0
            b'a', b'b', b'c', // compressed headers
        ];
        let data = [0, 0, 0, 5, 0, 0, 0, 2, b'h', b'i'];
        let end = [0, 0, 0, 5, 1, 0, 0, 0];
        let reset = [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 5];
        let ping = [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1];
        let window = [0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 5, 0, 1, 0, 0];
        let away = [0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        let wire: Vec<u8> = [&open[..], &data, &end, &reset, &ping, &window, &away].concat();
        let expected = [
            Frame::Open { stream: 5, last: true, headers: Bytes::from_static(b"abc") },
            Frame::Data { stream: 5, last: false, data: Bytes::from_static(b"hi") },
            Frame::Data { stream: 5, last: true, data: Bytes::new() },
            Frame::Reset { stream: 5 },
            Frame::Ping { id: 1 },
            Frame::Other,
            Frame::GoAway,
        ];
        assert_eq!(frames(&wire).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn what_is_not_spdy_is_an_error() {
        assert!(frames(&[0x80, 2, 0, 1, 0, 0, 0, 0]).await.is_err());
        assert!(frames(&[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]).await.is_err());
        assert!(frames(&[0x80, 3, 0, 6, 0, 0, 0, 1, 0]).await.is_err());
        assert!(frames(&[0, 0, 0, 1, 0, 0, 0, 9, 0]).await.is_err());
        assert!(frames(&[0x80, 3]).await.unwrap().is_empty());
    }

    #[test]
    fn frames_are_written_as_the_protocol_has_them() {
        assert_eq!(reply(1, b"ab")[..], [0x80, 3, 0, 2, 0, 0, 0, 6, 0, 0, 0, 1, b'a', b'b']);
        assert_eq!(reset(3, 1)[..], [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 1]);
        assert_eq!(ping(7)[..], [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 7]);
        assert_eq!(go_away(9)[..], [0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0]);
        let frame = [&[0; HEAD], &b"hi"[..]].concat();
        assert_eq!(data(3, true, frame)[..], [0, 0, 0, 3, 1, 0, 0, 2, b'h', b'i']);
    }
}
