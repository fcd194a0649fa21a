//! The timeline as a picture: where every bar, dot and word of it goes. The form that shows it prints the shapes.

use serde::Serialize;

use super::templates::lasting;
use super::timeline::{LearnerLane, PodLane, Timeline};
use crate::model::PodPhase;

const WIDTH: f64 = 960.0;

/// Names of rows stand left of this.
const LEFT: f64 = 172.0;

/// Room for a length of time behind the last bar.
const RIGHT: f64 = 74.0;

const ROW: f64 = 19.0;

const BAR: f64 = 11.0;

/// A learner's curve is so high.
const CURVE: f64 = 64.0;

/// Between two groups of rows.
const GAP: f64 = 15.0;

/// A bar that is shorter than this could not be seen.
const SHORTEST: f64 = 2.0;

/// About as many lines of the axis as can be read.
const MOST_TICKS: f64 = 8.0;

/// Lengths between two lines of the axis, in seconds.
const STEPS: &[f64] = &[
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0,
];

/// A picture.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    width: f64,
    height: f64,
    rects: Vec<Rect>,
    lines: Vec<Line>,
    curves: Vec<Curve>,
    dots: Vec<Dot>,
    words: Vec<Word>,
}

#[derive(Debug, Serialize)]
struct Rect {
    class: &'static str,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
}

#[derive(Debug, Serialize)]
struct Line {
    x: f64,
    from: f64,
    to: f64,
}

#[derive(Debug, Serialize)]
struct Curve {
    class: &'static str,
    points: String,
    title: String,
}

#[derive(Debug, Serialize)]
struct Dot {
    class: &'static str,
    x: f64,
    y: f64,
    title: String,
}

#[derive(Debug, Serialize)]
struct Word {
    class: &'static str,
    x: f64,
    y: f64,
    text: String,
}

impl Drawing {
    /// The picture of a timeline.
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut pen = Pen {
            // A run that is over at once has an axis too.
            seconds: timeline.seconds.max(0.1),
            y: 22.0,
            drawing: Self {
                width: WIDTH,
                height: 0.0,
                rects: Vec::new(),
                lines: Vec::new(),
                curves: Vec::new(),
                dots: Vec::new(),
                words: Vec::new(),
            },
        };
        pen.steps(timeline);
        pen.pods(&timeline.pods);
        pen.leaders(timeline);
        for learner in &timeline.learners {
            pen.learner(learner);
        }
        pen.axis();
        pen.drawing.height = place(pen.y);
        pen.drawing
    }
}

/// A place to a tenth of a pixel, which keeps the file small.
fn place(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

struct Pen {
    seconds: f64,
    /// The upper edge of the next row.
    y: f64,
    drawing: Drawing,
}

impl Pen {
    fn x(&self, at: f64) -> f64 {
        place(LEFT + (WIDTH - LEFT - RIGHT) * (at / self.seconds).clamp(0.0, 1.0))
    }

    fn word(&mut self, class: &'static str, x: f64, y: f64, text: impl Into<String>) {
        self.drawing.words.push(Word { class, x: place(x), y: place(y), text: text.into() });
    }

    /// Begins a row: its name, and the upper edge of its bars.
    fn row(&mut self, name: &str) -> f64 {
        let bar = self.y + (ROW - BAR) / 2.0;
        self.word("name", LEFT - 12.0, self.y + ROW - 5.5, shortened(name));
        self.y += ROW;
        bar
    }

    fn group(&mut self, name: &str) {
        self.y += GAP;
        self.word("group", 0.0, self.y - 1.0, name);
        self.y += 4.0;
    }

    /// A bar. The x where it ends.
    fn bar(&mut self, class: &'static str, y: f64, (from, to): (f64, f64), title: &str) -> f64 {
        let (x, end) = (self.x(from), self.x(to));
        let width = place((end - x).max(SHORTEST));
        let title = format!("{title}, {from:.1} s to {to:.1} s");
        self.drawing.rects.push(Rect { class, x, y: place(y), width, height: BAR, title });
        x + width
    }

    fn dot(&mut self, class: &'static str, at: f64, y: f64, what: &str) {
        let (x, title) = (self.x(at), format!("{what}, at {at:.1} s"));
        self.drawing.dots.push(Dot { class, x, y: place(y), title });
    }

    fn steps(&mut self, timeline: &Timeline) {
        self.group("Steps");
        for (index, step) in timeline.steps.iter().enumerate() {
            let y = self.row(&step.name);
            let end = self.bar("step", y, (step.from, step.to), &step.name);
            self.word("long", end + 8.0, y + BAR - 1.5, lasting(step.to - step.from));
            let next = timeline.steps.get(index + 1).map_or(f64::INFINITY, |next| next.from);
            for change in timeline.changes.iter().filter(|change| (step.from..next).contains(&change.at)) {
                self.dot("change", change.at, y + BAR / 2.0, &change.what);
            }
        }
    }

    fn pods(&mut self, pods: &[PodLane]) {
        if pods.is_empty() {
            return;
        }
        self.group("Pods");
        for lane in pods {
            let y = self.row(&lane.pod);
            for span in &lane.spans {
                let (class, phase) = match span.phase {
                    PodPhase::Ready => ("ready", "ready"),
                    PodPhase::NotReady => ("not-ready", "not ready"),
                    PodPhase::Terminating => ("ending", "terminating"),
                };
                self.bar(class, y, (span.from, span.to), &format!("{}: {phase}", lane.pod));
            }
            for restart in &lane.restarts {
                self.dot("restart", restart.at, y + BAR / 2.0, &restart.what);
            }
        }
    }

    fn leaders(&mut self, timeline: &Timeline) {
        if timeline.leaders.is_empty() {
            return;
        }
        self.group("Leader");
        let mut names: Vec<&str> = Vec::new();
        for span in &timeline.leaders {
            if !names.contains(&span.name.as_str()) {
                names.push(&span.name);
            }
        }
        for name in names {
            let y = self.row(name);
            for span in timeline.leaders.iter().filter(|span| span.name == name) {
                self.bar("leader", y, (span.from, span.to), &format!("{name} leads"));
            }
        }
    }

    fn learner(&mut self, lane: &LearnerLane) {
        let Some(last) = lane.points.last() else { return };
        let highest = lane.points.iter().map(|point| point.leader.max(point.applied)).max().unwrap_or_default();
        let lowest = lane.points.iter().map(|point| point.applied).min().unwrap_or_default();
        self.group("Learner");
        // One that had everything when it was first asked has no curve.
        if lane.points.len() < 2 {
            let y = self.row(&lane.name) + BAR / 2.0;
            self.dot("learner", last.at, y, &format!("{} had applied {} of {}", lane.name, last.applied, last.leader));
            return self.word("long", self.x(last.at) + 10.0, y + 4.0, format!("{} of {}", last.applied, last.leader));
        }
        let (top, bottom) = (self.y + 3.0, self.y + CURVE - 3.0);
        self.word("name", LEFT - 12.0, self.y + 13.0, shortened(&lane.name));
        self.word("range", LEFT - 12.0, self.y + 29.0, format!("{lowest} to {highest}"));
        self.y += CURVE;
        #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
        let share = |index: u64| (index.saturating_sub(lowest)) as f64 / (highest - lowest).max(1) as f64;
        let curve = |index: fn(&super::timeline::Point) -> u64| {
            let point =
                |point| format!("{},{}", self.x(at(point)), place(bottom - (bottom - top) * share(index(point))));
            lane.points.iter().map(point).collect::<Vec<_>>().join(" ")
        };
        let (leader, applied) = (curve(|point| point.leader), curve(|point| point.applied));
        let (name, end) = (&lane.name, self.x(last.at));
        self.drawing.curves.push(Curve { class: "index", points: leader, title: "the leader's last index".to_owned() });
        self.drawing.curves.push(Curve {
            class: "applied",
            points: applied,
            title: format!("what {name} has applied"),
        });
        let last_y = bottom - (bottom - top) * share(last.applied);
        self.word("long", end + 8.0, last_y + 4.0, format!("{} of {}", last.applied, last.leader));
    }

    fn axis(&mut self) {
        let step = STEPS.iter().copied().find(|step| self.seconds / step <= MOST_TICKS);
        let step = step.unwrap_or(self.seconds / MOST_TICKS);
        let mut at = 0.0;
        while at <= self.seconds {
            let x = self.x(at);
            self.drawing.lines.push(Line { x, from: 18.0, to: place(self.y) });
            self.word("tick", x, 11.0, tick(at, step));
            at += step;
        }
        self.y += 4.0;
    }
}

fn at(point: &super::timeline::Point) -> f64 {
    point.at
}

/// A place on the axis.
fn tick(at: f64, step: f64) -> String {
    if step < 1.0 {
        format!("{at:.1} s")
    } else if step < 60.0 && at < 60.0 {
        format!("{at:.0} s")
    } else {
        format!("{:.0}:{:02.0}", (at / 60.0).floor(), at % 60.0)
    }
}

/// A name that fits left of the bars: without its domain, and with the end that tells pods apart.
fn shortened(name: &str) -> String {
    const MOST: usize = 24;
    let name = if name.chars().count() > MOST { name.split('.').next().unwrap_or(name) } else { name };
    let length = name.chars().count();
    if length <= MOST {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - MOST + 1).collect();
    format!("\u{2026}{end}")
}
