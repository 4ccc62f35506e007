//! A start by its phases: stacked bars on one scale, and each stretched to its own.

use super::axis::Axis;
use super::frame::{self, Heading, Label, MARGIN, PLAIN, WIDTH};
use super::palette::{self, GRID, INK, MUTED, PAPER};
use super::scene::{Anchor, Font, Scene, Shape};
use super::{Made, alarm, text};
use crate::analysis::Estimate;
use crate::measure::metric::CATALOGUE;
use crate::report::quantity;
use crate::report::view::{Environment, View, failures};

const PREFIX: &str = "startup.phase.";
const ROW: f64 = 46.0;
const HALF_BAR: f64 = 9.0;

/// One environment's start.
struct Bar {
    label: Label,
    parts: Vec<(&'static str, Estimate)>,
    whole: Option<Estimate>,
}

impl Bar {
    fn length(&self) -> f64 {
        self.parts.iter().map(|(_, part)| part.value).sum()
    }

    /// The furthest that the bar or one of its intervals reaches.
    fn furthest(&self) -> f64 {
        let high = |one: &Estimate| one.interval.map_or(one.value, |interval| interval.high);
        let mut begun = 0.0;
        let mut furthest = self.whole.as_ref().map_or(0.0, high);
        for (_, part) in &self.parts {
            furthest = furthest.max(begun + high(part)).max(begun + part.value);
            begun += part.value;
        }
        furthest
    }
}

pub(super) fn make(view: &View<'_>) -> Made {
    let bars: Vec<Bar> = view.environments.iter().filter_map(|one| bar(view, one)).collect();
    if bars.iter().all(|bar| bar.parts.is_empty()) {
        return Err("no start was measured by phase".to_owned());
    }
    let heading = Heading {
        title: "Start-up by phase".into(),
        subtitle: "From asking for an instance to its agent's first answer; medians with 95 % intervals"
            .into(),
        alarm: alarm(view),
    };
    let mut scene = frame::begin(&heading);
    legend(&mut scene, &bars);
    let labels: Vec<Label> = bars.iter().map(|bar| bar.label.clone()).collect();
    let left = MARGIN + frame::column(&labels) + 12.0;
    absolute(&mut scene, &bars, left);
    stretched(&mut scene, &bars, left);
    Ok((scene, caption()))
}

fn bar(view: &View<'_>, one: &Environment<'_>) -> Option<Bar> {
    let phases = CATALOGUE.iter().filter_map(|metric| metric.name.strip_prefix(PREFIX));
    let part = |name: &'static str| {
        let median = view.row(one, "start", &format!("{PREFIX}{name}"))?.median?;
        Some((name, median))
    };
    let parts: Vec<_> = phases.filter_map(part).collect();
    let ready = view.row(one, "start", "startup.ready")?;
    let named = if ready.failures() > 0 { format!(" · {}", failures(ready)) } else { String::new() };
    let detail = format!("{} · n = {}{named}", one.what(), ready.n);
    let label = Label { name: one.name.clone(), detail };
    let failed = ready.n == 0 && ready.failures() > 0;
    (!parts.is_empty() || failed).then_some(Bar { label, parts, whole: ready.median })
}

fn legend(scene: &mut Scene, bars: &[Bar]) {
    let phases = CATALOGUE.iter().filter_map(|metric| metric.name.strip_prefix(PREFIX));
    let shown = |name: &&str| bars.iter().any(|bar| bar.parts.iter().any(|(part, _)| part == name));
    let mut entries: Vec<(frame::Swatch<'_>, String)> = Vec::new();
    for name in phases.filter(shown) {
        let look = palette::phase(name);
        let swatch = move |scene: &mut Scene, (x, y): (f64, f64)| {
            palette::filled(scene, (x - 8.0, y - 6.0), (x + 8.0, y + 6.0), look);
        };
        entries.push((Box::new(swatch), name.to_owned()));
    }
    entries
        .push((Box::new(|scene, at| whole_mark(scene, at, (at.0 - 8.0, at.0 + 8.0))), "whole start".into()));
    frame::legend(scene, &entries);
}

/// The whole's median, with its interval.
fn whole_mark(scene: &mut Scene, (x, y): (f64, f64), interval: (f64, f64)) {
    scene.whisker(interval, y, 3.0, INK);
    let points = vec![(x, y - 4.5), (x + 4.5, y), (x, y + 4.5), (x - 4.5, y)];
    scene.shapes.push(Shape::Polygon { points, fill: INK, opacity: 1.0 });
}

fn absolute(scene: &mut Scene, bars: &[Bar], left: f64) {
    let said = |bar: &Bar| bar.whole.map_or(String::new(), |whole| quantity::estimate(&whole, "ms"));
    let widest = bars.iter().map(|bar| text::width(&said(bar), PLAIN.size, false)).fold(0.0, f64::max);
    let right = (WIDTH - MARGIN - widest - 14.0).max(left + 200.0);
    let axis = Axis::from_zero(bars.iter().map(Bar::furthest), (left, right));
    let top = scene.height;
    let bottom = top + ROW * bars.len() as f64;
    frame::grid(scene, &axis, &axis.ticks("ms"), (top, bottom));
    scene.line((left, top), (left, bottom), GRID, 1.5);
    for (bar, y) in bars.iter().zip((0..).map(|i| top + ROW * (f64::from(i) + 0.42))) {
        frame::label(scene, &bar.label, left - 12.0, y);
        if bar.parts.is_empty() {
            none(scene, (left, y));
            continue;
        }
        stack(scene, bar, &axis, y);
        if let Some(whole) = bar.whole {
            let (low, high) = whole.interval.map_or((whole.value, whole.value), |i| (i.low, i.high));
            whole_mark(scene, (axis.at(whole.value), y + HALF_BAR + 8.0), (axis.at(low), axis.at(high)));
        }
        scene.text((axis.at(bar.furthest()) + 10.0, y), Anchor::Start, PLAIN, said(bar));
    }
    scene.height = bottom + 22.0;
    frame::axis_title(scene, (left, right), scene.height + 8.0, "time since the instance was asked for");
    scene.height += 30.0;
}

/// In place of a bar.
fn none(scene: &mut Scene, (left, y): (f64, f64)) {
    scene.text((left + 6.0, y), Anchor::Start, Font { colour: MUTED, ..PLAIN }, "none succeeded");
}

/// The phases one after the other, each with the interval of its own length at its end.
fn stack(scene: &mut Scene, bar: &Bar, axis: &Axis, y: f64) {
    let mut begun = 0.0;
    let mut whiskers = Vec::new();
    for (i, (name, part)) in bar.parts.iter().enumerate() {
        let ended = begun + part.value;
        let (from, to) = (axis.at(begun), axis.at(ended));
        // A hair where there would be nothing: a phase that took no time to speak of still happened.
        let to_seen = to.max(from + 0.5);
        palette::filled(scene, (from, y - HALF_BAR), (to_seen, y + HALF_BAR), palette::phase(name));
        if let Some(interval) = part.interval.filter(|_| to - from > 4.0) {
            let lane = if i % 2 == 0 { -3.5 } else { 3.5 };
            whiskers.push((axis.at(begun + interval.low), axis.at(begun + interval.high), y + lane));
        }
        begun = ended;
    }
    for (low, high, y) in whiskers {
        scene.shapes.push(halo(low, high, y));
        scene.whisker((low, high), y, 2.5, INK);
    }
}

/// Paper behind a whisker, so that it is seen on any colour.
fn halo(low: f64, high: f64, y: f64) -> Shape {
    Shape::Line { points: vec![(low - 1.0, y), (high + 1.0, y)], colour: PAPER, width: 3.5, opacity: 0.8 }
}

/// What a start is spent on: each bar at its own scale, with its figures where they fit.
fn stretched(scene: &mut Scene, bars: &[Bar], left: f64) {
    let right = WIDTH - MARGIN;
    let heading = "The same starts, each stretched to full width: where the time goes";
    scene.text((left, scene.height + 8.0), Anchor::Start, Font { bold: true, ..PLAIN }, heading);
    scene.height += 22.0;
    for bar in bars {
        let y = scene.height + 17.0;
        frame::label(scene, &bar.label, left - 12.0, y);
        if bar.parts.is_empty() {
            none(scene, (left, y));
        }
        let length = bar.length();
        let mut begun = left;
        for (name, part) in &bar.parts {
            let measured = length > 0.0 && length.is_finite();
            let share = if measured { part.value / length } else { 1.0 / bar.parts.len() as f64 };
            let ended = begun + share * (right - left);
            palette::filled(scene, (begun, y - 13.0), (ended, y + 13.0), palette::phase(name));
            inscribe(scene, (begun, ended), y, name, part);
            begun = ended;
        }
        scene.height += 38.0;
    }
}

/// Name and figure on a label of paper, as much as fits into the segment.
fn inscribe(scene: &mut Scene, (from, to): (f64, f64), y: f64, name: &str, part: &Estimate) {
    const PAD: f64 = 5.0;
    let (long, short) = (quantity::estimate(part, "ms"), quantity::value(part.value, "ms"));
    let words = [format!("{name} {long}"), format!("{name} {short}"), name.to_owned()];
    let fits = |words: &&String| text::width(words, PLAIN.size, false) + 4.0 * PAD <= to - from;
    let Some(words) = words.iter().find(fits) else { return };
    let half = text::width(words, PLAIN.size, false) / 2.0 + PAD;
    let middle = (from + to) / 2.0;
    scene.rect((middle - half, y - 9.0), (middle + half, y + 9.0), PAPER);
    scene.text((middle, y), Anchor::Middle, PLAIN, words.clone());
}

fn caption() -> String {
    "Each segment is the median length of one phase, the thin bracket at its end the interval of that median. \
     The diamond below a bar is the median of the whole start with its interval; medians of parts need not sum \
     to the median of the whole. Above, all bars share one scale; below, each has its own. What each phase is, \
     is said in the list of metrics."
        .to_owned()
}
