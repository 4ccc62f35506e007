//! Text from a guest or from someone else's run folder, made harmless before it is shown.
//!
//! Escaping for HTML, XML and CSV happens where these are written; this takes out what no output may carry: control
//! characters (a terminal's escape sequences among them), characters that reorder a line, endless length.

use std::borrow::Cow;

/// The longest name or value shown in one place, in characters.
const LONGEST: usize = 200;

/// The longest sentence: a warning says what, and the line that mends it.
const LONGEST_SENTENCE: usize = 500;

/// Harmless, and of one line; what was taken out shows as `�`.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    clean_to(text, LONGEST)
}

/// A warning or a reason, which may be longer than a name.
pub(crate) fn sentence(text: &str) -> Cow<'_, str> {
    clean_to(text, LONGEST_SENTENCE)
}

/// The same with another bound, in characters.
pub(super) fn clean_to(text: &str, longest: usize) -> Cow<'_, str> {
    let short = text.chars().nth(longest).is_none();
    if short && text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let kept = if short { longest } else { longest.saturating_sub(1) };
    let mut shown: String = text.chars().take(kept).map(|c| if harmless(c) { c } else { '�' }).collect();
    if !short {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Neither control (C0, C1, line separators), nor changing direction, nor forbidden in XML.
fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays_and_is_not_copied() {
        assert!(matches!(clean("qemu <&\"'> ü 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_and_reordering_show_as_what_they_are() {
        assert_eq!(clean("\u{1b}[2Jx\n\u{202e}y\u{0}"), "�[2Jx��y�");
    }

    #[test]
    fn the_endless_ends() {
        assert_eq!(clean_to(&"x".repeat(500), 5), "xxxx…");
        assert_eq!(clean(&"x".repeat(200)).len(), 200);
        assert_eq!(sentence(&"x".repeat(501)).chars().count(), 500);
    }
}
