//! A container's log as a response: as it stands, or as it grows.

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request};
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use futures::stream;
use jiff::Timestamp;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::watch;

use super::answer::refusal;
use super::container;
use super::lines::{Lines, last_lines};
use super::target::{Exec, Log, Target};
use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// How long a follower waits before it looks again. The container writes to its file without anybody between, so there
/// is nobody to tell of it; to look is one read that finds nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    container: Option<String>,
    follow: bool,
    previous: bool,
    timestamps: bool,
    tail: Option<u64>,
    limit: Option<u64>,
    since: Option<Timestamp>,
}

impl Asked {
    fn read(uri: &Uri, pod: &str) -> Result<Self, Status> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let mut asked = Self::default();
        let number = |field: &str, value: &str, least: i64| {
            let number: i64 = value
                .parse()
                .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")))?;
            let why = match least {
                _ if number >= least => return Ok(number.unsigned_abs()),
                0 => "must be greater than or equal to 0",
                _ => "must be greater than 0",
            };
            Err(Status::invalid("PodLogOptions", pod, field, &format!("Invalid value: {number}: {why}")))
        };
        for (name, value) in pairs {
            let yes = !value.eq_ignore_ascii_case("false") && value != "0";
            match name.as_str() {
                "container" => asked.container = Some(value),
                "follow" => asked.follow = yes,
                "previous" => asked.previous = yes,
                "timestamps" => asked.timestamps = yes,
                "tailLines" => asked.tail = Some(number("tailLines", &value, 0)?),
                "limitBytes" => asked.limit = Some(number("limitBytes", &value, 1)?),
                "sinceSeconds" => {
                    let seconds = number("sinceSeconds", &value, 1)?;
                    // A time before all times is as good as none.
                    asked.since = Timestamp::now().checked_sub(Duration::from_secs(seconds)).ok();
                }
                "sinceTime" => {
                    let time = value
                        .parse()
                        .map_err(|_| Status::bad_request(format!("parsing time {value:?} as RFC 3339 failed")))?;
                    asked.since = Some(time);
                }
                _ => {}
            }
        }
        Ok(asked)
    }
}

/// `.../pods/POD/log`
pub(in crate::sandbox) async fn log<T: Target>(
    request: Request,
    registry: &Registry,
    target: &Arc<T>,
    namespace: &str,
    pod: &str,
) -> Response {
    let asked = Asked::read(request.uri(), pod);
    let opened = async move {
        let found = registry.get(kinds::PODS, namespace, pod)?;
        let asked = asked?;
        let container = container::chosen(&found, asked.container.as_deref())?;
        if container::placed(&found).is_err() {
            // kube-apiserver has nothing to show of a pod without a node, and says so with nothing.
            return Ok(None);
        }
        let (last, began) = container::logged(&found, container, asked.previous)?;
        let log = target.log(namespace, pod, container, last).await?;
        let began = began.and_then(|began| began.parse().ok());
        let reader = Reader::open(log, &asked, began).await;
        reader.map(Some).map_err(|error| Status::new(500, "InternalError", format!("failed to read the log: {error}")))
    };
    let body = match opened.await {
        Ok(Some(reader)) => Body::from_stream(stream::try_unfold(reader, async |mut reader: Reader| {
            Ok::<_, io::Error>(reader.next().await?.map(|bytes| (bytes, reader)))
        })),
        Ok(None) => Body::empty(),
        Err(status) => return refusal(&status),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A container's output from now on, as a command that ends with it.
pub(super) async fn attached(log: Log) -> Exec {
    let (stdout, mut into) = tokio::io::simplex(CHUNK);
    let asked = Asked { follow: true, tail: Some(0), ..Asked::default() };
    let opened = Reader::open(log, &asked, None).await;
    // Ends with the container, or at the next write once nobody reads any more.
    tokio::spawn(async move {
        let Ok(mut reader) = opened else { return };
        while let Ok(Some(bytes)) = reader.next().await {
            if into.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let exit = Box::pin(std::future::ready(0));
    Exec { stdin: None, stdout: Box::new(stdout), stderr: None, resize: None, exit }
}

/// Reads a log.
struct Reader {
    file: File,
    ended: watch::Receiver<bool>,
    follow: bool,
    /// How many bytes may still be given.
    left: u64,
    /// None where the bytes are given as they are.
    lines: Option<Lines>,
}

impl Reader {
    async fn open(log: Log, asked: &Asked, began: Option<Timestamp>) -> io::Result<Self> {
        let mut file = File::open(&log.path).await?;
        if let Some(tail) = asked.tail {
            let from = last_lines(&mut file, tail).await?;
            file.seek(SeekFrom::Start(from)).await?;
        }
        file.set_max_buf_size(CHUNK);
        let lines = Lines { stamped: asked.timestamps, since: asked.since, time: began, rest: Vec::new() };
        Ok(Self {
            file,
            ended: log.ended,
            follow: asked.follow,
            left: asked.limit.unwrap_or(u64::MAX),
            lines: (asked.timestamps || asked.since.is_some()).then_some(lines),
        })
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.left > 0 {
            // Looked at before the file: whatever the container wrote is there when it has ended.
            let ended = *self.ended.borrow_and_update() || self.ended.has_changed().is_err();
            let mut chunk = Vec::with_capacity(CHUNK);
            let at_end = self.file.read_buf(&mut chunk).await? == 0;
            if at_end && self.follow && !ended {
                tokio::select! {
                    _ = self.ended.changed() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
                continue;
            }
            let mut bytes = match &mut self.lines {
                Some(lines) => lines.pick(&chunk, at_end),
                None => chunk,
            };
            if bytes.is_empty() {
                if at_end {
                    return Ok(None);
                }
                continue;
            }
            bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            return Ok(Some(bytes.into()));
        }
        Ok(None)
    }
}
