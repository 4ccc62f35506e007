//! A run in one screen of text.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use crate::analysis::Summary;
use crate::journal::Run;
use crate::journal::record::Ending;
use crate::measure::sample::Accelerator;
use crate::report::answers::{self, Answer};
use crate::report::clean::{clean, sentence};
use crate::report::quantity::counted;
use crate::report::view::{self, View};

/// A line below the header and no other.
pub(super) const TABLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Warnings and failures listed at most; the page has all.
const LISTED: usize = 6;

/// The summary, in lines of at most `width` characters where words allow; no colours, no escape sequences.
#[must_use]
pub fn terminal(run: &Run, summary: &Summary, width: usize) -> String {
    let width = width.clamp(40, 160);
    let view = View::new(run, summary);
    let answers = answers::all(&view);
    let mut text = heading(&view, width);
    for alarm in alarms(&view) {
        text.push_str(&wrapped(&format!("! {alarm}"), width, "  "));
    }
    text.push('\n');
    for answer in &answers {
        text.push_str(&wrapped(&answer.sentence, width, "  "));
    }
    text.push('\n');
    text.push_str(&table(&answers, width));
    text.push_str(&notes(&view, width));
    text
}

fn heading(view: &View<'_>, width: usize) -> String {
    let record = &view.run.record;
    let limits = &record.plan.suite.limits;
    let words = format!(
        "{}: instances of {} and {}, {}, seed {}, run {}",
        clean(&record.plan.suite.name),
        counted(u64::from(limits.cpus), "CPU"),
        crate::report::quantity::value(limits.memory_bytes as f64, "bytes"),
        counted(u64::from(view.summary.blocks), "measured block"),
        record.plan.seed,
        clean(&record.run_id),
    );
    wrapped(&words, width, "  ")
}

/// What must be known before any figure is believed: emulation, and a run that is not whole.
pub(super) fn alarms(view: &View<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let under = |accelerator| view.environments.iter().filter(move |one| one.accelerator == accelerator);
    if view.emulated() && under(Accelerator::Kvm).next().is_some() {
        let names: Vec<&str> = under(Accelerator::Tcg).map(|one| one.name.as_str()).collect();
        all.push(format!(
            "These ran by software emulation (TCG), not under KVM: {}. Their start-up, CPU, memory and disk figures say \
             nothing of KVM.",
            names.join(", ")
        ));
    } else if view.emulated() {
        all.push(
            "The virtual machine ran by software emulation (TCG), not under KVM. Its start-up, CPU, memory and disk \
             figures say nothing of KVM."
                .to_owned(),
        );
    }
    let run = view.run;
    match (run.complete, run.record.ending) {
        (false, _) => all.push(
            "This run did not end by itself: it was killed, or runs still. What follows is of the samples so far."
                .to_owned(),
        ),
        (true, Ending::Interrupted) => {
            all.push("This run was stopped by a signal. What follows is of the samples so far.".to_owned());
        }
        (true, Ending::Budget) => {
            all.push("This run stopped when its time budget was spent, before all that was planned.".to_owned());
        }
        (true, Ending::Precision) => {
            all.push("This run stopped when it was as precise as was asked, before all that was planned.".to_owned());
        }
        (true, Ending::Complete | Ending::Unfinished) => {}
    }
    if run.dropped_tail {
        all.push("The last line of its journal was cut short and is left out.".to_owned());
    }
    for one in &view.summary.comparability {
        if let Some(why) = &one.withheld {
            all.push(format!(
                "No ratio of {} to native is stated: {}",
                clean(&one.environment),
                sentence(why)
            ));
        }
    }
    all
}

/// One line an environment: its figure of each answer.
fn table(answers: &[Answer], width: usize) -> String {
    let mut table = Table::new();
    table.load_style(TABLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(80));
    table.set_header(["environment", "ready after", "× native", "idle memory", "CPU work", "disk work"]);
    let mut names: Vec<&str> = Vec::new();
    for figure in answers.iter().flat_map(|answer| &answer.figures) {
        if !names.contains(&figure.environment.as_str()) {
            names.push(&figure.environment);
        }
    }
    for name in names {
        let of = |index: usize| {
            let answer: Option<&Answer> = answers.get(index);
            answer.and_then(|answer| answer.figures.iter().find(|figure| figure.environment == name))
        };
        let figure = |index: usize| of(index).map_or("–", |figure| figure.figure.as_str());
        let against = of(0).map_or("–", |figure| figure.against.as_str());
        let against = if against.is_empty() { "1×" } else { against };
        table.add_row([name, figure(0), against, figure(1), figure(2), figure(3)]);
    }
    format!("{}\n", table.trim_fmt())
}

fn notes(view: &View<'_>, width: usize) -> String {
    let mut text = String::new();
    let failed = view::failed(view.summary);
    if !failed.is_empty() {
        let count: u32 = failed.iter().map(|one| one.samples).sum();
        text.push_str(&format!("\n{} without a value:\n", counted(u64::from(count), "sample")));
        for one in failed.iter().take(LISTED) {
            text.push_str(&wrapped(&format!("  {}", said(one)), width, "    "));
        }
        more(&mut text, failed.len());
    }
    let elsewhere = view::said_elsewhere(view, !failed.is_empty());
    if !elsewhere.is_empty() {
        text.push('\n');
        text.push_str(&wrapped(&elsewhere, width, "  "));
    }
    let warnings = &view.run.record.warnings;
    if !warnings.is_empty() {
        text.push_str(&format!("\n{}:\n", counted(warnings.len() as u64, "warning")));
        for warning in warnings.iter().take(LISTED) {
            text.push_str(&wrapped(&format!("  {}", sentence(warning)), width, "    "));
        }
        more(&mut text, warnings.len());
    }
    text
}

/// `docker: never-ready ×17 (start startup.ready and 16 more)`.
fn said(one: &view::Failed<'_>) -> String {
    let first = one
        .rows
        .first()
        .map_or(String::new(), |row| format!("{} {}", clean(&row.workload), clean(&row.metric)));
    let others = one.rows.len().saturating_sub(1);
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    format!("{}: {} ×{} ({first}{others})", clean(one.environment), one.name, one.samples)
}

fn more(text: &mut String, all: usize) {
    if all > LISTED {
        text.push_str(&format!("  … and {} more, in report.html\n", all - LISTED));
    }
}

/// The words in lines of at most `width`; those after the first begin with `indent`.
pub(super) fn wrapped(words: &str, width: usize, indent: &str) -> String {
    let lead: String = words.chars().take_while(|c| *c == ' ').collect();
    let mut lines: Vec<String> = Vec::new();
    let mut line = lead;
    let mut fresh = true;
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::sample::{Failure, FailureName, Outcome};
    use crate::report::fixture;

    #[test]
    fn a_quick_run_in_one_screen() {
        let run = fixture::quick(6, Accelerator::Tcg);
        let text = terminal(&run, &fixture::summarise(&run), 100);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let run = fixture::quick(6, Accelerator::Tcg);
        for width in [60, 80, 120] {
            let text = terminal(&run, &fixture::summarise(&run), width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{widest:?} in\n{text}");
        }
    }

    #[test]
    fn what_was_cut_short_says_so_and_kvm_is_no_alarm() {
        let mut run = fixture::quick(6, Accelerator::Kvm);
        let text = terminal(&run, &fixture::summarise(&run), 100);
        assert!(!text.contains("! "), "{text}");
        (run.complete, run.dropped_tail) = (false, true);
        let text = terminal(&run, &fixture::summarise(&run), 100);
        assert!(text.contains("! This run did not end by itself") && text.contains("cut short"), "{text}");
    }

    #[test]
    fn failures_in_blocks_that_are_not_analysed_are_counted_too() {
        let mut run = fixture::quick(6, Accelerator::Kvm);
        run.samples.retain(|sample| !matches!(sample.outcome, Outcome::Failed(_)));
        let summary = fixture::summarise(&run);
        let said = |run: &Run| {
            (terminal(run, &summary, 160), crate::report::page(run, &summary).unwrap_or_default())
        };
        let (text, page) = said(&run);
        assert!(!text.contains("failed") && page.contains("No sample failed."));
        let failure = Failure { name: FailureName::NeverReady, detail: "no Hello within 30 s".into() };
        let mut of_warm_up = run.samples[0].clone();
        (of_warm_up.block, of_warm_up.warm_up) = (0, true);
        (of_warm_up.environment, of_warm_up.outcome) = ("docker".into(), Outcome::Failed(failure));
        run.samples.insert(0, of_warm_up);
        let told = "1 sample failed in blocks that are not analysed, as those to warm up and those set aside \
                    (docker: never-ready ×1)";
        let (text, page) = said(&run);
        assert!(text.contains(told), "{text}");
        assert!(page.contains(told) && !page.contains("No sample failed."));
    }

    #[test]
    fn escape_sequences_never_reach_the_terminal() {
        let mut run = fixture::quick(2, Accelerator::Tcg);
        run.record.warnings = vec!["\u{1b}]0;owned\u{7}".into()];
        run.record.run_id = "\u{1b}[2J".into();
        run.record.environments[1].id = "\u{1b}[31m".into();
        for sample in run.samples.iter_mut().filter(|sample| sample.environment == "docker") {
            sample.environment = "\u{1b}[31m".into();
        }
        let text = terminal(&run, &fixture::summarise(&run), 80);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
}
