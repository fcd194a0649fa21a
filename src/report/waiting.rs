//! What is shown while something is waited for: a live line at a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Elsewhere than at a terminal, the same wait is shown this often at most.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A live line that comes and goes.
pub(super) struct Waiting {
    live: bool,
    color: bool,
    bar: Option<ProgressBar>,
    shown: Option<(Instant, String)>,
}

impl Waiting {
    pub(super) fn new(live: bool, color: bool) -> Self {
        Self { live, color, bar: None, shown: None }
    }

    /// Shows what is waited for. The plain line to print, where this is no terminal and one is due.
    pub(super) fn show(
        &mut self,
        until: &str,
        seen: &str,
        progress: Option<(u64, u64)>,
        time: Option<(f64, f64)>,
    ) -> Option<String> {
        // What has no limit of its own is mostly over at once, and not worth a line until it has lasted.
        let fleeting = time.is_none();
        if self.live {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_style(style(progress.is_some(), self.color));
            if let Some((done, total)) = progress {
                bar.set_length(total);
                bar.set_position(done.min(total));
            }
            let clock = time.map(|(waited, limit)| format!(" ({waited:.0} of {limit:.0} s)")).unwrap_or_default();
            bar.set_message(format!("{seen}{clock}"));
            return None;
        }
        let due = match &self.shown {
            Some((at, text)) if text == until => at.elapsed() >= PLAIN_EVERY,
            _ => !fleeting,
        };
        if due || self.shown.as_ref().is_none_or(|(_, text)| text != until) {
            self.shown = Some((Instant::now(), until.to_owned()));
        }
        if !due {
            return None;
        }
        let clock = time.map(|(waited, limit)| format!(", {waited:.0} of {limit:.0} s")).unwrap_or_default();
        Some(format!("waiting for {until}{clock}: {seen}"))
    }

    /// Takes the live line away.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.shown = None;
    }

    /// Runs `print` with the live line out of the way.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn style(counted: bool, color: bool) -> ProgressStyle {
    let spinner = if color { "{spinner:.cyan}" } else { "{spinner}" };
    let template = if counted {
        format!("      {spinner} [{{bar:24}}] {{wide_msg}}")
    } else {
        format!("      {spinner} {{wide_msg}}")
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner()).progress_chars("=> ")
}
