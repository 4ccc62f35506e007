//! An SVG of ours as PNG: the same layout, the same font, by resvg.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, Tree, fontdb};

use super::text;

/// Pixels of the PNG for one of the SVG: sharp on a screen with a dense display and on paper.
const ZOOM: f32 = 2.0;

/// Why a picture could not be made; it is a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("a picture could not be turned into PNG: {0}; the SVG beside it has the same content")]
pub struct PngError(String);

/// The bytes of the PNG.
///
/// # Errors
/// A text that is not SVG, or one of no size.
pub(super) fn render(svg: &str) -> Result<Vec<u8>, PngError> {
    let tree = parse(svg)?;
    let size = tree.size();
    let (wide, high) = ((size.width() * ZOOM).ceil() as u32, (size.height() * ZOOM).ceil() as u32);
    let mut pixels = Pixmap::new(wide, high).ok_or_else(|| PngError(format!("{wide} × {high} pixels")))?;
    resvg::render(&tree, Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| PngError(e.to_string()))
}

pub(super) fn parse(svg: &str) -> Result<Tree, PngError> {
    let options =
        usvg::Options { fontdb: fonts(), font_family: "Noto Sans".to_owned(), ..usvg::Options::default() };
    Tree::from_str(svg, &options).map_err(|e| PngError(e.to_string()))
}

/// Our font and no other: a picture is the same on every machine.
fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut all = fontdb::Database::new();
        text::FONTS.iter().for_each(|bytes| all.load_font_data(bytes.to_vec()));
        Arc::new(all)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// How wide a text is when it is drawn.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    use super::scene::{Anchor, Font, Scene};
    let mut scene = Scene { width: 4000.0, height: 400.0, shapes: Vec::new() };
    scene.text((100.0, 100.0), Anchor::Start, Font { size, colour: (0, 0, 0), bold }, text);
    let tree = parse(&super::svg::render(&scene, "", "")).unwrap();
    // Ink, which lacks the side bearings; two bars at the ends would count them.
    f64::from(tree.root().abs_bounding_box().width())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::report::plot::scene::{Anchor, Font, Scene};

    #[test]
    fn a_scene_becomes_a_png_of_twice_its_size_with_text_in_it() {
        let mut scene = Scene { width: 60.0, height: 30.0, shapes: Vec::new() };
        scene.rect((0.0, 0.0), (60.0, 30.0), (255, 255, 255));
        scene.text((30.0, 15.0), Anchor::Middle, Font { size: 20.0, colour: (0, 0, 0), bold: false }, "ms");
        let bytes = render(&super::super::svg::render(&scene, "a & b", "<>")).unwrap();
        let picture = Pixmap::decode_png(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (120, 60));
        let dark = picture.pixels().iter().filter(|p| p.red() < 100).count();
        assert!(dark > 100, "{dark} dark pixels");
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(render("<svg").is_err());
    }
}
