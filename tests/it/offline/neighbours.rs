//! What else in the namespace concerns the pods: none of it stops a run, and what could not be read is for the operator to
//! look at.

use std::collections::BTreeMap;

use etcd_scale::model::{Answer, Goal, Known, Neighbours, Question, SelectedService};
use etcd_scale::runbook::{Finding, Level, Verdict};

use super::sample::{prechecked, rok, up_to};

const CHECKS: [&str; 3] = ["clients", "disruption-budgets", "named-members"];

fn findings(neighbours: Neighbours) -> Vec<Finding> {
    let mut observation = rok(2);
    let hosts = [0, 1].map(|ordinal| format!("rok-etcd-{ordinal}.rok-etcd-cluster.rok")).to_vec();
    observation.answers.push((Question::Neighbours { hosts }, Answer::Neighbours(neighbours)));
    let goal = Goal::resolve(&up_to(3, "run"), &observation).unwrap();
    let Verdict::Done(done) = prechecked(observation, &goal) else { panic!("neighbours stop nothing") };
    done.findings.into_iter().filter(|finding| CHECKS.contains(&finding.id.as_str())).collect()
}

#[test]
fn what_could_not_be_read_comes_with_the_command_that_reads_it() {
    let unknown = || "forbidden".to_owned();
    let found = findings(Neighbours {
        services: Known::Unknown(unknown()),
        budgets: Known::Unknown(unknown()),
        config_maps: Known::Unknown(unknown()),
    });
    let kinds =
        [("Services", "services"), ("disruption budgets", "poddisruptionbudgets"), ("ConfigMaps", "configmaps")];
    let expected = CHECKS.iter().zip(kinds).map(|(id, (what, kind))| Finding {
        id: (*id).to_owned(),
        level: Level::Unknown,
        found: format!("the {what} could not be read: forbidden"),
        advice: Some(format!("look yourself: kubectl get {kind} -n rok")),
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn what_concerns_the_pods_is_named() {
    let budget = |demand: &str| BTreeMap::from([("budget".to_owned(), demand.to_owned())]);
    let service = |publish_not_ready| SelectedService { name: "client".into(), headless: false, publish_not_ready };
    let found = |publish, demand, names: &[&str]| {
        findings(Neighbours {
            services: Known::Known(vec![service(publish)]),
            budgets: Known::Known(budget(demand)),
            config_maps: Known::Known(names.iter().map(|name| (*name).to_owned()).collect()),
        })
    };
    let levels = |findings: &[Finding]| findings.iter().map(|finding| finding.level).collect::<Vec<_>>();
    assert_eq!(levels(&found(false, "maxUnavailable 1", &[])), [Level::Ok; 3]);
    let advised = found(true, "minAvailable 2", &["endpoints"]);
    assert_eq!(levels(&advised), [Level::Advice; 3]);
    for (finding, name) in advised.iter().zip(["Service client", "PodDisruptionBudget budget", "ConfigMap endpoints"]) {
        assert!(finding.found.starts_with(name), "{finding:?}");
    }
}
