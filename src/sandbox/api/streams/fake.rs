//! For tests: one pod of real processes on this machine, behind an API server that knows nothing but it.

// The attribute also tells the test of the architecture that what follows is for tests.
#[cfg(test)]
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use super::target::{Exec, Log, Target};
use super::tunnels::Tunnels;
use crate::sandbox::kinds;
use crate::sandbox::registry::{Part, Registry};
use crate::sandbox::status::Status;

/// Runs commands on the machine itself.
pub(super) struct Fake {
    pub(super) directory: tempfile::TempDir,
    pub(super) ended: watch::Sender<bool>,
}

impl Fake {
    pub(super) fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// Kills a command that nobody waits for.
struct Killed(i32);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0), Signal::SIGKILL);
    }
}

impl Target for Fake {
    async fn exec(
        &self,
        _namespace: &str,
        _pod: &str,
        _container: &str,
        command: &[String],
        _stdin: bool,
        tty: bool,
    ) -> Result<Exec, Status> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Status::new(500, "InternalError", format!("{}: {error}", command[0])))?;
        let into = OwnedFd::from(child.stdin.take().unwrap());
        let out = OwnedFd::from(child.stdout.take().unwrap());
        let errors = OwnedFd::from(child.stderr.take().unwrap());
        let killed = Killed(i32::try_from(child.id()).unwrap());
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || tell.send(child.wait().unwrap().code().unwrap_or(137)));
        Ok(Exec {
            stdin: Some(Box::new(pipe::Sender::from_owned_fd(into).unwrap())),
            stdout: Box::new(pipe::Receiver::from_owned_fd(out).unwrap()),
            stderr: (!tty).then(|| Box::new(pipe::Receiver::from_owned_fd(errors).unwrap()) as Box<_>),
            resize: None,
            exit: Box::pin(async move {
                let code = told.await.unwrap();
                std::mem::forget(killed);
                code
            }),
        })
    }

    async fn dial(&self, _namespace: &str, _pod: &str, port: u16) -> Result<TcpStream, Status> {
        let refused = |error: std::io::Error| Status::new(500, "InternalError", error.to_string());
        TcpStream::connect(("127.0.0.1", port)).await.map_err(refused)
    }

    async fn log(&self, _namespace: &str, _pod: &str, _container: &str, _previous: bool) -> Result<Log, Status> {
        Ok(Log { path: self.log_file(), ended: self.ended.subscribe() })
    }
}

/// The API server.
pub(super) struct Server {
    pub(super) fake: Arc<Fake>,
    pub(super) tunnels: Arc<Tunnels>,
    pub(super) registry: Arc<Registry>,
    address: SocketAddr,
}

/// Accepts TLS for `axum::serve`.
struct Tls(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, address) = self.0.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            if let Ok(tls) = self.1.accept(socket).await {
                return (tls, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Server {
    /// Starts a server with the pod `etcd-0` in the namespace `here`.
    pub(super) async fn start() -> Self {
        let registry = Registry::new();
        registry.create(kinds::NAMESPACES, "", json!({"metadata": {"name": "here"}}), false).unwrap();
        let pod = json!({"metadata": {"name": "etcd-0"}, "spec": {"nodeName": "n", "containers": [{"name": "etcd", "image": "etcd"}]}});
        registry.create(kinds::PODS, "here", pod, false).unwrap();
        let status = json!({"phase": "Running", "containerStatuses": [
            {"name": "etcd", "ready": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}},
        ]});
        let put = |pod: &mut Value| {
            pod["status"] = status;
            Ok(())
        };
        registry.update(kinds::PODS, "here", "etcd-0", Part::Status, false, put).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("log"), "").unwrap();
        let fake = Arc::new(Fake { directory, ended: watch::Sender::new(false) });
        let (tunnels, registry) = (Arc::new(Tunnels::default()), Arc::new(registry));

        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let secret = PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], secret)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let parts = (Arc::clone(&fake), Arc::clone(&tunnels), Arc::clone(&registry));
        let router = Router::new().fallback(move |request: Request| {
            let (fake, tunnels, registry) = parts.clone();
            async move { answer(request, &registry, &fake, &tunnels).await }
        });
        tokio::spawn(async move { axum::serve(Tls(listener, TlsAcceptor::from(Arc::new(config))), router).await });
        let server = Self { fake, tunnels, registry, address };
        std::fs::write(server.kubeconfig(), server.config().to_string()).unwrap();
        server
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.fake.directory.path().join("kubeconfig")
    }

    fn config(&self) -> Value {
        let cluster = json!({"server": format!("https://{}", self.address), "insecure-skip-tls-verify": true});
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": "secret"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "here"}}],
        })
    }

    /// A kubectl that asks this server.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(arguments).env("KUBECONFIG", self.kubeconfig()).env("HOME", self.fake.directory.path());
        command
    }
}

async fn answer(request: Request, registry: &Arc<Registry>, fake: &Arc<Fake>, tunnels: &Tunnels) -> Response {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match parts[..] {
        ["version"] => json!({"major": "1", "minor": "32", "gitVersion": "v1.32.0"}),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}),
        ["api", "v1"] => json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [{
            "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"],
        }]}),
        ["api", "v1", "namespaces", name] => {
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}})
        }
        ["api", "v1", "namespaces", namespace, "pods", pod] => match registry.get(kinds::PODS, namespace, pod) {
            Ok(pod) => Value::clone(&pod),
            Err(status) => return super::answer::refusal(&status),
        },
        ["api", "v1", "namespaces", namespace, "pods", pod, stream] => {
            return match stream {
                "exec" => super::exec(request, registry, fake, namespace, pod).await,
                "attach" => super::attach(request, registry, fake, namespace, pod).await,
                "portforward" => {
                    let calls = super::Calls { registry: Arc::clone(registry), user: String::new() };
                    super::port_forward(request, calls, fake, tunnels, namespace, pod).await
                }
                _ => super::log(request, registry, fake, namespace, pod).await,
            };
        }
        _ => return super::answer::refusal(&Status::new(404, "NotFound", "the server could not find the resource")),
    };
    ([("content-type", "application/json")], Body::from(body.to_string())).into_response()
}
