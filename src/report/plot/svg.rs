//! A scene as SVG, drawn by plotters.
//!
//! plotters places everything on whole pixels. The picture is drawn [`FINE`] times as large and the view box scales it
//! back, so that places are fractions of a pixel.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

use super::scene::{Anchor, Colour, Point, Scene, Shape};
use super::text;

const FINE: f64 = 8.0;

/// plotters' size of a font, for a size in em.
const EM: f64 = 1.24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The file's text. `title` and `description` are for those who do not see the picture.
pub(super) fn render(scene: &Scene, title: &str, description: &str) -> String {
    text::register();
    let size = (whole(scene.width * FINE), whole(scene.height * FINE));
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        for shape in &scene.shapes {
            // Drawing into a string cannot fail; a text without its font, which a test rules out, is left out.
            let _ = draw(&area, shape);
        }
        let _ = area.present();
    }
    let body = drawn.split_once(">\n").map_or("", |(_, body)| body);
    header(scene, size, title, description) + body
}

fn whole(pixels: f64) -> u32 {
    pixels.round().max(1.0) as u32
}

fn header(scene: &Scene, (wide, high): (u32, u32), title: &str, description: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{:.0}\" height=\"{:.0}\" viewBox=\"0 0 {wide} {high}\">\n\
         <title>{}</title>\n<desc>{}</desc>\n",
        scene.width,
        scene.height,
        escaped(title),
        escaped(description)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn draw(area: &Area<'_>, shape: &Shape) -> Drawn {
    match shape {
        Shape::Rect { from, to, fill } => {
            area.draw(&Rectangle::new([pixel(*from), pixel(*to)], rgb(*fill).filled()))
        }
        Shape::Line { points, colour, width, opacity } => {
            let style = ShapeStyle::from(rgb(*colour).mix(*opacity)).stroke_width(whole(width * FINE));
            area.draw(&PathElement::new(pixels(points), style))
        }
        Shape::Polygon { points, fill, opacity } => {
            area.draw(&Polygon::new(pixels(points), rgb(*fill).mix(*opacity).filled()))
        }
        Shape::Circle { centre, radius, fill, opacity } => {
            let style = rgb(*fill).mix(*opacity).filled();
            area.draw(&Circle::new(pixel(*centre), whole(radius * FINE), style))
        }
        Shape::Text { at, anchor, size, colour, bold, text } => {
            let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let font = FontDesc::new(FontFamily::Name(text::FAMILY), size * EM * FINE, style);
            let colour = rgb(*colour);
            let style = TextStyle::from(font).color(&colour).pos(Pos::new(h_pos(*anchor), VPos::Center));
            area.draw(&Text::new(text.as_str(), pixel(*at), style))
        }
    }
}

fn h_pos(anchor: Anchor) -> HPos {
    match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    }
}

fn rgb((red, green, blue): Colour) -> RGBColor {
    RGBColor(red, green, blue)
}

fn pixel((x, y): Point) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

fn pixels(points: &[Point]) -> Vec<(i32, i32)> {
    points.iter().map(|point| pixel(*point)).collect()
}
