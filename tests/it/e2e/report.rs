//! The run report against the event stream of the same run.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, Event};

/// Where a run is to leave its reports.
pub(super) struct Reports {
    desk: TempDir,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self { desk: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.desk.path().join(name)
    }

    /// The report in JSON.
    #[track_caller]
    pub(super) fn document(&self, name: &str) -> Value {
        serde_json::from_slice(&read(&self.path(name))).expect("JSON")
    }

    /// Asserts that the reports `run.json` and `run.html` tell what the events told.
    #[track_caller]
    pub(super) fn agree_with(&self, ended: &Ended) {
        let report = self.document("run.json");
        let events = ended.events();
        let story = &report["runs"][0];
        assert_eq!(report["exitCode"], ended.code.expect("a code"));
        let last = &events.last().expect("events").value()["summary"];
        for field in ["outcome", "snapshot", "after"] {
            assert_eq!(story[field], last[field], "{field}\n{ended}");
        }
        let times = Times::of(&events);
        let timeline = &story["timeline"];

        let steps: Vec<_> = list(&timeline["steps"]).iter().map(|step| (text(&step["name"]), span(step))).collect();
        assert_eq!(steps, times.steps(), "{ended}");
        let changes: Vec<_> =
            list(&timeline["changes"]).iter().map(|mark| (number(&mark["at"]), text(&mark["what"]))).collect();
        let begun = times.told("change-started").filter(|(_, event)| event["tries"] == 0);
        assert_eq!(changes, begun.map(|(at, event)| (at, text(&event["sentence"]))).collect::<Vec<_>>(), "{ended}");
        let leaders: Vec<_> = list(&timeline["leaders"]).iter().map(|span| text(&span["name"])).collect();
        assert_eq!(leaders, times.leaders(), "{ended}");

        // Each pod's life: what it was at the end, and its restarts.
        for lane in list(&timeline["pods"]) {
            let pod = &lane["pod"];
            let restarts: Vec<_> = list(&lane["restarts"]).iter().map(|mark| number(&mark["at"])).collect();
            let moved = times.told("moved").filter(|(_, event)| event["pod"] == *pod);
            let seen =
                moved.filter(|(_, event)| event["what"] == "pod-recreated" || event["what"] == "container-restarted");
            assert_eq!(restarts, seen.map(|(at, _)| at).collect::<Vec<_>>(), "{pod}\n{ended}");
            let row = list(&last["after"]["members"]).iter().find(|row| row["pod"] == *pod).expect("a row");
            let end = list(&lane["spans"]).last().expect("a span");
            assert_eq!((&end["phase"], number(&end["to"])), (&row["phase"], number(&timeline["seconds"])), "{pod}");
        }
        let points = list(&timeline["learners"]).iter().flat_map(|lane| list(&lane["points"]));
        let points: Vec<_> = points.map(|point| (number(&point["at"]), point["applied"].clone())).collect();
        let progress = times.told("moved").filter(|(_, event)| event["what"] == "learner-progress");
        assert_eq!(points, progress.map(|(at, event)| (at, event["applied"].clone())).collect::<Vec<_>>(), "{ended}");

        let page = String::from_utf8(read(&self.path("run.html"))).expect("UTF-8");
        for (name, (from, to)) in steps {
            let title = format!("<title>{name}, {from:.1} s to {to:.1} s</title>");
            assert!(page.contains(&title), "{title}");
        }
        for (_, sentence) in changes {
            assert!(page.contains(&sentence.replace('/', "&#x2f;")), "{sentence}");
        }
        assert_eq!(fs::read_dir(self.desk.path()).expect("a directory").count(), 2, "nothing else is left there");
    }
}

/// Events, and when each was in seconds after the first.
struct Times(Vec<(f64, Value)>);

impl Times {
    fn of(events: &[Event]) -> Self {
        let time = |event: &Event| text(&event.value()["time"]).parse::<jiff::Timestamp>().expect("a time");
        let start = events.first().map(time).expect("events");
        let since = |event: &Event| rounded(time(event).duration_since(start).as_secs_f64());
        Self(events.iter().map(|event| (since(event), event.value().clone())).collect())
    }

    fn told(&self, kind: &str) -> impl Iterator<Item = (f64, &Value)> {
        self.0.iter().filter(move |(_, event)| event["type"] == kind).map(|(at, event)| (*at, event))
    }

    fn steps(&self) -> Vec<(String, (f64, f64))> {
        let started = self.told("step-started");
        let done = self.told("step-done").map(|(at, _)| at);
        started.zip(done).map(|((from, event), to)| (text(&event["step"]), (from, to))).collect()
    }

    /// Who led, one after another.
    fn leaders(&self) -> Vec<String> {
        let (_, first) = self.told("run-started").next().expect("a start");
        let first = list(&first["before"]["members"]).iter().find(|row| row["role"] == "leader");
        let mut names: Vec<_> = first.map(|row| Some(text(&row["name"]))).into_iter().collect();
        let changes = self.told("moved").filter(|(_, event)| event["what"] == "leader-changed");
        names.extend(changes.map(|(_, event)| event["to"].as_str().map(str::to_owned)));
        // The same one elected again goes on.
        names.dedup();
        names.into_iter().flatten().collect()
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// To a microsecond: the last digit of a number may not survive JSON.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

fn number(value: &Value) -> f64 {
    rounded(value.as_f64().unwrap_or(f64::NAN))
}

fn span(value: &Value) -> (f64, f64) {
    (number(&value["from"]), number(&value["to"]))
}
