//! Images: here each is the machine's own programs, with an etcd of one's choice.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::stage::Program;

/// What of an etcd release a container has.
const NAMES: [&str; 3] = ["etcd", "etcdctl", "etcdutl"];

/// Which programs the containers of an image see.
#[derive(Debug)]
pub(super) struct Images {
    /// Images, or what they begin with, and a directory with programs or an etcd.
    known: Vec<(String, PathBuf)>,
    usual: Vec<Program>,
}

impl Images {
    /// # Errors
    /// Where there is no etcd.
    pub(super) fn new(known: Vec<(String, PathBuf)>, etcd: Option<&Path>) -> anyhow::Result<Self> {
        for path in known.iter().map(|(_, path)| path.as_path()).chain(etcd) {
            if !programs(path).iter().any(|program| program.name == "etcd") {
                bail!("there is no etcd at {}", path.display());
            }
        }
        let mut usual = etcd.map(programs).unwrap_or_default();
        for name in NAMES {
            if !usual.iter().any(|program| program.name == name) {
                usual.extend(on_path(name).map(|path| Program { name: name.to_owned(), path }));
            }
        }
        if !usual.iter().any(|program| program.name == "etcd") {
            bail!(
                "there is no etcd on this machine's PATH. Install it (Debian and Ubuntu: `apt install etcd-server \
                 etcd-client`; Homebrew: `brew install etcd`; or a release from github.com/etcd-io/etcd, unpacked to \
                 /usr/local/bin), or say where it is: --etcd PATH"
            );
        }
        Ok(Self { known, usual })
    }

    /// The programs of an image. Of several entries that fit, the longest counts.
    pub(super) fn programs(&self, image: &str) -> Vec<Program> {
        let fit = self.known.iter().filter(|(known, _)| image.starts_with(known.as_str()));
        let mut found = fit.max_by_key(|(known, _)| known.len()).map(|(_, path)| programs(path)).unwrap_or_default();
        for usual in &self.usual {
            if !found.iter().any(|program| program.name == usual.name) {
                found.push(usual.clone());
            }
        }
        found
    }
}

/// The programs in a directory, or beside an etcd.
fn programs(path: &Path) -> Vec<Program> {
    let (directory, etcd) = if path.is_dir() { (path, None) } else { (path.parent().unwrap_or(path), Some(path)) };
    let programs = NAMES.iter().filter_map(|name| {
        let path = etcd.filter(|_| *name == "etcd").map_or_else(|| directory.join(name), Path::to_owned);
        let path = path.canonicalize().ok().filter(|path| path.is_file())?;
        Some(Program { name: (*name).to_owned(), path })
    });
    programs.collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())?.canonicalize().ok()
}

/// Why an image cannot be pulled: its registry is under the top-level domain that is reserved for names that do not
/// exist. None where it can.
pub(super) fn trouble(image: &str) -> Option<String> {
    let (registry, path) = image.split_once('/')?;
    let host = registry.split(':').next().unwrap_or_default();
    if !host.ends_with(".invalid") {
        return None;
    }
    let (name, tag) = path.rsplit_once(':').unwrap_or((path, "latest"));
    Some(format!(
        "rpc error: code = Unknown desc = failed to pull and unpack image \"{image}\": failed to resolve reference \
         \"{image}\": failed to do request: Head \"https://{registry}/v2/{name}/manifests/{tag}\": dial tcp: lookup {host}: \
         no such host"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_exist_cannot_be_pulled() {
        assert_eq!(trouble("etcd:3.4"), None);
        assert_eq!(trouble("quay.io/coreos/etcd:v3.5.0"), None);
        let why = trouble("registry.invalid:5000/etcd:1").unwrap();
        assert!(why.contains("Head \"https://registry.invalid:5000/v2/etcd/manifests/1\""), "{why}");
    }
}
