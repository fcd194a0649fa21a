//! The shipped role: it is enough for every verb, and none of its rules is there in vain.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Cluster, Ended, Manifest, NoPools, Peers, Pools, Program, SET, delete, put};

/// What stands for the namespace in the manifest.
const NAMESPACE: &str = "NAMESPACE";

/// The rules that are for what not everybody does: what follows `Required` in the comment before them.
const REPLACE: &str = "for `replace`, and for --claim";
const CONFIG_MAPS: &str = "where the list of peers is in a ConfigMap";
const BY_HAND: &str = "where volumes are made by hand: for the step";
const EVERYWHERE: &str = "for `status --all-namespaces`";

/// The role in a cluster's namespace.
struct Role<'a> {
    cluster: &'a Cluster,
    objects: Vec<Value>,
}

impl<'a> Role<'a> {
    /// Grants what the manifest grants, and those of its optional rules whose comments hold one of these texts.
    fn granted(cluster: &'a Cluster, optional: &[&str]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/rbac.yaml");
        let text = fs::read_to_string(file).expect("the role is shipped").replace(NAMESPACE, cluster.name());
        let read = |part: &str| serde_saphyr::from_str::<Value>(part).expect("it is YAML");
        let mut objects: Vec<Value> = with(&text, optional).split("\n---\n").map(read).collect();
        // What belongs to no namespace must not be another test's.
        let own = json!(format!("etcd-scale-{}", cluster.name()));
        for object in &mut objects {
            match object["kind"].as_str() {
                Some("ClusterRole") => object["metadata"]["name"] = own.clone(),
                Some("ClusterRoleBinding") => object["roleRef"]["name"] = own.clone(),
                _ => {}
            }
        }
        let role = Self { cluster, objects };
        role.objects.iter().for_each(put);
        role
    }

    /// The program, as the service account of the manifest runs it.
    fn run(&self, arguments: &[&str]) -> Ended {
        let user = format!("system:serviceaccount:{}:etcd-scale", self.cluster.name());
        self.cluster.run(&[arguments, &["--as", &user]].concat())
    }

    /// Every verb on every resource that is granted: the index of the object, that of the rule, and both names.
    fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        for (object, role) in self.objects.iter().enumerate() {
            for (rule, granted) in role["rules"].as_array().into_iter().flatten().enumerate() {
                for resource in texts(&granted["resources"]) {
                    for verb in texts(&granted["verbs"]) {
                        let group = texts(&granted["apiGroups"]).join("");
                        grants.push(Grant { object, rule, group, resource: resource.clone(), verb });
                    }
                }
            }
        }
        grants
    }

    /// Does something without one of the grants.
    fn without<T>(&self, grant: &Grant, act: impl FnOnce() -> T) -> T {
        let mut narrowed = self.objects[grant.object].clone();
        if let Some(verbs) = narrowed["rules"][grant.rule]["verbs"].as_array_mut() {
            verbs.retain(|verb| *verb != json!(grant.verb));
        }
        put(&narrowed);
        let done = act();
        put(&self.objects[grant.object]);
        done
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let name = format!("etcd-scale-{}", self.cluster.name());
        for kind in ["clusterrole", "clusterrolebinding"] {
            delete(kind, &name, "");
        }
    }
}

/// One verb on one resource.
struct Grant {
    object: usize,
    rule: usize,
    group: String,
    resource: String,
    verb: String,
}

impl Grant {
    /// As the program calls it.
    fn named(&self) -> String {
        let Self { group, resource, verb, .. } = self;
        if group.is_empty() { format!("{verb} {resource}") } else { format!("{verb} {resource}.{group}") }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The manifest with some of its optional rules in force: those that a comment with one of these texts precedes.
fn with(manifest: &str, optional: &[&str]) -> String {
    let (mut wanted, mut explains) = (false, false);
    let mut lines = Vec::new();
    for line in manifest.lines() {
        let commented = ["  # - ", "  #   "].iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        match commented {
            Some((mark, rest)) if wanted => lines.push(format!("{}{rest}", mark.replace("# ", ""))),
            Some(_) => {}
            None => {
                // A comment may take several lines.
                let comment = line.trim_start().starts_with('#');
                wanted = comment && (explains && wanted || optional.iter().any(|text| line.contains(text)));
                explains = comment;
                lines.push(line.to_owned());
            }
        }
    }
    lines.join("\n")
}

/// The findings of a check, by level.
fn findings(checked: &Ended) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for finding in checked.document()["findings"].as_array().into_iter().flatten() {
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        all.entry(text("level")).or_default().push(text("found"));
    }
    all
}

/// By the way that the role is for: without one another is looked for, and where that leads is the machine's affair.
const CHECK: [&str; 5] = ["check", "--via", "port-forward", "-o", "json"];

#[test]
#[ignore = "needs the sandbox"]
fn none_of_its_rules_is_there_in_vain() {
    let cluster = Manifest::new().start("role-minimal");
    let role = Role::granted(&cluster, &[]);
    let pools = Pools::instead_of(NoPools::new());
    role.run(&CHECK).exits(0).never_says("not permitted").never_says("cannot ");

    let grants = role.grants();
    assert!(grants.len() > 20, "{}", grants.len());
    for grant in &grants {
        let named = grant.named();
        let checked = role.without(grant, || role.run(&CHECK));
        // As the program calls it, or in the API server's own words.
        let refused = format!("cannot {} resource \"{}\"", grant.verb, grant.resource);
        let tells = |text: &String| text.contains(&named) || text.contains(&refused);
        let found = if checked.stdout.is_empty() { BTreeMap::new() } else { findings(&checked) };
        let said = |level: &str| found.get(level).into_iter().flatten().any(tells);
        let told = match checked.code {
            Some(0) => said("unknown"),
            // Without the very first look there are no findings.
            Some(3) => said("refused") || tells(&checked.stderr),
            _ => false,
        };
        assert!(told, "without {named} no check fails that names it\n{checked}");
    }
    drop(pools);
}

/// Asserts that a run was permitted everything that it tried.
#[track_caller]
fn permitted(ended: &Ended) {
    ended.exits(0).never_says("not permitted").never_says("forbidden");
}

#[test]
#[ignore = "needs the sandbox"]
fn it_is_enough_for_every_verb() {
    let cluster = Manifest::new().start("role-enough");
    let strategy = cluster.strategy();
    let role = Role::granted(&cluster, &[]);
    permitted(&role.run(&["status"]));
    permitted(&role.run(&["check"]));
    permitted(&role.run(&["verify", "--deep", "--hash", "all"]));
    permitted(&role.run(&["snapshot", "by-role.db"]));
    permitted(&role.run(&["up", "--dry-run=server"]));
    permitted(&role.run(&["up", "--yes", "--pause-before", "promote"]));
    permitted(&role.run(&["abort", "--yes", "--claim", "keep"]));
    cluster.kubectl(&["delete", "persistentvolumeclaim", "store-etcd-2"]);
    permitted(&role.run(&["up", "--yes", "--rollout", "defer", "-v"]));
    permitted(&role.run(&["settle", "--yes", "-v"]));
    cluster.has_grown(3, &strategy);
    let events = cluster.kubectl(&["get", "events", "-o", "name"]);
    assert!(!events.is_empty(), "changes are noted as Events");

    drop(role);
    let role = Role::granted(&cluster, &[REPLACE]);
    cluster.empty("etcd-1");
    permitted(&role.run(&["replace", "etcd-1", "--yes", "-v"]));
    permitted(&role.run(&["down", "--to", "2", "--yes", "--claim", "delete", "-v"]));
    cluster.has_voters(2);
}

#[test]
#[ignore = "needs the sandbox"]
fn its_optional_rules_are_enough_and_needed_for_what_they_say() {
    // Volumes by hand, deleted again with their claims.
    let by_hand = Manifest::new().replicas(1).peers(Peers::Variable).by_hand().start("role-by-hand");
    needs(&by_hand, &["up", "--to", "2", "--yes"], &[BY_HAND]);
    permitted(&Role::granted(&by_hand, &[BY_HAND, REPLACE]).run(&[
        "down",
        "--to",
        "1",
        "--yes",
        "--claim",
        "delete",
        "--rollout",
        "defer",
    ]));
    let map = Manifest::new().replicas(1).peers(Peers::ConfigMap).start("role-map");
    needs(&map, &["up", "--to", "2", "--yes", "--rollout", "defer"], &[CONFIG_MAPS]);
    let on_delete = Manifest::new().replicas(1).strategy(json!({"type": "OnDelete"})).start("role-on-delete");
    let restarts = ["up", "--to", "2", "--yes", "--rollout", "now"];
    let role = Role::granted(&on_delete, &[]);
    let deletes = role.grants().into_iter().find(|grant| grant.named() == "delete pods").expect("it may delete pods");
    role.without(&deletes, || role.run(&restarts)).exits(3).says("you may not delete pods");
    permitted(&role.run(&restarts));
    drop(role);

    let role = Role::granted(&map, &[]);
    let user = format!("system:serviceaccount:{}:etcd-scale", map.name());
    let everywhere = || Program::new(&["status", "-A", "--as", &user]).run();
    everywhere().exits(3).says("list");
    drop(role);
    let _role = Role::granted(&map, &[EVERYWHERE]);
    everywhere().exits(0).says(&format!("{} ", map.name())).says(SET);
    let nowhere = Program::new(&["status", "-n", "no-such-namespace", "--as", &user]).run();
    nowhere.exits(3).says("namespace no-such-namespace does not exist");
}

/// Asserts that a run is refused before its first change without these optional rules, and permitted with them.
#[track_caller]
fn needs(cluster: &Cluster, arguments: &[&str], optional: &[&str]) {
    let before = cluster.standing();
    Role::granted(cluster, &[]).run(arguments).exits(3).says("you may not ");
    assert!(cluster.standing() == before, "a refused run changes nothing");
    permitted(&Role::granted(cluster, optional).run(arguments));
}
