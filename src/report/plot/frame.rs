//! What all pictures share: heading, legend, rows with labels, an axis with its grid.

use super::axis::{Axis, Tick};
use super::palette::{ALARM, GRID, INK, MUTED, PAPER};
use super::scene::{Anchor, Font, Point, Scene};
use super::text;

/// Pixels around everything.
pub(super) const MARGIN: f64 = 16.0;

/// Every picture's width.
pub(super) const WIDTH: f64 = 920.0;

/// The widest that the column of labels becomes.
const WIDEST_LABELS: f64 = 230.0;

pub(super) const LABEL: Font = Font { size: 12.5, colour: INK, bold: true };
pub(super) const DETAIL: Font = Font { size: 11.0, colour: MUTED, bold: false };
pub(super) const TICK: Font = Font { size: 11.0, colour: MUTED, bold: false };
pub(super) const PLAIN: Font = Font { size: 11.5, colour: INK, bold: false };
const TITLE: Font = Font { size: 16.0, colour: INK, bold: true };
const SUBTITLE: Font = Font { size: 12.0, colour: MUTED, bold: false };
const WARNING: Font = Font { size: 12.0, colour: ALARM, bold: true };

/// Title, lines below it, and a warning that must travel with the picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Heading {
    pub title: String,
    pub subtitle: String,
    pub alarm: Option<String>,
}

/// A picture with its heading drawn; rows are added below [`Scene::height`].
pub(super) fn begin(heading: &Heading) -> Scene {
    let mut scene = Scene::new(WIDTH);
    scene.height = MARGIN;
    lines(&mut scene, &heading.title, TITLE, 24.0);
    lines(&mut scene, &heading.subtitle, SUBTITLE, 17.0);
    if let Some(alarm) = &heading.alarm {
        lines(&mut scene, alarm, WARNING, 18.0);
    }
    scene.height += 6.0;
    scene
}

fn lines(scene: &mut Scene, words: &str, font: Font, high: f64) {
    // Bold is wider than what the wrapping measures.
    let most = (WIDTH - 2.0 * MARGIN) * if font.bold { 0.92 } else { 1.0 };
    for line in text::wrapped(words, font.size, most) {
        scene.text((MARGIN, scene.height + high / 2.0), Anchor::Start, font, line);
        scene.height += high;
    }
}

/// The picture on its paper, with a margin below.
pub(super) fn finish(mut scene: Scene) -> Scene {
    scene.height += MARGIN;
    let paper = super::scene::Shape::Rect { from: (0.0, 0.0), to: (scene.width, scene.height), fill: PAPER };
    scene.shapes.insert(0, paper);
    scene
}

/// What draws the small picture beside a legend's text, centred at a point.
pub(super) type Swatch<'a> = Box<dyn Fn(&mut Scene, Point) + 'a>;

/// A legend that flows into as many lines as it needs.
pub(super) fn legend(scene: &mut Scene, entries: &[(Swatch<'_>, String)]) {
    const SWATCH: f64 = 22.0;
    const GAP: f64 = 20.0;
    const HIGH: f64 = 20.0;
    let (left, right) = (MARGIN, WIDTH - MARGIN);
    let mut x = left;
    for (swatch, name) in entries {
        let name = text::fitted(name, PLAIN.size, false, right - left - SWATCH);
        let wide = SWATCH + text::width(&name, PLAIN.size, false);
        if x > left && x + wide > right {
            (x, scene.height) = (left, scene.height + HIGH);
        }
        let y = scene.height + HIGH / 2.0;
        swatch(scene, (x + SWATCH / 2.0 - 3.0, y));
        scene.text((x + SWATCH, y), Anchor::Start, PLAIN, name);
        x += wide + GAP;
    }
    if !entries.is_empty() {
        scene.height += HIGH + 6.0;
    }
}

/// A row's label: a name and a smaller line below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub name: String,
    pub detail: String,
}

/// The width of the column that holds these labels.
pub(super) fn column(labels: &[Label]) -> f64 {
    let wide = |label: &Label| {
        let name = text::width(&label.name, LABEL.size, true);
        name.max(text::width(&label.detail, DETAIL.size, false))
    };
    labels.iter().map(wide).fold(40.0, f64::max).min(WIDEST_LABELS)
}

/// Draws a label right-aligned at `right`, centred at `y`.
pub(super) fn label(scene: &mut Scene, label: &Label, right: f64, y: f64) {
    let name = text::fitted(&label.name, LABEL.size, true, WIDEST_LABELS);
    let up = if label.detail.is_empty() { 0.0 } else { 7.5 };
    scene.text((right, y - up), Anchor::End, LABEL, name);
    if up > 0.0 {
        let detail = text::fitted(&label.detail, DETAIL.size, false, WIDEST_LABELS);
        scene.text((right, y + 7.5), Anchor::End, DETAIL, detail);
    }
}

/// Upright grid lines from `top` to `bottom` with their labels below; labels that would meet are left out.
pub(super) fn grid(scene: &mut Scene, axis: &Axis, ticks: &[Tick], (top, bottom): (f64, f64)) {
    let mut free_from = f64::NEG_INFINITY;
    for (value, name) in ticks {
        let x = axis.at(*value);
        scene.line((x, top), (x, bottom), GRID, 1.0);
        let half = text::width(name, TICK.size, false) / 2.0;
        if x - half < free_from || x - half < 0.0 || x + half > WIDTH {
            continue;
        }
        free_from = x + half + 8.0;
        scene.text((x, bottom + 11.0), Anchor::Middle, TICK, name.clone());
    }
}

/// An axis' title, centred between two pixels.
pub(super) fn axis_title(scene: &mut Scene, (from, to): (f64, f64), y: f64, words: &str) {
    let most = to - from + 60.0;
    for (i, line) in (0..).zip(text::wrapped(words, PLAIN.size, most)) {
        scene.text(((from + to) / 2.0, y + f64::from(i) * 15.0), Anchor::Middle, PLAIN, line);
    }
}
