//! Latency of single disk operations: which share of them was done within a time, with the slow ones spread out.

use super::axis::Axis;
use super::frame::{self, Heading, MARGIN, PLAIN, TICK, WIDTH};
use super::palette::{self, GRID};
use super::scene::{Anchor, Font, Point, Scene, Shape};
use super::{Made, alarm, text};
use crate::analysis::Latency;
use crate::report::clean::clean_to;
use crate::report::quantity;
use crate::report::view::{Environment, View};

const HIGH: f64 = 230.0;
const GAP: f64 = 34.0;

/// Shares that have a line. A curve ends at the last of them, or before, where fewer than [`LEAST`] operations are left.
const SHARES: [f64; 5] = [0.0, 0.5, 0.9, 0.99, 0.999];
const LEAST: f64 = 5.0;

/// Points of one curve.
const STEPS: u32 = 120;

/// All operations of one environment in one workload.
struct Curve<'a> {
    environment: &'a Environment<'a>,
    latency: &'a Latency,
}

struct Panel<'a> {
    title: String,
    curves: Vec<Curve<'a>>,
}

pub(super) fn make(view: &View<'_>) -> Made {
    let panels = panels(view);
    if panels.is_empty() {
        return Err("no workload recorded the latency of single operations".to_owned());
    }
    let heading = Heading {
        title: "Disk latency".into(),
        subtitle: "Share of single operations that were done within a time; all measured blocks together"
            .into(),
        alarm: alarm(view),
    };
    let mut scene = frame::begin(&heading);
    legend(&mut scene, view, &panels);
    let wide = if panels.len() == 1 { WIDTH - 2.0 * MARGIN } else { (WIDTH - 2.0 * MARGIN - GAP) / 2.0 };
    for row in panels.chunks(2) {
        let top = scene.height;
        for (panel, left) in row.iter().zip([MARGIN, MARGIN + wide + GAP]) {
            scene.height = top;
            draw(&mut scene, panel, (left, left + wide));
        }
    }
    Ok((scene, caption(&panels)))
}

fn panels<'a>(view: &'a View<'a>) -> Vec<Panel<'a>> {
    let all = || view.summary.latencies.iter().filter(|latency| !latency.points.is_empty());
    let mut workloads: Vec<&str> = Vec::new();
    for latency in all() {
        if !workloads.contains(&latency.workload.as_str()) {
            workloads.push(&latency.workload);
        }
    }
    let panel = |workload: &str| {
        let of_it = |environment: &'a Environment<'a>| {
            let mut its = all()
                .filter(|one| environment.is(&one.environment, one.accelerator) && one.workload == workload);
            its.next().map(|latency| Curve { environment, latency })
        };
        let curves = view.environments.iter().filter_map(of_it).collect();
        Panel { title: clean_to(workload, 50).into_owned(), curves }
    };
    workloads.into_iter().map(panel).collect()
}

fn legend(scene: &mut Scene, view: &View<'_>, panels: &[Panel<'_>]) {
    let shown = |one: &&Environment<'_>| {
        panels.iter().any(|panel| panel.curves.iter().any(|curve| curve.environment.index == one.index))
    };
    let entry = |one: &Environment<'_>| {
        let index = one.index;
        let swatch = move |scene: &mut Scene, (x, y): Point| {
            scene.line((x - 9.0, y), (x + 9.0, y), palette::colour(index), 2.0);
            palette::marker(scene, index, (x, y), 3.6, 1.0);
        };
        let boxed: frame::Swatch<'_> = Box::new(swatch);
        (boxed, format!("{} ({})", one.name, one.what()))
    };
    let entries: Vec<_> = view.environments.iter().filter(shown).map(entry).collect();
    frame::legend(scene, &entries);
}

/// How high a share stands: each step of ten in what is left takes the same height.
fn height_of(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// The largest share of a curve that is worth drawing.
fn last_share(latency: &Latency) -> f64 {
    let resolved = 1.0 - LEAST / latency.operations.max(1) as f64;
    resolved.clamp(0.5, SHARES[4])
}

/// The smallest value that at least this share does not exceed.
fn quantile(latency: &Latency, share: f64) -> f64 {
    let reached = latency.points.iter().find(|point| point.quantile >= share);
    reached.or(latency.points.last()).map_or(0.0, |point| point.value)
}

fn draw(scene: &mut Scene, panel: &Panel<'_>, (from, to): Point) {
    let title = text::fitted(&panel.title, PLAIN.size, true, to - from);
    scene.text((from, scene.height + 8.0), Anchor::Start, Font { bold: true, ..PLAIN }, title);
    let (top, bottom) = (scene.height + 26.0, scene.height + 26.0 + HIGH);
    let left = from + text::width("99.9 %", TICK.size, false) + 10.0;
    let ends = panel.curves.iter().flat_map(|curve| {
        [quantile(curve.latency, 0.01), quantile(curve.latency, last_share(curve.latency))]
    });
    let x = Axis::log(ends, (left, to - 8.0));
    let highest = panel.curves.iter().map(|curve| height_of(last_share(curve.latency))).fold(0.5, f64::max);
    let y = Axis::between(0.0, highest * 1.04, (bottom, top));
    frame::grid(scene, &x, &x.ticks("ns"), (top, bottom));
    for share in SHARES.into_iter().filter(|share| y.holds(height_of(*share))) {
        let at = y.at(height_of(share));
        scene.line((left, at), (to - 8.0, at), GRID, 1.0);
        let name = format!("{} %", (share * 1000.0).round() / 10.0);
        scene.text((left - 8.0, at), Anchor::End, TICK, name);
    }
    for (i, curve) in panel.curves.iter().enumerate() {
        trace(scene, curve, i, &x, &y);
    }
    scene.height = bottom + 22.0;
    frame::axis_title(scene, (left, to), scene.height + 8.0, "latency of one operation (logarithmic)");
    scene.height += 36.0;
}

/// One curve with a few of its environment's marks, shifted from curve to curve so that they do not hide each other.
fn trace(scene: &mut Scene, curve: &Curve<'_>, shift: usize, x: &Axis, y: &Axis) {
    let last = height_of(last_share(curve.latency));
    let place = |step: f64| {
        let height = last * step / f64::from(STEPS);
        (x.at(quantile(curve.latency, 1.0 - 10_f64.powf(-height))), y.at(height))
    };
    let points = (0..=STEPS).map(|step| place(f64::from(step))).collect();
    let index = curve.environment.index;
    let colour = palette::colour(index);
    scene.shapes.push(Shape::Line { points, colour, width: 2.0, opacity: 0.9 });
    for mark in (0..5).map(|i| 8.0 + 24.0 * f64::from(i) + (shift * 5 % 20) as f64) {
        palette::marker(scene, index, place(mark.min(f64::from(STEPS))), 3.4, 1.0);
    }
}

fn caption(panels: &[Panel<'_>]) -> String {
    format!(
        "Further left is faster. Read across at 50 % for the median and at 99 % for the slowest in a hundred; each further step \
         upwards leaves a tenth of the operations. A curve ends at 99.9 %, or where fewer than {LEAST} operations are left. It is of {}, \
         timed inside by the agent; of more than 20 000 in a block it keeps one in 2, 4, 8, …, evenly.",
        operations(panels)
    )
}

/// `2000 to 2400 operations`.
fn operations(panels: &[Panel<'_>]) -> String {
    let counts = panels.iter().flat_map(|panel| panel.curves.iter().map(|curve| curve.latency.operations));
    let (least, most) = counts.fold((u64::MAX, 0), |(least, most), n| (least.min(n), most.max(n)));
    if least == most { quantity::counted(most, "operation") } else { format!("{least} to {most} operations") }
}
