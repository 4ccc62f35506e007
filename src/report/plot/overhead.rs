//! What work costs against native: dots with intervals, 1 is native, further right is worse.

use super::axis::Axis;
use super::frame::{self, Heading, Label, MARGIN, PLAIN, WIDTH};
use super::palette::{self, BAND, INK, MUTED};
use super::scene::{Anchor, Font, Point, Scene};
use super::{Made, alarm, text};
use crate::analysis::{Estimate, Missing, Ratio, Row};
use crate::measure::metric::Family;
use crate::report::clean::clean_to;
use crate::report::quantity;
use crate::report::view::{Environment, View, bigger_is_better};

const LINE: f64 = 16.0;
const PAD: f64 = 9.0;

/// One environment in one workload: a mark, or the word why there is none.
struct Mark {
    index: usize,
    slowdown: Option<Estimate>,
    said: String,
}

/// One workload: its marks in the left and in the right panel.
struct Group {
    label: Label,
    panels: [Vec<Mark>; 2],
}

impl Group {
    fn high(&self) -> f64 {
        let lines = self.panels.iter().map(Vec::len).max().unwrap_or(0);
        (LINE * lines as f64).max(26.0) + PAD
    }
}

/// What ends the names of the metrics of the two panels, and what these are called.
const PANELS: [(&str, &str); 2] =
    [(".rate", "time for the same work"), (".host-cpu", "CPU time on the host for the same work")];

pub(super) fn cpu(view: &View<'_>) -> Made {
    make(view, Family::Cpu)
}

pub(super) fn disk(view: &View<'_>) -> Made {
    make(view, Family::Disk)
}

fn make(view: &View<'_>, family: Family) -> Made {
    let Some(control) = view.control() else {
        return Err("there is no native environment to compare with".to_owned());
    };
    let groups: Vec<Group> =
        view.workloads(family).into_iter().filter_map(|id| group(view, family, id)).collect();
    let marks = || groups.iter().flat_map(|group| group.panels.iter().flatten());
    if marks().next().is_none() {
        return Err("no workload of this family was measured in an environment and natively".to_owned());
    }
    let what = if family == Family::Cpu { "CPU" } else { "Disk" };
    let heading = Heading {
        title: format!("{what}: slowdown against native"),
        subtitle: format!(
            "1× is {}; further right is worse. Ratios inside blocks, with 95 % intervals; {}",
            control.name,
            quantity::counted(u64::from(view.summary.blocks), "block")
        ),
        alarm: alarm(view),
    };
    let mut scene = frame::begin(&heading);
    legend(&mut scene, view, &groups);
    panels(&mut scene, &groups);
    Ok((scene, caption()))
}

fn group(view: &View<'_>, family: Family, workload: &str) -> Option<Group> {
    let prefix = view.summary.rows.iter().find_map(|row| {
        let metric = crate::measure::metric::find(&row.metric).filter(|metric| metric.family == family)?;
        metric.name.strip_suffix(".rate").filter(|_| row.workload == workload)
    })?;
    let panels = PANELS.map(|(end, _)| {
        let metric = format!("{prefix}{end}");
        let marks = view.others().filter_map(|one| Some(mark(one, view.row(one, workload, &metric)?)));
        marks.collect::<Vec<_>>()
    });
    let name = clean_to(workload, 40).into_owned();
    let label = Label { name, detail: String::new() };
    panels.iter().any(|marks| !marks.is_empty()).then_some(Group { label, panels })
}

fn mark(environment: &Environment<'_>, row: &Row) -> Mark {
    let sound = |e: &Estimate| e.value.is_finite() && e.value > 0.0;
    let slowdown =
        row.ratio.stated().filter(sound).map(|r| quantity::slowdown(&r, bigger_is_better(&row.metric)));
    let said = match (&slowdown, &row.ratio) {
        (Some(slowdown), _) => quantity::ratio(slowdown),
        (None, Ratio::Missing(Missing::Withheld | Missing::Unlike)) => "withheld".to_owned(),
        (None, Ratio::Missing(Missing::Zero)) => "a value is zero".to_owned(),
        (None, _) => "no pair".to_owned(),
    };
    let failed = if row.failures() > 0 { format!(", {} failed", row.failures()) } else { String::new() };
    Mark { index: environment.index, slowdown, said: said + &failed }
}

fn legend(scene: &mut Scene, view: &View<'_>, groups: &[Group]) {
    let shown = |one: &&Environment<'_>| {
        groups.iter().any(|group| group.panels.iter().flatten().any(|mark| mark.index == one.index))
    };
    let entry = |one: &Environment<'_>| {
        let index = one.index;
        let swatch: frame::Swatch<'_> =
            Box::new(move |scene, at| palette::marker(scene, index, at, 5.0, 1.0));
        (swatch, format!("{} ({})", one.name, one.what()))
    };
    let entries: Vec<_> = view.others().filter(shown).map(entry).collect();
    frame::legend(scene, &entries);
}

/// Where one panel's axis and its column of figures are.
struct Panel {
    axis: Axis,
    figures: f64,
    column: f64,
}

fn panels(scene: &mut Scene, groups: &[Group]) {
    let labels: Vec<Label> = groups.iter().map(|group| group.label.clone()).collect();
    let left = MARGIN + frame::column(&labels) + 14.0;
    let half = (WIDTH - MARGIN - left - 24.0) / 2.0;
    let panels = [0, 1].map(|which| panel(groups, which, (left + (half + 24.0) * which as f64, half)));
    for (panel, (_, name)) in panels.iter().zip(PANELS) {
        let x = panel.axis.first();
        scene.text((x, scene.height + 8.0), Anchor::Start, Font { bold: true, ..PLAIN }, name);
    }
    scene.height += 20.0;
    let (top, bottom) = (scene.height, scene.height + groups.iter().map(Group::high).sum::<f64>());
    bands(scene, groups, top);
    for panel in &panels {
        frame::grid(scene, &panel.axis, &panel.axis.ratio_ticks(), (top, bottom));
        let native = panel.axis.at(1.0);
        scene.dashed((native, top), (native, bottom), INK, 1.2, (4.0, 3.0));
    }
    for group in groups {
        frame::label(scene, &group.label, left - 14.0, scene.height + group.high() / 2.0);
        for (panel, marks) in panels.iter().zip(&group.panels) {
            let first = scene.height + group.high() / 2.0 - LINE * (marks.len() as f64 - 1.0) / 2.0;
            for (mark, y) in marks.iter().zip((0..).map(|i| first + LINE * f64::from(i))) {
                draw(scene, panel, mark, y);
            }
        }
        scene.height += group.high();
    }
    scene.height = bottom + 22.0;
    for panel in &panels {
        let ends = (panel.axis.first(), panel.axis.last());
        frame::axis_title(scene, ends, scene.height + 8.0, "× native (logarithmic)");
    }
    scene.height += 18.0;
}

fn bands(scene: &mut Scene, groups: &[Group], top: f64) {
    let mut y = top;
    for (i, group) in groups.iter().enumerate() {
        if i % 2 == 0 {
            scene.rect((MARGIN, y), (WIDTH - MARGIN, y + group.high()), BAND);
        }
        y += group.high();
    }
}

fn panel(groups: &[Group], which: usize, (left, wide): Point) -> Panel {
    let marks = || groups.iter().flat_map(move |group| &group.panels[which]);
    let column = marks().map(|mark| text::width(&mark.said, PLAIN.size, false)).fold(0.0, f64::max);
    let column = (column + 1.0).min(wide * 0.6);
    let figures = left + wide - column;
    let ends = marks().filter_map(|mark| mark.slowdown).flat_map(|s| {
        let interval = s.interval.map_or([s.value; 2], |i| [i.low, i.high]);
        [s.value, interval[0], interval[1]]
    });
    Panel { axis: Axis::log(ends.chain([1.0]), (left, figures - 12.0)), figures, column }
}

fn draw(scene: &mut Scene, panel: &Panel, mark: &Mark, y: f64) {
    let font = if mark.slowdown.is_some() { PLAIN } else { Font { colour: MUTED, ..PLAIN } };
    let most = panel.column;
    scene.text((panel.figures, y), Anchor::Start, font, text::fitted(&mark.said, PLAIN.size, false, most));
    let Some(slowdown) = mark.slowdown else { return };
    if let Some(interval) = slowdown.interval {
        let ends = (panel.axis.at(interval.low), panel.axis.at(interval.high));
        scene.whisker(ends, y, 3.0, palette::colour(mark.index));
    }
    palette::marker(scene, mark.index, (panel.axis.at(slowdown.value), y), 4.2, 1.0);
}

fn caption() -> String {
    "Each mark is how many times as long (left) and how many times as much CPU time of the host (right) the same work took as \
     natively. On the left it is 1 divided by the ratio of the rates, so that 2× means half the work per second. The ratio is \
     the Hodges-Lehmann estimate over blocks that have both values, the bar its 95 % interval. A ratio is withheld where the \
     sizes seen from inside differ."
        .to_owned()
}
