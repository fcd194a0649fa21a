//! SPDY/3.1, as much of it as Kubernetes uses: the server's side of a session in which the client opens streams.
//!
//! Flow control is left out in both directions, as Go's spdystream, which kubectl and kubelet use, leaves it out: it
//! neither counts a window nor sends or heeds an update. What slows a fast sender down is TCP's own window.

mod frame;
mod headers;
mod session;

pub(super) use frame::HEAD;
pub(super) use session::{Outgoing, Stream, farewell, serve, write};
