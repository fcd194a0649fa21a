//! Where etcd's data lies, and so whether it outlives the pod.

use super::{ClaimTemplate, Container, Mount, Template};

/// Where etcd keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// On a claim of the named template: it outlives the pod.
    OnClaim(String),
    /// Elsewhere: a restarted pod would come back without it. The text says where.
    NotOnClaim(String),
}

impl Template {
    /// Where the container keeps etcd's data: by `--data-dir`, `ETCD_DATA_DIR`, or the only claim that is mounted.
    pub fn data_dir(&self, container: &Container, claims: &[ClaimTemplate]) -> DataDir {
        let is_claim = |mount: &&Mount| claims.iter().any(|claim| claim.name == mount.volume);
        let path = container.flag("data-dir").or_else(|| container.literal("ETCD_DATA_DIR").map(str::to_owned));
        let Some(path) = path.filter(|path| path.starts_with('/')) else {
            // An image with a data directory of its own, or one worked out in a script: the only claim must be it.
            let claimed: Vec<_> = container.mounts.iter().filter(is_claim).collect();
            return match claimed.as_slice() {
                [mount] => DataDir::OnClaim(mount.volume.clone()),
                [] => DataDir::NotOnClaim("no claim is mounted in the etcd container".to_owned()),
                _ => DataDir::NotOnClaim("several claims are mounted and none is known to hold the data".to_owned()),
            };
        };
        let holding = container
            .mounts
            .iter()
            .filter(|mount| within(&path, &mount.path))
            .max_by_key(|mount| mount.path.trim_end_matches('/').len());
        match holding {
            Some(mount) if is_claim(&mount) => DataDir::OnClaim(mount.volume.clone()),
            Some(mount) => {
                let undefined = || "a volume that the template does not define".to_owned();
                let kind = self.volumes.get(&mount.volume).map_or_else(undefined, ToString::to_string);
                DataDir::NotOnClaim(format!("{path} is on {kind}"))
            }
            None => DataDir::NotOnClaim(format!("{path} is in the container's own file system")),
        }
    }
}

pub(in crate::model) fn within(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path == directory || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::VolumeKind;
    use super::super::sample::rok;
    use super::*;

    fn claims() -> Vec<ClaimTemplate> {
        vec![ClaimTemplate { name: "data".into(), storage_class: None }]
    }

    #[test]
    fn data_directory_is_found_in_a_script() {
        let template = Template { containers: vec![rok()], ..Template::default() };
        assert_eq!(template.data_dir(&rok(), &claims()), DataDir::OnClaim("data".into()));
        let mut volumes = BTreeMap::new();
        volumes.insert("data".to_owned(), VolumeKind::EmptyDir);
        let template = Template { containers: vec![rok()], volumes, ..Template::default() };
        assert_eq!(template.data_dir(&rok(), &[]), DataDir::NotOnClaim("/var/lib/etcd/data is on an emptyDir".into()));
    }

    #[test]
    fn a_mount_deeper_down_wins() {
        let mut container = rok();
        container.mounts.push(Mount {
            volume: "scratch".into(),
            path: "/var/lib/etcd/data/".into(),
            ..Mount::default()
        });
        let mut volumes = BTreeMap::new();
        volumes.insert("scratch".to_owned(), VolumeKind::EmptyDir);
        let template = Template { containers: vec![container.clone()], volumes, ..Template::default() };
        assert!(matches!(template.data_dir(&container, &claims()), DataDir::NotOnClaim(_)));
    }
}
