//! Probes: whether a container has started, is alive, and is ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::container::{Container, Running};
use super::exec;
use super::pod::Pod;

/// How much of a command's output an event tells.
const OUTPUT: u64 = 10 * 1024;

/// A probe's numbers.
struct Rhythm {
    delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: u64,
    failures: u64,
}

impl Rhythm {
    fn of(probe: &Value) -> Self {
        let number = |field: &str, default: u64, least: u64| probe[field].as_u64().unwrap_or(default).max(least);
        Self {
            delay: Duration::from_secs(number("initialDelaySeconds", 0, 0)),
            period: Duration::from_secs(number("periodSeconds", 10, 1)),
            timeout: Duration::from_secs(number("timeoutSeconds", 1, 1)),
            successes: number("successThreshold", 1, 1),
            failures: number("failureThreshold", 3, 1),
        }
    }
}

/// Runs a container's probes for as long as it runs. Comes back only when it is to be restarted: the probe that says so.
pub(super) async fn watch(pod: &Pod, container: &Container, running: &Running) -> &'static str {
    let spec = &container.spec;
    if spec["startupProbe"].is_object() {
        let failed = follow(pod, container, running, "Startup", &spec["startupProbe"], |good| good);
        if !failed.await {
            return "startup";
        }
    }
    pod.change(container, |state| {
        state.started = true;
        state.ready = !spec["readinessProbe"].is_object();
    });
    let readiness = async {
        if spec["readinessProbe"].is_object() {
            follow(pod, container, running, "Readiness", &spec["readinessProbe"], |good| {
                pod.change(container, |state| state.ready = good);
                false
            })
            .await;
        }
        std::future::pending::<()>().await;
    };
    let liveness = async {
        if !spec["livenessProbe"].is_object() {
            std::future::pending::<()>().await;
        }
        follow(pod, container, running, "Liveness", &spec["livenessProbe"], |good| !good).await;
    };
    tokio::select! {
        () = readiness => "readiness",
        () = liveness => "liveness",
    }
}

/// Probes until the verdict, as it changes, is one that `decides`, or until a startup probe fails: the last verdict.
async fn follow(
    pod: &Pod,
    container: &Container,
    running: &Running,
    kind: &str,
    probe: &Value,
    decides: impl Fn(bool) -> bool,
) -> bool {
    let rhythm = Rhythm::of(probe);
    sleep(rhythm.delay).await;
    let mut ticks = tokio::time::interval(rhythm.period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut verdict, mut same, mut times) = (kind == "Liveness", None, 0);
    loop {
        ticks.tick().await;
        let result = once(pod, container, running, probe, rhythm.timeout).await;
        let good = result.is_ok();
        if let Err(why) = result {
            pod.tell(Some(container), true, "Unhealthy", &format!("{kind} probe failed: {why}"));
        }
        times = if same == Some(good) { times + 1 } else { 1 };
        same = Some(good);
        if times < if good { rhythm.successes } else { rhythm.failures } {
            continue;
        }
        // A startup probe that has failed often enough decides although it has never been good.
        if verdict != good || (kind == "Startup" && !good) {
            verdict = good;
            if decides(good) || kind == "Startup" {
                return good;
            }
        }
    }
}

/// Probes once.
async fn once(
    pod: &Pod,
    container: &Container,
    running: &Running,
    probe: &Value,
    limit: Duration,
) -> Result<(), String> {
    if probe["exec"].is_object() {
        return command(running, &words(&probe["exec"]["command"]), limit).await;
    }
    let Some(attachment) = pod.attachment() else { return Err("the pod has no address".to_owned()) };
    let target = if probe["tcpSocket"].is_object() { &probe["tcpSocket"] } else { &probe["httpGet"] };
    let port = port(container, &target["port"])?;
    let host: Ipv4Addr = match target["host"].as_str().filter(|host| !host.is_empty()) {
        Some(host) => host.parse().map_err(|_| format!("dial tcp: lookup {host}: no such host"))?,
        None => attachment.address,
    };
    // From within: a node always reaches its own pods, whatever has become of their cable.
    let address = SocketAddr::from((host, port));
    let connection = attachment.namespace.dial(address, limit).await;
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("dial tcp {address}: connect: connection refused"),
        std::io::ErrorKind::TimedOut => format!("dial tcp {address}: i/o timeout"),
        _ => format!("dial tcp {address}: {error}"),
    };
    if probe["tcpSocket"].is_object() {
        return connection.map(drop).map_err(refused);
    }
    if target["scheme"].as_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
        return Err("the sandbox probes no https".to_owned());
    }
    let path = target["path"].as_str().unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let url = format!("Get \"http://{address}{path}\"");
    let mut stream = connection.map_err(|error| format!("{url}: {}", refused(error)))?;
    let answer = async {
        let headers: String =
            target["httpHeaders"].as_array().into_iter().flatten().fold(String::new(), |all, header| {
                let text = |field: &str| header[field].as_str().unwrap_or_default().replace(['\r', '\n'], "");
                all + &format!("{}: {}\r\n", text("name"), text("value"))
            });
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe\r\n{headers}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut text = Vec::new();
        stream.take(OUTPUT).read_to_end(&mut text).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let late = format!("{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    let text = timeout(limit, answer).await.map_err(|_| late)?.map_err(|error| format!("{url}: {error}"))?;
    let code = text.split_whitespace().nth(1).and_then(|code| code.parse::<u16>().ok());
    match code {
        Some(200..=399) => Ok(()),
        Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
        None => Err(format!("{url}: malformed HTTP response")),
    }
}

/// Runs a command in the container: well when it ends with 0.
pub(super) async fn command(running: &Running, command: &[String], limit: Duration) -> Result<(), String> {
    let mut exec = exec::spawn(&running.process, &running.plan, command, false, false).await?;
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let result = {
        let stdout = (&mut exec.stdout).take(OUTPUT);
        let stderr = exec.stderr.as_mut().map(|stderr| stderr.take(OUTPUT));
        let (mut stdout, stderr) = (stdout, stderr);
        let reading = async {
            let errors = async {
                if let Some(mut stderr) = stderr {
                    let _ = stderr.read_to_end(&mut errors).await;
                }
            };
            let _ = tokio::join!(stdout.read_to_end(&mut output), errors);
        };
        timeout(limit, reading).await
    };
    let code = match result {
        Ok(()) => timeout(limit, exec.exited()).await.ok(),
        Err(_) => None,
    };
    match code {
        Some(0) => Ok(()),
        Some(_) => {
            output.extend(errors);
            Err(String::from_utf8_lossy(&output).into_owned())
        }
        None => {
            exec.kill();
            Err(format!("command \"{}\" timed out", command.join(" ")))
        }
    }
}

/// A list of words.
pub(super) fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// A port by its number, or by a name that the container gives it.
fn port(container: &Container, port: &Value) -> Result<u16, String> {
    let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
    let named = port.as_str().and_then(|name| {
        let mut ports = container.spec["ports"].as_array().into_iter().flatten();
        ports.find(|port| port["name"] == name).and_then(|port| number(&port["containerPort"])).or(name.parse().ok())
    });
    number(port).or(named).ok_or_else(|| format!("couldn't find port: {port}"))
}
