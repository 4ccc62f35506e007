//! A picture as a list of shapes, before any file format.
//!
//! Layout works on this list alone, so a test can ask of any picture what no reader should meet: text that is cut off or
//! that lies on other text.

#[cfg(test)]
use super::text;

/// A point in the picture: pixels from the left, pixels from the top.
pub(super) type Point = (f64, f64);

/// Which end of a text its position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A filled rectangle from its upper left to its lower right corner.
    Rect { from: Point, to: Point, fill: Colour },
    /// A path of straight lines.
    Line { points: Vec<Point>, colour: Colour, width: f64, opacity: f64 },
    /// A filled polygon.
    Polygon { points: Vec<Point>, fill: Colour, opacity: f64 },
    /// A filled circle.
    Circle { centre: Point, radius: f64, fill: Colour, opacity: f64 },
    /// A line of text, centred on its height.
    Text { at: Point, anchor: Anchor, size: f64, colour: Colour, bold: bool, text: String },
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    /// Pixels.
    pub width: f64,
    /// Pixels; grows as rows are added.
    pub height: f64,
    /// In the order they are drawn.
    pub shapes: Vec<Shape>,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Font {
    pub size: f64,
    pub colour: Colour,
    pub bold: bool,
}

impl Scene {
    pub(super) fn new(width: f64) -> Self {
        Self { width, height: 0.0, shapes: Vec::new() }
    }

    pub(super) fn text(&mut self, at: Point, anchor: Anchor, font: Font, text: impl Into<String>) {
        let Font { size, colour, bold } = font;
        self.shapes.push(Shape::Text { at, anchor, size, colour, bold, text: text.into() });
    }

    pub(super) fn rect(&mut self, from: Point, to: Point, fill: Colour) {
        self.shapes.push(Shape::Rect { from, to, fill });
    }

    pub(super) fn line(&mut self, from: Point, to: Point, colour: Colour, width: f64) {
        self.shapes.push(Shape::Line { points: vec![from, to], colour, width, opacity: 1.0 });
    }

    /// A line of dashes of `on` pixels with gaps of `off`.
    pub(super) fn dashed(&mut self, from: Point, to: Point, colour: Colour, width: f64, (on, off): Point) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |d: f64| {
            let share = if length > 0.0 { (d / length).min(1.0) } else { 0.0 };
            (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
        };
        let mut begun = 0.0;
        while begun < length {
            self.line(at(begun), at(begun + on), colour, width);
            begun += (on + off).max(1.0);
        }
    }

    /// A confidence interval lying on its side: a line with two ends.
    pub(super) fn whisker(&mut self, (low, high): Point, y: f64, half: f64, colour: Colour) {
        self.line((low, y), (high, y), colour, 1.5);
        self.line((low, y - half), (low, y + half), colour, 1.5);
        self.line((high, y - half), (high, y + half), colour, 1.5);
    }
}

/// The box a text takes, as `(left, top, right, bottom)`.
#[cfg(test)]
pub(super) fn text_box(shape: &Shape) -> Option<(f64, f64, f64, f64)> {
    let Shape::Text { at: (x, y), anchor, size, bold, text, .. } = shape else { return None };
    let wide = text::width(text, *size, *bold);
    let left = match anchor {
        Anchor::Start => *x,
        Anchor::Middle => x - wide / 2.0,
        Anchor::End => x - wide,
    };
    Some((left, y - size * 0.5, left + wide, y + size * 0.5))
}

/// What a reader should never meet in a picture: text outside of it, text on text.
#[cfg(test)]
pub(super) fn flaws(scene: &Scene) -> Vec<String> {
    let texts: Vec<_> = scene.shapes.iter().filter_map(|s| Some((text_box(s)?, s))).collect();
    let name =
        |shape: &Shape| if let Shape::Text { text, .. } = shape { text.clone() } else { String::new() };
    let mut found = Vec::new();
    for (i, ((left, top, right, bottom), shape)) in texts.iter().enumerate() {
        if *left < 0.0 || *top < 0.0 || *right > scene.width || *bottom > scene.height {
            found.push(format!("cut off: {}", name(shape)));
        }
        for ((l, t, r, b), other) in &texts[i + 1..] {
            if left < r && l < right && top < b && t < bottom {
                found.push(format!("{} lies on {}", name(shape), name(other)));
            }
        }
    }
    found
}
