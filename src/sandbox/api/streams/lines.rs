//! The lines of a log that were asked for, by number or by time.

use std::io::{self, SeekFrom};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt};

/// How much is read at once on the way back.
const BLOCK: u64 = 64 * 1024;

/// Where the last so many lines begin.
pub(super) async fn last_lines(file: &mut (impl AsyncRead + AsyncSeek + Unpin), lines: u64) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0)).await?;
    if lines == 0 {
        return Ok(end);
    }
    let (mut begin, mut found) = (end, 0);
    while begin > 0 {
        let block = begin.min(BLOCK);
        begin -= block;
        file.seek(SeekFrom::Start(begin)).await?;
        let mut bytes = Vec::new();
        file.take(block).read_to_end(&mut bytes).await?;
        for (at, _) in bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let next = begin + u64::try_from(at).unwrap_or_default() + 1;
            // A line break at the very end ends the last line; it begins none.
            found += u64::from(next < end);
            if found == lines {
                return Ok(next);
            }
        }
    }
    Ok(0)
}

/// Picks lines by their time, and writes it before them. The container's output carries no time of its own; but etcd
/// writes one in each line, and a line without one is as old as the one before.
pub(super) struct Lines {
    pub(super) stamped: bool,
    pub(super) since: Option<Timestamp>,
    /// The time of the newest line; at first that of the container's start.
    pub(super) time: Option<Timestamp>,
    /// The beginning of a line that has not ended.
    pub(super) rest: Vec<u8>,
}

impl Lines {
    /// What is to be given of the next bytes, or of what is left at the end.
    pub(super) fn pick(&mut self, bytes: &[u8], last: bool) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let whole =
            if last { self.rest.len() } else { self.rest.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) };
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let mut picked = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.time = time(line).or(self.time);
            if self.since.is_some_and(|since| self.time.is_some_and(|time| time < since)) {
                continue;
            }
            if self.stamped {
                let time = self.time.unwrap_or_default();
                picked.extend_from_slice(time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string().as_bytes());
            }
            picked.extend_from_slice(line);
        }
        picked
    }
}

/// The time that a line says of itself: as a field of JSON, as etcd has it, or at its beginning.
fn time(line: &[u8]) -> Option<Timestamp> {
    let line = std::str::from_utf8(line).ok()?.trim();
    if line.starts_with('{') {
        let fields: Value = serde_json::from_str(line).ok()?;
        return fields["ts"].as_str()?.parse().ok();
    }
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn the_last_lines_begin_after_the_break_before_them() {
        let last = async |text: &str, lines| {
            let begin = last_lines(&mut Cursor::new(text.as_bytes().to_vec()), lines).await.unwrap();
            text[usize::try_from(begin).unwrap()..].to_owned()
        };
        assert_eq!(last("a\nb\nc\n", 2).await, "b\nc\n");
        assert_eq!(last("a\nb\nc", 2).await, "b\nc");
        assert_eq!(last("a\nb\n", 5).await, "a\nb\n");
        assert_eq!(last("a\nb\n", 0).await, "");
        assert_eq!(last("", 3).await, "");
        let long = "x".repeat(100_000);
        assert_eq!(last(&format!("{long}\n{long}\n{long}\n"), 2).await, format!("{long}\n{long}\n"));
    }

    #[test]
    fn lines_are_picked_by_the_time_that_they_say() {
        let mut lines = Lines {
            stamped: true,
            since: Some("2026-01-01T00:00:02Z".parse().unwrap()),
            time: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            rest: Vec::new(),
        };
        let first =
            lines.pick(b"old\n{\"level\":\"info\",\"ts\":\"2026-01-01T00:00:03.25Z\",\"msg\":\"a\"}\nnext\nha", false);
        let expected = "2026-01-01T00:00:03.250000000Z {\"level\":\"info\",\"ts\":\"2026-01-01T00:00:03.25Z\",\"msg\":\"a\"}\n\
            2026-01-01T00:00:03.250000000Z next\n";
        assert_eq!(String::from_utf8(first).unwrap(), expected);
        let rest = lines.pick(b"", true);
        assert_eq!(String::from_utf8(rest).unwrap(), "2026-01-01T00:00:03.250000000Z ha");
        assert_eq!(time(b"2026-01-01T00:00:00.5+0000 hello"), "2026-01-01T00:00:00.5Z".parse().ok());
    }
}
