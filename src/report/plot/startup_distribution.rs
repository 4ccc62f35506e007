//! Every start as a dot: on one scale, and against its environment's own median.

use std::collections::BTreeMap;

use super::axis::Axis;
use super::frame::{self, Heading, Label, MARGIN, PLAIN, TICK, WIDTH};
use super::palette::{self, BAND, INK, MUTED};
use super::scene::{Anchor, Font, Scene, Shape};
use super::{Made, alarm, text, thin};
use crate::analysis::Interval;
use crate::plan::Role;
use crate::report::quantity;
use crate::report::view::{View, failures};

const ROW: f64 = 50.0;

/// Dots for one environment at most.
const DOTS: usize = 400;

/// The right panel shows deviations between these, in per cent; what is beyond is counted.
const WIDEST: (f64, f64) = (-60.0, 120.0);

struct Strip {
    label: Label,
    index: usize,
    /// Sorted; milliseconds.
    values: Vec<f64>,
    median: f64,
    interval: Option<Interval>,
}

pub(super) fn make(view: &View<'_>) -> Made {
    let strips = strips(view);
    if strips.iter().all(|strip| strip.values.is_empty()) {
        return Err("no start succeeded".to_owned());
    }
    let heading = Heading {
        title: "Start-up, every start".into(),
        subtitle: "From asking for an instance to its agent's first answer".into(),
        alarm: alarm(view),
    };
    let mut scene = frame::begin(&heading);
    let labels: Vec<Label> = strips.iter().map(|strip| strip.label.clone()).collect();
    let left = MARGIN + frame::column(&labels) + 14.0;
    let middle = left + (WIDTH - MARGIN - left) * 0.52;
    panels(&mut scene, &strips, left, middle);
    Ok((scene, caption(&strips)))
}

fn strips(view: &View<'_>) -> Vec<Strip> {
    let mut values: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let starts = view.run.samples.iter().filter(|sample| sample.metric == "startup.ready");
    for sample in starts.filter(|sample| view.role(sample.block, sample.warm_up) == Role::Measured) {
        let value = sample.value().filter(|value| value.is_finite());
        if let Some(one) = view.environment(&sample.environment, sample.accelerator) {
            values.entry(one.index).or_default().extend(value);
        }
    }
    let strip = |one: &crate::report::view::Environment<'_>| {
        let row = view.row(one, "start", "startup.ready")?;
        let mut values = values.remove(&one.index).unwrap_or_default();
        values.sort_by(f64::total_cmp);
        let failed = failures(row);
        let failed = if failed.is_empty() { failed } else { format!(" · {failed}") };
        let detail = format!("{} · n = {}{failed}", one.what(), row.n);
        let label = Label { name: one.name.clone(), detail };
        let median = row.median.map_or(0.0, |median| median.value);
        let interval = row.median.and_then(|median| median.interval);
        Some(Strip { label, index: one.index, values, median, interval })
    };
    view.environments.iter().filter_map(strip).collect()
}

fn deviation(strip: &Strip, value: f64) -> f64 {
    if strip.median > 0.0 { (value / strip.median - 1.0) * 100.0 } else { 0.0 }
}

fn panels(scene: &mut Scene, strips: &[Strip], left: f64, middle: f64) {
    let (gap, right) = (22.0, WIDTH - MARGIN - 22.0);
    let absolute =
        Axis::log(strips.iter().flat_map(|strip| strip.values.iter().copied()), (left, middle - gap));
    let (low, high) = spread(strips);
    let relative = Axis::between(low, high, (middle + gap, right));
    titles(
        scene,
        &[(left, "one scale for all (logarithmic)"), (middle + gap, "against the environment's own median")],
    );
    let top = scene.height;
    let bottom = top + ROW * strips.len() as f64;
    for i in (0..strips.len()).step_by(2) {
        let y = top + ROW * i as f64;
        scene.rect((MARGIN, y), (WIDTH - MARGIN, y + ROW), BAND);
    }
    frame::grid(scene, &absolute, &absolute.ticks("ms"), (top, bottom));
    frame::grid(scene, &relative, &relative.percent_ticks(), (top, bottom));
    for (strip, y) in strips.iter().zip((0..).map(|i| top + ROW * (f64::from(i) + 0.5))) {
        frame::label(scene, &strip.label, left - 14.0, y);
        absolute_row(scene, strip, &absolute, y);
        relative_row(scene, strip, &relative, y);
    }
    scene.height = bottom + 22.0;
    frame::axis_title(scene, (left, middle - gap), scene.height + 8.0, "time to ready");
    frame::axis_title(scene, (middle + gap, right), scene.height + 8.0, "deviation from the median");
    scene.height += 18.0;
}

fn titles(scene: &mut Scene, titles: &[(f64, &str)]) {
    for (x, words) in titles {
        scene.text((*x, scene.height + 8.0), Anchor::Start, Font { bold: true, ..PLAIN }, *words);
    }
    scene.height += 20.0;
}

/// The range of deviations, within [`WIDEST`].
fn spread(strips: &[Strip]) -> (f64, f64) {
    let all = strips.iter().flat_map(|strip| strip.values.iter().map(|value| deviation(strip, *value)));
    let (low, high) = all.fold((-1.0_f64, 1.0_f64), |(low, high), d| (low.min(d), high.max(d)));
    ((low * 1.05).max(WIDEST.0), (high * 1.05).min(WIDEST.1))
}

fn absolute_row(scene: &mut Scene, strip: &Strip, axis: &Axis, y: f64) {
    dots(scene, strip, axis, y, Some);
    if strip.values.is_empty() {
        scene.text((axis.first() + 6.0, y), Anchor::Start, Font { colour: MUTED, ..PLAIN }, "none succeeded");
        return;
    }
    median(scene, axis.at(strip.median), y);
    let said = quantity::value(strip.median, "ms");
    let half = text::width(&said, TICK.size, true) / 2.0;
    let (from, to) = (axis.first() + half, axis.last() - half);
    let font = Font { bold: true, colour: INK, ..TICK };
    scene.text((axis.at(strip.median).clamp(from, to), y - 18.0), Anchor::Middle, font, said);
}

fn relative_row(scene: &mut Scene, strip: &Strip, axis: &Axis, y: f64) {
    if strip.values.is_empty() {
        return;
    }
    dots(scene, strip, axis, y, |value| Some(deviation(strip, value)).filter(|d| axis.holds(*d)));
    median(scene, axis.at(0.0), y);
    if let Some(interval) = strip.interval {
        let ends = (axis.at(deviation(strip, interval.low)), axis.at(deviation(strip, interval.high)));
        scene.whisker(ends, y + 17.0, 3.0, INK);
    }
    let beyond = |above: bool| {
        let outside = |d: &f64| !axis.holds(*d) && (*d > 0.0) == above;
        strip.values.iter().map(|value| deviation(strip, *value)).filter(outside).count()
    };
    let font = Font { colour: MUTED, ..TICK };
    for (above, x, anchor) in
        [(true, axis.last() - 2.0, Anchor::End), (false, axis.first() + 2.0, Anchor::Start)]
    {
        let count = beyond(above);
        if count > 0 {
            scene.text((x, y - 18.0), anchor, font, format!("{count} beyond"));
        }
    }
}

/// The dots, spread over the row's height so that equal ones are seen side by side.
fn dots(scene: &mut Scene, strip: &Strip, axis: &Axis, y: f64, place: impl Fn(f64) -> Option<f64>) {
    let thin = thin::by_rank(&strip.values, DOTS);
    let opacity = if thin.len() > 60 { 0.5 } else { 0.75 };
    for (i, value) in (0_u32..).zip(thin) {
        if let Some(place) = place(value) {
            // The golden ratio's multiples never bunch.
            let share = (f64::from(i) * 0.618_034).fract() - 0.5;
            palette::marker(scene, strip.index, (axis.at(place), y + share * 20.0), 2.6, opacity);
        }
    }
}

fn median(scene: &mut Scene, x: f64, y: f64) {
    let points = vec![(x, y - 12.0), (x, y + 12.0)];
    scene.shapes.push(Shape::Line { points, colour: INK, width: 2.0, opacity: 1.0 });
}

fn caption(strips: &[Strip]) -> String {
    let thinned = strips.iter().any(|strip| strip.values.len() > DOTS);
    let thinned = if thinned {
        format!(
            " Of more than {DOTS} starts, {DOTS} are drawn, evenly spaced by rank, the fastest and the slowest among them."
        )
    } else {
        String::new()
    };
    format!(
        "Each mark is one start; its height inside the row means nothing. The upright line is the median; on the right the \
         bracket below is the median's 95 % interval. Failed starts have no value and are named and counted beside n.{thinned}"
    )
}
