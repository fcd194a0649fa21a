//! etcd's calls in a tunnel, so that a fault can meet one: HTTP/2 frames, of which the heads are read, and in which the
//! path of a call is looked for. What is no HTTP/2, TLS for one, passes unseen.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;

/// The calls that change etcd's membership or leadership, by their methods and where they are served.
const CALLS: [(&str, &str); 5] = [
    ("MemberAdd", "/etcdserverpb.Cluster/MemberAdd"),
    ("MemberRemove", "/etcdserverpb.Cluster/MemberRemove"),
    ("MemberPromote", "/etcdserverpb.Cluster/MemberPromote"),
    ("MemberUpdate", "/etcdserverpb.Cluster/MemberUpdate"),
    ("MoveLeader", "/etcdserverpb.Maintenance/MoveLeader"),
];

/// The same as they stand in a head: every client writes them with HPACK's own code, and none keeps them in its table.
static WRITTEN: LazyLock<Vec<(&'static str, Vec<u8>)>> = LazyLock::new(|| {
    CALLS
        .iter()
        .filter_map(|(method, path)| {
            let mut written = Vec::new();
            httlib_huffman::encode(path.as_bytes(), &mut written).ok().map(|()| (*method, written))
        })
        .collect()
});

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
const HEAD: usize = 9;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const END_OF_STREAM: u8 = 1;

/// One direction of a connection, frame by frame.
#[derive(Debug, Default)]
struct Frames {
    /// What has come of a frame: its head, and what follows where the frame matters.
    frame: Vec<u8>,
}

impl Frames {
    /// Takes in bytes and tells of each whole frame: its kind, its flags, its stream and its content.
    fn take(&mut self, bytes: &[u8], mut tell: impl FnMut(u8, u8, u32, &[u8])) {
        self.frame.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(head) = self.frame.get(at..at + HEAD) {
            let length = (usize::from(head[0]) << 16) | (usize::from(head[1]) << 8) | usize::from(head[2]);
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            let Some(content) = self.frame.get(at + HEAD..at + HEAD + length) else { break };
            tell(kind, flags, stream, content);
            at += HEAD + length;
        }
        self.frame.drain(..at);
    }
}

/// What a client sends.
#[derive(Debug, Default)]
pub(super) struct Requests {
    preface: Vec<u8>,
    frames: Frames,
    /// Whether it is something else than HTTP/2.
    other: bool,
}

impl Requests {
    /// Takes in bytes. The method and stream of the first call that begins in them and changes etcd.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<(&'static str, u32)> {
        let missing = PREFACE.len().saturating_sub(self.preface.len()).min(bytes.len());
        self.preface.extend_from_slice(&bytes[..missing]);
        self.other |= !PREFACE.starts_with(&self.preface);
        if self.other {
            return None;
        }
        let mut call = None;
        self.frames.take(&bytes[missing..], |kind, _, stream, content| {
            let stands = |written: &[u8]| content.windows(written.len()).any(|window| window == written);
            if kind == HEADERS && call.is_none() {
                call = WRITTEN.iter().find(|(_, written)| stands(written)).map(|(method, _)| (*method, stream));
            }
        });
        call
    }
}

/// Which call's answer is waited for, and whether it came.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// The call's stream; none is 0, which no call has.
    stream: AtomicU32,
    answered: Notify,
}

impl Awaited {
    /// From now on nothing more passes to the client.
    pub(super) fn begin(&self, stream: u32) {
        self.stream.store(stream, Ordering::SeqCst);
    }

    /// Returns once the answer has come whole.
    pub(super) async fn answered(&self) {
        self.answered.notified().await;
    }
}

/// What a member sends, as long as no call's answer is held back.
pub(super) struct Answers<R> {
    from: R,
    frames: Frames,
    /// Whether it is HTTP/2; not known before the first byte.
    frames_come: Option<bool>,
    awaited: Arc<Awaited>,
}

impl<R> Answers<R> {
    pub(super) fn of(from: R, awaited: Arc<Awaited>) -> Self {
        Self { from, frames: Frames::default(), frames_come: None, awaited }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Answers<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        loop {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.from).poll_read(context, buffer))?;
            let awaited = this.awaited.stream.load(Ordering::SeqCst);
            let new = &buffer.filled()[before..];
            let ended = new.is_empty();
            // A server begins with its settings.
            let frames_come = *this.frames_come.get_or_insert(new.get(3) == Some(&SETTINGS));
            this.frames.take(if frames_come { new } else { &[] }, |kind, flags, stream, _| {
                let end = kind == RESET || (kind == HEADERS && flags & END_OF_STREAM != 0);
                if end && awaited != 0 && stream == awaited {
                    this.awaited.answered.notify_one();
                }
            });
            if awaited == 0 || ended {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
    }

    fn head(path: &str) -> Vec<u8> {
        let mut written = vec![0x83, 0x04];
        httlib_huffman::encode(path.as_bytes(), &mut written).unwrap();
        written
    }

    #[test]
    fn a_call_is_heard_however_its_bytes_come() {
        let calls = [
            PREFACE.to_vec(),
            frame(4, 0, 0, &[]),
            frame(HEADERS, 4, 1, &head("/etcdserverpb.Maintenance/Status")),
            frame(0, 1, 1, b"/etcdserverpb.Cluster/MemberAdd"),
            frame(HEADERS, 4, 3, &head("/etcdserverpb.Cluster/MemberPromote")),
        ]
        .concat();
        for size in [1, 7, 50, calls.len()] {
            let mut requests = Requests::default();
            let heard: Vec<_> = calls.chunks(size).filter_map(|bytes| requests.hear(bytes)).collect();
            assert_eq!(heard, [("MemberPromote", 3)], "{size}");
        }
        let mut tls = Requests::default();
        assert_eq!(tls.hear(&[22, 3, 1]), None);
        assert_eq!(tls.hear(&calls), None);
    }

    #[tokio::test]
    async fn an_answer_is_held_back_from_where_it_is_awaited() {
        let awaited = Arc::new(Awaited::default());
        let (mut member, from) = tokio::io::duplex(1024);
        let mut answers = Answers::of(from, Arc::clone(&awaited));
        let first = [frame(SETTINGS, 0, 0, b""), frame(HEADERS, 4, 1, b"x")].concat();
        tokio::io::AsyncWriteExt::write_all(&mut member, &first).await.unwrap();
        let mut passed = vec![0; first.len()];
        answers.read_exact(&mut passed).await.unwrap();
        assert_eq!(passed, first);

        awaited.begin(3);
        for frame in [frame(HEADERS, 5, 1, b""), frame(HEADERS, 4, 3, b""), frame(HEADERS, 5, 3, b"")] {
            tokio::io::AsyncWriteExt::write_all(&mut member, &frame).await.unwrap();
        }
        drop(member);
        let mut rest = Vec::new();
        answers.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        awaited.answered().await;
    }
}
