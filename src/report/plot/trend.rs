//! One figure over all its runs: values with their intervals, levels, changes, and where host or environment changed.

use super::axis::Axis;
use super::frame::{self, Heading, MARGIN, TICK, WIDTH};
use super::palette::{self, ALARM, GRID, INK, MUTED};
use super::scene::{Anchor, Font, Scene, Shape};
use super::{svg, text, thin};

const HIGH: f64 = 220.0;

/// More points than this cannot be told apart; a line of 10 000 runs is drawn by this many.
const POINTS: usize = 600;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The figure.
    pub title: String,
    /// How many runs, of when, where.
    pub subtitle: String,
    /// Its unit, as in the catalogue.
    pub unit: String,
    /// One a run, oldest first.
    pub points: Vec<Point>,
    /// Changes of level.
    pub changes: Vec<Step>,
    /// Places at which host, environment or program changed.
    pub moves: Vec<usize>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its value.
    pub value: f64,
    /// The value's interval.
    pub interval: Option<(f64, f64)>,
}

/// One change of level.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The place of the first run after it.
    pub at: usize,
    /// For the worse, for the better, unknown.
    pub worse: Option<bool>,
    /// `+20.1 %`.
    pub label: String,
}

/// The SVG; where there is no point it says so.
#[must_use]
pub fn draw(picture: &Picture) -> String {
    let scene = scene(picture);
    let description = format!(
        "{} runs, {} changes of level. {}",
        picture.points.len(),
        picture.changes.len(),
        picture.subtitle
    );
    svg::render(&frame::finish(scene), &picture.title, &description)
}

fn scene(picture: &Picture) -> Scene {
    let heading = Heading { title: picture.title.clone(), subtitle: picture.subtitle.clone(), alarm: None };
    let mut scene = frame::begin(&heading);
    let sound: Vec<(usize, Point)> =
        picture.points.iter().copied().enumerate().filter(|(_, point)| point.value.is_finite()).collect();
    if sound.is_empty() {
        scene.text((MARGIN, scene.height + 10.0), Anchor::Start, TICK, "no run has a value");
        scene.height += 24.0;
        return scene;
    }
    legend(&mut scene, picture);
    panel(&mut scene, picture, &sound);
    scene
}

fn legend(scene: &mut Scene, picture: &Picture) {
    let mut entries: Vec<(frame::Swatch<'_>, String)> = vec![(
        Box::new(|scene: &mut Scene, (x, y)| {
            scene.line((x, y - 6.0), (x, y + 6.0), MUTED, 1.0);
            palette::marker(scene, 0, (x, y), 2.8, 1.0);
        }),
        "median of a run with its interval".to_owned(),
    )];
    if !picture.changes.is_empty() {
        entries.push((
            Box::new(|scene: &mut Scene, (x, y)| scene.line((x, y - 8.0), (x, y + 8.0), ALARM, 2.0)),
            "change of level".to_owned(),
        ));
    }
    if !picture.moves.is_empty() {
        entries.push((
            Box::new(|scene: &mut Scene, (x, y)| {
                scene.dashed((x, y - 8.0), (x, y + 8.0), MUTED, 1.0, (3.0, 3.0))
            }),
            "host, environment or program changed".to_owned(),
        ));
    }
    frame::legend(scene, &entries);
}

fn panel(scene: &mut Scene, picture: &Picture, sound: &[(usize, Point)]) {
    // Room for the changes' labels above the panel.
    let top = scene.height + if picture.changes.is_empty() { 4.0 } else { 20.0 };
    let bottom = top + HIGH;
    let y = vertical(sound, (bottom, top));
    let ticks = y.ticks(&picture.unit);
    let widest = ticks.iter().map(|(_, name)| text::width(name, TICK.size, false)).fold(0.0, f64::max);
    let (left, right) = (MARGIN + widest + 10.0, WIDTH - MARGIN - 6.0);
    let last = picture.points.len().saturating_sub(1).max(1) as f64;
    let x = Axis::between(0.0, last, (left + 6.0, right - 6.0));
    for (value, name) in ticks {
        scene.line((left, y.at(value)), (right, y.at(value)), GRID, 1.0);
        scene.text((left - 8.0, y.at(value)), Anchor::End, TICK, name);
    }
    for place in &picture.moves {
        let at = x.at(*place as f64 - 0.5);
        scene.dashed((at, top), (at, bottom), MUTED, 1.0, (3.0, 3.0));
    }
    levels(scene, picture, &x, &y);
    values(scene, sound, &x, &y);
    steps(scene, picture, &x, (top, bottom), (left, right));
    scene.height = bottom + 6.0;
    frame::axis_title(scene, (left, right), scene.height + 8.0, "runs, oldest first");
    scene.height += 18.0;
}

/// Around all values and, as far as they do not dwarf these, their intervals.
fn vertical(sound: &[(usize, Point)], pixels: (f64, f64)) -> Axis {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (low, high) = range(&mut sound.iter().map(|(_, point)| point.value));
    let ends = sound
        .iter()
        .filter_map(|(_, point)| point.interval)
        .flat_map(|(a, b)| [a, b])
        .filter(|v| v.is_finite());
    let (far_low, far_high) = range(&mut ends.chain([low, high]));
    let room = (high - low).max(high.abs() * 0.01).max(f64::MIN_POSITIVE);
    let (low, high) = (far_low.max(low - room), far_high.min(high + room));
    Axis::between(low - room * 0.06, high + room * 0.06, pixels)
}

/// The median of each stretch between changes.
fn levels(scene: &mut Scene, picture: &Picture, x: &Axis, y: &Axis) {
    let ends = picture.changes.iter().map(|step| step.at).chain([picture.points.len()]);
    let mut from = 0;
    for to in ends {
        let mut values: Vec<f64> =
            picture.points.get(from..to).unwrap_or_default().iter().map(|point| point.value).collect();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        if let Some(level) = values.get(values.len() / 2) {
            let (a, b) = (x.at(from as f64 - 0.5), x.at(to as f64 - 0.5));
            scene.line((a, y.at(*level)), (b, y.at(*level)), INK, 1.5);
        }
        from = to;
    }
}

fn values(scene: &mut Scene, sound: &[(usize, Point)], x: &Axis, y: &Axis) {
    let radius = if sound.len() > 150 { 1.6 } else { 2.8 };
    for index in thin::indices(sound.len(), POINTS) {
        let (place, point) = sound[index];
        let at = x.at(place as f64);
        if let Some((low, high)) = point.interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            let points = vec![(at, y.at(low)), (at, y.at(high))];
            scene.shapes.push(Shape::Line { points, colour: MUTED, width: 1.0, opacity: 0.5 });
        }
        palette::marker(scene, 0, (at, y.at(point.value)), radius, 0.9);
    }
}

fn steps(
    scene: &mut Scene,
    picture: &Picture,
    x: &Axis,
    (top, bottom): (f64, f64),
    (left, right): (f64, f64),
) {
    let font = Font { size: 11.0, colour: ALARM, bold: true };
    let mut free_from = left;
    for step in &picture.changes {
        let at = x.at(step.at as f64 - 0.5);
        let colour = if step.worse == Some(false) { palette::colour(2) } else { ALARM };
        scene.line((at, top), (at, bottom), colour, 2.0);
        let half = text::width(&step.label, font.size, true) / 2.0 + 3.0;
        let centre = at.clamp(left + half, right - half);
        if centre - half < free_from {
            continue;
        }
        free_from = centre + half;
        scene.text((centre, top - 9.0), Anchor::Middle, Font { colour, ..font }, step.label.clone());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scene::flaws;
    use super::*;

    fn picture(values: &[f64], changes: &[usize]) -> Picture {
        Picture {
            title: "startup.ready of docker/start".into(),
            subtitle: "a machine".into(),
            unit: "ms".into(),
            points: values
                .iter()
                .map(|&value| Point { value, interval: Some((value * 0.9, value * 1.1)) })
                .collect(),
            changes: changes
                .iter()
                .map(|&at| Step { at, worse: Some(at % 2 == 0), label: format!("+{at}.0 %") })
                .collect(),
            moves: changes.to_vec(),
        }
    }

    #[test]
    fn odd_lines_are_drawn_and_no_text_lies_on_another() {
        let many: Vec<f64> = (0..10_000).map(|i| 100.0 + f64::from(i % 7)).collect();
        for (values, changes) in [
            (&[][..], &[][..]),
            (&[5.0], &[]),
            (&[0.0; 20], &[3, 4, 5, 6]),
            (&[f64::NAN, f64::INFINITY], &[1]),
            (&[1e-300, 1e300, -1e300], &[1, 2]),
            (&many[..], &[10, 5000, 9999]),
        ] {
            let picture = picture(values, changes);
            assert_eq!(flaws(&scene(&picture)), [] as [String; 0], "{} values", values.len());
            assert!(draw(&picture).ends_with("</svg>\n"));
        }
    }

    proptest! {
        #[test]
        fn any_line_is_drawn_inside_its_picture(values in proptest::collection::vec(-1e6..1e6f64, 1..60), at in 0..60usize) {
            let picture = picture(&values, &[at.min(values.len() - 1)]);
            prop_assert_eq!(flaws(&scene(&picture)), [] as [String; 0]);
        }
    }
}
