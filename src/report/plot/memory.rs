//! Memory of instance and engine's share from the moment an instance is ready, over the time since it was asked for.

use super::axis::Axis;
use super::frame::{self, Heading, MARGIN, TICK, WIDTH};
use super::palette::{self, GRID};
use super::scene::{Anchor, Scene, Shape};
use super::{Made, alarm, text, thin};
use crate::journal::Timeline;
use crate::plan::Role;
use crate::report::view::{Environment, View};

const HIGH: f64 = 330.0;

/// Cells of one environment that are drawn at most, and points of one cell.
const CELLS: usize = 5;
const POINTS: usize = 300;

/// From this ratio of largest to smallest on, the axis is logarithmic.
const WIDE: f64 = 15.0;

struct Line<'a> {
    environment: &'a Environment<'a>,
    /// The one of its environment that is drawn strongly: of median length.
    typical: bool,
    resident: Vec<(f64, f64)>,
    pss: Vec<(f64, f64)>,
}

pub(super) fn make(view: &View<'_>) -> Made {
    let lines = lines(view);
    if lines.is_empty() {
        return Err("no cell has a time line".to_owned());
    }
    let heading = Heading {
        title: "Memory over time".into(),
        subtitle: format!(
            "Instance and engine's share together, from its being ready to the end of its work; {}",
            blocks(&lines)
        ),
        alarm: alarm(view),
    };
    let mut scene = frame::begin(&heading);
    legend(&mut scene, view, &lines);
    panel(&mut scene, &lines);
    Ok((scene, caption()))
}

fn blocks(lines: &[Line<'_>]) -> String {
    let most =
        (0..).zip(lines).fold(std::collections::BTreeMap::<usize, u32>::new(), |mut all, (_, line)| {
            *all.entry(line.environment.index).or_default() += 1;
            all
        });
    format!("up to {} cells of each environment", most.values().max().copied().unwrap_or(0))
}

fn lines<'a>(view: &'a View<'a>) -> Vec<Line<'a>> {
    let mut all = Vec::new();
    for environment in &view.environments {
        let of_it = |timeline: &&Timeline| {
            environment.is(&timeline.environment, timeline.accelerator)
                && view.role(timeline.block, false) == Role::Measured
        };
        let mut cells: Vec<&Timeline> = view.run.timelines.iter().filter(of_it).collect();
        cells.sort_by(|a, b| length(a).total_cmp(&length(b)));
        let chosen = thin::indices(cells.len(), CELLS);
        let middle = chosen.len().saturating_sub(1) / 2;
        let lines =
            chosen.iter().enumerate().filter_map(|(i, cell)| line(environment, cells[*cell], i == middle));
        all.extend(lines);
    }
    // Those that stand out lie on top.
    all.sort_by_key(|line| line.typical);
    all
}

fn length(timeline: &Timeline) -> f64 {
    timeline.points.last().map_or(0.0, |point| point.at_ms)
}

fn line<'a>(environment: &'a Environment<'a>, timeline: &Timeline, typical: bool) -> Option<Line<'a>> {
    let sound = timeline.points.iter().filter(|point| point.at_ms.is_finite() && point.at_ms >= 0.0);
    let resident: Vec<_> = sound.clone().map(|point| (point.at_ms, point.resident_bytes as f64)).collect();
    let pss: Vec<_> = sound.filter_map(|point| Some((point.at_ms, point.pss_bytes? as f64))).collect();
    let (resident, pss) = (thin::peaks(&resident, POINTS), thin::peaks(&pss, POINTS / 4));
    let line = Line { environment, typical, resident, pss };
    (!line.resident.is_empty()).then_some(line)
}

fn legend(scene: &mut Scene, view: &View<'_>, lines: &[Line<'_>]) {
    let shown =
        view.environments.iter().filter(|one| lines.iter().any(|line| line.environment.index == one.index));
    let entry = |one: &Environment<'_>| {
        let index = one.index;
        let swatch = move |scene: &mut Scene, (x, y): (f64, f64)| {
            scene.line((x - 9.0, y), (x + 9.0, y), palette::colour(index), 2.0);
            palette::marker(scene, index, (x, y), 3.6, 1.0);
        };
        let boxed: frame::Swatch<'_> = Box::new(swatch);
        (boxed, format!("{} ({})", one.name, one.what()))
    };
    let entries: Vec<_> = shown.map(entry).collect();
    frame::legend(scene, &entries);
}

fn panel(scene: &mut Scene, lines: &[Line<'_>]) {
    let values =
        || lines.iter().flat_map(|line| line.resident.iter().chain(&line.pss)).map(|(_, bytes)| *bytes);
    let above_zero = values().filter(|bytes| *bytes > 0.0);
    let (low, high) = above_zero.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let (top, bottom) = (scene.height + 4.0, scene.height + 4.0 + HIGH);
    let logarithmic = high / low > WIDE;
    let y = if logarithmic {
        Axis::log(values(), (bottom, top))
    } else {
        Axis::from_zero(values(), (bottom, top))
    };
    let ticks = y.ticks("bytes");
    let widest = ticks.iter().map(|(_, name)| text::width(name, TICK.size, false)).fold(0.0, f64::max);
    let (left, right) = (MARGIN + widest + 10.0, WIDTH - MARGIN - 6.0);
    let moments = lines.iter().flat_map(|line| line.resident.iter().map(|(at, _)| *at));
    let x = Axis::from_zero(moments, (left, right));
    frame::grid(scene, &x, &x.ticks("ms"), (top, bottom));
    for (value, name) in ticks {
        scene.line((left, y.at(value)), (right, y.at(value)), GRID, 1.0);
        scene.text((left - 8.0, y.at(value)), Anchor::End, TICK, name);
    }
    for line in lines {
        curve(scene, line, &x, &y);
    }
    scene.height = bottom + 22.0;
    let scale = if logarithmic { "; memory on a logarithmic scale" } else { "" };
    let words = format!("time since the instance was asked for{scale}");
    frame::axis_title(scene, (left, right), scene.height + 8.0, &words);
    scene.height += 18.0;
}

fn curve(scene: &mut Scene, line: &Line<'_>, x: &Axis, y: &Axis) {
    let index = line.environment.index;
    let place = |(at, bytes): &(f64, f64)| (x.at(*at), y.at(*bytes));
    let points: Vec<_> = line.resident.iter().map(place).collect();
    if points.len() > 1 {
        let colour = palette::colour(index);
        let (width, opacity) = if line.typical { (2.0, 1.0) } else { (1.2, 0.35) };
        scene.shapes.push(Shape::Line { points, colour, width, opacity });
    } else {
        points.iter().for_each(|point| palette::marker(scene, index, *point, 2.0, 0.7));
    }
    if line.typical {
        line.pss.iter().map(place).for_each(|point| palette::marker(scene, index, point, 3.4, 1.0));
    }
}

fn caption() -> String {
    "Lines: resident memory of all processes of the instance and of its engine's share, read at 10 Hz or better; pages that \
     processes share are in each of them. Marks: proportional memory (PSS) of the same, in which a shared page counts once. \
     One line is one cell of a measured block; the cell of median length is drawn strongly, with its marks."
        .to_owned()
}
