//! A run's events, shown while it goes on: drawn in place on a terminal, as plain lines elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::{self, Console};
use super::words;
use crate::measure::sample::Accelerator;
use crate::measure::sample::FailureName;
use crate::run::Event;

/// A plain line about how far it is comes this often at most.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Shows events. Nothing in it ticks: what is measured is left alone between events.
pub(super) struct Progress {
    sink: Sink,
    state: RefCell<State>,
}

/// Where lines go; the other threads' end of it as well.
#[derive(Clone)]
pub(super) enum Sink {
    /// Nobody wants to know.
    Quiet,
    /// Standard error, a line each.
    Lines,
    /// Standard error, above a bar that is drawn in place.
    Bar(ProgressBar),
}

impl Sink {
    /// A line.
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Lines => console::say(text),
            Self::Bar(bar) => bar.suspend(|| console::say(text)),
        }
    }
}

/// What is known of how far it is.
#[derive(Debug, Default)]
struct State {
    block: String,
    cell: String,
    done: u64,
    of: u64,
    /// Until the end, as it was known at that moment.
    left: Option<(Duration, Instant)>,
    last_line: Option<Instant>,
    failed: BTreeMap<(String, FailureName), u64>,
    /// Beside the bar now: what is the same is not drawn again.
    drawn: (u64, String),
}

impl Progress {
    /// For a run of this many cells, which was estimated to take this long.
    pub(super) fn new(console: Console, cells: u64, estimate: Duration) -> Self {
        let sink = match (console.quiet, console.draws()) {
            (true, _) => Sink::Quiet,
            (false, false) => Sink::Lines,
            (false, true) => Sink::Bar(bar(cells)),
        };
        let state = State { of: cells, left: Some((estimate, Instant::now())), ..State::default() };
        Self { sink, state: RefCell::new(state) }
    }

    /// For the thread that waits for signals.
    pub(super) fn sink(&self) -> Sink {
        self.sink.clone()
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Sink::Bar(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }

    /// Shows what happened.
    pub(super) fn take(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        if let Some(line) = state.learn(event) {
            self.sink.say(&line);
        }
        match &self.sink {
            Sink::Quiet => {}
            Sink::Bar(bar) => {
                let now = (state.done, state.beside_the_bar(Instant::now()));
                if now != state.drawn {
                    bar.set_message(now.1.clone());
                    bar.set_position(now.0);
                    state.drawn = now;
                }
            }
            Sink::Lines => {
                if let Some(line) = state.line_now(Instant::now()) {
                    console::say(&line);
                }
            }
        }
    }
}

fn bar(cells: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(cells), ProgressDrawTarget::stderr());
    // A template of ours that is wrong is seen in the first test.
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos} of {len} cells{wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

impl State {
    /// What the event changes, and the line that it is worth.
    fn learn(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Cleaned(sentence) => Some(sentence),
            Event::Created { run_id, folder } => Some(format!("run {run_id} in {}", folder.display())),
            Event::Preparing { environment } => {
                self.cell = format!("preparing {environment}");
                Some(self.cell.clone())
            }
            Event::Prepared { environment, accelerator, .. } => {
                self.cell.clear();
                Some(format!("{environment} is ready{}", executed(accelerator)))
            }
            Event::BlockStarted { index, of, role } => {
                self.block = format!("block {} of {of} ({role})", index + 1);
                None
            }
            Event::Disturbed { block, why } => Some(format!("block {} was disturbed: {why}", block + 1)),
            Event::CellStarted { environment, .. } => {
                self.cell = environment;
                None
            }
            Event::WorkStarted { environment, workload } => {
                self.cell = format!("{environment} {workload}");
                None
            }
            Event::CellFailed { environment, failure } => {
                let times = self.failed.entry((environment.clone(), failure.name)).or_default();
                *times += 1;
                (*times == 1).then(|| format!("{environment} failed ({}): {}", failure.name, failure.detail))
            }
            Event::Progress { done, of, left } => {
                (self.done, self.of) = (u64::from(done), u64::from(of));
                // Until each environment had a turn, what was estimated before is all there is.
                self.left = left.map(|left| (left, Instant::now())).or(self.left);
                None
            }
            Event::Warning(text) => Some(format!("warning: {text}")),
            Event::Stopping(why) => Some(format!("stopping: {why}")),
            Event::SampleTaken(_) | Event::CellFinished { .. } => None,
        }
    }

    /// Nothing where more time has gone than was thought.
    fn left(&self, now: Instant) -> String {
        let left = self.left.and_then(|(left, at)| left.checked_sub(now.saturating_duration_since(at)));
        left.map(|left| format!(", about {} left", words::duration(left))).unwrap_or_default()
    }

    fn beside_the_bar(&self, now: Instant) -> String {
        let parts = [&self.block, &self.cell].map(|part| console::printable(part));
        let place = parts.iter().filter(|part| !part.is_empty()).map(|part| format!(" · {part}"));
        format!("{}{}", self.left(now), place.collect::<String>())
    }

    /// A line about how far it is, if it is time for one.
    fn line_now(&mut self, now: Instant) -> Option<String> {
        if self.block.is_empty() || self.last_line.is_some_and(|last| now - last < BETWEEN_LINES) {
            return None;
        }
        self.last_line = Some(now);
        Some(format!("{}: {} of {} cells done{}", self.block, self.done, self.of, self.left(now)))
    }
}

fn executed(by: Accelerator) -> &'static str {
    match by {
        Accelerator::None => "",
        Accelerator::Kvm => ", executed by KVM",
        Accelerator::Tcg => ", emulated (TCG): its start-up and CPU figures say nothing of KVM",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measure::sample::Failure;
    use crate::plan::Role;

    fn state(now: Instant) -> State {
        State { of: 8, left: Some((Duration::from_secs(90), now)), ..State::default() }
    }

    #[test]
    fn plain_lines_say_how_far_it_is_and_not_too_often() {
        let now = Instant::now();
        let mut state = state(now);
        assert_eq!(state.line_now(now), None, "nothing has begun");
        state.learn(Event::BlockStarted { index: 0, of: 4, role: Role::Cold });
        assert_eq!(
            state.line_now(now).unwrap(),
            "block 1 of 4 (cold): 0 of 8 cells done, about 1 min 30 s left"
        );
        state.learn(Event::Progress { done: 2, of: 8, left: Some(Duration::from_secs(60)) });
        assert_eq!(state.line_now(now + Duration::from_secs(4)), None);
        assert!(state.line_now(now + Duration::from_secs(6)).unwrap().contains("2 of 8 cells done, about 5"));
    }

    #[test]
    fn an_estimate_stands_until_there_is_a_better_one_and_melts_meanwhile() {
        let now = Instant::now();
        let mut state = state(now);
        state.learn(Event::Progress { done: 1, of: 8, left: None });
        assert_eq!(state.left(now), ", about 1 min 30 s left");
        assert_eq!(state.left(now + Duration::from_secs(60)), ", about 30 s left");
        assert_eq!(state.left(now + Duration::from_secs(91)), "");
    }

    #[test]
    fn a_failure_that_comes_again_is_told_once() {
        let mut state = state(Instant::now());
        let failure = Failure { name: FailureName::NeverReady, detail: "no Hello in 60 s".into() };
        let event = || Event::CellFailed { environment: "qemu".into(), failure: failure.clone() };
        assert_eq!(state.learn(event()).unwrap(), "qemu failed (never-ready): no Hello in 60 s");
        assert_eq!(state.learn(event()), None);
    }

    #[test]
    fn beside_the_bar_stands_what_runs() {
        let now = Instant::now();
        let mut state = state(now);
        state.learn(Event::BlockStarted { index: 1, of: 4, role: Role::Measured });
        state.learn(Event::WorkStarted { environment: "qemu".into(), workload: "disk-sync".into() });
        let expected = ", about 1 min 30 s left · block 2 of 4 (measured) · qemu disk-sync";
        assert_eq!(state.beside_the_bar(now), expected);
    }

    #[test]
    fn the_bars_template_is_valid() {
        ProgressStyle::with_template("{bar:20} {pos} of {len} cells{wide_msg}").unwrap();
        bar(3).finish_and_clear();
    }
}
