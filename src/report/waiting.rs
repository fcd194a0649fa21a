//! What is shown while something is waited for: a live view at a terminal, plain lines elsewhere.
//!
//! The view has a line for the wait, with a bar and a rate where it can be counted and the time that is left, and a line
//! for each pod. Lines are cut to the window at every drawing, so that it may be narrow, and change its size.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::escape::escape;
use super::text::{GOOD, NOTE};
use crate::model::{Moved, PodPhase};
use crate::runbook::Event;

/// Elsewhere than at a terminal, the same wait is shown this often at most.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// The spinner turns this often.
const TICK: Duration = Duration::from_millis(120);

/// A pod's line is drawn anew this often, for a window that has changed its size.
const POD_TICK: Duration = Duration::from_secs(1);

/// A rate is that of so long.
const RATE_OVER: Duration = Duration::from_secs(5);

/// More pods than this are told of in one line.
const MOST_PODS: usize = 9;

/// In a narrower window the bar is short.
const NARROW: u16 = 72;

/// A wait, as it is to be shown. Its texts are escaped.
pub(super) struct Shown<'a> {
    /// What is waited for.
    pub(super) until: &'a str,
    /// What is seen of it.
    pub(super) seen: &'a str,
    /// How far it is.
    pub(super) progress: Option<(u64, u64)>,
    /// What is counted.
    pub(super) unit: Unit,
    /// How long it has lasted, and how long it may.
    pub(super) time: Option<(f64, f64)>,
}

/// What is counted while something is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Entries of a log, or keys.
    Entries,
    /// Bytes.
    Bytes,
}

/// A live view that comes and goes.
pub(super) struct Waiting {
    live: bool,
    color: bool,
    view: Option<View>,
    shown: Option<(Instant, String)>,
    rate: Rate,
    pods: Pods,
}

/// The lines of a live view.
struct View {
    all: MultiProgress,
    wait: ProgressBar,
    pods: Vec<ProgressBar>,
}

impl Waiting {
    pub(super) fn new(live: bool, color: bool) -> Self {
        Self { live, color, view: None, shown: None, rate: Rate::default(), pods: Pods::default() }
    }

    /// Takes in what the view has to know of the pods.
    pub(super) fn hear(&mut self, event: &Event) {
        self.pods.hear(event);
    }

    /// Shows what is waited for. The plain line to print, where this is no terminal and one is due.
    pub(super) fn show(&mut self, shown: &Shown<'_>) -> Option<String> {
        if self.live {
            self.draw(shown);
            return None;
        }
        let Shown { until, seen, time, .. } = shown;
        // What has no limit of its own is mostly over at once, and not worth a line until it has lasted.
        let fleeting = time.is_none();
        let due = match &self.shown {
            Some((at, text)) if text == until => at.elapsed() >= PLAIN_EVERY,
            _ => !fleeting,
        };
        if due || self.shown.as_ref().is_none_or(|(_, text)| text != until) {
            self.shown = Some((Instant::now(), (*until).to_owned()));
        }
        if !due {
            return None;
        }
        let clock = time.map(|(waited, limit)| format!(", {waited:.0} of {limit:.0} s")).unwrap_or_default();
        Some(format!("waiting for {until}{clock}: {seen}"))
    }

    fn draw(&mut self, shown: &Shown<'_>) {
        let view = self.view.get_or_insert_with(View::new);
        let rate = shown.progress.and_then(|(done, _)| self.rate.of(shown.until, done, Instant::now()));
        let rate = rate.map(|rate| match shown.unit {
            Unit::Entries => format!("{rate:.0}/s"),
            Unit::Bytes => format!("{:.1} MB/s", rate / 1e6),
        });
        let left = shown.time.map(|(waited, limit)| Duration::from_secs_f64((limit - waited).max(0.0)));
        view.wait.set_style(style(shown.progress.is_some(), self.color, left));
        if let Some((done, total)) = shown.progress {
            view.wait.set_length(total);
            view.wait.set_position(done.min(total));
        }
        view.wait.set_message(match rate {
            Some(rate) => format!("{}, {rate}", shown.seen),
            None => shown.seen.to_owned(),
        });
        // What goes on in a file here has nothing to do with the pods.
        let lines = if shown.time.is_some() { self.pods.lines(self.color) } else { Vec::new() };
        view.show_pods(&lines);
    }

    /// Takes the live view away.
    pub(super) fn clear(&mut self) {
        if let Some(view) = self.view.take() {
            view.pods.iter().chain([&view.wait]).for_each(ProgressBar::finish_and_clear);
        }
        self.shown = None;
    }

    /// Runs `print` with the live view out of the way.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        match &self.view {
            Some(view) => view.all.suspend(print),
            None => print(),
        }
    }
}

impl View {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let wait = all.add(ProgressBar::no_length());
        wait.enable_steady_tick(TICK);
        Self { all, wait, pods: Vec::new() }
    }

    fn show_pods(&mut self, lines: &[String]) {
        while self.pods.len() > lines.len() {
            if let Some(bar) = self.pods.pop() {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        }
        for (at, line) in lines.iter().enumerate() {
            if let Some(bar) = self.pods.get(at) {
                bar.set_message(line.clone());
                continue;
            }
            let bar = self.all.add(ProgressBar::no_length());
            bar.set_style(styled_by("        {wide_msg}"));
            bar.set_message(line.clone());
            // A bar is cut to the window only where it is drawn for its own sake.
            bar.enable_steady_tick(POD_TICK);
            self.pods.push(bar);
        }
    }
}

fn styled_by(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The form of the first line. The time that is left runs on between two observations.
fn style(counted: bool, color: bool, left: Option<Duration>) -> ProgressStyle {
    let spinner = if color { "{spinner:.cyan}" } else { "{spinner}" };
    let narrow = rustix::termios::tcgetwinsize(std::io::stderr()).is_ok_and(|size| (1..NARROW).contains(&size.ws_col));
    let bar = match (counted, narrow) {
        (true, false) => "[{bar:24}] ",
        (true, true) => "[{bar:8}] ",
        (false, _) => "",
    };
    let time = if left.is_some() { " {left}" } else { "" };
    let style = styled_by(&format!("      {spinner} {bar}{{wide_msg}}{time}")).progress_chars("=> ");
    let Some(end) = left.map(|left| Instant::now() + left) else { return style };
    style.with_key("left", move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let _ = write!(text, "{}:{:02} left", left / 60, left % 60);
    })
}

/// How quickly something is counted, over the last few seconds.
#[derive(Debug, Default)]
struct Rate {
    until: String,
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// So many a second; none before there is a second look.
    fn of(&mut self, until: &str, done: u64, now: Instant) -> Option<f64> {
        // Another wait counts something else; what counts backwards has begun anew.
        if self.until != until || self.seen.back().is_some_and(|(_, last)| *last > done) {
            until.clone_into(&mut self.until);
            self.seen.clear();
        }
        self.seen.push_back((now, done));
        // One look from before is kept, so that the rate is never that of a moment.
        while self.seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= RATE_OVER) {
            self.seen.pop_front();
        }
        let (since, first) = *self.seen.front()?;
        let seconds = now.duration_since(since).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        (seconds > 0.0).then(|| (done - first) as f64 / seconds)
    }
}

/// The pods as they were last heard of.
#[derive(Debug, Default)]
struct Pods {
    /// By the length of their names too, so that ordinal 10 comes after 9.
    known: BTreeMap<(usize, String), (PodPhase, String)>,
    leader: Option<String>,
}

impl Pods {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { before, .. } => {
                self.known.clear();
                self.leader = None;
                for row in &before.members {
                    if let (Some(pod), Some(phase), Some(state)) = (&row.pod, row.phase, &row.state) {
                        self.is(pod, phase, state);
                    }
                    if row.role == "leader" {
                        self.leader.clone_from(&row.name);
                    }
                }
            }
            Event::Moved { moved, .. } => match moved {
                Moved::PodCreated { pod, phase, state }
                | Moved::PodRecreated { pod, phase, state, .. }
                | Moved::PodChanged { pod, phase, state } => self.is(pod, *phase, state),
                Moved::PodGone { pod } => drop(self.known.remove(&(pod.len(), pod.clone()))),
                Moved::LeaderChanged { to, .. } => self.leader.clone_from(to),
                _ => {}
            },
            _ => {}
        }
    }

    fn is(&mut self, pod: &str, phase: PodPhase, state: &str) {
        self.known.insert((pod.len(), pod.to_owned()), (phase, state.to_owned()));
    }

    /// A line for each; where there are too many, those that are ready are only counted.
    fn lines(&self, color: bool) -> Vec<String> {
        let width = self.known.keys().map(|(_, pod)| pod.chars().count()).max().unwrap_or(0);
        let all = self.known.len() <= MOST_PODS;
        let mut lines: Vec<String> = Vec::new();
        for ((_, pod), (phase, state)) in self.known.iter().filter(|(_, (phase, _))| all || *phase != PodPhase::Ready) {
            // A member is called after its pod, or by the pod's first domain.
            let leads = self.leader.as_deref().is_some_and(|name| name.split('.').next() == Some(pod));
            let mut line = format!("{:<width$}  ", escape(pod));
            let style = if *phase == PodPhase::Ready { GOOD } else { NOTE };
            let state = escape(state).replace('\n', " ");
            let _ = if color { write!(line, "{style}{state}{style:#}") } else { write!(line, "{state}") };
            if leads {
                line.push_str(", leads");
            }
            lines.push(line);
        }
        lines.truncate(MOST_PODS);
        if !all {
            lines.push(format!("{} pods in all", self.known.len()));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rate.of("a", 100, at(0)), None);
        assert_eq!(rate.of("a", 300, at(2)), Some(100.0));
        for second in 3..=20 {
            rate.of("a", 300, at(second));
        }
        assert_eq!(rate.of("a", 300, at(21)), Some(0.0));
        assert_eq!(rate.of("b", 5, at(22)), None, "another wait begins anew");
        assert_eq!(rate.of("b", 4, at(23)), None, "so does one that counts backwards");
    }

    #[test]
    fn many_pods_are_counted() {
        let mut pods = Pods::default();
        for ordinal in 0..12 {
            pods.is(&format!("etcd-{ordinal}"), PodPhase::Ready, "ready");
        }
        assert_eq!(pods.lines(false), ["12 pods in all"]);
        pods.is("etcd-10", PodPhase::NotReady, "running,\n0/1 ready");
        pods.leader = Some("etcd-10.etcd.ns".to_owned());
        assert_eq!(pods.lines(false), ["etcd-10  running, 0/1 ready, leads", "12 pods in all"]);
    }
}
