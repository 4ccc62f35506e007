//! A comparison as Markdown: for a pull request or a release note.

use super::{COLUMNS, Shown, cells};

impl Shown<'_> {
    /// GitHub's Markdown. Nothing that a run says can become markup.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}** against **{}**\n\n", escaped(&self.new), escaped(&self.base));
        for caution in self.cautions() {
            text.push_str(&format!("> ⚠ {}\n", escaped(&caution)));
        }
        let findings = self.findings();
        if findings.is_empty() {
            text.push_str("\nNothing is shown to have changed.\n");
        }
        for (line, notes) in findings {
            text.push_str(&format!("\n- {}", escaped(&line)));
            notes.iter().for_each(|note| text.push_str(&format!("\n  - {}", escaped(note))));
        }
        text.push_str(&format!("\n\n| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len())));
        for row in self.rows() {
            text.push_str(&format!("| {} |\n", cells(row).map(|cell| escaped(&cell)).join(" | ")));
        }
        let differences = self.differences();
        if !differences.is_empty() {
            text.push_str("\nNot the same on both sides:\n");
            differences.iter().for_each(|one| text.push_str(&format!("- {}\n", escaped(one))));
        }
        text.push('\n');
        self.legend(true).iter().for_each(|line| text.push_str(&format!("{}\n", escaped(line))));
        text
    }
}

/// With what Markdown and HTML would take for markup made harmless; names of runs come from other people's files.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in crate::report::clean::clean_to(text, 1000).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' | '!' | '@' => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            super::escaped("<b>a|b</b> ![x](y) @all"),
            "&lt;b&gt;a\\|b&lt;/b&gt; \\!\\[x\\](y) \\@all"
        );
    }
}
