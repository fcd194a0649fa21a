//! Whatever the cluster says is survived: no panic, no endless loop, and nothing at a terminal that it would obey.

use etcd_scale::model::{Change, Goal, LATEST_START, MOST_MEMBERS, Observation, Record, Request, Stage};
use etcd_scale::report::{Console, Style};
use etcd_scale::runbook::{Interrupt, Options, Run, Trail, Verdict, plan};
use etcd_scale::steps;
use proptest::prelude::*;

use super::life::{down_to, replacing, without};
use super::mangled::mangling;
use super::output::Page;
use super::run::Foreseen;
use super::sample::{by_hand, rok, self_joining, up_to};

/// A console that writes to a page.
fn console(page: &Page) -> Console {
    Console::writing_to(Style::default(), Interrupt::default(), Box::new(page.clone()), Box::new(page.clone()))
}

/// Characters that a terminal obeys. Line feeds are the program's own.
fn harmful(text: &str) -> Option<char> {
    text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c))
}

/// Where each kind of run begins.
fn starts() -> Vec<(Observation, Request)> {
    let half_way = {
        let start = rok(2);
        let goal = Goal::resolve(&up_to(3, "first"), &start).unwrap();
        let plan = plan(&steps::towards(&goal, &start), &start, &goal, &Trail::default());
        let opened = start.after(&Change::OpenRun { record: Box::new(Record::opening(&goal, &start, None)) });
        let changes = plan.changes.iter().map(|planned| &planned.change);
        changes.take(3).fold(opened, |observation, change| observation.after(change))
    };
    vec![
        (rok(2), up_to(3, "run")),
        (by_hand(2), up_to(4, "run")),
        (self_joining(2), up_to(3, "run")),
        (rok(3), down_to(2, "run")),
        (without(1, &rok(3)), replacing(1)),
        (half_way.clone(), up_to(3, "run")),
        (half_way, down_to(1, "run")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_observed_every_step_has_a_verdict(start in prop::sample::select(starts()), mangling in mangling()) {
        let (observation, request) = start;
        let mangled = mangling.of(&serde_json::to_value(&observation).unwrap());
        let Ok(observation) = serde_json::from_value::<Observation>(mangled) else { return Ok(()) };
        // Others are refused where they are read.
        let set = &observation.statefulset;
        if !(0..=MOST_MEMBERS).contains(&set.replicas) || !(0..=LATEST_START).contains(&set.start) {
            return Ok(());
        }
        let page = Page::default();
        console(&page).status(&observation);
        prop_assert_eq!(harmful(&page.text()), None);
        let _ = Stage::of(&observation);
        let Ok(goal) = Goal::resolve(&request, &observation) else { return Ok(()) };
        let (steps, trail) = (steps::towards(&goal, &observation), Trail::default());
        for step in &steps {
            if let Verdict::Change(proposal) = step.judge(&observation, &goal, &trail) {
                let after = observation.after(&proposal.change);
                let _ = (proposal.change.command(&observation), after.moves());
            }
        }
        let page = Page::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut world, mut console) = (Foreseen::new(observation.clone()), console(&page));
        let dry = Options { yes: false, dry_run: true };
        let run = Run::new(steps, goal, &mut world, &mut console, Interrupt::default(), dry);
        runtime.block_on(run.drive(observation));
        console.end(0);
        prop_assert_eq!(harmful(&page.text()), None, "{}", page.text());
    }
}
