//! Streams as kubectl and kube-rs see them, against real processes and sockets.

// The attribute also tells the test of the architecture that what follows is for tests.
#[cfg(test)]
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use kube::Api;
use kube::api::{AttachParams, LogParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fake::Server;

type Pod = k8s_openapi::api::core::v1::Pod;

/// Nothing here takes long; this only ends what hangs.
const LONG: Duration = Duration::from_secs(120);

async fn pods(server: &Server) -> Api<Pod> {
    let file = Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    Api::default_namespaced(kube::Client::try_from(config).unwrap())
}

/// A port that gives back what it gets, until its client has ended.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut into) = socket.split();
                tokio::io::copy(&mut from, &mut into).await
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_runs_a_command() {
    let server = Server::start().await;
    let pods = pods(&server).await;
    let params = AttachParams::default().stdin(true);
    let script = "cat; echo problem >&2; exit 3";
    let mut process = pods.exec("etcd-0", ["sh", "-c", script], &params).await.unwrap();
    let status = process.take_status().unwrap();
    let (mut stdout, mut stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
    let mut stdin = process.stdin().unwrap();
    let data = "etcd".repeat(100_000);
    let sent = data.clone();
    let sending = async move {
        stdin.write_all(sent.as_bytes()).await.unwrap();
        stdin.shutdown().await.unwrap();
    };
    let (mut out, mut errors) = (String::new(), String::new());
    let all =
        async { tokio::join!(sending, stdout.read_to_string(&mut out), stderr.read_to_string(&mut errors), status) };
    let (.., status) = tokio::time::timeout(LONG, all).await.unwrap();
    assert!(out == data);
    assert_eq!(errors, "problem\n");
    let status = status.unwrap();
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    assert_eq!(status.details.unwrap().causes.unwrap()[0].message.as_deref(), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_dies_with_its_client() {
    let server = Server::start().await;
    let pods = pods(&server).await;
    let mut process =
        pods.exec("etcd-0", ["sh", "-c", "echo $$; exec sleep 1000"], &AttachParams::default()).await.unwrap();
    let mut stdout = process.stdout().unwrap();
    let mut id = [0; 32];
    let read = stdout.read(&mut id).await.unwrap();
    let id = String::from_utf8_lossy(&id[..read]).trim().to_owned();
    drop((process, stdout));
    let gone = async {
        while std::path::Path::new(&format!("/proc/{id}/exe")).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_forwards_a_port_and_learns_of_the_end() {
    let server = Server::start().await;
    let (pods, port) = (pods(&server).await, echo().await);
    let mut forwarder = pods.portforward("etcd-0", &[port]).await.unwrap();
    let mut stream = forwarder.take_stream(port).unwrap();
    let mut back = [0; 5];
    for _ in 0..100 {
        stream.write_all(b"hello").await.unwrap();
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"hello");
    }
    let (mut from, mut into) = tokio::io::split(stream);
    let size = 64 * 1024 * 1024;
    let sending = async {
        let chunk = vec![7; 256 * 1024];
        for _ in 0..size / chunk.len() {
            into.write_all(&chunk).await.unwrap();
        }
    };
    let receiving = async {
        let (mut got, mut chunk) = (0, vec![0; 256 * 1024]);
        while got < size {
            let read = from.read(&mut chunk).await.unwrap();
            assert!(read > 0 && chunk[..read].iter().all(|byte| *byte == 7));
            got += read;
        }
    };
    tokio::time::timeout(LONG, async { tokio::join!(sending, receiving) }).await.unwrap();

    assert_eq!(server.tunnels.cut("here", "etcd-0"), 1);
    assert_eq!(tokio::time::timeout(LONG, from.read(&mut back)).await.unwrap().unwrap_or(0), 0);
    assert!(tokio::time::timeout(LONG, forwarder.join()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_learns_that_nobody_listens() {
    let server = Server::start().await;
    let pods = pods(&server).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut forwarder = pods.portforward("etcd-0", &[free]).await.unwrap();
    let error = forwarder.take_error(free).unwrap();
    let mut stream = forwarder.take_stream(free).unwrap();
    let said = tokio::time::timeout(LONG, error).await.unwrap().unwrap();
    assert!(said.starts_with(&format!("error forwarding port {free} to pod ")), "{said}");
    assert_eq!(tokio::time::timeout(LONG, stream.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_reads_a_log() {
    let server = Server::start().await;
    let pods = pods(&server).await;
    std::fs::write(server.fake.log_file(), "one\ntwo\nthree\n").unwrap();
    let read = async |params: &LogParams| pods.logs("etcd-0", params).await.unwrap();
    assert_eq!(read(&LogParams::default()).await, "one\ntwo\nthree\n");
    assert_eq!(read(&LogParams { tail_lines: Some(1), ..LogParams::default() }).await, "three\n");
    assert_eq!(read(&LogParams { limit_bytes: Some(5), ..LogParams::default() }).await, "one\nt");
    let stamped = read(&LogParams { tail_lines: Some(1), timestamps: true, ..LogParams::default() }).await;
    assert_eq!(stamped, "2026-01-01T00:00:00.000000000Z three\n");
    let refused = pods.logs("etcd-0", &LogParams { previous: true, ..LogParams::default() }).await.unwrap_err();
    let kube::Error::Api(status) = refused else { panic!("{refused}") };
    assert_eq!(status.message, "previous terminated container \"etcd\" in pod \"etcd-0\" not found");
}

/// Whether this machine has a kubectl: without one there is nothing to try.
fn has_kubectl() -> bool {
    Command::new("kubectl").args(["version", "--client"]).output().is_ok()
}

async fn output(mut command: Command, input: &'static str) -> Output {
    let run = tokio::task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    tokio::time::timeout(LONG, run).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_runs_a_command_over_websocket_and_spdy() {
    if !has_kubectl() {
        return;
    }
    let server = Server::start().await;
    for websockets in ["true", "false"] {
        let run = async |arguments: &[&str], input| {
            let mut command = server.kubectl(arguments);
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
            let output = output(command, input).await;
            (output.status.code(), text(&output.stdout), text(&output.stderr))
        };
        let script = "cat; echo problem >&2; exit 3";
        let (code, out, errors) = run(&["exec", "-i", "etcd-0", "--", "sh", "-c", script], "hello\n").await;
        assert_eq!((code, out.as_str()), (Some(3), "hello\n"), "{websockets} {errors}");
        assert_eq!(errors, "problem\ncommand terminated with exit code 3\n");
        let (code, out, errors) = run(&["exec", "etcd-0", "--", "seq", "100000"], "").await;
        assert_eq!(code, Some(0), "{websockets} {errors}");
        assert_eq!(out.lines().count(), 100_000);
        let (code, _, errors) = run(&["exec", "etcd-0", "--", "/not/there"], "").await;
        assert_eq!(code, Some(1), "{websockets} {errors}");
        assert!(errors.contains("/not/there"), "{errors}");
        let (code, _, errors) = run(&["exec", "etcd-0", "-c", "other", "--", "ls"], "").await;
        assert_eq!(code, Some(1), "{websockets} {errors}");
        assert!(errors.contains("container other is not valid for pod etcd-0"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_forwards_a_port_over_websocket_and_spdy() {
    if !has_kubectl() {
        return;
    }
    let server = Server::start().await;
    let port = echo().await;
    for websockets in ["true", "false"] {
        let mut child = server
            .kubectl(&["port-forward", "etcd-0", &format!(":{port}")])
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let tried = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let mut stdout = BufReader::new(stdout);
            stdout.read_line(&mut line).unwrap();
            // Forwarding from 127.0.0.1:LOCAL -> PORT
            let local = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line}")).to_owned();
            std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
            let connections = (0..3u8).map(|number| {
                let local = local.clone();
                std::thread::spawn(move || {
                    let socket = std::net::TcpStream::connect(local).unwrap();
                    socket.set_read_timeout(Some(LONG)).unwrap();
                    let mut back = [0; 5];
                    for _ in 0..20 {
                        (&socket).write_all(&[number; 5]).unwrap();
                        (&socket).read_exact(&mut back).unwrap();
                        assert_eq!(back, [number; 5]);
                    }
                    // More than any window that somebody might think of.
                    let sending = socket.try_clone().unwrap();
                    let sender = std::thread::spawn(move || (&sending).write_all(&vec![number; 4 << 20]).unwrap());
                    let mut big = vec![0; 4 << 20];
                    (&socket).read_exact(&mut big).unwrap();
                    assert!(big.iter().all(|byte| *byte == number));
                    sender.join().unwrap();
                    // The pod ends its side when we end ours.
                    socket.shutdown(std::net::Shutdown::Write).unwrap();
                    assert_eq!((&socket).read(&mut back).unwrap(), 0);
                })
            });
            let connections: Vec<_> = connections.collect();
            for connection in connections {
                connection.join().unwrap();
            }
        });
        let tried = tokio::time::timeout(LONG, tried).await;
        let live = server.tunnels.cut("here", "etcd-0");
        // kubectl ends by itself when its tunnel is cut.
        let ended = tokio::task::spawn_blocking(move || {
            let status = child.wait().unwrap();
            let mut errors = String::new();
            stderr.read_to_string(&mut errors).unwrap();
            (status.code(), errors)
        });
        let (code, errors) = tokio::time::timeout(LONG, ended).await.unwrap().unwrap();
        tried.unwrap_or_else(|_| panic!("{errors}")).unwrap_or_else(|error| panic!("{error} {errors}"));
        assert_eq!((live, code), (1, Some(1)), "{errors}");
        assert!(errors.contains("lost connection to pod"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_follows_a_log_to_its_end() {
    if !has_kubectl() {
        return;
    }
    let server = Server::start().await;
    std::fs::write(server.fake.log_file(), "one\n").unwrap();
    let mut child = server.kubectl(&["logs", "-f", "etcd-0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (file, ended) = (server.fake.log_file(), server.fake.ended.clone());
    let followed = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut log = std::fs::OpenOptions::new().append(true).open(file).unwrap();
        log.write_all(b"two\nthree").unwrap();
        ended.send_replace(true);
        stdout.read_to_string(&mut line).unwrap();
        (line, child.wait().unwrap().success())
    });
    let (read, success) = tokio::time::timeout(LONG, followed).await.unwrap().unwrap();
    assert_eq!((read.as_str(), success), ("one\ntwo\nthree", true));
    // A pod that is not there, in words.
    let output = output(server.kubectl(&["logs", "other"]), "").await;
    assert!(text(&output.stderr).contains("pods \"other\" not found"), "{}", text(&output.stderr));
    assert_eq!(server.registry.list(crate::sandbox::kinds::PODS, None).0.len(), 1);
}
