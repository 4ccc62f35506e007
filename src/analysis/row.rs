//! From a series to a row: location, outliers, and what a reader should know.

use super::figure;
use super::group::Series;
use super::settings::Settings;
use super::statistics::bootstrap::{Blocks, Resampling};
use super::statistics::{median, modes, order, robust, serial};
use super::summary::{Effect, Estimate, Interval, Outlier, OutlierClass, Ratio, Row};

/// Iglewicz and Hoaglin's limit for a robust z, and twice it.
const MILD: f64 = 3.5;
const SEVERE: f64 = 7.0;

/// As strict as for two modes, because it too is asked of every row.
const DEPENDENT: f64 = 0.001;

/// The row of a series; `stream` is its own among the random streams.
pub(super) fn row(
    series: &Series<'_>,
    (ratio, effect): (Ratio, Option<Effect>),
    settings: &Settings,
    stream: u64,
) -> Row {
    let sorted = order::sorted(&series.taken.iter().map(|one| one.value).collect::<Vec<_>>());
    let key = series.key;
    Row {
        environment: key.environment.to_owned(),
        kind: series.kind,
        accelerator: key.accelerator,
        workload: key.workload.to_owned(),
        metric: key.metric.to_owned(),
        unit: series.metric.map_or_else(String::new, |metric| metric.unit.to_owned()),
        n: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        failed: series.failed.clone(),
        median: location(series, &sorted, settings, stream),
        ratio,
        effect,
        outliers: outliers(series, &sorted),
        notes: notes(series, &sorted),
    }
}

fn location(series: &Series<'_>, sorted: &[f64], settings: &Settings, stream: u64) -> Option<Estimate> {
    let value = order::median(sorted)?;
    let ends = if series.exact() { None } else { interval(series, sorted, settings, stream) };
    Some(Estimate { value, interval: ends.map(|(low, high)| Interval { low, high }) })
}

/// With one value a block the interval has an exact form; several of a block share its state, and blocks are resampled.
pub(super) fn interval(
    series: &Series<'_>,
    sorted: &[f64],
    settings: &Settings,
    stream: u64,
) -> Option<(f64, f64)> {
    let blocks = series.blocks();
    if blocks.len() == sorted.len() {
        return median::interval(sorted, settings.confidence);
    }
    let values: Vec<Vec<f64>> = blocks.into_iter().map(|(_, values)| values).collect();
    let Settings { seed, confidence, resamples } = *settings;
    let how = Resampling { resamples, confidence, seed, stream };
    Blocks::of_values(&values).intervals(&[0.5], &how)?.first().copied()
}

fn outliers(series: &Series<'_>, sorted: &[f64]) -> Vec<Outlier> {
    let scale = robust::Scale::of(sorted, series.resolution());
    let Some(scale) = scale.filter(|_| !series.exact()) else { return Vec::new() };
    let far = series.taken.iter().filter_map(|one| {
        let z = scale.z(one.value);
        let class = match z.abs() {
            size if size > SEVERE => OutlierClass::Severe,
            size if size > MILD => OutlierClass::Mild,
            _ => return None,
        };
        Some(Outlier { block: one.block, value: one.value, z, class })
    });
    far.collect()
}

fn notes(series: &Series<'_>, sorted: &[f64]) -> Vec<String> {
    let mut notes = Vec::new();
    let ends = sorted.first().zip(sorted.last());
    match ends {
        None => notes.push("nothing was measured".to_owned()),
        Some((first, last)) if series.exact() && first != last => {
            notes.push(format!("exact, and yet between {} and {}", figure(*first), figure(*last)));
        }
        Some((first, last)) if !series.exact() && first == last && sorted.len() > 1 => {
            notes.push("all values are equal".to_owned());
        }
        Some(_) => {}
    }
    if let Some(modes) = modes::two(sorted, series.resolution()).filter(|_| !series.exact()) {
        notes.push(format!(
            "two modes: {} values near {} and {} near {}; a median between them describes neither",
            modes.low_count,
            figure(modes.low),
            modes.high_count,
            figure(modes.high),
        ));
    }
    if serial::p(&by_block(series)).is_some_and(|p| p < DEPENDENT) && !series.exact() {
        notes.push(
            "drift: values of neighbouring blocks are alike, so the interval of the median is too narrow for another run; \
             ratios are taken inside blocks and are not touched by it"
                .to_owned(),
        );
    }
    notes
}

/// One value a block, in the order they were taken.
fn by_block(series: &Series<'_>) -> Vec<f64> {
    series.blocks().iter().filter_map(|(_, values)| order::median_of(values)).collect()
}
