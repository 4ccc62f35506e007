//! Colours and what tells shapes apart where colours do not.
//!
//! Okabe and Ito's colours, told apart by readers with any of the usual kinds of colour vision, without the yellow, which
//! is too light on white. After the last one they begin again, with another marker.

use super::scene::{Colour, Point, Scene, Shape};

pub(super) const INK: Colour = (0x1a, 0x1a, 0x1a);
pub(super) const MUTED: Colour = (0x59, 0x59, 0x59);
pub(super) const GRID: Colour = (0xdd, 0xdd, 0xdd);
pub(super) const PAPER: Colour = (0xff, 0xff, 0xff);
pub(super) const BAND: Colour = (0xf6, 0xf6, 0xf6);
pub(super) const ALARM: Colour = (0xa3, 0x3b, 0x00);

const COLOURS: [Colour; 7] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xe6, 0x9f, 0x00),
    (0x56, 0xb4, 0xe9),
    (0x4d, 0x4d, 0x4d),
];

/// The colour of the environment with that index.
pub(super) fn colour(index: usize) -> Colour {
    COLOURS[index % COLOURS.len()]
}

/// The shape of the environment with that index: neighbours differ, and so do those of one colour (7 and 4 have no
/// common divisor).
pub(super) fn marker(scene: &mut Scene, index: usize, (x, y): Point, radius: f64, opacity: f64) {
    let fill = colour(index);
    let polygon = |corners: &[Point]| Shape::Polygon {
        points: corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect(),
        fill,
        opacity,
    };
    scene.shapes.push(match index % 4 {
        0 => Shape::Circle { centre: (x, y), radius, fill, opacity },
        1 => polygon(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]),
        2 => polygon(&[(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)]),
        _ => polygon(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
    });
}

/// The look of one phase of a start: a colour and a hatching.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub fill: Colour,
    pub hatch: Hatch,
}

/// Lines over a filled rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hatch {
    None,
    Rising,
    Falling,
    Upright,
    Level,
}

/// The look of a phase of a start, by its name: the same in every picture.
pub(super) fn phase(name: &str) -> Look {
    let (index, hatch) = match name {
        "exec" => (3, Hatch::None),
        "create" => (5, Hatch::Falling),
        "engine" => (1, Hatch::None),
        "vmm" => (4, Hatch::Rising),
        "firmware" => (2, Hatch::Upright),
        "boot" => (0, Hatch::Falling),
        "kernel" => (0, Hatch::None),
        "agent" => (6, Hatch::Level),
        _ => (3, Hatch::Rising),
    };
    Look { fill: COLOURS[index], hatch }
}

/// A rectangle of that look.
pub(super) fn filled(scene: &mut Scene, from: Point, to: Point, look: Look) {
    scene.rect(from, to, look.fill);
    hatch(scene, from, to, look.hatch);
}

const STEP: f64 = 6.0;

fn hatch(scene: &mut Scene, from: Point, to: Point, hatch: Hatch) {
    let (wide, high) = (to.0 - from.0, to.1 - from.1);
    let mut stroke = |a: Point, b: Point| {
        let (points, colour) = (vec![a, b], PAPER);
        scene.shapes.push(Shape::Line { points, colour, width: 1.0, opacity: 0.55 });
    };
    let steps = |length: f64| (0..).map(|i| STEP * (f64::from(i) + 0.5)).take_while(move |d| *d < length);
    match hatch {
        Hatch::None => {}
        Hatch::Upright => steps(wide).for_each(|d| stroke((from.0 + d, from.1), (from.0 + d, to.1))),
        Hatch::Level => steps(high).for_each(|d| stroke((from.0, from.1 + d), (to.0, from.1 + d))),
        Hatch::Falling | Hatch::Rising => steps(wide + high).for_each(|d| {
            // The diagonal that meets the upper edge, drawn on to the right, at `d`; clipped to the rectangle.
            let (a, b) = ((d.min(wide), (d - wide).max(0.0)), ((d - high).max(0.0), d.min(high)));
            let place = |(x, y): Point| match hatch {
                Hatch::Rising => (from.0 + x, from.1 + y),
                _ => (to.0 - x, from.1 + y),
            };
            stroke(place(a), place(b));
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hatching_stays_inside_its_rectangle() {
        for kind in [Hatch::Rising, Hatch::Falling, Hatch::Upright, Hatch::Level] {
            let mut scene = Scene::new(100.0);
            hatch(&mut scene, (10.0, 20.0), (47.0, 33.0), kind);
            assert!(!scene.shapes.is_empty());
            for shape in &scene.shapes {
                let Shape::Line { points, .. } = shape else { panic!("only lines") };
                let inside = |(x, y): &Point| (10.0..=47.0).contains(x) && (20.0..=33.0).contains(y);
                assert!(points.iter().all(inside), "{kind:?} {points:?}");
            }
        }
    }

    #[test]
    fn twelve_environments_look_different() {
        let looks: Vec<_> = (0..12)
            .map(|i| {
                let mut scene = Scene::new(10.0);
                marker(&mut scene, i, (5.0, 5.0), 2.0, 1.0);
                scene.shapes
            })
            .collect();
        for (i, one) in looks.iter().enumerate() {
            assert!(!looks[i + 1..].contains(one), "{i}");
        }
    }
}
