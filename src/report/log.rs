//! Logs of this program and its libraries, for `-v` and `ETCD_SCALE_LOG`, on standard error like all text for people.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The library that logs what it carries, byte for byte: the way to etcd by port-forward or exec, on which passwords and
/// whole snapshots travel. It is not asked, whatever is to be logged.
const CONTENT: &str = "tungstenite";

/// Begins to write logs; `verbose` counts the `-v` on the command line.
///
/// # Errors
/// When logs are written already.
pub fn log(verbose: u8) -> anyhow::Result<()> {
    let level = match verbose {
        0 => "off",
        1 => "etcd_scale=debug",
        2 => "etcd_scale=debug,kube=debug,tonic=debug",
        _ => "trace",
    };
    let asked = EnvFilter::try_from_env("ETCD_SCALE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(asked).with_writer(anstream::stderr).finish();
    let logs = logs.with(filter_fn(|of| !of.target().starts_with(CONTENT)));
    logs.try_init().map_err(|error| anyhow::anyhow!("cannot write logs: {error}"))
}
