//! The file that etcd reads its configuration from, beside which it takes no flag and no variable: where it comes from.

use std::collections::BTreeMap;

use super::template::{shell_words, within};
use super::{Container, EnvSource, Template, VolumeKind};

/// The variable that etcd takes the file's path from, where no flag names it.
const VARIABLE: &str = "ETCD_CONFIG_FILE";

/// What a variable with the pod's own name comes from.
const POD_NAME: &str = "field metadata.name";

/// Where the configuration file of one pod's etcd comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFile {
    /// A key of a ConfigMap.
    ConfigMap {
        /// The file, as the pod has it.
        path: String,
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
        /// Whether etcd reads that very file, and not what the start command makes of it.
        direct: bool,
    },
    /// It stands where no patch reaches; the text says where.
    Fixed(String),
}

impl Template {
    /// Where the configuration file of a pod's etcd comes from; none where it reads none.
    ///
    /// Where the start command names the file that etcd reads and it is in no ConfigMap, the only file of a ConfigMap
    /// that the command names is what it is made of.
    pub fn config_file(&self, container: &Container, pod: &str) -> Option<ConfigFile> {
        let variable = || container.env.iter().rev().find(|var| var.name == VARIABLE).map(|var| &var.source);
        let named = match container.flag("config-file") {
            Some(path) => path,
            None => match variable()? {
                EnvSource::Literal(path) if path.is_empty() => return None,
                EnvSource::Literal(path) => path.clone(),
                EnvSource::ConfigMap { name, key } => {
                    return Some(ConfigFile::Fixed(format!("the file that key {key} of ConfigMap {name} names")));
                }
                EnvSource::From(place) => return Some(ConfigFile::Fixed(format!("the file that {place} names"))),
            },
        };
        let place = match expanded(container, &named, pod, 0) {
            None => "whose path the start command works out".to_owned(),
            Some(path) => match self.origin(container, &path, pod) {
                Ok((name, key)) => return Some(ConfigFile::ConfigMap { path, name, key, direct: true }),
                Err(place) => format!("which is {place}"),
            },
        };
        let words = container.command_line().flat_map(shell_words);
        let paths = words.filter_map(|(_, word)| {
            let path = expanded(container, word.trim_start_matches('<'), pod, 0)?;
            let origin = path.starts_with('/').then(|| self.origin(container, &path, pod).ok()).flatten()?;
            Some((origin, path))
        });
        let mut made_of: BTreeMap<(String, String), String> = paths.collect();
        let only = made_of.pop_first().filter(|_| made_of.is_empty());
        Some(match only {
            Some(((name, key), path)) => ConfigFile::ConfigMap { path, name, key, direct: false },
            None => ConfigFile::Fixed(format!("the etcd configuration file {named}, {place}")),
        })
    }

    /// The ConfigMap and the key that a file of the container comes from, or where else it is.
    fn origin(&self, container: &Container, path: &str, pod: &str) -> Result<(String, String), String> {
        let holding = container.mounts.iter().filter(|mount| within(path, &mount.path));
        let Some(mount) = holding.max_by_key(|mount| mount.path.trim_end_matches('/').len()) else {
            return Err("in the container's own file system".to_owned());
        };
        let (name, items) = match self.volumes.get(&mount.volume) {
            Some(VolumeKind::ConfigMap { name, items }) => (name, items),
            Some(kind) => return Err(format!("on {kind}")),
            None => return Err(format!("on volume {}, which is no ConfigMap", mount.volume)),
        };
        let part = mount.sub_path.as_deref().unwrap_or_default();
        let part = expanded(container, part, pod, 0)
            .ok_or_else(|| format!("{part} of the files of ConfigMap {name}, where a variable is not known"))?;
        let rest = path.get(mount.path.trim_end_matches('/').len()..).unwrap_or_default();
        let inside = [part.trim_matches('/'), rest.trim_matches('/')].join("/");
        let inside = inside.trim_matches('/');
        if items.is_empty() {
            return Ok((name.clone(), inside.to_owned()));
        }
        let item = items.iter().find(|(_, at)| at.trim_matches('/') == inside);
        item.map(|(key, _)| (name.clone(), key.clone()))
            .ok_or_else(|| format!("not among the files that the template takes from ConfigMap {name}"))
    }
}

/// A text with its variables as the pod has them, by the kubelet's and by the shell's rules. None where one is not known.
pub(super) fn expanded(container: &Container, text: &str, pod: &str, depth: u8) -> Option<String> {
    let Some(at) = text.find(['$', '`']) else { return Some(text.to_owned()) };
    let rest = text[at..].strip_prefix('$').filter(|_| depth < 8)?;
    let (name, after) = match rest.chars().next()? {
        // As the last of a word its parenthesis is taken for the shell's.
        '(' => rest[1..].split_once(')').unwrap_or((&rest[1..], "")),
        '{' => rest[1..].split_once('}')?,
        _ => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
    };
    let value = match container.env.iter().rev().find(|var| var.name == name).map(|var| &var.source) {
        Some(EnvSource::Literal(value)) => expanded(container, value, pod, depth + 1)?,
        Some(EnvSource::From(place)) if place == POD_NAME => pod.to_owned(),
        // A pod of a StatefulSet is its host's name too.
        None if name == "HOSTNAME" || name == "hostname" => pod.to_owned(),
        _ => return None,
    };
    Some(format!("{}{value}{}", &text[..at], expanded(container, after, pod, depth)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnvVar, Mount};

    fn template(kind: VolumeKind) -> Template {
        Template { volumes: [("conf".to_owned(), kind)].into(), ..Template::default() }
    }

    fn map(items: &[(&str, &str)]) -> Template {
        let items = items.iter().map(|(key, path)| ((*key).to_owned(), (*path).to_owned())).collect();
        template(VolumeKind::ConfigMap { name: "etcd-conf".into(), items })
    }

    fn running(command: &[&str]) -> Container {
        Container {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            env: vec![EnvVar { name: "POD".into(), source: EnvSource::From(POD_NAME.into()) }],
            mounts: vec![Mount { volume: "conf".into(), path: "/etc/etcd/".into(), ..Mount::default() }],
            ..Container::default()
        }
    }

    fn key(template: &Template, container: &Container) -> (String, bool) {
        match template.config_file(container, "etcd-3") {
            Some(ConfigFile::ConfigMap { name, key, direct, .. }) if name == "etcd-conf" => (key, direct),
            other => panic!("{other:?}"),
        }
    }

    fn fixed(template: &Template, container: &Container) -> String {
        match template.config_file(container, "etcd-3") {
            Some(ConfigFile::Fixed(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_of_a_config_map_is_found() {
        assert_eq!(map(&[]).config_file(&running(&["etcd", "--name=a"]), "etcd-3"), None);
        let shared = running(&["etcd", "--config-file=/etc/etcd/etcd.yaml"]);
        assert_eq!(key(&map(&[]), &shared), ("etcd.yaml".into(), true));
        assert_eq!(key(&map(&[("main", "etcd.yaml")]), &shared), ("main".into(), true));
        assert!(fixed(&map(&[("main", "other.yaml")]), &shared).contains("not among the files"));
        let mut variable = running(&["etcd"]);
        variable.env.push(EnvVar { name: VARIABLE.into(), source: EnvSource::Literal("/etc/etcd/$(POD).yaml".into()) });
        assert_eq!(key(&map(&[]), &variable), ("etcd-3.yaml".into(), true));
        let mut part = shared;
        part.mounts.push(Mount {
            volume: "conf".into(),
            path: "/etc/etcd/etcd.yaml".into(),
            sub_path: Some("$(POD).conf".into()),
        });
        assert_eq!(key(&map(&[]), &part), ("etcd-3.conf".into(), true));
    }

    #[test]
    fn a_pods_own_file_is_told_by_its_name() {
        for path in ["$(POD)", "${POD}", "$POD", "$(hostname)", "$HOSTNAME"] {
            let container = running(&["sh", "-c", &format!("exec etcd --config-file \"/etc/etcd/{path}.yaml\" --x")]);
            assert_eq!(key(&map(&[]), &container), ("etcd-3.yaml".into(), true), "{path}");
        }
        let container = running(&["sh", "-c", "exec etcd --config-file=/etc/etcd/${HOSTNAME##*-}.yaml"]);
        assert!(fixed(&map(&[]), &container).contains("whose path the start command works out"));
    }

    #[test]
    fn a_file_that_is_made_of_another_leads_to_that() {
        let script = "sed \"s/POD/$POD/\" /etc/etcd/etcd.yaml > /tmp/e.yaml; exec etcd --config-file=/tmp/e.yaml";
        assert_eq!(key(&map(&[]), &running(&["sh", "-c", script])), ("etcd.yaml".into(), false));
        let two = format!("cat /etc/etcd/other.yaml; {script}");
        let place = "the etcd configuration file /tmp/e.yaml, which is in the container's own file system";
        assert_eq!(fixed(&map(&[]), &running(&["sh", "-c", &two])), place);
    }

    #[test]
    fn a_file_elsewhere_is_named() {
        let container = running(&["etcd", "--config-file=/etc/etcd/etcd.yaml"]);
        assert!(
            fixed(&template(VolumeKind::Other("projected".into())), &container)
                .ends_with("on a volume of kind projected")
        );
        assert!(fixed(&template(VolumeKind::EmptyDir), &container).ends_with("on an emptyDir"));
        let mut from = running(&["etcd"]);
        let source = EnvSource::ConfigMap { name: "m".into(), key: "k".into() };
        from.env.push(EnvVar { name: VARIABLE.into(), source });
        assert_eq!(fixed(&map(&[]), &from), "the file that key k of ConfigMap m names");
    }
}
