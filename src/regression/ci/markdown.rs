//! Markdown, for a comment on a pull request and for GitHub's step summary.

use super::{Case, Findings, Outcome};

/// The mark by which a later comment finds an earlier one to replace.
const MARK: &str = "<!-- isocost -->";

/// The answer, what is not a plain pass as a table, and the rest folded away.
#[must_use]
pub fn markdown(findings: &Findings) -> String {
    let (plain, told): (Vec<&Case>, Vec<&Case>) =
        findings.cases.iter().partition(|case| case.outcome == Outcome::Passed);
    let mut text = format!("{MARK}\n### {}\n\n", escaped(&findings.answer));
    if !told.is_empty() {
        text += &table(&told);
    }
    for note in &findings.notes {
        text += &format!("\n> {}\n", escaped(note));
    }
    if !plain.is_empty() {
        text += &format!(
            "\n<details><summary>{} within their limits</summary>\n\n{}\n</details>\n",
            plain.len(),
            table(&plain)
        );
    }
    text
}

fn table(cases: &[&Case]) -> String {
    let mut text = "| | figure | values | change | limit |\n|---|---|---|---|---|\n".to_owned();
    for case in cases {
        let notes: Vec<String> = case.notes.iter().map(|note| format!("<br>{}", escaped(note))).collect();
        let cells = [&case.values, &case.change, &case.limit].map(|cell| escaped(cell));
        text += &format!(
            "| {} | {}{} | {} |\n",
            mark(case.outcome),
            escaped(&case.name),
            notes.concat(),
            cells.join(" | ")
        );
    }
    text
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✅ pass",
        Outcome::Improved => "⬇️ better",
        Outcome::Regressed => "❌ regression",
        Outcome::Undecided => "❔ undecided",
    }
}

/// Text stays text: no tags, no table cells, no links, no mentions of people, no emphasis.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '#' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regression::ci::examples;

    #[test]
    fn the_answer_comes_first_and_passes_are_folded() {
        insta::assert_snapshot!(markdown(&examples::findings()));
    }

    #[test]
    fn nothing_but_passes_is_short() {
        let mut findings = examples::findings();
        findings.cases.retain(|case| case.outcome == Outcome::Passed);
        findings.notes.clear();
        let text = markdown(&findings);
        assert!(text.contains("<details><summary>1 within") && !text.contains("regression |"));
    }

    proptest! {
        #[test]
        fn names_cannot_break_out_of_their_cell(name in ".{0,60}") {
            let mut findings = examples::findings();
            let lines = markdown(&findings).lines().count();
            findings.cases[0].name = name;
            let text = markdown(&findings);
            prop_assert_eq!(text.lines().count(), lines);
            let row = text.lines().find(|line| line.starts_with("| ❌")).unwrap_or_default();
            let bars = row.replace("\\\\", "").replace("\\|", "").matches('|').count();
            prop_assert_eq!(bars, 6);
            prop_assert!(!row.replace("<br>", "").contains('<') && !row.contains('@'));
        }
    }
}
