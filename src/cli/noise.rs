//! `isocost doctor --noise`: how loud this host is by itself.

use std::path::Path;
use std::time::Duration;

use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::words;
use crate::environment::agent::StopSignal;
use crate::noise::{self as host_noise, NoiseError, NoiseOptions};
use crate::run::signal;

/// Measures the host's own noise.
///
/// # Errors
/// What kept it from measuring anything.
pub(super) fn noise(duration: Option<Duration>, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let duration = duration.unwrap_or(host_noise::USUAL);
    let stop =
        StopSignal::new().map_err(|error| Refusal::usage(format!("cannot make an eventfd: {error}")))?;
    let watching = signal::watch(stop.clone(), super::console::say)
        .map_err(|error| Refusal::usage(format!("cannot watch for signals: {error}")))?;
    console.note(&format!("the same process runs under two names for {}", words::duration(duration)));
    let options = NoiseOptions { cache: cache.to_owned(), agent: crate::agent::shared(), duration, stop };
    let bar = bar(console);
    let result = host_noise::measure(&options, &|part| bar.set_position((part * 1e3) as u64));
    bar.finish_and_clear();
    let found = result.map_err(refusal)?;
    if console.json {
        console.document("doctor", &found)?;
    } else {
        console.result(&format!("{}\n", host_noise::lines(&found).join("\n")))?;
    }
    Ok(watching.seen().map_or(Exit::Done, Exit::Signal))
}

fn bar(console: Console) -> indicatif::ProgressBar {
    if !console.draws() {
        return indicatif::ProgressBar::hidden();
    }
    let style = indicatif::ProgressStyle::with_template("{wide_bar} {eta} left");
    let bar = indicatif::ProgressBar::new(1000);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

fn refusal(error: NoiseError) -> Refusal {
    match error {
        NoiseError::Run(error) => error.into(),
        other => Refusal::usage(other.to_string()),
    }
}
