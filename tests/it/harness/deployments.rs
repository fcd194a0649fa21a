//! A deployment repository as Rok's guide shows it: a base, and an overlay whose patches are rendered from templates.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Cluster, Manifest, Program, SET};

/// The overlay, from the top.
pub(crate) const OVERLAY: &str = "rok/rok-external-services/etcd/overlays/deploy";

/// What brings a commit to the cluster.
pub(crate) const APPLY: &str = "kubectl apply -k {overlay}";

const SIZE_TEMPLATE: &str = "# Rendered from its template.\n- op: replace\n  path: /spec/replicas\n  \
                             value: {{ ETCD_CLUSTER_SIZE }}\n- op: replace\n  \
                             path: /spec/template/spec/containers/0/env/1/value\n  value: \"{{ ETCD_CLUSTER_SIZE }}\"\n";

const STATE_TEMPLATE: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: etcd\nspec:\n  template:\n    spec:\n      \
                              containers:\n        - name: etcd\n          env:\n            \
                              - name: ETCD_INITIAL_CLUSTER_STATE\n              value: {{ ETCD_CLUSTER_STATE }}\n";

/// The repository. It goes when dropped.
pub(crate) struct Deployments {
    directory: TempDir,
}

impl Deployments {
    /// The repository that a cluster is made from. Its patch of the cluster state has never been rendered.
    pub(crate) fn of(cluster: &Cluster, manifest: &Manifest) -> Self {
        let repository = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let mut objects = manifest.objects(cluster.name())["items"].as_array().cloned().unwrap_or_default();
        for object in &mut objects {
            object["metadata"].as_object_mut().expect("metadata").remove("namespace");
        }
        let base = "rok/rok-external-services/etcd/base";
        repository.write(
            &format!("{base}/etcd.yaml"),
            &format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": objects})),
        );
        repository.write(&format!("{base}/kustomization.yaml"), "resources:\n  - etcd.yaml\n");
        repository.write(
            &format!("{OVERLAY}/kustomization.yaml"),
            &format!(
                "# What is deployed.\nnamespace: {}\nresources:\n  - ../../base\n\npatches:\n  # The size.\n  \
                 - path: patches/cluster-size.yaml\n    target:\n      kind: StatefulSet\n      name: {SET}\n",
                cluster.name()
            ),
        );
        let size = manifest.size().to_string();
        repository.write(&patch("cluster-size.yaml.j2"), SIZE_TEMPLATE);
        repository.write(&patch("cluster-size.yaml"), &SIZE_TEMPLATE.replace("{{ ETCD_CLUSTER_SIZE }}", &size));
        repository.write(&patch("cluster-state.yaml.j2"), STATE_TEMPLATE);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        for (name, value) in [("user.name", "Operator"), ("user.email", "op@example.org"), ("commit.gpgsign", "false")]
        {
            repository.git(&["config", name, value]);
        }
        repository.commit_all("What is deployed");
        repository.apply(cluster);
        repository
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Applies what is checked out, as an operator does by hand.
    #[track_caller]
    pub(crate) fn apply(&self, cluster: &Cluster) {
        cluster.kubectl(&["apply", "-k", &self.directory().join(OVERLAY).to_string_lossy()]);
    }

    /// `up` through this repository, with more options.
    pub(crate) fn up(&self, cluster: &Cluster, options: &[&str]) -> Program {
        let directory = self.directory().to_string_lossy().into_owned();
        // This machine's own settings, a name or a hook, are none of the test's.
        let program = cluster.program(&[&["up", "--gitops", &directory], options].concat());
        program.variable("GIT_CONFIG_GLOBAL", "/dev/null").variable("GIT_CONFIG_NOSYSTEM", "1")
    }

    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(self.directory()).output().expect("git is there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert!(output.status.success(), "git {}: {}", arguments.join(" "), text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", message]);
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.directory().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.directory().join(path)).expect("it can be read")
    }

    /// Changes the overlay's StatefulSet by one more patch.
    pub(crate) fn patch_overlay(&self, spec: &Value) {
        let patch = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": SET}, "spec": spec});
        self.write(&format!("{OVERLAY}/patches/more.yaml"), &format!("{patch:#}\n"));
        let kustomization = format!("{OVERLAY}/kustomization.yaml");
        let text = self.read(&kustomization);
        self.write(&kustomization, &format!("{text}  - path: patches/more.yaml\n"));
    }

    /// Everything that a run may leave in the repository: the commits, what is not committed, and half-done files.
    #[track_caller]
    pub(crate) fn standing(&self) -> [String; 3] {
        [
            self.git(&["log", "--format=%H %s"]),
            self.git(&["status", "--porcelain", "--untracked-files=all"]),
            self.git(&["worktree", "list"]),
        ]
    }

    /// Proves that there is one commit for so many members, of exactly the rendered patches, and nothing left over.
    #[track_caller]
    pub(crate) fn has_one_commit(&self, size: usize) {
        let log = self.git(&["log", "--format=%s"]);
        assert_eq!(log, format!("Scale {SET} to {size} members\nWhat is deployed"));
        let names = self.git(&["show", "--name-only", "--format="]);
        let wanted = ["kustomization.yaml", "patches/cluster-size.yaml", "patches/cluster-state.yaml"];
        assert_eq!(names, wanted.map(|name| format!("{OVERLAY}/{name}")).join("\n"));
        assert_eq!(self.git(&["status", "--porcelain", "--untracked-files=all"]), "");
        assert!(self.read(&patch("cluster-size.yaml")).contains(&format!("value: {size}\n")));
        assert!(self.read(&patch("cluster-state.yaml")).contains("value: existing\n"));
        let kustomization = self.read(&format!("{OVERLAY}/kustomization.yaml"));
        assert!(
            kustomization.contains("# The size.") && kustomization.ends_with("  - path: patches/cluster-state.yaml\n")
        );
    }
}

/// A file beside the overlay's patches, from the top.
pub(crate) fn patch(name: &str) -> String {
    format!("{OVERLAY}/patches/{name}")
}
