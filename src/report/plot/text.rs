//! How wide a text is, in the font that pictures are drawn with.
//!
//! The font is Noto Sans (SIL Open Font License), as the crate `notosans` brings it. An SVG names it first, then what
//! looks alike; who has none of these sees their own sans-serif, for which layout leaves [`SLACK`].

use std::borrow::Cow;
use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// What an SVG names as its font.
pub(super) const FAMILY: &str =
    "Noto Sans, Open Sans, Segoe UI, Helvetica Neue, Arial, Liberation Sans, sans-serif";

/// Layout takes every text to be this much wider: fonts that stand in for ours are.
const SLACK: f64 = 1.1;

/// plotters measures a font as high as its size, from its highest to its deepest point; that is 1.362 em of Noto Sans.
const EM: f64 = 1.362;

/// plotters measures in whole pixels: at this size they are small beside a text.
const FINE: f64 = 1000.0;

/// The bytes of the regular and the bold font.
pub(super) const FONTS: [&[u8]; 2] = [notosans::REGULAR_TTF, notosans::BOLD_TTF];

/// Makes the font known to plotters, once.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (style, bytes) in [FontStyle::Normal, FontStyle::Bold].into_iter().zip(FONTS) {
            // It fails only for bytes that are no font; a test draws with these.
            let _ = register_font(FAMILY, style, bytes);
        }
    });
}

/// Pixels that a text of that size (1 em, in pixels) takes, at most.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    exact(text, size, bold) * SLACK
}

fn exact(text: &str, size: f64, bold: bool) -> f64 {
    register();
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = FontDesc::new(FontFamily::Name(FAMILY), FINE, style);
    // Without a font, every character is taken to be as wide as an `m`.
    let measured =
        font.box_size(text).map_or(text.chars().count() as f64 * FINE, |(wide, _)| f64::from(wide));
    measured * EM / FINE * size
}

/// As much of the text as fits, with `…` where something is left out.
pub(super) fn fitted(text: &str, size: f64, bold: bool, most: f64) -> Cow<'_, str> {
    if width(text, size, bold) <= most {
        return Cow::Borrowed(text);
    }
    let mut kept: Vec<char> = text.chars().collect();
    while !kept.is_empty() {
        kept.pop();
        let shown: String = kept.iter().chain(['…'].iter()).collect();
        if width(&shown, size, bold) <= most {
            return Cow::Owned(shown);
        }
    }
    Cow::Borrowed("")
}

/// The text in lines that fit; a word that is too long is cut.
pub(super) fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer.filter(|longer| width(longer, size, false) <= most) {
            Some(longer) => *lines.last_mut().unwrap_or(&mut String::new()) = longer,
            None => lines.push(fitted(word, size, false, most).into_owned()),
        }
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::report::plot::png;

    #[test]
    fn a_text_is_as_wide_as_it_is_drawn() {
        for text in ["startup.ready", "1.31 s [1.28–1.35]", "WWWW iiii", "×≤µ"] {
            for bold in [false, true] {
                let drawn = png::text_width(text, 100.0, bold);
                let measured = exact(text, 100.0, bold);
                assert!((measured / drawn - 1.0).abs() < 0.05, "{text} {bold}: {measured} {drawn}");
            }
        }
    }

    #[test]
    fn the_font_has_every_character_that_pictures_use() {
        // A missing one is drawn as a box, as wide as the character of no font is.
        let missing = exact("\u{e000}", 1000.0, false);
        for c in "×–…µ·≤".chars() {
            assert!((exact(&c.to_string(), 1000.0, false) - missing).abs() > 1.0, "{c}");
        }
    }

    #[test]
    fn what_does_not_fit_is_shortened() {
        assert_eq!(fitted("short", 10.0, false, 100.0), "short");
        let cut = fitted("a very long name of an environment", 10.0, false, 60.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0, false) <= 60.0, "{cut}");
        assert_eq!(fitted("x", 10.0, false, 0.0), "");
    }

    #[test]
    fn lines_break_between_words() {
        let lines = wrapped("one two three four", 10.0, 60.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 10.0, false) <= 60.0));
        assert_eq!(lines.join(" "), "one two three four");
        assert!(wrapped("", 10.0, 50.0).is_empty());
    }
}
