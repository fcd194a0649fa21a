//! Manifests: the built-in ones, and files of YAML or JSON documents, as objects in their order.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::registry::Registry;
use super::status::Status;

/// The manifests that need no file.
const BUILT_IN: &[(&str, &str)] =
    &[("rok", include_str!("manifests/rok.yaml")), ("puls8", include_str!("manifests/puls8.yaml"))];

/// Objects to begin with.
#[derive(Debug, Clone)]
pub(super) struct Manifest(Vec<Value>);

impl Manifest {
    /// A built-in manifest by its name, or else a file.
    ///
    /// # Errors
    /// When there is neither, or the file is not what it should be.
    pub(super) fn load(name: &str) -> anyhow::Result<Self> {
        let text = match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => (*text).to_owned(),
            None => std::fs::read_to_string(Path::new(name)).with_context(|| {
                let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                format!("cannot read manifest {name}; the built-in ones are {}", known.join(" and "))
            })?,
        };
        Self::parse(&text).with_context(|| format!("manifest {name}"))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("it is not YAML")?;
        let mut objects = Vec::new();
        for document in documents {
            match &document["items"] {
                Value::Array(items) if document["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                    objects.extend(items.iter().cloned());
                }
                _ if document.is_null() => {}
                _ => objects.push(document),
            }
        }
        Ok(Self(objects))
    }

    /// Creates the objects.
    ///
    /// # Errors
    /// When one is of a kind that is not served, or is not taken.
    pub(super) fn create(&self, registry: &Registry) -> anyhow::Result<()> {
        for object in &self.0 {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, version) = (text(&object["kind"]), text(&object["apiVersion"]));
            let name = text(&object["metadata"]["name"]);
            let served =
                registry.kinds().into_iter().find(|served| served.kind == kind && served.api_version() == version);
            let Some(served) = served else { bail!("{kind} {name}: the sandbox does not serve {version} {kind}") };
            let namespace = match object["metadata"]["namespace"].as_str() {
                _ if !served.namespaced => "",
                Some(namespace) => namespace,
                None => "default",
            };
            match registry.create(&served.resource(), namespace, object.clone(), false) {
                // What every cluster begins with may be in a manifest too.
                Ok(_) | Err(Status { reason: "AlreadyExists", .. }) => {}
                Err(status) => bail!("{kind} {name}: {}", status.message),
            }
        }
        Ok(())
    }

    /// Namespace and name of the StatefulSets.
    pub(super) fn statefulsets(&self) -> impl Iterator<Item = (String, String)> {
        let sets = self.0.iter().filter(|object| object["kind"] == "StatefulSet");
        sets.map(|set| {
            let text = |field: &str| set["metadata"][field].as_str().map(str::to_owned);
            (text("namespace").unwrap_or_else(|| "default".to_owned()), text("name").unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifests_are_taken() {
        for (name, sets) in [("rok", ["rok/rok-etcd"]), ("puls8", ["puls8/puls8-etcd"])] {
            let manifest = Manifest::load(name).unwrap();
            manifest.create(&Registry::new()).unwrap();
            let found: Vec<_> =
                manifest.statefulsets().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            assert_eq!(found, sets);
        }
    }

    #[test]
    fn what_is_no_manifest_is_named() {
        let error = format!("{:#}", Manifest::load("none-such").unwrap_err());
        assert!(error.contains("none-such") && error.contains("rok and puls8"), "{error}");
        assert!(Manifest::parse("a: [").is_err());
        let manifest = Manifest::parse("{apiVersion: v9, kind: Thing, metadata: {name: x}}").unwrap();
        let error = manifest.create(&Registry::new()).unwrap_err().to_string();
        assert!(error.contains("does not serve v9 Thing"), "{error}");
    }
}
