//! Logs of this program and its libraries, for `-v` and `ETCD_SCALE_LOG`, on standard error like all text for people.

use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_from_env("ETCD_SCALE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    logs.try_init().map_err(|error| anyhow::anyhow!("cannot write logs: {error}"))
}
