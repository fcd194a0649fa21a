//! Connections to a pod's ports: the request, and one connection from beginning to end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, Request};
use axum::http::Uri;
use axum::response::Response;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::answer::refusal;
use super::calls::{Answers, Awaited, Requests};
use super::target::Target;
use super::tunnels::{Tunnel, Tunnels};
use super::upgrade::{self, Wanted};
use super::way::Way;
use super::{container, tunnel};
use crate::sandbox::api::faults::{self, Call, ETCD, Met, Trouble};
use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

/// The protocol of SPDY.
const SPDY: &str = "portforward.k8s.io";
/// SPDY once more, within a WebSocket.
const SPDY_IN_WEBSOCKET: &str = "SPDY/3.1+portforward.k8s.io";
/// Numbered channels.
const CHANNELS: &[&str] = &["v4.channel.k8s.io", SPDY];

/// How long a pod may go on sending to a client that sends no more: containerd's time.
const REST: Duration = Duration::from_secs(1);

/// The pod that a tunnel leads to.
pub(super) struct Destination<T> {
    pub(super) target: Arc<T>,
    pub(super) namespace: String,
    pub(super) pod: String,
    /// What errors call the pod: a real node names its sandbox, which nobody knows.
    pub(super) uid: String,
    pub(super) calls: Calls,
}

/// Whose calls a tunnel carries, and where the faults are that they may meet.
pub(in crate::sandbox) struct Calls {
    pub(in crate::sandbox) registry: Arc<Registry>,
    pub(in crate::sandbox) user: String,
}

/// `.../pods/POD/portforward`
pub(in crate::sandbox) async fn port_forward<T: Target>(
    request: Request,
    calls: Calls,
    target: &Arc<T>,
    tunnels: &Tunnels,
    namespace: &str,
    pod: &str,
) -> Response {
    let found = match calls.registry.get(kinds::PODS, namespace, pod).and_then(|found| {
        container::placed(&found)?;
        Ok(found)
    }) {
        Ok(found) => found,
        Err(status) => return refusal(&status),
    };
    let to = Destination {
        target: Arc::clone(target),
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        uid: found["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        calls,
    };
    let answer = respond(request, to, tunnels.enter(namespace, pod));
    answer.unwrap_or_else(|status| refusal(&status))
}

fn respond<T: Target>(request: Request, to: Destination<T>, cut: Tunnel) -> Result<Response, Status> {
    let headers = request.headers();
    match upgrade::wanted(headers) {
        Wanted::WebSocket => {
            let known: Vec<&str> = [&[SPDY_IN_WEBSOCKET], CHANNELS].concat();
            let protocol = upgrade::websocket_protocol(headers, &known)?;
            if protocol == Some(SPDY_IN_WEBSOCKET) {
                return Ok(upgrade::websocket(request, protocol, move |socket| {
                    until_cut(cut, async move { tunnel::spdy_in_websocket(socket, to).await })
                }));
            }
            let ports = ports(request.uri())?;
            Ok(upgrade::websocket(request, protocol, move |socket| {
                until_cut(cut, async move { tunnel::channels(socket, to, &ports).await })
            }))
        }
        Wanted::Spdy => {
            let protocol = upgrade::spdy_protocol(headers, &[SPDY])?;
            Ok(upgrade::spdy(request, protocol, move |raw| until_cut(cut, async move { tunnel::spdy(raw, to).await })))
        }
        Wanted::Nothing => Ok(upgrade::required()),
    }
}

/// Runs a tunnel until it ends, or is cut: then all its connections go with it, at once.
async fn until_cut(mut cut: Tunnel, tunnel: impl Future<Output = ()>) {
    tokio::select! {
        () = tunnel => {}
        () = cut.is_cut() => {}
    }
}

/// The ports that a request for numbered channels asks for.
fn ports(uri: &Uri) -> Result<Vec<u16>, Status> {
    let Query(pairs) =
        Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| Status::bad_request(error.to_string()))?;
    let mut ports = Vec::new();
    for (_, list) in pairs.iter().filter(|(name, _)| name == "ports") {
        for port in list.split(',') {
            let wrong = || Status::bad_request(format!("unable to parse {list:?} as a port"));
            match port.parse() {
                Ok(0) => return Err(Status::bad_request(format!("port {list:?} must be > 0"))),
                Ok(port) => ports.push(port),
                Err(_) => return Err(wrong()),
            }
        }
    }
    // Two channels for each, with numbers of one byte.
    match ports.len() {
        0 => Err(Status::bad_request("query parameter \"ports\" is required")),
        1..=127 => Ok(ports),
        _ => Err(Status::bad_request("too many ports")),
    }
}

/// Runs one connection to a port until one side has ended it. What goes wrong is told on the way for errors.
pub(super) async fn connection<T: Target>(
    to: &Destination<T>,
    port: u16,
    input: mpsc::Receiver<Bytes>,
    data: &Way,
    error: &Way,
) {
    let ran = async {
        let pod = to.target.dial(&to.namespace, &to.pod, port).await.map_err(|status| status.message)?;
        copy(to, pod, input, data).await.map_err(|error| error.to_string())
    };
    if let Err(why) = ran.await {
        let told = format!("error forwarding port {port} to pod {}, uid : {why}", to.uid);
        let _ = error.send(told.as_bytes()).await;
    }
    data.finish().await;
    error.finish().await;
}

/// How what the client sends came to an end.
enum Sent {
    All,
    /// A fault cuts the connection.
    Cut,
}

async fn copy<T>(
    to: &Destination<T>,
    mut pod: TcpStream,
    mut input: mpsc::Receiver<Bytes>,
    data: &Way,
) -> io::Result<()> {
    // Small packets wait for nothing: 40 ms a round trip otherwise.
    pod.set_nodelay(true)?;
    let (from, mut into) = pod.split();
    let awaited = Arc::new(Awaited::default());
    let mut out = std::pin::pin!(data.pump(Answers::of(from, Arc::clone(&awaited))));
    let sending = async {
        let mut requests = Requests::default();
        while let Some(bytes) = input.recv().await {
            let call = requests.hear(&bytes).and_then(|(method, stream)| Some((to.meets(method)?, stream)));
            let Some((met, stream)) = call else {
                into.write_all(&bytes).await?;
                continue;
            };
            if met.trouble == Trouble::Delay {
                met.ended(&to.calls.registry).await;
                into.write_all(&bytes).await?;
                continue;
            }
            if matches!(met.trouble, Trouble::CutAfter | Trouble::SilenceAfter) {
                awaited.begin(stream);
                into.write_all(&bytes).await?;
                loop {
                    tokio::select! {
                        () = awaited.answered() => break,
                        bytes = input.recv() => match bytes {
                            Some(bytes) => into.write_all(&bytes).await?,
                            None => return Ok(Sent::Cut),
                        },
                    }
                }
            }
            met.carried_out(&to.calls.registry);
            if matches!(met.trouble, Trouble::Silence | Trouble::SilenceAfter) {
                while input.recv().await.is_some() {}
            }
            return Ok(Sent::Cut);
        }
        into.shutdown().await.map(|()| Sent::All)
    };
    tokio::select! {
        // The pod's end is the connection's, also while the client has more to say.
        read = &mut out => return read.map(|_| ()),
        sent = sending => if let Sent::Cut = sent? {
            return Ok(());
        },
    }
    match tokio::time::timeout(REST, out).await {
        Ok(read) => read.map(|_| ()),
        Err(_) => Ok(()),
    }
}

impl<T> Destination<T> {
    /// The fault that a call of etcd's meets.
    fn meets(&self, method: &str) -> Option<Met> {
        let Self { namespace, pod, calls, .. } = self;
        let call = Call { user: &calls.user, verb: method, resource: ETCD, subresource: "", namespace, name: pod };
        faults::met(&calls.registry, &call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_in_lists_and_again() {
        let read = |query: &str| ports(&format!("/portforward?{query}").parse().unwrap()).map_err(|status| status.code);
        assert_eq!(read("ports=2379,2380&ports=1"), Ok(vec![2379, 2380, 1]));
        assert_eq!(read("ports=2379%2C2380"), Ok(vec![2379, 2380]));
        for wrong in ["", "ports=", "ports=0", "ports=a", "ports=65536", "ports=-1"] {
            assert_eq!(read(wrong), Err(400), "{wrong}");
        }
    }
}
