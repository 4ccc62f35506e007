//! `isocost selfcheck`: are equal things told apart on this host, and is what was slowed found?

use std::path::Path;

use super::args::{CheckedKind, SelfcheckArguments};
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::{execution, words};
use crate::environment::Kind;
use crate::environment::agent::StopSignal;
use crate::run::signal;
use crate::selfcheck::{self, Far, SelfcheckError, SelfcheckOptions};
use crate::trial::TrialError;

/// Checks. A promise that was not kept, or not shown to be, ends it with 1.
///
/// # Errors
/// What kept it from measuring anything.
pub(super) fn selfcheck(
    arguments: &SelfcheckArguments,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    let stop =
        StopSignal::new().map_err(|error| Refusal::usage(format!("cannot make an eventfd: {error}")))?;
    let watching = signal::watch(stop.clone(), super::console::say)
        .map_err(|error| Refusal::usage(format!("cannot watch for signals: {error}")))?;
    console.note(&format!(
        "the same environment runs under two names for {} at most; leave the host alone meanwhile",
        words::duration(arguments.duration)
    ));
    let options = SelfcheckOptions {
        cache: cache.to_owned(),
        agent: crate::agent::shared(),
        duration: arguments.duration,
        kinds: arguments.kinds.iter().map(|kind| kind.kind()).collect(),
        stop,
    };
    let bar = bar(console);
    let result = selfcheck::check(&options, &|far| show(&bar, far));
    bar.finish_and_clear();
    let signal = watching.seen();
    let found = result.map_err(|error| refusal(error, signal))?;
    if console.json {
        console.document("selfcheck", &found)?;
    } else {
        console.result(&format!("{}\n", selfcheck::lines(&found).join("\n")))?;
    }
    Ok(match signal {
        Some(number) => Exit::Signal(number),
        None if found.kept => Exit::Done,
        None => Exit::Fault,
    })
}

impl CheckedKind {
    fn kind(self) -> Kind {
        match self {
            Self::Native => Kind::Native,
            Self::Docker => Kind::Docker,
        }
    }
}

fn bar(console: Console) -> indicatif::ProgressBar {
    if !console.draws() {
        return indicatif::ProgressBar::hidden();
    }
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {msg}, {eta} left");
    let bar = indicatif::ProgressBar::new(1000);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

fn show(bar: &indicatif::ProgressBar, far: Far) {
    let position = (far.part * 1e3) as u64;
    if bar.position() != position {
        bar.set_message(format!("{} comparisons, {} false alarms", far.comparisons, far.alarms));
        bar.set_position(position);
    }
}

fn refusal(error: SelfcheckError, signal: Option<i32>) -> Refusal {
    match error {
        SelfcheckError::Trial(TrialError::Run(error)) => execution::refusal(error, signal),
        other => Refusal::usage(other.to_string()),
    }
}
