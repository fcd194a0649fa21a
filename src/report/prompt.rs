//! The question before a change. One plain line, so that it works over any connection and in any log.

use std::io::BufRead;

use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use crate::runbook::{Interrupt, Reply};

/// What a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// One of the replies.
    Reply(Reply),
    /// Show more and ask again.
    Details,
    /// Not understood; ask again.
    Other,
}

/// What came in at standard input.
enum Typed {
    Line(String),
    /// It ended, which is nobody's yes.
    End,
    Interrupted,
}

/// Reads one line from standard input, until it comes or the run is interrupted.
async fn typed(interrupt: &Interrupt) -> Typed {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|bytes| (bytes, line))
    });
    let read = tokio::select! {
        read = read => read,
        _ = interrupt.raised() => return Typed::Interrupted,
    };
    match read {
        Ok(Ok((bytes, line))) if bytes > 0 => Typed::Line(line),
        _ => Typed::End,
    }
}

/// Drops what was typed before a question was there to be read: it answers none.
pub(super) fn drop_typed_ahead() {
    // Where it cannot be dropped it is no terminal, and nobody is asked.
    let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
}

/// Reads the answer to a question.
pub(super) async fn read_line(interrupt: &Interrupt) -> Line {
    match typed(interrupt).await {
        Typed::Line(line) => understand(&line),
        Typed::End => Line::Reply(Reply::No),
        Typed::Interrupted => Line::Reply(Reply::Interrupted),
    }
}

/// Reads a line that the terminal does not show. None where it ends or is interrupted.
pub(super) async fn read_password(interrupt: &Interrupt) -> Option<String> {
    let _hidden = Hidden::begin();
    match typed(interrupt).await {
        Typed::Line(line) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        Typed::End | Typed::Interrupted => None,
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Returns when standard input ends, which it does with whoever holds its other end.
pub async fn input_ended() {
    let mut input = tokio::io::stdin();
    // What comes before the end means nothing.
    drop(tokio::io::copy(&mut input, &mut tokio::io::sink()).await);
}

/// No unless it is plainly something else.
fn understand(line: &str) -> Line {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Line::Reply(Reply::Yes),
        "a" | "all" => Line::Reply(Reply::All),
        "" | "n" | "no" => Line::Reply(Reply::No),
        "d" | "details" => Line::Details,
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_is_the_default() {
        assert_eq!(understand("\n"), Line::Reply(Reply::No));
        assert_eq!(understand(" Yes \n"), Line::Reply(Reply::Yes));
        assert_eq!(understand("yep"), Line::Other);
    }
}
