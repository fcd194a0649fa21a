//! Streams into pods: commands, ports and logs, in the protocols that kubectl of all ages and kube-rs speak.
//!
//! - `target`: what streams lead to, which the node provides;
//! - `upgrade`: how an HTTP request becomes a stream: WebSocket or SPDY;
//! - `websocket` and `spdy`: what is carried over either; `way` is one channel of either on the way to the client;
//! - `exec`: one command with its streams, and `carry`: its streams over either;
//! - `forward`: connections to a pod's ports, and `tunnel`: these over either; `tunnels` knows the live ones, so that a fault can cut them;
//!   `calls` hears etcd's calls in them, so that a fault can meet one;
//! - `log`: a container's log, as it stands or as it grows; `lines` picks the part that was asked for.

mod answer;
mod calls;
mod carry;
mod container;
mod exec;
mod forward;
mod lines;
mod log;
mod spdy;
mod target;
mod tunnel;
mod tunnels;
mod upgrade;
mod way;
mod websocket;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub(in crate::sandbox) use exec::{attach, exec};
pub(in crate::sandbox) use forward::{Calls, port_forward};
pub(in crate::sandbox) use log::log;
pub(in crate::sandbox) use target::{Exec, Log, Target};
pub(in crate::sandbox) use tunnels::Tunnels;
